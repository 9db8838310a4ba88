//! What a fuzzer's bytes do. libFuzzer calls these functions, and so does the test that replays the corpus.

#![allow(dead_code, reason = "each fuzz target is a program that uses one of the functions")]

use std::rc::Rc;

use filter_kit::header::FRAMING;
use filter_kit::testing::Given;
use header_mutation::testing::Proxy;
use header_mutation::{Mutations, Side};

type Line<'a> = (&'a str, &'a [u8]);

const REQUEST: [Line<'_>; 12] = [
    (":method", b"GET"),
    (":path", b"/v1/a?user=1&%75ser=2#x"),
    (":authority", b"A.test:80"),
    (":scheme", b"http"),
    ("cookie", b"a=1; b=2;a=3"),
    ("x-a", b"1"),
    ("x-a", b"caf\xe9"),
    ("x-user-id", b"root"),
    ("x-debug-a", b""),
    ("content-length", b"1"),
    ("te", b"trailers"),
    ("x-envoy-internal", b"true"),
];

const RESPONSE: [Line<'_>; 7] = [
    (":status", b"200"),
    ("content-type", b"text/plain"),
    ("set-cookie", b"a=1; Path=/"),
    ("set-cookie", b"a=1; Path=/"),
    ("grpc-status", b"0"),
    ("transfer-encoding", b"chunked"),
    ("x-a", b"1"),
];

/// A configuration. One that is accepted keeps every message one that can be sent on.
pub(crate) fn config(data: &[u8]) {
    let Ok(mutations) = Mutations::from_json(data) else { return };
    exchange(&Rc::new(mutations), &REQUEST, &RESPONSE);
}

/// Every operation, with sources that a client chooses.
const EVERYTHING: &str = include_str!("everything.json");

/// Lines of a request and, behind a line of nothing, of its response: a byte that chooses a name, and a value up to the
/// next zero byte.
pub(crate) fn decision(data: &[u8]) {
    const NAMES: [&str; 16] = [
        "x-a",
        "x-b",
        "x-c",
        "x-d",
        "x-user-id",
        "x-debug-a",
        "x-debug-id",
        "cookie",
        "set-cookie",
        "vary",
        "x-once",
        ":path",
        ":authority",
        ":method",
        ":status",
        "content-length",
    ];
    thread_local! {
        static MUTATIONS: Rc<Mutations> = Rc::new(Mutations::from_json(EVERYTHING.as_bytes()).unwrap());
    }
    let mut sides: [Vec<Line<'_>>; 2] = [Vec::new(), vec![(":status", b"200")]];
    let mut side = 0;
    for line in data.split(|byte| *byte == 0) {
        match line.split_first() {
            None => side = 1,
            Some((name, value)) => {
                let name = NAMES[usize::from(*name) % NAMES.len()];
                // A message has each pseudo-header once.
                if !name.starts_with(':') || sides[side].iter().all(|(other, _)| *other != name) {
                    sides[side].push((name, value));
                }
            }
        }
    }
    let [request, response] = sides;
    MUTATIONS.with(|mutations| exchange(mutations, &request, &response));
}

fn exchange(mutations: &Rc<Mutations>, request: &[Line<'_>], response: &[Line<'_>]) {
    let given = Given::default().attribute("xds\0route_name", b"a\r\nb").attribute("request\0size", &[1; 8]);
    let proxy = Proxy::knowing(given);
    let mut exchange = proxy.exchange(mutations);
    for (side, before) in [
        (Side::Request, request),
        (Side::RequestTrailers, &[("x-a", &b"1"[..])][..]),
        (Side::Response, response),
        (Side::ResponseTrailers, &[("grpc-status", &b"0"[..]), ("x-a", b"1")][..]),
    ] {
        proxy.calls.borrow_mut().clear();
        let passed = proxy.pass(&mut exchange, side, before).is_some();
        let after = proxy.lines();
        if !passed {
            assert_eq!(side, Side::Request);
            return;
        }
        hold(before, &after);
        let calls = proxy.calls.borrow();
        let writes = ["replace ", "add ", "remove "];
        if !calls.iter().any(|call| writes.iter().any(|verb| call.starts_with(verb))) {
            let same = before.iter().map(|(name, value)| (name.as_bytes(), *value));
            assert!(same.eq(after.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))));
        }
    }
}

/// What routes and frames a message is there as often as before, and no line that is new can end one.
fn hold(before: &[Line<'_>], after: &[(Vec<u8>, Vec<u8>)]) {
    for name in FRAMING.iter().chain(&[":path", ":method", ":scheme", ":status"]) {
        let had = before.iter().filter(|(other, _)| other == name).count();
        let has = after.iter().filter(|(other, _)| other == name.as_bytes()).count();
        assert_eq!(had, has, "{name}");
    }
    for (name, value) in after {
        // A part of a value that the message had may be in another line now; what it had not must be right.
        let had = |part: &[u8]| {
            before.iter().any(|(_, value)| value.windows(part.len()).any(|other| other == part))
        };
        for bad in [&b"\r"[..], b"\n", b"\0"] {
            let is_in = value.windows(1).any(|byte| byte == bad);
            assert!(!is_in || had(bad), "{}: {}", name.escape_ascii(), value.escape_ascii());
        }
    }
}
