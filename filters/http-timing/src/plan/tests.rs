use filter_kit::testing::Given;
use proptest::prelude::*;

use super::*;
use crate::Direction::{Inbound, Outbound};
use crate::metrics::tests::{EVERYTHING, Recorder};

fn plan(json: &str) -> (Plan, Recorder) {
    let mut recorder = Recorder::default();
    let timing = Timing::from_json(json.as_bytes()).unwrap();
    (Plan::new(timing, &mut |_, name| recorder.define(name)), recorder)
}

fn given(path: &str, direction: i64) -> Given {
    Given::request("GET", path)
        .response_header(":status", b"200")
        .attribute("request\0duration", &5_000_000_i64.to_le_bytes())
        .attribute("xds\0listener_direction", &direction.to_le_bytes())
}

fn record(plan: &Plan, recorder: &Recorder, given: &Given) -> (Option<Direction>, Faults) {
    let mut faults = Faults::default();
    let recorded = plan.record(given, recorder, None, None, &mut faults);
    (recorded.map(|(direction, _)| direction), faults)
}

#[test]
fn the_direction_is_the_listeners_under_its_new_or_its_old_name() {
    let (auto, recorder) = plan(r#"{"version": 1, "default_direction": "outbound"}"#);
    let old = |value: &[u8]| {
        Given::request("GET", "/")
            .attribute("request\0duration", &0_i64.to_le_bytes())
            .attribute("listener_direction", value)
    };
    let missing = Faults { missing: true, clock: false };
    for (given, direction, faults) in [
        (given("/", 1), Inbound, Faults::default()),
        (given("/", 2), Outbound, Faults::default()),
        (given("/", 0), Outbound, Faults::default()),
        (old(&1_i64.to_le_bytes()), Inbound, Faults::default()),
        (old(&2_i64.to_le_bytes()), Outbound, Faults::default()),
        (old(b"1"), Outbound, missing),
        (Given::request("GET", "/").attribute("request\0duration", &[0; 8]), Outbound, missing),
    ] {
        assert_eq!(record(&auto, &recorder, &given), (Some(direction), faults), "{given:?}");
    }
    let (fixed, recorder) = plan(r#"{"version": 1, "direction": "outbound"}"#);
    let inbound = given("/", 1);
    assert_eq!(record(&fixed, &recorder, &inbound).0, Some(Outbound));
    assert!(!inbound.asked().iter().any(|asked| asked.contains("direction")));
}

#[test]
fn what_is_ignored_leaves_no_trace() {
    let (plan, recorder) = plan(
        r#"{"version": 1, "ignore": {"paths": [{"exact": "/healthz"}]}, "slo": [{"name": "up"}],
            "slices": [{"name": "get", "when": {"methods": ["GET"]}}]}"#,
    );
    assert_eq!(record(&plan, &recorder, &given("/healthz?deep", 1)), (None, Faults::default()));
    assert_eq!(recorder.take_all(), []);
    record(&plan, &recorder, &given("/healthz/deep", 1));
    assert_eq!(recorder.take("wasm_http_inbound_responses_total_2xx"), [1]);
}

#[test]
fn a_stream_is_in_every_slice_that_it_fits() {
    let (plan, recorder) = plan(
        r#"{"version": 1, "metrics": {"inflight": true}, "slices": [
            {"name": "api", "when": {"paths": [{"prefix": "/api/"}]}},
            {"name": "get", "when": {"methods": ["GET"]}},
            {"name": "ok", "when": {"status": ["2xx"]}}]}"#,
    );
    let (one, two) = (given("/api/x", 2), given("/", 2));
    for given in [&one, &two] {
        let begun = plan.begin(given, &recorder, &mut Faults::default());
        plan.record(given, &recorder, Some(begun), None, &mut Faults::default());
        plan.end(begun, &recorder);
    }
    let of = |name: &str| recorder.take(&format!("wasm_http_outbound_{name}"));
    assert_eq!(of("responses_total_2xx"), [1, 1]);
    assert_eq!(of("api_responses_total_2xx"), [1]);
    assert_eq!(of("get_responses_total_2xx"), [1, 1]);
    assert_eq!(of("ok_responses_total_2xx"), [1, 1]);
    assert_eq!((of("inflight"), of("api_inflight")), (vec![1, -1, 1, -1], vec![1, -1]));
    // What is known only at the end is never under way.
    assert!(of("ok_inflight").is_empty());
}

