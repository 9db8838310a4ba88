//! The host calls in: every callback of the ABI, and a few that only Envoy's library looks for.

#![expect(unsafe_code, reason = "exports have names that the host knows")]

use crate::program::enter;

macro_rules! callbacks {
    ($($export:ident = $name:ident($($parameter:ident: $shown:ident),*) $(-> $default:literal)?;)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $export(context: i32 $(, $parameter: i32)*) $(-> callbacks!(@word $default))? {
            let shown = [number(context) $(, $shown($parameter))*].join(", ");
            let answer = enter(context, stringify!($name), &shown, &[$($parameter),*], callbacks!(@default $($default)?));
            callbacks!(@answer answer $($default)?)
        })*
    };
    (@word $default:literal) => { i32 };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@answer $answer:ident) => {{ let _ = $answer; }};
    (@answer $answer:ident $default:literal) => { $answer };
}

callbacks! {
    proxy_on_context_create = on_context_create(parent: number);
    proxy_on_vm_start = on_vm_start(size: number) -> 1;
    proxy_validate_configuration = validate_configuration(size: number) -> 1;
    proxy_on_configure = on_configure(size: number) -> 1;
    proxy_on_tick = on_tick();
    proxy_on_done = on_done() -> 1;
    proxy_on_log = on_log();
    proxy_on_delete = on_delete();
    proxy_on_new_connection = on_new_connection() -> 0;
    proxy_on_downstream_data = on_downstream_data(size: number, end: flag) -> 0;
    proxy_on_upstream_data = on_upstream_data(size: number, end: flag) -> 0;
    proxy_on_downstream_connection_close = on_downstream_connection_close(peer: number);
    proxy_on_upstream_connection_close = on_upstream_connection_close(peer: number);
    proxy_on_request_headers = on_request_headers(count: number, end: flag) -> 0;
    proxy_on_request_body = on_request_body(size: number, end: flag) -> 0;
    proxy_on_request_trailers = on_request_trailers(count: number) -> 0;
    proxy_on_request_metadata = on_request_metadata(count: number) -> 0;
    proxy_on_response_headers = on_response_headers(count: number, end: flag) -> 0;
    proxy_on_response_body = on_response_body(size: number, end: flag) -> 0;
    proxy_on_response_trailers = on_response_trailers(count: number) -> 0;
    proxy_on_response_metadata = on_response_metadata(count: number) -> 0;
    proxy_on_http_call_response = on_http_call_response(call: number, headers: number, body: number, trailers: number);
    proxy_on_grpc_receive_initial_metadata = on_grpc_receive_initial_metadata(call: number, count: number);
    proxy_on_grpc_receive = on_grpc_receive(call: number, size: number);
    proxy_on_grpc_receive_trailing_metadata = on_grpc_receive_trailing_metadata(call: number, count: number);
    proxy_on_grpc_close = on_grpc_close(call: number, status: number);
    proxy_on_queue_ready = on_queue_ready(queue: number);
    proxy_on_foreign_function = on_foreign_function(function: number, size: number);
}

fn number(word: i32) -> String {
    word.to_string()
}

fn flag(word: i32) -> String {
    (word != 0).to_string()
}
