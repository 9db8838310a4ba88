//! When the service fails, or says no.

use super::*;

#[test]
fn each_cause_has_its_policy() {
    let policies = r#", "on_timeout": {"deny": 504}, "on_error": {"deny": 503}, "on_invalid": {"deny": 502}, "on_4xx": {"deny": 403}, "breaker": "off""#;
    for (status, took, verdict) in [
        (504, 200, "timeout 504"),
        (0, 199, "timeout 504"),
        (504, 178, "error 503"),
        (0, 178, "error 503"),
        (500, 0, "error 503"),
        (200, 0, "invalid 502"),
        (404, 0, "4xx 403"),
    ] {
        let mut desk = Desk::new(policies);
        desk.request(KEY, 1);
        desk.now += took;
        assert_eq!(desk.settle(status, &[]), (vec![1], verdict.into()), "{status} after {took} ms");
    }
    let mut desk = Desk::new(policies);
    let unsent = desk.engine.unsent(0, None, Admission::Pass, &mut desk.tally);
    assert_eq!(shown(&unsent), "error 503");
    let unaskable = desk.engine.unaskable(0, None, Admission::Pass, &mut desk.tally);
    assert_eq!(shown(&unaskable), "invalid 502");
}

#[test]
fn envoys_own_504_is_a_timeout_however_long_it_seems() {
    let mut desk = Desk::new("");
    desk.request(KEY, 1);
    desk.now += 100;
    let Some(Next::Settled(settled)) = desk.answer(4, 504, &[], b"upstream request timeout") else {
        panic!("that was it")
    };
    assert_eq!(shown(&settled.verdict), "timeout");
}

#[test]
fn a_call_is_tried_once_more_in_what_is_left_of_its_time() {
    let mut desk = Desk::new("");
    desk.request(KEY, 1);
    desk.now += 50;
    let Some(Next::Again(_, flight)) = desk.answer(4, 503, &[], b"") else { panic!("it is asked again") };
    assert_eq!(flight.timeout_ms, 150);
    desk.engine.sent_again(8, flight, &mut desk.tally);
    desk.now += 150;
    // The second attempt is the last.
    let Some(Next::Settled(settled)) = desk.answer(8, 503, &[], b"") else { panic!("that was it") };
    assert_eq!((settled.waiters, shown(&settled.verdict)), (vec![1], "error".into()));
    assert_eq!(desk.took, [50, 150], "each attempt by itself");
    assert_eq!(desk.counted(), [("calls", 2), ("retries", 1), ("call_5xx", 2)]);
}

#[test]
fn a_call_is_not_tried_again_when_little_time_is_left_or_it_would_not_help() {
    for (status, body, after, again) in [
        (503, &b""[..], 139, true),
        (503, b"", 140, false),
        (0, b"", 0, true),
        (500, b"", 0, false),
        (404, b"", 0, false),
        (200, b"", 0, false),
    ] {
        let mut desk = Desk::new("");
        desk.request(KEY, 1);
        desk.now += after;
        let next = desk.answer(4, status, &[], body);
        assert_eq!(matches!(next, Some(Next::Again(..))), again, "{status} after {after} ms");
    }
}

#[test]
fn those_who_wait_for_a_second_attempt_that_is_not_sent_are_let_go() {
    let mut desk = Desk::cached("");
    desk.request(KEY, 1);
    desk.request(KEY, 2);
    let Some(Next::Again(_, flight)) = desk.answer(4, 0, &[], b"") else { panic!("it is asked again") };
    let settled = desk.engine.unsent_again(desk.now, flight, &mut desk.tally);
    assert_eq!((settled.waiters, shown(&settled.verdict)), (vec![1, 2], "error".into()));
    assert!(!desk.engine.is_waiting());
}

