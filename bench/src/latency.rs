//! How long a client waits, where CPU time says nothing: for a service that does not answer, and for the first byte of
//! a body that comes piece by piece.
//!
//! One request at a time on one connection to each variant, by turns. The process is not confined to one CPU here: a
//! client waits for what all CPUs do.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use meshloom_lab::{Envoy, Upstream};
use serde_json::json;

use crate::load::{self, PATIENCE, Question};
use crate::suite::Suite;
use crate::variant::{NONE, NONE_AGAIN, Variant};

/// What a client waited for a variant, in µs.
#[derive(Clone, Debug)]
pub struct Wait {
    /// The variant.
    pub case: String,
    /// One for each request, in order.
    pub micros: Vec<f64>,
}

/// What is timed.
pub struct Waiting {
    /// The suite; its `requests` go to each variant.
    pub suite: Suite,
    /// What the client waits for.
    pub until: Until,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The last byte.
    Last,
    /// The first byte of the body.
    First,
}

/// The timeout of a call, in the milliseconds of the case's name.
pub const TIMEOUT: Duration = Duration::from_millis(50);
/// The case in which calls go on to time out.
pub const SILENT: &str = "callout-enrichment: the service is silent";
/// The case in which nothing is asked any more.
pub const OPEN: &str = "callout-enrichment: the breaker is open";
/// The case of a body that is looked into.
pub const LOOKED_INTO: &str = "redaction: all";

/// A service that never answers: what a request waits until the breaker is open, and then.
///
/// # Errors
///
/// When the filter cannot be configured.
pub fn silent(requests: u32) -> anyhow::Result<Waiting> {
    let asking = |case: &str, breaker: serde_json::Value| {
        let configuration = json!({
            "version": 1,
            "call": {
                "cluster": "metadata", "authority": "metadata.local", "path": "/silent",
                "timeout": format!("{}ms", TIMEOUT.as_millis()),
            },
            "map": [{ "from": "header", "name": "x-user-id", "to": "x-user-id" }],
            "breaker": breaker,
        });
        let mut variant = Variant::configured("callout-enrichment", "", &configuration.to_string())?;
        case.clone_into(&mut variant.case);
        anyhow::Ok(variant)
    };
    let variants = vec![
        Variant::none(),
        Variant::none_again(),
        asking(SILENT, json!("off"))?,
        asking(OPEN, json!({ "consecutive_failures": 1, "open_for": "600s" }))?,
    ];
    let mut suite = Suite::headers(requests, "".as_ref(), &[]);
    suite.name = "silent-service".to_owned();
    suite.asks = format!(
        "a GET that Envoy answers by itself, about which a service is asked that never answers; the timeout of a call \
         is {} ms",
        TIMEOUT.as_millis()
    );
    suite.variants = variants;
    Ok(Waiting { suite, until: Until::Last })
}

/// A body that comes piece by piece: when its first byte is there. `looked_into` is what looks into it.
pub fn first_byte(requests: u32, looked_into: Option<Variant>) -> Waiting {
    let mut suite = Suite::clean_body(requests, "".as_ref(), Vec::new());
    suite.variants.retain(|variant| [NONE, NONE_AGAIN].contains(&&*variant.case));
    suite.variants.extend(looked_into);
    suite.name = "first-byte".to_owned();
    "a GET that an upstream answers with JSON lines in pieces of 4 KB, a millisecond or two apart; how long the first byte of the body takes"
        .clone_into(&mut suite.asks);
    suite.question = Question::plain("/stream");
    suite.least = 1;
    Waiting { suite, until: Until::First }
}

/// Runs it.
///
/// # Errors
///
/// When a variant does not answer as it should.
pub fn run(waiting: &Waiting, upstream: &Upstream) -> anyhow::Result<Vec<Wait>> {
    let suite = &waiting.suite;
    let request = suite.question.bytes();
    let mut running = Vec::new();
    for variant in &suite.variants {
        eprintln!("{}: {} is started", suite.name, variant.case);
        let envoy = Envoy::with(suite.bootstrap(variant, upstream)).log_level("warn").start();
        let stream = TcpStream::connect(envoy.proxy())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        running.push((
            envoy,
            BufReader::new(stream),
            Wait { case: variant.case.clone(), micros: Vec::new() },
        ));
    }
    for turn in 0..WARM + suite.requests {
        for (_, connection, wait) in &mut running {
            // What waits for timeouts is the same each time, and takes long.
            if wait.case == SILENT && wait.micros.len() >= TIMEOUTS {
                continue;
            }
            let begun = Instant::now();
            connection.get_mut().write_all(&request)?;
            let answer = load::timed(connection)?;
            anyhow::ensure!(answer.length >= suite.least, "{}: {} bytes", wait.case, answer.length);
            let until = if waiting.until == Until::First { answer.first } else { answer.last };
            if turn >= WARM {
                wait.micros.push(until.duration_since(begun).as_secs_f64() * 1e6);
            }
        }
        if turn % 100 == 0 {
            upstream.forget();
        }
    }
    let mut waits = Vec::new();
    for (envoy, _, wait) in running {
        let log = envoy.log();
        let failure = log.lines().find(|line| line.contains("[error]") || line.contains("[critical]"));
        anyhow::ensure!(failure.is_none(), "{}: {}", wait.case, failure.unwrap_or_default());
        proven(&wait, &envoy)?;
        waits.push(wait);
    }
    Ok(waits)
}

/// That a case did what its name says.
fn proven(wait: &Wait, envoy: &Envoy) -> anyhow::Result<()> {
    let at_least = |name: &str, least: usize| {
        let begun = Instant::now();
        loop {
            let count = envoy.stat(name);
            if count >= least as u64 {
                return Ok(());
            }
            anyhow::ensure!(begun.elapsed() < PATIENCE, "{}: {name} is {count}, expected {least}", wait.case);
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    match &*wait.case {
        SILENT => at_least("wasm_enrich_call_timeout_total", wait.micros.len()),
        OPEN => at_least("wasm_enrich_breaker_rejected_total", wait.micros.len()),
        LOOKED_INTO => at_least("wasm_redaction_bodies_scanned_total", wait.micros.len()),
        _ => Ok(()),
    }
}

/// Requests before those that count: the breaker opens, and V8 compiles better what is often used.
const WARM: u32 = 30;
/// How many timeouts are waited for.
const TIMEOUTS: usize = 50;
