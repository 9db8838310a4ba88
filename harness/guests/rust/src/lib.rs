//! The guest in Rust, which `scripts/guests.sh` builds for two targets.

#[cfg(target_family = "wasm")]
mod shell {
    use log::info;
    use proxy_wasm::traits::{Context, HttpContext, RootContext};
    use proxy_wasm::types::{Action, ContextType, LogLevel};

    const LANGUAGE: &str = if cfg!(target_os = "wasi") { "rust-wasip1" } else { "rust" };

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_root_context(|_| Box::new(Root));
    }}

    struct Root;

    impl Context for Root {}

    impl RootContext for Root {
        fn on_configure(&mut self, _: usize) -> bool {
            let configuration = self.get_plugin_configuration().unwrap_or_default();
            info!("configured: {}", String::from_utf8_lossy(&configuration));
            true
        }

        fn get_type(&self) -> Option<ContextType> {
            Some(ContextType::HttpContext)
        }

        fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
            Some(Box::new(Stream))
        }
    }

    struct Stream;

    impl Context for Stream {}

    impl HttpContext for Stream {
        fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
            let name = self.get_http_request_header_bytes("x-name").unwrap_or(b"nobody".into());
            self.add_http_request_header("x-guest", LANGUAGE);
            info!("hello {}", String::from_utf8_lossy(&name));
            if self.get_http_request_header_bytes(":path").as_deref() == Some(b"/reply") {
                self.send_http_response(403, vec![], Some(format!("denied by {LANGUAGE}").as_bytes()));
                return Action::Pause;
            }
            Action::Continue
        }

        fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
            self.set_http_response_header("x-guest", Some(LANGUAGE));
            Action::Continue
        }

        fn on_log(&mut self) {
            info!("log");
        }
    }
}
