//! What a fuzzer's bytes do. libFuzzer calls these functions, and so does the test that replays the corpus.

#![allow(dead_code, reason = "each fuzz target is a program that uses one of the functions")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meshloom_agent::ecds::{
    Desk, Effect, Filter, Kind, LastGood, Options, Outcome, Protocol, TYPE_URL, convert, strip,
};
use meshloom_agent::status::{Board, Metrics};
use meshloom_agent::wire::{Any, put_bytes};
use meshloom_agent::{Held, Library, Reason, Unavailable, Wanted};

/// The first byte says what the others are.
pub(crate) fn ecds(data: &[u8]) {
    let Some((selector, data)) = data.split_first() else { return };
    let http = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
    match selector % 8 {
        0 => resource(data),
        1 => resource(&Any { type_url: TYPE_URL, value: data }.encode()),
        2 => resource(&extension(&Any { type_url: http, value: data }.encode())),
        3 => resource(&extension(&Any { type_url: Kind::Network.type_url(), value: data }.encode())),
        4 => resource(&typed_struct("udpa.type.v1.TypedStruct", Kind::Http, data)),
        5 => resource(&typed_struct("xds.type.v3.TypedStruct", Kind::Network, data)),
        6 => stream(Protocol::Sotw, data),
        _ => stream(Protocol::Delta, data),
    }
}

fn extension(typed_config: &[u8]) -> Vec<u8> {
    let mut extension = Vec::new();
    put_bytes(&mut extension, 1, b"name");
    put_bytes(&mut extension, 2, typed_config);
    Any { type_url: TYPE_URL, value: &extension }.encode()
}

fn typed_struct(type_name: &str, kind: Kind, value: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    put_bytes(&mut message, 1, kind.type_url().as_bytes());
    put_bytes(&mut message, 2, value);
    let type_url = format!("type.googleapis.com/{type_name}");
    extension(&Any { type_url: &type_url, value: &message }.encode())
}

/// What is converted needs no second conversion, and is nothing that Envoy would fetch.
fn resource(any: &[u8]) {
    let finished = |made: &[u8]| {
        let again = convert(made);
        assert!(matches!(again.outcome, Outcome::Untouched), "{:?} of {made:?}", again.outcome);
    };
    match convert(any).outcome {
        Outcome::Untouched | Outcome::Malformed(_) => {}
        Outcome::Stripped(stripped) => finished(&stripped),
        Outcome::Remote(remote) => {
            finished(&remote.with_module(Path::new("/modules/module.wasm")));
            finished(&remote.with_filter(Filter::Allow));
            finished(&remote.with_filter(Filter::Deny));
            if let Ok(wanted) = &remote.wanted {
                assert!(!format!("{wanted:?}").contains("pull_secret: Some(\""));
            }
        }
    }
    if let Outcome::Stripped(stripped) = strip(any).outcome {
        assert!(matches!(strip(&stripped).outcome, Outcome::Untouched), "{stripped:?}");
    }
}

/// A library that never has anything.
struct Empty;

impl Library for Empty {
    fn at_hand(&self, _: &Wanted) -> Option<Held> {
        None
    }

    fn obtain(&self, _: Wanted) -> futures_util::future::BoxFuture<'static, Result<Held, Unavailable>> {
        Box::pin(async { Err(Unavailable::new(Reason::Offline, "nothing is here")) })
    }
}

/// Messages, each after a byte that says whose it is and two of its length.
fn stream(protocol: Protocol, mut data: &[u8]) {
    let options = Options { seed: Some(0), ..Options::default() };
    let (board, metrics) = (Arc::new(Board::default()), Arc::new(Metrics::default()));
    let mut desk =
        Desk::new(1, protocol, Arc::new(Empty), board, metrics, Arc::new(LastGood::default()), options);
    let mut now = Instant::now();
    let mut effects = Vec::new();
    while let Some((head, rest)) = data.split_first_chunk::<3>() {
        let length = usize::from(u16::from_le_bytes([head[1], head[2]])).min(rest.len());
        let (message, rest) = rest.split_at(length);
        data = rest;
        match head[0] % 4 {
            0 => desk.response(message.to_vec().into(), now, &mut effects),
            1 => desk.request(message.to_vec().into(), now, &mut effects),
            2 => now += Duration::from_millis(u64::from(head[1]) * 100),
            _ => {}
        }
        desk.due(now, &mut effects);
        for effect in std::mem::take(&mut effects) {
            if let Effect::Obtain(ticket, wanted) = effect {
                let failure = Unavailable::new(Reason::Unreachable, wanted.resource);
                desk.obtained(ticket, Err(failure), now, &mut effects);
            }
        }
        effects.clear();
        assert!(desk.next_deadline().is_none_or(|at| at > now));
    }
}