#[test]
fn the_direction_that_a_stream_began_with_is_not_asked_for_again() {
    let (plan, recorder) = plan(r#"{"version": 1, "metrics": {"inflight": true}}"#);
    let given = given("/", 2);
    let begun = plan.begin(&given, &recorder, &mut Faults::default());
    plan.record(&given, &recorder, Some(begun), None, &mut Faults::default());
    plan.end(begun, &recorder);
    assert_eq!(given.asked().iter().filter(|asked| asked.contains("direction")).count(), 1);
    assert_eq!(recorder.take("wasm_http_outbound_inflight"), [1, -1]);
}

proptest! {
    /// The short way is the long one without what it has no use for.
    #[test]
    fn a_plain_plan_records_what_any_other_would(
        code in "[0-9]{0,4}", duration in any::<i64>(), direction in -1_i64..4, missing in 0_u8..4,
    ) {
        let (plan, recorder) = plan(r#"{"version": 1, "default_direction": "outbound"}"#);
        prop_assert!(plan.is_plain);
        let mut given = Given::request("CONNECT", "/").response_header(":status", code.as_bytes());
        if missing != 1 {
            given = given.attribute("request\0duration", &duration.to_le_bytes());
        }
        if missing != 2 {
            given = given.attribute("xds\0listener_direction", &direction.to_le_bytes());
        }
        if missing == 3 {
            given = given.attribute("response\0code_details", b"internal_redirect");
        }
        let [mut short, mut long] = [Faults::default(); 2];
        plan.record_plain(&given, &recorder, &mut short);
        let (recorded, asked) = (recorder.take_all(), given.asked());
        plan.record(&given, &recorder, None, None, &mut long);
        prop_assert_eq!((recorded, short), (recorder.take_all(), long));
        prop_assert_eq!(asked.len() * 2, given.asked().len());
    }

    /// Whatever a client and an upstream send: nothing of it is in a name, nothing traps, and each stream counts once.
    #[test]
    fn any_exchange_is_recorded_once_under_names_that_were_there_before(
        texts in proptest::collection::vec(proptest::collection::vec(0u8.., 0..20), 8),
        numbers in proptest::collection::vec(any::<i64>(), 7),
        odd in proptest::collection::vec(0u8.., 0..12),
    ) {
        let json = format!(
            r#"{{"version": 1, "metrics": {{{EVERYTHING}}}, "slo": [{{"name": "fast", "latency": 1}}],
                "long_lived_after": 0, "slices": [{{"name": "get", "when": {{"methods": ["GET"]}}}}]}}"#
        );
        let (plan, recorder) = plan(&json);
        let names = recorder.names().to_vec();
        let mut given = Given::default();
        for (name, value) in [":method", ":path", ":authority", "content-type", "x"].iter().zip(&texts) {
            given = given.header(name, value);
        }
        for (name, value) in [":status", "content-type"].iter().zip(texts.get(5..).unwrap()) {
            given = given.response_header(name, value);
        }
        let attributes = [
            "request\0duration", "response\0backend_latency", "request\0total_size", "response\0total_size",
            "response\0flags", "response\0grpc_status", "xds\0listener_direction",
        ];
        for (name, number) in attributes.iter().zip(&numbers) {
            // Now and then of another size.
            let bytes = if number % 7 == 0 { odd.clone() } else { number.to_le_bytes().to_vec() };
            given = given.attribute(name, &bytes);
        }
        let begun = plan.begin(&given, &recorder, &mut Faults::default());
        plan.end(begun, &recorder);
        plan.record(&given, &recorder, Some(begun), Some(7), &mut Faults::default());
        prop_assert_eq!(recorder.names(), names);
        let requests = ["inbound", "outbound"].map(|direction| {
            recorder.take(&format!("wasm_http_{direction}_requests_total")).len()
        });
        prop_assert_eq!(requests.iter().sum::<usize>(), 1);
    }
}
