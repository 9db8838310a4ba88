use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::status::{ResourceState, Serving, Standing};

fn state(stream: u64, name: &str, serving: Serving) -> ResourceState {
    ResourceState {
        stream,
        name: name.to_owned(),
        source: "oci://registry.test/a:1".to_owned(),
        serving,
        standing: Standing::Accepted,
        module: None,
        attempts: 0,
        last_error: None,
        next_attempt: None,
        changed: UNIX_EPOCH,
    }
}

fn shown(metrics: &Metrics) -> String {
    metrics.exposition(&Board::default(), 10)
}

#[test]
fn every_name_of_istios_agent_is_there_without_a_suffix() {
    let metrics = Metrics::default();
    metrics.connection_failed();
    metrics.istiod_ended(End::Cancelled);
    metrics.envoy_ended(End::Error);
    metrics.request();
    metrics.received(70);
    metrics.received(50);
    metrics.response();
    metrics.response();
    metrics.store_holds(2, 300);
    metrics.lookup(true);
    metrics.lookup(false);
    metrics.fetch(FetchResult::ChecksumMismatched);
    metrics.conversion(Conversion::MissRemoteFetchHint);
    metrics.conversion_took(3.0);
    let text = shown(&metrics);
    for line in [
        "istio_agent_istiod_connection_failures 1",
        "istio_agent_istiod_connection_terminations{type=\"cancelled\"} 1",
        "istio_agent_envoy_connection_terminations{type=\"error\"} 1",
        "istio_agent_xds_proxy_requests 1",
        "istio_agent_xds_proxy_responses 2",
        "istio_agent_pilot_xds_recv_max 70",
        "istio_agent_wasm_cache_entries 2",
        "istio_agent_wasm_cache_lookup_count{hit=\"true\"} 1",
        "istio_agent_wasm_cache_lookup_count{hit=\"false\"} 1",
        "istio_agent_wasm_remote_fetch_count{result=\"checksum_mismatched\"} 1",
        "istio_agent_wasm_config_conversion_count{result=\"miss_remote_fetch_hint\"} 1",
        "# TYPE istio_agent_xds_proxy_requests counter",
        "# TYPE istio_agent_wasm_config_conversion_duration histogram",
        "istio_agent_wasm_config_conversion_duration_bucket{le=\"2\"} 0",
        "istio_agent_wasm_config_conversion_duration_bucket{le=\"4\"} 1",
        "istio_agent_wasm_config_conversion_duration_bucket{le=\"16384\"} 1",
        "istio_agent_wasm_config_conversion_duration_bucket{le=\"+Inf\"} 1",
        "meshloom_agent_store_bytes 300",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.lines().any(|line| line.starts_with("istio_agent_") && line.contains("_total")), "{text}");
}

#[test]
fn buckets_are_the_powers_of_two_to_16384_milliseconds() {
    let text = shown(&Metrics::default());
    let bounds: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("istio_agent_wasm_config_conversion_duration_bucket{le=\""))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let mut expected: Vec<_> = (0..15).map(|power| (1 << power).to_string()).collect();
    expected.push("+Inf".to_owned());
    assert_eq!(bounds, expected);
}

#[test]
fn what_istio_has_not_got_is_counted_under_our_name() {
    let metrics = Metrics::default();
    metrics.failed(Reason::Throttled);
    metrics.fetched(1000);
    metrics.phase(Phase::Download, Duration::from_millis(2));
    metrics.retried();
    metrics.dropped(Dropped::Type);
    metrics.stream_opened();
    metrics.stream_opened();
    metrics.stream_closed();
    let text = shown(&metrics);
    for line in [
        "meshloom_agent_fetch_failures_total{reason=\"throttled\"} 1",
        "meshloom_agent_fetch_bytes_total 1000",
        "meshloom_agent_fetch_phase_seconds_count{phase=\"download\"} 1",
        "meshloom_agent_retries_total 1",
        "meshloom_agent_dropped_responses_total{kind=\"type\"} 1",
        "meshloom_agent_streams 1",
        concat!("meshloom_agent_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_resource_of_two_streams_has_one_line_with_the_worse_state() {
    let board = Board::default();
    board.put(state(1, "a", Serving::Deny));
    board.put(state(2, "a", Serving::Wanted));
    let text = Metrics::default().exposition(&board, 10);
    let lines: Vec<_> =
        text.lines().filter(|line| line.starts_with("meshloom_agent_resource_info{")).collect();
    let expected = r#"meshloom_agent_resource_info{resource="a",serving="deny",standing="accepted"} 1"#;
    assert_eq!(lines, [expected]);
    assert!(text.contains("meshloom_agent_resources{serving=\"deny\"} 1\n"), "{text}");
    assert!(text.contains("meshloom_agent_resources_in_fallback 1\n"), "{text}");
}

#[test]
fn resources_beyond_the_limit_are_counted_but_not_named() {
    let board = Board::default();
    (0..30).for_each(|number| board.put(state(1, &format!("r{number:02}"), Serving::Wanted)));
    let text = Metrics::default().exposition(&board, 10);
    assert_eq!(text.lines().filter(|line| line.starts_with("meshloom_agent_resource_info{")).count(), 10);
    assert!(text.contains("meshloom_agent_resource_info_left_out 20\n"), "{text}");
    assert!(text.contains("meshloom_agent_resources{serving=\"wanted\"} 30\n"), "{text}");
}

#[test]
fn a_hostile_name_stays_within_its_label() {
    let board = Board::default();
    board.put(state(1, "a\"} 1\nevil_metric 7\\", Serving::Wanted));
    let text = Metrics::default().exposition(&board, 10);
    assert!(!text.lines().any(|line| line.starts_with("evil_metric")), "{text}");
    assert!(text.contains(r#"resource="a\"} 1\nevil_metric 7\\","#), "{text}");
}

#[test]
fn the_next_attempt_is_the_earliest_of_all_and_absent_when_none_is_due() {
    let board = Board::default();
    board.put(state(1, "done", Serving::Wanted));
    assert!(!Metrics::default().exposition(&board, 10).contains("next_attempt"));
    for (name, at) in [("late", 900), ("soon", 600)] {
        let at: SystemTime = UNIX_EPOCH + Duration::from_secs(at);
        board.put(ResourceState { next_attempt: Some(at), ..state(1, name, Serving::Deny) });
    }
    let text = Metrics::default().exposition(&board, 10);
    assert!(text.contains("meshloom_agent_next_attempt_timestamp_seconds 600.0\n"), "{text}");
}
