#!/usr/bin/env python3
"""Measures redaction and keeps what came of it: how fast it looks into bodies, how well it tells what is something from what
only looks like it, and what a stream holds.

    make bench-redaction

The other tool of the comparison is Presidio, where `PRESIDIO_PYTHON` names a Python that has it. Exit 1: on some kind it is
better. Results are in bench/results/DATE-MACHINE-redaction/, as those of the other benches.
"""
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

root = Path(__file__).resolve().parents[3]
here = root / "filters/redaction"
MODULES = {"scalar": "dist/redaction.wasm", "simd128": "dist/simd128/redaction.wasm"}
# Megabytes a second that each case is to reach, by module.
GOALS = {("clean JSON", "simd128"): 1000, ("clean JSON", "scalar"): 500, ("JSON, a match per KiB", "simd128"): 400}
PEER = {"ipv4": "ip", "ipv6": "ip"}


def run(*command, **more):
    return subprocess.run(command, cwd=root, check=True, text=True, stdout=subprocess.PIPE, env={**os.environ, **more}).stdout


def row(suite, case, value, unit, baseline=None):
    ratio = round(value / baseline, 4) if baseline else None
    return {"suite": suite, "case": case, "value": value, "unit": unit, "baseline": baseline, "ratio": ratio}


rows, tables = [], []

said = json.loads(run("node", here / "benches/throughput.mjs", "--json", *MODULES.values()))
speed = {}
for one in said:
    module = next(name for name, path in MODULES.items() if path == one["module"])
    speed[one["case"], module] = one["megabytes"]
table = ["| body | scalar, MB/s | simd128, MB/s | goal |", "|---|---:|---:|---|"]
for case in dict.fromkeys(case for case, _ in speed):
    rows.append(row("redaction throughput", f"{case}, scalar", speed[case, "scalar"], "MB/s"))
    rows.append(row("redaction throughput", f"{case}, simd128", speed[case, "simd128"], "MB/s", speed[case, "scalar"]))
    goals = [f"{module} {goal}" for (of, module), goal in GOALS.items() if of == case]
    table.append(f"| {case} | {speed[case, 'scalar']} | {speed[case, 'simd128']} | {', '.join(goals)} |")
tables.append(("Throughput", table))

below = []
with tempfile.TemporaryDirectory() as folder:
    corpus, scores = Path(folder) / "corpus.jsonl", Path(folder) / "scores.json"
    run("cargo", "test", "--quiet", "--workspace", "--test", "quality", PII_CORPUS=str(corpus), PII_SCORES=str(scores))
    ours = json.loads(scores.read_text())
    samples = sum(1 for _ in corpus.open())
    python = os.environ.get("PRESIDIO_PYTHON")
    peer = json.loads(run(python, here / "benches/presidio.py", corpus)) if python else {}
table = ["| kind | precision | recall | Presidio: precision | recall |", "|---|---:|---:|---:|---:|"]
for kind, score in ours.items():
    other = peer.get(PEER.get(kind, kind))
    for what in ("precision", "recall"):
        rows.append(row("redaction quality", f"{kind}, {what}", round(score[what], 4), "of 1", round(other[what], 4) if other else None))
        if other and score[what] < other[what]:
            below.append(f"{kind}: {what} {score[what]:.4f}, Presidio {other[what]:.4f}")
    shown = [f"{other[what]:.4f}" if other else "" for what in ("precision", "recall")]
    table.append(f"| {kind} | {score['precision']:.4f} | {score['recall']:.4f} | {' | '.join(shown)} |")
tables.append(("Quality", table))

printed = run("cargo", "test", "--quiet", "--workspace", "--test", "wasm", "a_stream_holds", "--", "--nocapture")
table = ["| where a stream stands | bytes of the module's memory |", "|---|---:|"]
for what, value in re.findall(r"^\.*(.+): (\d+) bytes for each stream$", printed, re.MULTILINE):
    rows.append(row("redaction memory", what, int(value), "bytes"))
    table.append(f"| {what} | {value} |")
tables.append(("Memory", table))

machine = os.environ.get("MESHLOOM_BENCH_HOST") or f"{os.cpu_count()}core-{platform.machine()}"
base = root / "bench/results" / f"{datetime.date.today()}-{machine}-redaction"
folder, again = base, 1
while folder.exists():
    again += 1
    folder = base.with_name(f"{base.name}-{again}")
folder.mkdir(parents=True)
(folder / "raw.json").write_text(json.dumps(rows, indent=1) + "\n")
summary = ["# What redaction costs and finds", ""]
for title, table in tables:
    summary += [f"## {title}", "", *table, ""]
(folder / "summary.md").write_text("\n".join(summary))
versions = {"node": run("node", "--version").strip(), "V8": run("node", "-p", "process.versions.v8").strip(), "rustc": run("rustc", "--version").strip()}
cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
setup = f"""# Setup

`make bench-redaction` on {machine}, {cpu}, with a load of {os.getloadavg()[0]:.1f} at its end.

{', '.join(f'{name} {version}' for name, version in versions.items())}.

- **Throughput**: the modules that are shipped, in V8, with all fifteen kinds of detectors, in pieces of 32 KiB. The host is a
  stand-in. Of 400 rounds the fastest counts. Ratios are those of simd128 to scalar.
- **Quality**: {samples} generated texts; a finding is right if it is exactly the token. {'Presidio looked through the same texts, by its pattern recognizers, in the same run.' if peer else 'Presidio was not there.'}
- **Memory**: of the module, for each of 600 streams that stand there, in the harness.
"""
(folder / "setup.md").write_text(setup)
print((folder / "summary.md").read_text())
print(f"kept in {folder.relative_to(root)}")
if below:
    sys.exit("error: Presidio is better:\n" + "\n".join(below))
