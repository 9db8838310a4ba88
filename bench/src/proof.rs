//! A few requests to each variant under a trace: that its filter ran and did its work, and what it and Envoy called of
//! each other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use meshloom_lab::{Bootstrap, Envoy, Response, metric};
use serde_json::{Value, json};

use crate::load::Question;
use crate::setting::Seen;
use crate::suite::Suite;
use crate::variant::Variant;

/// What one request makes Envoy and a module call of each other. Both are 0 without a module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Callbacks: Envoy calls the module.
    pub callbacks: usize,
    /// Hostcalls: the module calls Envoy.
    pub hostcalls: usize,
    /// Whether one of them is a request to another cluster, whose cost is then in the filter's.
    pub callout: bool,
}

/// Sends requests through the variant in an Envoy of its own.
///
/// # Errors
///
/// When the answer is not the expected one, a module that should have run did not, or what must be seen was not.
pub fn of(suite: &Suite, variant: &Variant, bootstrap: Bootstrap) -> anyhow::Result<Calls> {
    let seen = &variant.seen;
    let prove = || {
        // Not by changing the level later: a module that is loaded at another level is never traced (Envoy 1.40).
        let envoy = Envoy::with(mirrored(bootstrap, seen)).log_level("trace").start();
        // The first request may do what only a first one does.
        ask(&envoy, &suite.question, None)?;
        std::thread::sleep(SETTLING);
        let counts = counts(&envoy, variant);
        let before = envoy.log().len();
        let response = ask(&envoy, &suite.question, None)?;
        std::thread::sleep(SETTLING);
        let log = envoy.log();
        let calls = calls(variant, log.get(before..).unwrap_or_default())?;

        answered(suite, variant, &response)?;
        for (index, (name, expected)) in seen.request.iter().enumerate() {
            // Without a value Envoy shows none, or this.
            let shown = response.header(&mirror(index)).filter(|value| !value.is_empty() && value != "-");
            ensure!(shown == *expected, "the request went on with {name}: {shown:?}, expected {expected:?}");
        }
        for (name, expected) in &seen.response {
            let shown = response.header(name);
            ensure!(shown == *expected, "the answer has {name}: {shown:?}, expected {expected:?}");
        }
        let body = String::from_utf8_lossy(&response.body()).into_owned();
        for text in &seen.lacks {
            ensure!(!body.contains(text), "{text:?} is in the body");
        }
        grown(&envoy, &counts, seen)?;
        for host in &seen.refuses {
            let status = ask(&envoy, &suite.question, Some(host))?.status;
            ensure!(matches!(status, 403 | 451), "{host} is answered {status}, expected 403 or 451");
        }
        Ok(calls)
    };
    prove().with_context(|| format!("{}: {} does not do what is to be measured", suite.name, variant.case))
}

fn ask(envoy: &Envoy, question: &Question, host: Option<&str>) -> anyhow::Result<Response> {
    let mut request = envoy.get(&question.path);
    for (name, value) in &question.headers {
        let other = host.filter(|_| name == "host");
        request = request.header(name, other.unwrap_or(value));
    }
    request.try_send()
}

/// A bootstrap whose answers have the headers of the request as the filters left it.
fn mirrored(bootstrap: Bootstrap, seen: &Seen) -> Bootstrap {
    let header = |(index, name): (usize, &String)| json!({ "header": { "key": mirror(index), "value": format!("%REQ({name})%") } });
    let headers: Vec<Value> = seen.request.keys().enumerate().map(header).collect();
    bootstrap.connection_manager(|manager| {
        if let Some(host) =
            manager.pointer_mut("/route_config/virtual_hosts/0").and_then(Value::as_object_mut)
        {
            host.insert("response_headers_to_add".to_owned(), headers.clone().into());
        }
    })
}

/// The header of an answer that shows one of the request.
fn mirror(index: usize) -> String {
    format!("x-mirror-{index}")
}

/// That an answer is the whole one, marked as the variant marks it.
fn answered(suite: &Suite, variant: &Variant, response: &Response) -> anyhow::Result<()> {
    ensure!(response.status == 200, "answered {} in place of 200", response.status);
    let length = response.parts.iter().map(|part| part.len() as u64).sum::<u64>();
    ensure!(response.complete && length >= suite.least, "a body of {length} bytes");
    let marked = response.header("x-training").as_deref() == Some("envoy-wasm");
    ensure!(marked == variant.marks(), "x-training is {:?}", response.header("x-training"));
    Ok(())
}

/// What was called in the part of the log that is of one request.
fn calls(variant: &Variant, log: &str) -> anyhow::Result<Calls> {
    let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    let calls = Calls {
        // Memory for an answer is part of the hostcall that answers, whatever the allocator is called.
        callbacks: count("[host->vm] proxy_") - count("[host->vm] proxy_on_memory_allocate("),
        hostcalls: count("[vm->host] env.proxy_"),
        callout: count("[vm->host] env.proxy_http_call(") > 0,
    };
    if !variant.modules().is_empty() {
        // The SDK's own contexts come and go even when the filter never hears of the stream.
        let life = ["proxy_on_context_create(", "proxy_on_done(", "proxy_on_delete("];
        let spent: usize = life.iter().map(|name| count(&format!("[host->vm] {name}"))).sum();
        ensure!(calls.callbacks > spent, "its module had no part in a request; Envoy logged:\n{log}");
    }
    Ok(calls)
}

/// The counters that have to grow, before they do. Only a module has them.
fn counts(envoy: &Envoy, variant: &Variant) -> BTreeMap<String, u64> {
    let text = envoy.prometheus();
    let names = variant.seen.counts.keys().filter(|_| !variant.modules().is_empty());
    names.map(|name| (name.clone(), metric(&text, name).unwrap_or(0))).collect()
}

/// That counters have grown since by what was said.
fn grown(envoy: &Envoy, before: &BTreeMap<String, u64>, seen: &Seen) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let text = envoy.prometheus();
        let wrong = before.iter().find_map(|(name, before)| {
            let expected = seen.counts.get(name).copied().unwrap_or_default();
            let by = metric(&text, name).unwrap_or(0).saturating_sub(*before);
            (by != expected).then(|| format!("{name} grew by {by}, expected {expected}"))
        });
        match wrong {
            None => return Ok(()),
            Some(wrong) => ensure!(begun.elapsed() < COUNTING, wrong),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How long Envoy is given to end a stream for good after its answer, and to write its log.
const SETTLING: Duration = Duration::from_millis(300);
/// How long a module is given to count what it did.
const COUNTING: Duration = Duration::from_secs(3);
