//! The ABI shell: the only file here that knows it runs inside a proxy.

use std::rc::Rc;

use filter_kit::shell::attribute;
use filter_kit::shell::metric::{self, Counter, Histogram};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{LogLevel, MapType};

use crate::{Direction, Line, Timing, class, milliseconds, status};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| filter_kit::shell::root(Ready::new, |ready| Box::new(Stream { ready })));
}}

struct Ready {
    timing: Timing,
    inbound: Metrics,
    outbound: Metrics,
}

/// The metrics of one direction.
struct Metrics {
    duration: Histogram,
    /// Of the classes 2xx to 5xx.
    responses: [Counter; 4],
}

impl Ready {
    fn new(bytes: &[u8]) -> Result<Self, filter_kit::config::Refusal> {
        Ok(Self {
            timing: Timing::from_json(bytes)?,
            inbound: Metrics::of(Direction::Inbound),
            outbound: Metrics::of(Direction::Outbound),
        })
    }
}

impl Metrics {
    fn of(direction: Direction) -> Self {
        let direction = direction.as_str();
        Self {
            duration: metric::histogram(&format!("wasm_http_{direction}_duration_ms")),
            responses: [2, 3, 4, 5]
                .map(|class| metric::counter(&format!("wasm_http_{direction}_responses_total_{class}xx"))),
        }
    }
}

struct Stream {
    ready: Rc<Ready>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    // Called once for each stream, also for those that another filter answered; by then Envoy knows everything.
    fn on_log(&mut self) {
        let timing = &self.ready.timing;
        // Read each time unless it is given: listeners of both directions share a root context (Envoy 1.36 to
        // 1.40), and a fifth of the filter's cost is the reading.
        let direction = timing.direction.unwrap_or_else(|| {
            attribute::integer(b"xds\0listener_direction")
                .and_then(Direction::from_attribute)
                .unwrap_or(timing.default_direction)
        });
        let duration = attribute::integer(b"request\0duration").and_then(milliseconds);
        // The header, for a header costs a third of what the attribute `response.code` does.
        let code = header(MapType::HttpResponseHeaders, ":status").map_or(0, |bytes| status(&bytes));

        let metrics = match direction {
            Direction::Inbound => &self.ready.inbound,
            Direction::Outbound => &self.ready.outbound,
        };
        if let Some(duration) = duration {
            metrics.duration.record(duration);
        }
        if let Some(counter) = class(code).and_then(|class| metrics.responses.get(class.wrapping_sub(2))) {
            counter.increment();
        }
        if let Some(log) = &timing.log {
            let header = |name: &str| {
                hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name)
                    .ok()
                    .flatten()
                    .unwrap_or_default()
            };
            let (method, path, authority) = (header(":method"), header(":path"), header(":authority"));
            let line = Line {
                direction,
                method: &method,
                path: &path,
                authority: &authority,
                code,
                duration_ms: duration,
            };
            log::info!("{}", line.to_json(log.max_path));
        }
    }
}

fn header(map: MapType, name: &str) -> Option<Vec<u8>> {
    // _bytes: the String accessor traps on a header that is not UTF-8.
    hostcalls::get_map_value_bytes(map, name).ok().flatten()
}
