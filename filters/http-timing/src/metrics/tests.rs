use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;
use crate::flags::Flags;

/// What a scraper would see.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    names: Vec<String>,
    values: RefCell<BTreeMap<String, Vec<i64>>>,
}

impl Recorder {
    pub(crate) fn define(&mut self, name: &str) -> Id {
        let place = self.names.iter().position(|other| other == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        u32::try_from(place).ok()
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// What was given to the metric of that name since this was last asked for.
    pub(crate) fn take(&self, name: &str) -> Vec<i64> {
        self.values.borrow_mut().remove(name).unwrap_or_default()
    }

    /// Everything that was given since this was last asked for.
    pub(crate) fn take_all(&self) -> Vec<(String, Vec<i64>)> {
        self.values.take().into_iter().collect()
    }

    fn give(&self, id: u32, value: i64) {
        let name = self.names[id as usize].clone();
        self.values.borrow_mut().entry(name).or_default().push(value);
    }
}

impl Meter for Recorder {
    fn add(&self, id: u32, by: i64) {
        self.give(id, by);
    }

    fn record(&self, id: u32, value: u64) {
        self.give(id, i64::try_from(value).unwrap());
    }
}

pub(crate) const EVERYTHING: &str = r#""1xx": true, "none": true, "requests": true, "inflight": true, "ttfb": true,
    "upstream": true, "sizes": true, "local_replies": true, "resets": true, "grpc": true, "us": true"#;

fn of(json: &str) -> (Timing, Families, Recorder) {
    let timing = Timing::from_json(json.as_bytes()).unwrap();
    let mut recorder = Recorder::default();
    let families = Families::of(&timing, Direction::Outbound, &mut |_, name| recorder.define(name));
    (timing, families, recorder)
}

fn recorded(json: &str, exchange: &Exchange) -> Vec<(String, Vec<i64>)> {
    let (timing, families, recorder) = of(json);
    families.all.record(&recorder, &timing, exchange);
    let short = |name: String| name.replace("wasm_http_outbound_", "");
    recorder.take_all().into_iter().map(|(name, values)| (short(name), values)).collect()
}

fn shown(recorded: &[(String, Vec<i64>)]) -> Vec<(&str, i64)> {
    recorded.iter().map(|(name, values)| (name.as_str(), *values.first().unwrap())).collect()
}

const OK: Exchange = Exchange {
    code: 200,
    duration: Some(12_345_678),
    long_lived: false,
    ttfb: None,
    upstream: None,
    request_bytes: None,
    response_bytes: None,
    local: false,
    flags: Flags(0),
    grpc: None,
};

#[test]
fn a_stream_is_recorded_by_its_duration_and_class() {
    let base = r#"{"version": 1}"#;
    assert_eq!(shown(&recorded(base, &OK)), [("duration_ms", 12), ("responses_total_2xx", 1)]);
    for (code, class) in [(302, "3xx"), (404, "4xx"), (503, "5xx")] {
        let name = format!("responses_total_{class}");
        let recorded = recorded(base, &Exchange { code, ..OK });
        assert_eq!(shown(&recorded), [("duration_ms", 12), (name.as_str(), 1)]);
    }
    for code in [0, 99, 101, 600, u64::MAX] {
        assert_eq!(shown(&recorded(base, &Exchange { code, ..OK })), [("duration_ms", 12)], "{code}");
    }
    assert_eq!(shown(&recorded(base, &Exchange { duration: None, ..OK })), [("responses_total_2xx", 1)]);
    assert_eq!(shown(&recorded(base, &Exchange { duration: Some(0), ..OK }))[0], ("duration_ms", 0));
}

#[test]
fn each_extra_has_its_metric_and_there_is_none_without_it() {
    let full = Exchange {
        ttfb: Some(2_000_000),
        upstream: Some(1_500_000),
        request_bytes: Some(70),
        response_bytes: Some(900),
        local: true,
        flags: Flags(1 << 6 | 1 << 14),
        grpc: Some(5),
        ..OK
    };
    let always = [("duration_ms", 12), ("responses_total_2xx", 1)];
    assert_eq!(shown(&recorded(r#"{"version": 1}"#, &full)), always);
    for (extra, expected) in [
        ("requests", vec![("requests_total", 1)]),
        ("ttfb", vec![("ttfb_ms", 2)]),
        ("upstream", vec![("upstream_ms", 2)]),
        ("sizes", vec![("request_bytes", 70), ("response_bytes", 900)]),
        ("local_replies", vec![("local_replies_total", 1)]),
        ("resets", vec![("resets_total_downstream", 1), ("resets_total_upstream", 1)]),
        ("grpc", vec![("grpc_total_client_error", 1)]),
        ("us", vec![("duration_us", 12_346)]),
        ("inflight", vec![]),
    ] {
        let recorded = recorded(&format!(r#"{{"version": 1, "metrics": {{"{extra}": true}}}}"#), &full);
        let mut all = [always.as_slice(), &expected].concat();
        all.sort_unstable();
        assert_eq!(shown(&recorded), all, "{extra}");
    }
    let extra = |name: &str, code| {
        let json = format!(r#"{{"version": 1, "metrics": {{"{name}": true}}}}"#);
        recorded(&json, &Exchange { code, ..OK }).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(extra("1xx", 101), ["duration_ms", "responses_total_1xx"]);
    assert_eq!(extra("none", 0), ["duration_ms", "responses_total_none"]);
    assert_eq!(extra("none", 700), ["duration_ms"]);
}

#[test]
fn the_duration_of_a_long_lived_stream_goes_where_it_is_told() {
    let long = Exchange { code: 101, duration: Some(90_000_000_000_000), long_lived: true, ..OK };
    for (treat, expected) in [("separate", vec![("stream_duration_ms", 90_000_000)]), ("exclude", vec![])] {
        let json = format!(r#"{{"version": 1, "long_lived": "{treat}", "metrics": {{"us": true}}}}"#);
        assert_eq!(shown(&recorded(&json, &long)), expected, "{treat}");
    }
}

#[test]
fn an_objective_counts_all_and_the_good_ones() {
    let json = r#"{"version": 1, "slo": [{"name": "fast", "latency": "10ms"}, {"name": "up"}]}"#;
    let judged = |exchange: Exchange| {
        let recorded = recorded(json, &exchange);
        recorded.into_iter().map(|(name, _)| name).filter(|name| name.starts_with("slo")).collect::<Vec<_>>()
    };
    assert_eq!(judged(OK), ["slo_fast_total", "slo_up_good_total", "slo_up_total"]);
    let fast = Exchange { duration: Some(10_000_000), ..OK };
    assert_eq!(judged(fast), ["slo_fast_good_total", "slo_fast_total", "slo_up_good_total", "slo_up_total"]);
    assert_eq!(judged(Exchange { code: 500, ..fast }), ["slo_fast_total", "slo_up_total"]);
    assert_eq!(judged(Exchange { code: 0, ..fast }), [] as [String; 0]);
}

#[test]
fn names_are_fixed_by_the_configuration_and_say_filter_and_unit() {
    let json = format!(
        r#"{{"version": 1, "metrics": {{{EVERYTHING}}}, "slo": [{{"name": "fast"}}],
            "slices": [{{"name": "api", "when": {{"paths": [{{"prefix": "/api/"}}]}}}},
                       {{"name": "json", "when": {{"content_types": ["application/json"]}}}}]}}"#
    );
    let (_, families, recorder) = of(&json);
    assert_eq!(families.slices.len(), 2);
    let of_all: Vec<&str> = [
        "duration_ms",
        "duration_us",
        "stream_duration_ms",
        "responses_total_1xx",
        "responses_total_2xx",
        "responses_total_3xx",
        "responses_total_4xx",
        "responses_total_5xx",
        "responses_total_none",
        "requests_total",
        "inflight",
        "ttfb_ms",
        "upstream_ms",
        "request_bytes",
        "response_bytes",
        "local_replies_total",
        "resets_total_upstream",
        "resets_total_downstream",
        "grpc_total_ok",
        "grpc_total_client_error",
        "grpc_total_server_error",
        "slo_fast_total",
        "slo_fast_good_total",
    ]
    .into();
    let named = |slice: &str, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("wasm_http_outbound_{slice}{name}")).collect()
    };
    // What is only known with the response is not counted as under way.
    let answered: Vec<&str> = of_all.iter().copied().filter(|name| *name != "inflight").collect();
    let expected = [named("", &of_all), named("api_", &of_all), named("json_", &answered)].concat();
    assert_eq!(recorder.names(), expected);
}

#[test]
fn the_tag_style_of_istio_puts_the_filter_before_each_name() {
    let (.., recorder) = of(r#"{"version": 1, "metrics": {"tag_style": "istio"}}"#);
    let start = "wasm_filter.http-timing.wasm_http_outbound_";
    assert!(recorder.names().iter().all(|name| name.starts_with(start)), "{:?}", recorder.names());
}
