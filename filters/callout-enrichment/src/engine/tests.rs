use proptest::prelude::*;

use super::*;
use crate::question::map;
use crate::tally::NAMES;

const KEY: Key = [1; 32];

/// An engine, a clock and what was counted.
struct Desk {
    engine: Engine,
    now: u64,
    tally: Tally,
    tokens: u32,
}

impl Desk {
    fn new(rest: &str) -> Self {
        let json = format!(
            r#"{{"version": 1, "call": {{"cluster": "m", "authority": "m", "path": "/", "max_inflight": 3,
                "retry": {{"on": ["reset", 503, "connect"]}}}},
            "map": [{{"from": "header", "name": "x-v", "to": "x-a", "required": true}}]{rest}}}"#
        );
        let config = Enrichment::from_json(json.as_bytes()).unwrap();
        Self { engine: Engine::new(Rc::new(config)), now: 1000, tally: Tally::new(), tokens: 0 }
    }

    fn cached(rest: &str) -> Self {
        Self::new(&format!(r#", "cache": {{"key": ["all"], "ttl": "10s", {rest} "max_entries": 4}}"#))
    }

    /// A request of that key by that stream; a call is sent if it is to be.
    fn request(&mut self, key: Key, stream: u32) -> Consulted {
        let consulted = self.engine.consult(self.now, Some(&key), Some(stream), &mut self.tally);
        let (admission, waits) = match &consulted {
            Consulted::Ask(admission) => (*admission, Some(stream)),
            Consulted::Decided(_, Some(admission)) => (*admission, None),
            _ => return consulted,
        };
        self.tokens += 4;
        let question = Question { headers: Vec::new(), body: Vec::new() };
        let asking = Asking { now: self.now, key: Some(key), admission, stream: waits };
        self.engine.sent(self.tokens, asking, question, &mut self.tally);
        consulted
    }

    fn answer(
        &mut self,
        token: u32,
        status: u16,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Option<Next> {
        let mut lines = vec![(":status", status.to_string().into_bytes())];
        lines.extend(headers.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())));
        let map = if status == 0 { Vec::new() } else { map(&lines) };
        let answer = Answer { headers: &map, body, body_size: body.len() as u64 };
        self.engine.answered(self.now, token, &answer, &mut self.tally)
    }

    /// Answers the last call that was sent.
    fn settle(&mut self, status: u16, headers: &[(&'static str, &str)]) -> (Vec<u32>, String) {
        match self.answer(self.tokens, status, headers, b"") {
            Some(Next::Settled(settled)) => (settled.waiters, shown(&settled.verdict)),
            other => panic!("{other:?}"),
        }
    }

    fn counted(&mut self) -> Vec<(&'static str, u64)> {
        let mut counted = Vec::new();
        self.tally.tell(|place, count| counted.push((NAMES[place].trim_end_matches("_total"), count)));
        counted
    }
}

fn shown(verdict: &Verdict) -> String {
    match verdict {
        Verdict::With(enriched, word) => {
            let values: Vec<String> =
                enriched.values.iter().flatten().map(|value| value.escape_ascii().to_string()).collect();
            format!("{} {}", word.as_str(), values.join(" "))
        }
        Verdict::Without(word) => word.as_str().to_owned(),
        Verdict::Deny(status, word) => format!("{} {status}", word.as_str()),
    }
}

fn decided(consulted: Consulted) -> String {
    match consulted {
        Consulted::Decided(verdict, again) => {
            shown(&verdict) + if again.is_some() { ", asked again" } else { "" }
        }
        other => panic!("{other:?}"),
    }
}

const ASK: Consulted = Consulted::Ask(Admission::Pass);

#[test]
fn requests_of_one_key_make_one_call() {
    let mut desk = Desk::cached("");
    assert_eq!(desk.request(KEY, 1), ASK);
    for stream in 2..=1000 {
        assert_eq!(desk.request(KEY, stream), Consulted::Joined);
    }
    assert_eq!(desk.request([2; 32], 2000), ASK);
    let (waiters, verdict) = match desk.answer(4, 200, &[("x-v", "v")], b"") {
        Some(Next::Settled(settled)) => (settled.waiters, shown(&settled.verdict)),
        other => panic!("{other:?}"),
    };
    assert_eq!((waiters, verdict.as_str()), ((1..=1000).collect(), "ok v"));
    assert_eq!(decided(desk.request(KEY, 1001)), "cache v");
    assert_eq!(
        desk.counted(),
        [("calls", 2), ("call_ok", 1), ("cache_hit", 1), ("cache_miss", 1001), ("joined", 999)]
    );
}

#[test]
fn without_a_cache_each_request_asks_for_itself() {
    let mut desk = Desk::new("");
    assert_eq!(desk.request(KEY, 1), ASK);
    assert_eq!(desk.request(KEY, 2), ASK);
    assert_eq!(desk.settle(200, &[("x-v", "v")]), (vec![2], "ok v".into()));
    assert_eq!(desk.request(KEY, 3), ASK);
}

#[test]
fn an_answer_is_kept_until_its_time_and_no_longer() {
    let mut desk = Desk::cached("");
    desk.request(KEY, 1);
    desk.settle(200, &[("x-v", "v"), ("cache-control", "max-age=5")]);
    desk.now += 4999;
    assert_eq!(decided(desk.request(KEY, 2)), "cache v");
    desk.now += 1;
    assert_eq!(desk.request(KEY, 3), ASK);
    desk.settle(200, &[("x-v", "w"), ("cache-control", "max-age=500")]);
    desk.now += 9999;
    assert_eq!(decided(desk.request(KEY, 2)), "cache w", "the configuration's ttl is shorter");
    desk.now += 1;
    assert_eq!(desk.request(KEY, 3), ASK);
}

#[test]
fn an_answer_that_is_not_to_be_kept_replaces_one_that_was() {
    for headers in
        [("cache-control", "no-store"), ("cache-control", "private"), ("cache-control", "max-age=0")]
    {
        let mut desk = Desk::cached(r#""stale_while_revalidate": "5s","#);
        desk.request(KEY, 1);
        desk.settle(200, &[("x-v", "v")]);
        desk.now += 10_000;
        assert_eq!(decided(desk.request(KEY, 2)), "stale v, asked again");
        desk.settle(200, &[("x-v", "w"), headers]);
        let next = desk.request(KEY, 3);
        if headers.1 == "max-age=0" {
            assert_eq!(decided(next), "stale w, asked again");
        } else {
            assert_eq!(next, ASK, "{headers:?}");
        }
    }
}

#[test]
fn failures_are_never_kept() {
    for status in [500, 503, 403, 301, 404] {
        let mut desk = Desk::cached("");
        desk.request(KEY, 1);
        desk.answer(desk.tokens, status, &[("x-v", "v")], b"");
        assert_eq!(desk.request(KEY, 2), ASK, "{status}");
    }
    let mut desk = Desk::cached("");
    desk.request(KEY, 1);
    assert_eq!(desk.settle(200, &[]).1, "invalid");
    assert_eq!(desk.request(KEY, 2), ASK);
}

#[test]
fn a_404_is_kept_for_a_time_of_its_own() {
    let mut desk = Desk::cached(r#""negative_ttl": "1s", "stale_while_revalidate": "9s","#);
    desk.request(KEY, 1);
    assert_eq!(desk.settle(404, &[]).1, "4xx");
    desk.now += 999;
    assert_eq!(decided(desk.request(KEY, 2)), "4xx");
    desk.now += 1;
    assert_eq!(desk.request(KEY, 3), ASK);
    assert_eq!(desk.counted(), [("calls", 2), ("call_4xx", 1), ("cache_miss", 2), ("cache_negative", 1)]);
}

#[test]
fn a_404_takes_back_what_was_known() {
    let mut desk = Desk::cached(r#""stale_if_error": "60s","#);
    desk.request(KEY, 1);
    desk.settle(200, &[("x-v", "v")]);
    desk.now += 10_000;
    desk.request(KEY, 2);
    assert_eq!(desk.settle(404, &[]).1, "4xx");
    desk.request(KEY, 3);
    assert_eq!(desk.settle(500, &[]).1, "error");
}

#[test]
fn while_it_is_asked_again_what_is_stale_is_used() {
    let mut desk = Desk::cached(r#""stale_while_revalidate": "5s","#);
    desk.request(KEY, 1);
    desk.settle(200, &[("x-v", "v")]);
    desk.now += 10_000;
    assert_eq!(decided(desk.request(KEY, 2)), "stale v, asked again");
    assert_eq!(decided(desk.request(KEY, 3)), "stale v", "one call is enough");
    assert_eq!(desk.settle(200, &[("x-v", "w")]), (vec![], "ok w".into()));
    assert_eq!(decided(desk.request(KEY, 4)), "cache w");
    desk.now += 15_000;
    assert_eq!(desk.request(KEY, 5), ASK);
}

#[test]
fn if_asking_fails_what_is_stale_is_used_within_its_time() {
    for (status, took) in [(500, 0), (0, 170), (504, 200), (301, 0)] {
        let mut desk = Desk::cached(r#""stale_if_error": "60s","#);
        desk.request(KEY, 1);
        desk.settle(200, &[("x-v", "v")]);
        desk.now += 10_000;
        assert_eq!(desk.request(KEY, 2), ASK);
        desk.now += took;
        assert_eq!(desk.settle(status, &[]), (vec![2], "stale v".into()), "{status}");
        desk.now += 59_999 - took;
        desk.request(KEY, 3);
        assert_eq!(desk.settle(500, &[]).1, "stale v");
        desk.now += 1;
        desk.request(KEY, 4);
        assert_eq!(desk.settle(500, &[]).1, "error");
    }
}

#[test]
fn an_answer_that_must_be_asked_for_again_is_not_used_when_it_is_stale() {
    let mut desk = Desk::cached(r#""stale_if_error": "60s", "stale_while_revalidate": "60s","#);
    desk.request(KEY, 1);
    desk.settle(200, &[("x-v", "v"), ("cache-control", "must-revalidate")]);
    desk.now += 10_000;
    assert_eq!(desk.request(KEY, 2), ASK);
    assert_eq!(desk.settle(500, &[]).1, "error");
}

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
    assert_eq!((settled.waiters, shown(&settled.verdict), settled.took_ms), (vec![1], "error".into(), 150));
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
    assert_eq!(desk.request(KEY, 3), Consulted::Ask(Admission::Probe));
    assert_eq!(decided(desk.request(KEY, 4)), "error", "one finds out");
    assert_eq!(desk.settle(200, &[("x-v", "v")]).1, "ok v");
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
fn no_more_calls_are_under_way_than_may_be() {
    let mut desk = Desk::cached("");
    for number in 1..=3 {
        assert_eq!(desk.request([number; 32], 1), ASK);
    }
    assert_eq!(decided(desk.request([4; 32], 4)), "error");
    assert_eq!(desk.request([3; 32], 5), Consulted::Joined, "to wait costs no call");
    desk.settle(200, &[("x-v", "v")]);
    assert_eq!(desk.request([4; 32], 6), ASK);
}

#[test]
fn an_answer_that_nobody_waits_for_is_none() {
    let mut desk = Desk::cached("");
    assert!(desk.answer(4, 200, &[("x-v", "v")], b"").is_none());
    desk.request(KEY, 1);
    desk.settle(200, &[("x-v", "v")]);
    assert!(desk.answer(4, 200, &[("x-v", "w")], b"").is_none());
    assert_eq!(decided(desk.request(KEY, 2)), "cache v");
}

#[test]
fn a_call_that_the_host_forgets_holds_nobody_for_ever() {
    let mut desk = Desk::cached("");
    desk.request(KEY, 1);
    desk.request(KEY, 2);
    assert_eq!(desk.engine.overdue(desk.now + 400, &mut desk.tally), []);
    let settled = desk.engine.overdue(desk.now + 401, &mut desk.tally).remove(0);
    assert_eq!((settled.waiters, shown(&settled.verdict)), (vec![1, 2], "timeout".into()));
    assert!(!desk.engine.is_waiting());
}

#[derive(Clone, Debug)]
enum Step {
    Request(u8),
    Answer(usize, u16),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..6).prop_map(Step::Request),
        3 => (0_usize..4, prop_oneof![Just(200), Just(404), Just(500), Just(503), Just(0)]).prop_map(|(call, status)| Step::Answer(call, status)),
        1 => (0_u64..12_000).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Whatever happens in whatever order, every stream is decided about exactly once, a key has one call, and no more
    /// calls are under way than may be.
    #[test]
    fn every_stream_is_decided_about_once(steps in proptest::collection::vec(step(), 0..60)) {
        let mut desk = Desk::cached(r#""negative_ttl": "1s", "stale_while_revalidate": "5s", "stale_if_error": "20s","#);
        let (mut streams, mut waiting, mut calls) = (0, std::collections::BTreeSet::new(), Vec::new());
        for step in steps {
            match step {
                Step::Request(number) => {
                    streams += 1;
                    let before = desk.tokens;
                    match desk.request([number; 32], streams) {
                        Consulted::Decided(..) => {}
                        Consulted::Joined | Consulted::Ask(_) => { waiting.insert(streams); }
                    }
                    if desk.tokens != before {
                        prop_assert!(!calls.iter().any(|(_, key)| *key == number), "one call for each key");
                        calls.push((desk.tokens, number));
                    }
                }
                Step::Answer(place, status) => {
                    if calls.is_empty() {
                        continue;
                    }
                    let place = place % calls.len();
                    let (token, number) = calls[place];
                    match desk.answer(token, status, &[("x-v", "v")], b"") {
                        Some(Next::Settled(settled)) => {
                            calls.remove(place);
                            for stream in settled.waiters {
                                prop_assert!(waiting.remove(&stream));
                            }
                        }
                        Some(Next::Again(_, flight)) => {
                            desk.tokens += 4;
                            desk.engine.sent_again(desk.tokens, flight, &mut desk.tally);
                            calls[place] = (desk.tokens, number);
                        }
                        None => prop_assert!(false, "it was asked"),
                    }
                }
                Step::Pass(time) => desk.now += time,
            }
            prop_assert!(calls.len() <= 3);
            prop_assert_eq!(desk.engine.gauges()[1], calls.len() as u64);
        }
        for settled in desk.engine.overdue(u64::MAX, &mut desk.tally) {
            for stream in settled.waiters {
                prop_assert!(waiting.remove(&stream));
            }
        }
        prop_assert!(waiting.is_empty());
    }
}