#[test]
fn a_service_that_fails_is_left_alone() {
    let mut desk = Desk::new(r#", "breaker": {"consecutive_failures": 2, "open_for": "5s"}"#);
    for _ in 0..2 {
        desk.request(KEY, 1);
        desk.settle(500, &[]);
    }
    assert_eq!(decided(desk.request(KEY, 2)), "error");
    assert_eq!(desk.engine.gauges(), [0, 0, 1]);
    desk.now += 5000;
    assert_eq!(
        decided(desk.request(KEY, 3)),
        "error, asked again",
        "nobody waits for the one that finds out"
    );
    assert_eq!(decided(desk.request(KEY, 4)), "error", "one is enough");
    assert_eq!(desk.settle(200, &[("x-v", "v")]), (vec![], "ok v".into()));
    assert_eq!(desk.request(KEY, 5), ASK);
    assert_eq!(desk.engine.gauges(), [0, 1, 0]);
    assert_eq!(desk.counted(), [("calls", 4), ("call_ok", 1), ("call_5xx", 2), ("breaker_rejected", 2)]);
}

#[test]
fn a_service_that_says_no_is_not_one_that_fails() {
    let mut desk = Desk::new(r#", "breaker": {"consecutive_failures": 1}"#);
    for status in [404, 200, 301] {
        desk.request(KEY, 1);
        desk.settle(status, &[]);
        assert_eq!(desk.engine.gauges(), [0, 0, 0], "{status}");
    }
}

#[test]
fn a_call_that_the_host_forgets_holds_nobody_for_ever() {
    let mut desk = Desk::cached("");
    desk.request(KEY, 1);
    desk.request(KEY, 2);
    assert_eq!(desk.engine.overdue(desk.now + 400, &mut desk.tally), []);
    let (took, settled) = desk.engine.overdue(desk.now + 401, &mut desk.tally).remove(0);
    assert_eq!((took, settled.waiters, shown(&settled.verdict)), (401, vec![1, 2], "timeout".into()));
    assert!(!desk.engine.is_waiting());
}

/// What Envoy answers in place of an answer that has not begun.
fn before_headers(reason: &str) -> String {
    format!("upstream connect error or disconnect/reset before headers. reset reason: {reason}")
}

#[test]
fn each_word_of_a_retry_means_its_failure_and_no_other() {
    let (refused, broken, overflow) = (
        before_headers("remote connection failure"),
        before_headers("remote reset"),
        before_headers("overflow"),
    );
    for (on, again) in [
        (r#""connect""#, [true, false, false, false, false, false]),
        (r#""reset""#, [false, true, true, false, false, false]),
        ("503", [true, true, false, true, true, false]),
        ("502", [false, false, false, false, false, true]),
    ] {
        let answers = [
            (503, refused.as_str(), "call_connect_error"),
            (503, &broken, "call_reset"),
            (0, "", "call_reset"),
            (503, &overflow, "call_5xx"),
            (503, "of the service", "call_5xx"),
            (502, "", "call_5xx"),
        ];
        for ((status, body, counter), again) in answers.into_iter().zip(again) {
            let mut desk = Desk::retrying(on);
            desk.request(KEY, 1);
            let next = desk.answer(4, status, &[], body.as_bytes());
            assert_eq!(matches!(next, Some(Next::Again(..))), again, "{on}: {status} {body}");
            assert!(desk.counted().contains(&(counter, 1)), "{counter}: {status} {body}");
        }
    }
}

#[test]
fn no_request_waits_for_a_service_that_is_left_alone() {
    let mut desk = Desk::new(
        r#", "cache": {"key": ["all"], "ttl": 0}, "breaker": {"consecutive_failures": 1, "open_for": "5s"}"#,
    );
    let [first, second, third] = [1, 2, 3].map(Key::numbered);
    desk.request(first, 1);
    desk.request(second, 2);
    desk.answer(8, 500, &[], b"");
    // The first call is still under way, and may take all of its time.
    assert_eq!(decided(desk.request(first, 3)), "error");
    desk.now += 5000;
    assert_eq!(decided(desk.request(first, 4)), "error", "asked already");
    assert_eq!(decided(desk.request(third, 5)), "error, asked again");
    assert_eq!(decided(desk.request(third, 6)), "error");
    let Some(Next::Settled(settled)) = desk.answer(4, 200, &[("x-v", "v")], b"") else {
        panic!("that was it")
    };
    assert_eq!(settled.waiters, [1]);
    assert_eq!(desk.engine.gauges(), [0, 1, 1], "what was asked before says nothing");
    assert_eq!(desk.settle(500, &[]), (vec![], "error".into()));
    assert_eq!(decided(desk.request(third, 7)), "error", "left alone once more");
    desk.now += 5000;
    assert_eq!(decided(desk.request(third, 8)), "error, asked again");
}
