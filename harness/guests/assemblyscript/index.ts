// The guest in AssemblyScript.
export * from "@solo-io/proxy-runtime/proxy";
import {
  BufferTypeValues,
  get_buffer_bytes,
} from "@solo-io/proxy-runtime/runtime";
import {
  Context,
  FilterHeadersStatusValues,
  GrpcStatusValues,
  LogLevelValues,
  RootContext,
  log,
  registerRootContext,
  send_local_response,
  stream_context,
} from "@solo-io/proxy-runtime";

const LANGUAGE = "assemblyscript";

class Root extends RootContext {
  // Not the SDK's own onConfigure: that has the configuration's size written over whatever stands at the address
  // which the size happens to be, and then reads nothing.
  onConfigure(size: u32): bool {
    let configuration = get_buffer_bytes(BufferTypeValues.PluginConfiguration, 0, size);
    log(LogLevelValues.info, "configured: " + String.UTF8.decode(configuration));
    return true;
  }

  createContext(id: u32): Context {
    return new Stream(id, this);
  }
}

class Stream extends Context {
  constructor(id: u32, root: Root) {
    super(id, root);
  }

  onRequestHeaders(_: u32, endOfStream: bool): FilterHeadersStatusValues {
    let request = stream_context.headers.request;
    // The SDK has the empty string for what is absent. No `?:` here: this compiler releases one side of it twice.
    let name = request.get("x-name");
    if (name == "") name = "nobody";
    request.add("x-guest", LANGUAGE);
    log(LogLevelValues.info, "hello " + name);
    if (request.get(":path") == "/reply") {
      let body = String.UTF8.encode("denied by " + LANGUAGE);
      send_local_response(403, "", body, [], GrpcStatusValues.Unknown);
      return FilterHeadersStatusValues.StopIteration;
    }
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(_: u32, endOfStream: bool): FilterHeadersStatusValues {
    stream_context.headers.response.replace("x-guest", LANGUAGE);
    return FilterHeadersStatusValues.Continue;
  }

  onLog(): void {
    log(LogLevelValues.info, "log");
  }
}

// Under no name: where a plugin is configured, `root_id` stays empty.
registerRootContext((id: u32) => new Root(id), "");
