// How many megabytes a second of bodies the module looks into, in V8 as Envoy has it:
//   node filters/redaction/benches/throughput.mjs [--json] [module.wasm ...]
// The host is a stand-in that answers what one response with a body asks. Of many rounds the fastest counts: others tell of the
// machine.
import { readFileSync } from "node:fs";

const DETECTORS = ["credit_card", "us_ssn", "email", "ipv4", "ipv6", "iban", "phone_e164", "jwt", "aws_access_key", "private_key_pem", "bearer"]
  .map((kind) => ({ name: kind, kind, action: { type: "mask" } }));
DETECTORS.push(
  { name: "secrets", kind: "assignment", keys: ["password", "secret", "api_key"] },
  { name: "projects", kind: "literal", literals: ["Project Falcon", "Project Kestrel", "xyzzy"] },
  { name: "ids", kind: "json_keys", keys: ["ssn", "date_of_birth"] },
  // Its first two segments lead into every record.
  { name: "pins", kind: "json_pointer", paths: ["/*/address/pin"] },
);
const CONFIG = JSON.stringify({ version: 1, detectors: DETECTORS });

const record = (n) => ({ id: 1000 + n, name: `Person number ${n}`, tags: ["one", "two", "three"], active: n % 2 === 0, created: "2024-03-17T10:22:31Z",
  address: { street: "Long Street", city: "Springfield", zip: String(10000 + n % 9999) }, note: "a text of some words that tells nothing of interest to anybody at all", ref: `a${n}f3c9e-12d4-4b6f-8a9e-5c${n}b7d` });
const clean = JSON.stringify(Array.from({ length: 4000 }, (_, n) => record(n)));
// One match in each KiB, or nearly.
const dirty = JSON.stringify(Array.from({ length: 4000 }, (_, n) => n % 3 ? record(n) : { ...record(n), mail: `person${n}@example.com` }));
const prose = "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.\n".repeat(8000);
const CHUNK = 32768;
const ROUNDS = Number(process.env.ROUNDS ?? 400);

function load(path) {
  const encoder = new TextEncoder();
  let exports, body = new Uint8Array(), written = 0;
  const memory = () => new Uint8Array(exports.memory.buffer);
  const view = () => new DataView(exports.memory.buffer);
  const give = (bytes, at, size) => {
    const place = bytes.length ? (exports.proxy_on_memory_allocate ?? exports.malloc)(bytes.length) : 0;
    memory().set(bytes, place);
    view().setUint32(at, place, true);
    view().setUint32(size, bytes.length, true);
    return 0;
  };
  const text = (at, size) => new TextDecoder().decode(memory().subarray(at, at + size));
  const headers = { ":status": "200", "content-type": "application/json" };
  const pairs = () => {
    const lines = Object.entries(headers).map(([name, value]) => [encoder.encode(name), encoder.encode(value)]);
    const numbers = [lines.length, ...lines.flatMap(([name, value]) => [name.length, value.length])];
    const bytes = [...new Uint8Array(Uint32Array.from(numbers).buffer)];
    lines.forEach(([name, value]) => bytes.push(...name, 0, ...value, 0));
    return Uint8Array.from(bytes);
  };
  let metrics = 0;
  const env = {
    proxy_get_buffer_bytes: (type, start, max, at, size) =>
      give(type === 7 ? encoder.encode(CONFIG) : body.subarray(start, Math.min(body.length, start + max)), at, size),
    proxy_set_buffer_bytes: (type, start, size, at, length) => { written += length; return 0; },
    proxy_get_header_map_pairs: (map, at, size) => give(pairs(), at, size),
    proxy_get_header_map_value: (map, name, length, at, size) => {
      const value = headers[text(name, length)];
      return value === undefined ? 1 : give(encoder.encode(value), at, size);
    },
    proxy_define_metric: (type, name, length, id) => { view().setUint32(id, ++metrics, true); return 0; },
    proxy_log: (level, at, size) => { console.log(text(at, size)); return 0; },
  };
  const zero = new Proxy({}, { get: (_, name) => env[name] ?? (() => 0) });
  const module = new WebAssembly.Module(readFileSync(path));
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = zero[name];
  exports = new WebAssembly.Instance(module, imports).exports;
  (exports._initialize ?? exports._start)?.();
  exports.proxy_on_context_create(1, 0);
  exports.proxy_on_vm_start?.(1, 0);
  if (!exports.proxy_on_configure(1, CONFIG.length)) throw new Error("the configuration is refused");
  let id = 1;
  return (document, type) => {
    headers["content-type"] = type;
    exports.proxy_on_context_create(++id, 1);
    exports.proxy_on_request_headers(id, 0, 1);
    exports.proxy_on_response_headers(id, 2, 0);
    let from = 0, held = false;
    for (let at = 0; at < document.length; at += CHUNK) {
      const end = at + CHUNK;
      body = document.subarray(from, end);
      // What is stopped for the first time is there again with the next piece; after that its end is with the module.
      const paused = exports.proxy_on_response_body(id, body.length, end >= document.length ? 1 : 0) === 1;
      from = paused && !held ? at : end;
      held = paused;
    }
    exports.proxy_on_done?.(id);
    exports.proxy_on_log?.(id);
    exports.proxy_on_delete?.(id);
  };
}

const json = process.argv[2] === "--json";
const paths = process.argv.slice(json ? 3 : 2);
const rows = [];
if (!paths.length) paths.push("target/wasm32-unknown-unknown/release/redaction.wasm");
for (const path of paths) {
  const run = load(path);
  for (const [name, document, type] of [["clean JSON", clean, "application/json"], ["JSON, a match per KiB", dirty, "application/json"], ["prose", prose, "text/plain"]]) {
    if (process.env.CASE && !name.startsWith(process.env.CASE)) continue;
    const bytes = new TextEncoder().encode(document);
    let best = Infinity;
    // Short rounds, and many: on a busy machine some find it quiet. The first of them are compiled meanwhile.
    for (let round = 0; round < ROUNDS; round++) {
      const start = process.hrtime.bigint();
      run(bytes, type);
      best = Math.min(best, Number(process.hrtime.bigint() - start));
    }
    const megabytes = Math.round(bytes.length / best * 1000);
    rows.push({ module: path, case: name, megabytes });
    if (!json) console.log(`${path}: ${name}: ${megabytes} MB/s`);
  }
}
if (json) console.log(JSON.stringify(rows));
