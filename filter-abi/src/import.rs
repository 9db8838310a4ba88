//! What this module calls of Envoy. The linker leaves out what a filter does not call.

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    pub(crate) fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
    pub(crate) fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
    pub(crate) fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
    pub(crate) fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    pub(crate) fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
    pub(crate) fn proxy_get_header_map_pairs(map: u32, value: *mut *mut u8, value_size: *mut usize) -> u32;
    pub(crate) fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    pub(crate) fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    pub(crate) fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    pub(crate) fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> u32;
    pub(crate) fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    pub(crate) fn proxy_continue_stream(stream: u32) -> u32;
    pub(crate) fn proxy_close_stream(stream: u32) -> u32;
    pub(crate) fn proxy_set_effective_context(context: u32) -> u32;
    pub(crate) fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    pub(crate) fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    pub(crate) fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        argument: *const u8,
        argument_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
    pub(crate) fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32;
    pub(crate) fn proxy_increment_metric(id: u32, by: i64) -> u32;
    pub(crate) fn proxy_record_metric(id: u32, value: u64) -> u32;
}

// Envoy gives these to any module, whatever target it was compiled for (Envoy 1.36 to 1.40, `exports.cc`).
#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    pub(crate) fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
    pub(crate) fn random_get(bytes: *mut u8, size: usize) -> u32;
}
