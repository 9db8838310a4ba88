//! Panics when a request carries `x-panic`, and marks the others with `x-alive: 1`.

#[cfg(target_family = "wasm")]
mod shell {
    use proxy_wasm::traits::{Context, HttpContext};
    use proxy_wasm::types::{Action, LogLevel};

    proxy_wasm::main! {{
        // This also makes the SDK log a panic's message.
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_http_context(|_, _| Box::new(Stream));
    }}

    struct Stream;

    impl Context for Stream {}

    impl HttpContext for Stream {
        #[expect(clippy::panic, reason = "this is what it is for")]
        fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
            if self.get_http_request_header_bytes("x-panic").is_some() {
                panic!("a request asked for it");
            }
            self.set_http_request_header_bytes("x-alive", Some(b"1"));
            Action::Continue
        }
    }
}
