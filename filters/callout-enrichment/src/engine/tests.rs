use super::*;
use crate::question::map;
use crate::tally::NAMES;

const KEY: Key = Key::numbered(1);

mod failure;
mod order;

/// An engine, a clock and what was counted.
struct Desk {
    engine: Engine,
    now: u64,
    tally: Tally,
    tokens: u32,
    /// How long each call took that was answered.
    took: Vec<u64>,
}

impl Desk {
    fn new(rest: &str) -> Self {
        Self::with(r#""reset", 503, "connect""#, rest)
    }

    fn retrying(on: &str) -> Self {
        Self::with(on, "")
    }

    fn with(on: &str, rest: &str) -> Self {
        let json = format!(
            r#"{{"version": 1, "call": {{"cluster": "m", "authority": "m", "path": "/", "max_inflight": 3,
                "retry": {{"on": [{on}]}}}},
            "map": [{{"from": "header", "name": "x-v", "to": "x-a", "required": true}}]{rest}}}"#
        );
        let config = Enrichment::from_json(json.as_bytes()).unwrap();
        Self {
            engine: Engine::new(Rc::new(config)),
            now: 1000,
            tally: Tally::new(),
            tokens: 0,
            took: Vec::new(),
        }
    }

    fn cached(rest: &str) -> Self {
        Self::new(&format!(r#", "cache": {{"key": ["all"], "ttl": "10s", {rest} "max_entries": 4}}"#))
    }

    /// A request of that key by that stream; a call is sent if it is to be.
    fn request(&mut self, key: Key, stream: u32) -> Consulted {
        self.by(key, Asker::Stream(stream))
    }

    fn by(&mut self, key: Key, asker: Asker) -> Consulted {
        let consulted = self.engine.consult(self.now, Some(&key), asker, &mut self.tally);
        let (admission, asker) = match &consulted {
            Consulted::Ask => (Admission::Pass, asker),
            Consulted::Decided(_, Some(admission)) => (*admission, Asker::Nobody),
            _ => return consulted,
        };
        self.tokens += 4;
        let question = Question { headers: Vec::new(), body: Vec::new() };
        let asking = Asking { now: self.now, key: Some(key), admission, asker };
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
        self.engine.answered(self.now, token, &answer, &mut self.tally).map(|(took, next)| {
            self.took.push(took);
            next
        })
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
        Verdict::DenyAsAnswered(denial) => {
            format!("as answered {} {}", denial.status, denial.body.escape_ascii())
        }
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

const ASK: Consulted = Consulted::Ask;

#[test]
fn requests_of_one_key_make_one_call() {
    let mut desk = Desk::cached("");
    assert_eq!(desk.request(KEY, 1), ASK);
    for stream in 2..=1000 {
        assert_eq!(desk.request(KEY, stream), Consulted::Joined);
    }
    assert_eq!(desk.request(Key::numbered(2), 2000), ASK);
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
fn a_refusal_takes_back_what_was_known() {
    for (status, policy, next) in [
        (401, "", "error"),
        (403, "", "error"),
        (404, "", "error"),
        (410, "", "error"),
        // Of the moment.
        (408, "", "stale v"),
        (425, "", "stale v"),
        (429, "", "stale v"),
        // As the operator wishes.
        (401, r#", "on_4xx": "stale""#, "stale v"),
        (404, r#", "on_4xx": {"deny": 403, "stale": true}"#, "stale v"),
    ] {
        let cache = r#", "cache": {"key": ["all"], "ttl": "10s", "stale_if_error": "60s"}"#;
        let mut desk = Desk::new(&format!("{cache}{policy}"));
        desk.request(KEY, 1);
        desk.settle(200, &[("x-v", "v")]);
        desk.now += 10_000;
        desk.request(KEY, 2);
        let word = if policy.is_empty() { "4xx" } else { "stale v" };
        assert_eq!(desk.settle(status, &[]).1, word, "{status}");
        desk.request(KEY, 3);
        assert_eq!(desk.settle(500, &[]).1, next, "{status} {policy}");
    }
}

#[test]
fn a_refusal_in_the_background_takes_back_what_was_known() {
    let mut desk = Desk::cached(r#""stale_while_revalidate": "60s","#);
    desk.request(KEY, 1);
    desk.settle(200, &[("x-v", "v")]);
    desk.now += 10_000;
    assert_eq!(decided(desk.request(KEY, 2)), "stale v, asked again");
    desk.settle(401, &[]);
    assert_eq!(desk.request(KEY, 3), ASK);
}

#[test]
fn what_the_service_answers_is_passed_on_if_that_is_asked_for() {
    let cache = r#""cache": {"key": ["all"], "ttl": "10s", "negative_ttl": "1s"}"#;
    let policy = r#""on_4xx": {"deny": "as_answered", "headers": ["www-authenticate"]}"#;
    let mut desk = Desk::new(&format!(", {cache}, {policy}"));
    let headers = [("www-authenticate", "Bearer"), ("set-cookie", "a=b"), ("x-v", "v")];
    for status in [401, 404] {
        desk.request(KEY, 1);
        let Some(Next::Settled(settled)) = desk.answer(desk.tokens, status, &headers, b"who are you?") else {
            panic!("that was it")
        };
        let Verdict::DenyAsAnswered(denial) = settled.verdict else { panic!("{:?}", settled.verdict) };
        let lines = map(&[("www-authenticate", b"Bearer".to_vec())]);
        let body = b"who are you?".to_vec();
        assert_eq!(*denial, Denial { status, headers: lines, body });
    }
    assert_eq!(decided(desk.request(KEY, 2)), "as answered 404 who are you?", "kept as it was");
    desk.now += 1000;
    desk.request(KEY, 3);
    assert_eq!(desk.settle(500, &[]).1, "error", "of a 4xx alone");
}

#[test]
fn requests_that_have_gone_on_are_counted_as_what_would_have_become_of_them() {
    let mut desk = Desk::cached("");
    assert_eq!(desk.by(KEY, Asker::Shadow), ASK);
    assert_eq!(desk.by(KEY, Asker::Shadow), Consulted::Joined);
    assert_eq!(desk.by(KEY, Asker::Stream(1)), Consulted::Joined);
    assert_eq!(desk.settle(200, &[("x-v", "v")]), (vec![1], "ok v".into()));
    desk.by(Key::numbered(2), Asker::Shadow);
    desk.settle(500, &[]);
    let mut counted = desk.counted();
    counted.retain(|(name, _)| name.starts_with("would"));
    assert_eq!(counted, [("would_enrich", 2), ("would_errors", 1)]);

    let mut desk = Desk::new(r#", "on_error": {"deny": 503}"#);
    desk.by(KEY, Asker::Shadow);
    desk.settle(500, &[]);
    let mut counted = desk.counted();
    counted.retain(|(name, _)| name.starts_with("would"));
    assert_eq!(counted, [("would_errors", 1), ("would_deny", 1)]);
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
fn no_more_calls_are_under_way_than_may_be() {
    let mut desk = Desk::cached("");
    for number in 1..=3 {
        assert_eq!(desk.request(Key::numbered(number), 1), ASK);
    }
    assert_eq!(decided(desk.request(Key::numbered(4), 4)), "error");
    assert_eq!(desk.request(Key::numbered(3), 5), Consulted::Joined, "to wait costs no call");
    desk.settle(200, &[("x-v", "v")]);
    assert_eq!(desk.request(Key::numbered(4), 6), ASK);
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
