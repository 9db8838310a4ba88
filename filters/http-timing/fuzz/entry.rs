//! What a fuzzer's bytes do. libFuzzer calls these functions, and so does the test that replays the corpus.

#![allow(dead_code, reason = "each fuzz target is a program that uses one of the functions")]

use std::cell::Cell;
use std::collections::BTreeSet;

use filter_kit::testing::Given;
use http_timing::flags::Flags;
use http_timing::line::line;
use http_timing::{Direction, Exchange, Faults, Meter, Plan, Timing};

/// A configuration. What is refused is refused with a reason on one line; what is accepted has distinct names of the
/// right letters, and records a stream once.
pub(crate) fn configuration(data: &[u8]) {
    let timing = match Timing::from_json(data) {
        Ok(timing) => timing,
        Err(refusal) => {
            assert!(!refusal.problems().is_empty());
            assert!(!refusal.to_string().contains(['\n', '\r', '\0']), "{refusal}");
            return;
        }
    };
    let mut names = BTreeSet::new();
    let plan = Plan::new(timing, &mut |_, name| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        assert!(name.bytes().all(allowed) && name.len() < 160, "{name}");
        assert!(names.insert(name.to_owned()), "{name} stands twice");
        u32::try_from(names.len()).ok()
    });
    let given = Given::request("GET", "/api/a?b=c")
        .header(":authority", b"shop.test:80")
        .header("content-type", b"application/grpc")
        .response_header(":status", b"200")
        .attribute("request\0duration", &5_000_000_i64.to_le_bytes());
    let (meter, mut faults) = (Counting::default(), Faults::default());
    let begun = plan.begin(&given, &meter, &mut faults);
    plan.end(begun, &meter);
    assert_eq!(meter.under_way.get(), 0);
    plan.record(&given, &meter, Some(begun), Some(7), &mut faults);
}

/// Gauges go down by what they went up.
#[derive(Default)]
struct Counting {
    under_way: Cell<i64>,
}

impl Meter for Counting {
    fn add(&self, _: u32, by: i64) {
        self.under_way.set(self.under_way.get() + by);
    }

    fn record(&self, _: u32, _: u64) {}
}

/// Two bytes of what was recorded, and the texts of a request. The line is one JSON object with the same members each
/// time, and no path in it is longer than allowed.
pub(crate) fn line_of(data: &[u8]) {
    const MEMBERS: usize = 16;
    let (numbers, texts) = data.split_at(data.len().min(2));
    let number = |place: usize| u64::from(numbers.get(place).copied().unwrap_or(0));
    let mut given = Given::default();
    let names = [":method", ":path", ":authority", "x-request-id", "x-tenant"];
    for (name, text) in names.iter().zip(texts.split(|byte| *byte == 0)) {
        given = given.header(name, text);
    }
    let max_path = number(0) as usize + 1;
    let query = number(1) % 2 == 1;
    let config = format!(
        r#"{{"version": 1, "log": {{"enabled": true, "max_path": {max_path}, "query": {query}, "headers": ["x-tenant"]}}}}"#
    );
    let log = Timing::from_json(config.as_bytes()).unwrap().log.unwrap();
    let exchange = Exchange {
        code: number(0) * 4,
        duration: Some(number(1) << 50),
        flags: Flags(number(0) << (number(1) % 56)),
        grpc: Some(number(1) as i64 - 100),
        ..Exchange::default()
    };
    let json = line(&given, &log, Direction::Outbound, &exchange, number(0) << 36);
    assert!(json.chars().all(|character| !character.is_control()), "{json}");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value.as_object().unwrap().len(), MEMBERS, "{json}");
    if let Some(path) = value.get("path").and_then(serde_json::Value::as_str) {
        // What is no UTF-8 is three bytes for one.
        assert!(path.len() <= 3 * max_path && (query || !path.contains('?')), "{json}");
    }
}
