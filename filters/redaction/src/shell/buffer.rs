//! The host's body buffers.

use proxy_wasm::hostcalls;
use proxy_wasm::types::BufferType;

use crate::hold::Buffer;

/// The body of a request, of that size.
pub(super) struct RequestBody(pub(super) usize);

/// The body of a response, of that size.
pub(super) struct ResponseBody(pub(super) usize);

impl Buffer for RequestBody {
    fn read(&mut self) -> Vec<u8> {
        read(BufferType::HttpRequestBody, self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        write(BufferType::HttpRequestBody, self.0, bytes);
    }

    fn resume(&mut self) {
        // The stream at hand is always there.
        let _ = hostcalls::resume_http_request();
    }
}

impl Buffer for ResponseBody {
    fn read(&mut self) -> Vec<u8> {
        read(BufferType::HttpResponseBody, self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        write(BufferType::HttpResponseBody, self.0, bytes);
    }

    fn resume(&mut self) {
        let _ = hostcalls::resume_http_response();
    }
}

fn read(buffer: BufferType, size: usize) -> Vec<u8> {
    // None is an empty buffer.
    hostcalls::get_buffer(buffer, 0, size).ok().flatten().unwrap_or_default()
}

fn write(buffer: BufferType, size: usize, bytes: &[u8]) {
    // From its beginning any buffer can be written that is there.
    let _ = hostcalls::set_buffer(buffer, 0, size, bytes);
}
