//! The stream at hand: answered, resumed or reset; and which one that is.

use crate::import;

/// Which gRPC status a client is answered where there is none to be.
pub const NO_GRPC_STATUS: i32 = -1;

/// Answers the request in the upstream's place. `headers` are lines as the ABI writes a map down.
pub fn reply(status: u32, details: &str, headers: &[u8], body: &[u8], grpc_status: i32) {
    // SAFETY: all texts are valid for their lengths.
    unsafe {
        import::proxy_send_local_response(
            status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    };
}

/// Lets the request go on. Its headers are out of reach from then on (Envoy 1.36 to 1.40, `context.cc`).
pub fn resume() {
    // SAFETY: a number alone.
    unsafe { import::proxy_continue_stream(0) };
}

/// Resets the stream while its response passes; the client gets no more of it. Whether the host does.
pub fn reset_response() -> bool {
    // SAFETY: a number alone.
    unsafe { import::proxy_close_stream(1) == 0 }
}

/// Has hostcalls act on that context until this callback ends. False if it is gone.
pub fn act_on(context: u32) -> bool {
    // SAFETY: a number alone.
    unsafe { import::proxy_set_effective_context(context) == 0 }
}
