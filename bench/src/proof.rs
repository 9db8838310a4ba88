//! One request to each variant under a trace: that its filter ran, and what it and Envoy called of each other.

use std::time::Duration;

use anyhow::ensure;
use meshloom_lab::{Bootstrap, Envoy};

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

/// Sends a request through the variant in an Envoy of its own.
///
/// # Errors
///
/// When the answer is not the expected one, or a module that should have run did not.
pub fn of(suite: &Suite, variant: &Variant, bootstrap: Bootstrap) -> anyhow::Result<Calls> {
    let case = &variant.case;
    // Not by changing the level later: a module that is loaded at another level is never traced (Envoy 1.40).
    let envoy = Envoy::with(bootstrap).log_level("trace").start();
    // The first request may do what only a first one does.
    let _ = envoy.get(suite.path).send();
    std::thread::sleep(SETTLING);
    let before = envoy.log().len();
    let response = envoy.get(suite.path).send();
    std::thread::sleep(SETTLING);
    let log = envoy.log();
    let log = log.get(before..).unwrap_or_default();

    ensure!(response.status == 200, "{case}: answered {} in place of 200", response.status);
    let length = response.parts.iter().map(|part| part.len() as u64).sum::<u64>();
    ensure!(response.complete && length >= suite.least, "{case}: a body of {length} bytes");

    let marked = response.header("x-training").as_deref() == Some("envoy-wasm");
    ensure!(marked == variant.marks(), "{case}: x-training is {:?}", response.header("x-training"));

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
        ensure!(calls.callbacks > spent, "{case}: its module had no part in a request; Envoy logged:\n{log}");
    }
    Ok(calls)
}

/// How long Envoy is given to end a stream for good after its answer, and to write its log.
const SETTLING: Duration = Duration::from_millis(300);
