//! What Envoy calls of a module.

/// What becomes of the message at hand after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    /// It goes on.
    Continue = 0,
    /// It waits until it is [resumed](crate::stream::resume), or was answered or reset.
    Pause = 1,
}

/// Where nothing is said it goes on.
impl From<()> for Action {
    fn from((): ()) -> Self {
        Self::Continue
    }
}

/// Exports callbacks, each with the function that does what it is for. Envoy calls for each stream what a module exports,
/// at half a microsecond a call: so only what is named here is exported. `ship` reads the names where this is called.
///
/// | callback                                                        | function                                        |
/// |-----------------------------------------------------------------|-------------------------------------------------|
/// | `proxy_on_configure`: of each root context, a plugin in one of its configurations | `fn(root: u32, size: usize) -> bool` |
/// | `proxy_on_tick`: see [`tick_every`](crate::system::tick_every)    | `fn(root: u32)`                                 |
/// | `proxy_on_request_headers`, `proxy_on_request_trailers`, `proxy_on_response_headers`, `proxy_on_response_trailers` | `fn(context: u32)`, and may answer an [`Action`] |
/// | `proxy_on_http_call_response`: for each answer, and for each call that has none | `fn(root: u32, token: u32, body_size: usize)` |
/// | `proxy_on_log`: for each stream that is over                      | `fn(context: u32)`                              |
/// | `proxy_on_delete`: for each context that is freed, of a stream or a root context | `fn(context: u32)`             |
#[macro_export]
macro_rules! callbacks {
    ($($callback:ident => $does:path),* $(,)?) => { $($crate::callback!($callback => $does);)* };
}

/// One of [`callbacks!`].
#[doc(hidden)]
#[macro_export]
macro_rules! callback {
    (proxy_on_configure => $does:path) => {
        const _: () = {
            #[unsafe(export_name = "proxy_on_configure")]
            extern "C" fn callback(root: u32, size: usize) -> u32 {
                u32::from($does(root, size))
            }
        };
    };
    (proxy_on_tick => $does:path) => { $crate::callback!(@context "proxy_on_tick" $does); };
    (proxy_on_log => $does:path) => { $crate::callback!(@context "proxy_on_log" $does); };
    (proxy_on_delete => $does:path) => { $crate::callback!(@context "proxy_on_delete" $does); };
    (proxy_on_request_headers => $does:path) => {
        $crate::callback!(@headers "proxy_on_request_headers" $does);
    };
    (proxy_on_response_headers => $does:path) => {
        $crate::callback!(@headers "proxy_on_response_headers" $does);
    };
    (proxy_on_request_trailers => $does:path) => {
        $crate::callback!(@trailers "proxy_on_request_trailers" $does);
    };
    (proxy_on_response_trailers => $does:path) => {
        $crate::callback!(@trailers "proxy_on_response_trailers" $does);
    };
    (proxy_on_http_call_response => $does:path) => {
        const _: () = {
            #[unsafe(export_name = "proxy_on_http_call_response")]
            extern "C" fn callback(root: u32, token: u32, _headers: u32, body_size: usize, _trailers: u32) {
                $does(root, token, body_size);
            }
        };
    };
    (@context $name:literal $does:path) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            extern "C" fn callback(context: u32) {
                $does(context);
            }
        };
    };
    (@headers $name:literal $does:path) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            extern "C" fn callback(context: u32, _lines: u32, _is_end: u32) -> u32 {
                $crate::Action::from($does(context)) as u32
            }
        };
    };
    (@trailers $name:literal $does:path) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            extern "C" fn callback(context: u32, _lines: u32) -> u32 {
                $crate::Action::from($does(context)) as u32
            }
        };
    };
}
