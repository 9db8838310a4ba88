//! The host calls in: every callback of the ABI, and a few that only Envoy's library looks for.

#![expect(unsafe_code, reason = "exports have names that the host knows")]

use crate::program::enter;

/// How a parameter is logged.
trait Shown {
    fn shown(self) -> String;
}

struct Flag(i32);

impl From<i32> for Flag {
    fn from(word: i32) -> Self {
        Self(word)
    }
}

impl Shown for Flag {
    fn shown(self) -> String {
        (self.0 != 0).to_string()
    }
}

impl Shown for i32 {
    fn shown(self) -> String {
        self.to_string()
    }
}

macro_rules! callbacks {
    ($($export:ident = $name:ident($($parameter:ident: $kind:ty),*) $(-> $default:literal)?;)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $export(context: i32, $($parameter: i32),*) $(-> callbacks!(@word $default))? {
            #[allow(unused_mut, reason = "some callbacks have the context alone")]
            let mut shown = vec![context.shown()];
            $(shown.push(<$kind>::from($parameter).shown());)*
            #[allow(unused_variables, reason = "the default of those that return nothing")]
            let default: Option<i32> = None;
            $(let default: Option<i32> = Some($default);)?
            #[allow(unused_variables, reason = "some callbacks have the context alone")]
            let first = 0;
            $(let first = if stringify!($parameter) == "parent" { $parameter } else { first };)*
            let answer = enter(context, stringify!($name), &shown, first, default);
            callbacks!(@answer answer $(, $default)?)
        })*
    };
    (@word $default:literal) => { i32 };
    (@answer $answer:ident, $default:literal) => { $answer };
    (@answer $answer:ident) => {{ let _ = $answer; }};
}

callbacks! {
    proxy_on_context_create = on_context_create(parent: i32);
    proxy_on_vm_start = on_vm_start(size: i32) -> 1;
    proxy_validate_configuration = validate_configuration(size: i32) -> 1;
    proxy_on_configure = on_configure(size: i32) -> 1;
    proxy_on_tick = on_tick();
    proxy_on_done = on_done() -> 1;
    proxy_on_log = on_log();
    proxy_on_delete = on_delete();
    proxy_on_new_connection = on_new_connection() -> 0;
    proxy_on_downstream_data = on_downstream_data(size: i32, end: Flag) -> 0;
    proxy_on_upstream_data = on_upstream_data(size: i32, end: Flag) -> 0;
    proxy_on_downstream_connection_close = on_downstream_connection_close(peer: i32);
    proxy_on_upstream_connection_close = on_upstream_connection_close(peer: i32);
    proxy_on_request_headers = on_request_headers(count: i32, end: Flag) -> 0;
    proxy_on_request_body = on_request_body(size: i32, end: Flag) -> 0;
    proxy_on_request_trailers = on_request_trailers(count: i32) -> 0;
    proxy_on_request_metadata = on_request_metadata(count: i32) -> 0;
    proxy_on_response_headers = on_response_headers(count: i32, end: Flag) -> 0;
    proxy_on_response_body = on_response_body(size: i32, end: Flag) -> 0;
    proxy_on_response_trailers = on_response_trailers(count: i32) -> 0;
    proxy_on_response_metadata = on_response_metadata(count: i32) -> 0;
    proxy_on_http_call_response = on_http_call_response(call: i32, headers: i32, body: i32, trailers: i32);
    proxy_on_grpc_receive_initial_metadata = on_grpc_receive_initial_metadata(call: i32, count: i32);
    proxy_on_grpc_receive = on_grpc_receive(call: i32, size: i32);
    proxy_on_grpc_receive_trailing_metadata = on_grpc_receive_trailing_metadata(call: i32, count: i32);
    proxy_on_grpc_close = on_grpc_close(call: i32, status: i32);
    proxy_on_queue_ready = on_queue_ready(queue: i32);
    proxy_on_foreign_function = on_foreign_function(function: i32, size: i32);
}
