//! Holds what became of streams, logs, metrics and callouts against what was expected.

use proxy_wasm_harness::{Cost, HeaderMap, Metric, Role, Stream};

use super::Failure;
use super::stage::{Ended, Stage};
use crate::matcher::{Matcher, quoted};
use crate::scenario::Test;
use crate::scenario::expect::{Callout, Expect, Expectation, Line, Measure, Measured, Message, phase};
use crate::scenario::step::Step;
use crate::yaml::At;

/// A test's expectation that its plugin does not start.
pub(super) fn refusal(test: &Test) -> Option<(At, &Matcher)> {
    expectations(test).find_map(|(at, expectation)| match expectation {
        Expectation::Refused(matcher) => Some((at, matcher)),
        _ => None,
    })
}

fn expectations(test: &Test) -> impl Iterator<Item = (At, &Expectation)> {
    let expects = test.steps.iter().filter_map(|step| step.expect.as_ref());
    expects.flat_map(|expect| expect.0.iter().map(|(at, expectation)| (*at, expectation)))
}

/// Checks what is expected after a step.
pub(super) fn check(stage: &Stage<'_>, step: &Step, expect: &Expect, failures: &mut Vec<Failure>) {
    for (at, expectation) in &expect.0 {
        one(stage, step, *at, expectation, failures);
    }
}

fn one(stage: &Stage<'_>, step: &Step, at: At, expectation: &Expectation, failures: &mut Vec<Failure>) {
    match expectation {
        Expectation::Log(line) => failures.extend(log(stage, at, line)),
        Expectation::Metric(name, measure) => failures.extend(metric(stage, at, name, measure)),
        Expectation::Callouts(callouts) => failures.extend(asked(stage, at, callouts)),
        Expectation::Cost(measured, most) => {
            let total = stage.stream(step).map_or_else(|| stage.host.costs(), Stream::costs).total();
            failures.extend(cost(at, *measured, *most, &total));
        }
        // Known only when all is over, or before it begins.
        Expectation::Findings(_) | Expectation::Traps(_) | Expectation::Refused(_) => {}
        of_stream => match stage.stream(step) {
            Some(stream) => one_of_stream(stream, at, of_stream, failures),
            None => failures.push(Failure::new(at, "the step", "a stream", "no request was sent before")),
        },
    }
}

fn one_of_stream(stream: &Stream, at: At, expectation: &Expectation, failures: &mut Vec<Failure>) {
    let mut expected =
        |what: &str, wanted: &str| failures.push(Failure::new(at, what, wanted, state(stream)));
    match expectation {
        Expectation::Forwarded(expected_message) => match stream.upstream().filter(|_| stream.is_forwarded())
        {
            Some(request) => {
                let seen = Seen {
                    what: "forwarded",
                    headers: &request.headers,
                    body: &request.body,
                    trailers: request.trailers.as_ref(),
                };
                message(expected_message, &seen, failures);
            }
            None => expected("forwarded", "that the whole request reaches the upstream"),
        },
        Expectation::NotForwarded if stream.upstream().is_some() => {
            expected("forwarded", "that nothing reaches the upstream");
        }
        Expectation::Answered(expected_message) => {
            if stream.is_answered() {
                response("answered", stream, expected_message, failures);
            } else {
                expected("answered", "an answer in the upstream's place");
            }
        }
        Expectation::NotAnswered if stream.is_answered() => {
            expected("answered", "no answer in the upstream's place");
        }
        Expectation::Received(expected_message) => {
            if stream.is_received() {
                response("received", stream, expected_message, failures);
            } else {
                expected("received", "that the client receives a whole response");
            }
        }
        Expectation::NotReceived if stream.downstream().is_some() => {
            expected("received", "that the client has received nothing yet");
        }
        Expectation::Paused(callback) if stream.paused_in() != *callback => match callback {
            Some(callback) => expected("paused_in", phase(*callback)),
            None => expected("paused_in", "none"),
        },
        Expectation::Reset(true) if !stream.is_reset() => expected("reset", "that the stream is reset"),
        Expectation::Reset(false) if stream.is_reset() => expected("reset", "that the stream is not reset"),
        _ => {}
    }
}

/// What has become of a stream, in words.
fn state(stream: &Stream) -> String {
    let mut state = if stream.is_answered() {
        let response = stream.downstream().unwrap_or_default();
        format!(
            "it was answered {} in the upstream's place: {}",
            response.status(),
            quoted(&[&response.body])
        )
    } else if stream.is_reset() {
        "it was reset".to_owned()
    } else if stream.is_received() {
        let status = stream.downstream().unwrap_or_default().status();
        format!("the upstream's response has reached the client: {status}")
    } else if stream.is_over() {
        "the client went away".to_owned()
    } else if stream.is_forwarded() {
        "the request was forwarded, and no whole response has come".to_owned()
    } else if stream.upstream().is_some() {
        "a part of the request has reached the upstream".to_owned()
    } else {
        "nothing of it has reached the upstream".to_owned()
    };
    if let Some(callback) = stream.paused_in() {
        state.push_str(", it is paused in ");
        state.push_str(phase(callback));
    }
    if let Some(details) = stream.details() {
        state.push_str(&format!(" ({details})"));
    }
    state
}

/// A message as it was seen.
struct Seen<'a> {
    what: &'static str,
    headers: &'a HeaderMap,
    body: &'a [u8],
    trailers: Option<&'a HeaderMap>,
}

fn response(what: &'static str, stream: &Stream, expected: &Message, failures: &mut Vec<Failure>) {
    let response = stream.downstream().unwrap_or_default();
    let seen =
        Seen { what, headers: &response.headers, body: &response.body, trailers: response.trailers.as_ref() };
    message(expected, &seen, failures);
}

fn message(expected: &Message, seen: &Seen<'_>, failures: &mut Vec<Failure>) {
    let what = seen.what;
    if let Some((at, status)) = &expected.status {
        let values: Vec<&[u8]> = seen.headers.get_all(":status").collect();
        if values != [status.to_string().as_bytes()] {
            let body = quoted(&[seen.body]);
            let got = values.first().map_or("none".to_owned(), |got| got.escape_ascii().to_string());
            failures.push(Failure::new(
                *at,
                format!("{what} status"),
                status.to_string(),
                format!("{got}, body {body}"),
            ));
        }
    }
    let pseudo =
        [(":method", &expected.method), (":path", &expected.path), (":authority", &expected.authority)];
    for (name, matcher) in pseudo {
        if let Some((at, matcher)) = matcher {
            values(*at, format!("{what} {name}"), matcher, seen.headers, name, failures);
        }
    }
    for (at, name, matcher) in &expected.headers {
        values(*at, format!("{what} header {name}"), matcher, seen.headers, name, failures);
    }
    if let Some((at, matcher)) = &expected.body
        && !matcher.holds(&[seen.body])
    {
        failures.push(Failure::new(*at, format!("{what} body"), matcher.to_string(), quoted(&[seen.body])));
    }
    let none = HeaderMap::new();
    for (at, name, matcher) in &expected.trailers {
        let trailers = seen.trailers.unwrap_or(&none);
        values(*at, format!("{what} trailer {name}"), matcher, trailers, name, failures);
    }
}

fn values(
    at: At,
    what: String,
    matcher: &Matcher,
    headers: &HeaderMap,
    name: &str,
    failures: &mut Vec<Failure>,
) {
    let values: Vec<&[u8]> = headers.get_all(name).collect();
    if !matcher.holds(&values) {
        failures.push(Failure::new(at, what, matcher.to_string(), quoted(&values)));
    }
}

fn log(stage: &Stage<'_>, at: At, expected: &Line) -> Option<Failure> {
    /// More lines than anybody reads.
    const MOST: usize = 20;
    let lines = stage.host.log_lines();
    let serving = lines.iter().filter(|line| matches!(line.role, Role::Worker(_)));
    let of_level: Vec<&str> = serving
        .clone()
        .filter(|line| expected.level.is_none_or(|level| line.level == level))
        .map(|line| line.message.as_str())
        .collect();
    if expected.matcher.holds_for_lines(&of_level) {
        return None;
    }
    let what = expected
        .level
        .map_or("a line of the log".to_owned(), |level| format!("a line of the log at {level}"));
    let all: Vec<String> =
        serving.clone().take(MOST).map(|line| format!("{}: {:?}", line.level, line.message)).collect();
    let left = serving.count().saturating_sub(MOST);
    let got = match (all.is_empty(), left) {
        (true, _) => "nothing was logged".to_owned(),
        (_, 0) => all.join("\n"),
        (_, left) => format!("{}\nand {left} more", all.join("\n")),
    };
    Some(Failure::new(at, what, expected.matcher.to_string(), got))
}

fn metric(stage: &Stage<'_>, at: At, name: &str, expected: &Measure) -> Option<Failure> {
    let metrics = stage.host.metrics();
    let found = metrics.iter().find(|(known, _)| known == name).map(|(_, metric)| metric);
    let holds = match (expected, found) {
        (Measure::Value(value), Some(Metric::Counter(found) | Metric::Gauge(found)))
        | (Measure::Counter(value), Some(Metric::Counter(found)))
        | (Measure::Gauge(value), Some(Metric::Gauge(found))) => found == value,
        (Measure::Histogram(values), Some(Metric::Histogram(found))) => found == values,
        (Measure::Count(count), Some(Metric::Histogram(found))) => u64::try_from(found.len()) == Ok(*count),
        (Measure::Absent, None) => true,
        _ => false,
    };
    if holds {
        return None;
    }
    let wanted = match expected {
        Measure::Value(value) => format!("a counter or gauge at {value}"),
        Measure::Counter(value) => format!("a counter at {value}"),
        Measure::Gauge(value) => format!("a gauge at {value}"),
        Measure::Histogram(values) => format!("a histogram of {values:?}"),
        Measure::Count(count) => format!("a histogram of {count} values"),
        Measure::Absent => "none of that name".to_owned(),
    };
    let got = match found {
        Some(Metric::Counter(value)) => format!("a counter at {value}"),
        Some(Metric::Gauge(value)) => format!("a gauge at {value}"),
        Some(Metric::Histogram(values)) => format!("a histogram of {values:?}"),
        None if metrics.is_empty() => "no metric at all".to_owned(),
        None => {
            let names: Vec<&str> = metrics.iter().map(|(name, _)| name.as_str()).collect();
            format!("none of that name; there are {}", names.join(", "))
        }
    };
    Some(Failure::new(at, format!("metric {name}"), wanted, got))
}

fn asked(stage: &Stage<'_>, at: At, expected: &[(At, Callout)]) -> Vec<Failure> {
    let made = stage.host.asked();
    let mut failures = Vec::new();
    for (index, ((at, callout), (cluster, request))) in expected.iter().zip(&made).enumerate() {
        let what = format!("callout {}", index + 1);
        if let Some(matcher) =
            callout.cluster.as_ref().filter(|matcher| !matcher.holds(&[cluster.as_bytes()]))
        {
            failures.push(Failure::new(
                *at,
                format!("{what}: cluster"),
                matcher.to_string(),
                quoted(&[cluster.as_bytes()]),
            ));
        }
        if let Some((part, wanted, got)) = callout.request.mismatch(request) {
            failures.push(Failure::new(*at, format!("{what}: {part}"), wanted, got));
        }
    }
    if made.len() != expected.len() {
        let list: Vec<String> = made
            .iter()
            .map(|(cluster, request)| format!("{} {} of {cluster}", request.method(), request.path()))
            .collect();
        let got =
            if list.is_empty() { "none".to_owned() } else { format!("{}: {}", made.len(), list.join(", ")) };
        let wanted = if expected.is_empty() { "none".to_owned() } else { expected.len().to_string() };
        failures.push(Failure::new(at, "callouts so far", wanted, got));
    }
    failures
}

fn cost(at: At, measured: Measured, most: u64, total: &Cost) -> Option<Failure> {
    let (what, found) = match measured {
        Measured::Fuel => ("fuel", total.fuel),
        Measured::Hostcalls => ("hostcalls", total.hostcalls),
        Measured::Callbacks => ("callbacks", total.callbacks),
        Measured::Allocations => ("allocations", total.allocations),
        Measured::AllocatedBytes => ("allocated bytes", total.allocated_bytes),
        Measured::Memory => ("bytes of memory", total.memory_bytes),
    };
    (found > most).then(|| Failure::new(at, what, format!("at most {most}"), found.to_string()))
}

/// Checks what is known only when the streams are over.
pub(super) fn afterwards(test: &Test, ended: &Ended, failures: &mut Vec<Failure>) {
    let mut traps_expected = false;
    for (at, expectation) in expectations(test) {
        match expectation {
            Expectation::Findings(expected) => {
                let found: Vec<String> = ended.findings.iter().map(ToString::to_string).collect();
                each_meets_one(at, "finding", expected, &found, failures);
            }
            Expectation::Traps(expected) => {
                traps_expected = true;
                each_meets_one(at, "trap", expected, &ended.traps, failures);
            }
            _ => {}
        }
    }
    if !traps_expected {
        for trap in &ended.traps {
            failures.push(Failure::new(test.at, "the VM", "that it does not trap", trap.clone()));
        }
    }
    for asked in &ended.unmatched {
        failures.push(Failure::new(
            test.at,
            "a cluster",
            "a rule for each callout",
            format!("none fits {asked}"),
        ));
    }
}

fn each_meets_one(
    at: At,
    what: &str,
    expected: &[(At, Matcher)],
    found: &[String],
    failures: &mut Vec<Failure>,
) {
    let meets = |matcher: &Matcher, text: &String| matcher.holds(&[text.as_bytes()]);
    for text in found {
        if !expected.iter().any(|(_, matcher)| meets(matcher, text)) {
            let none = if expected.is_empty() { "none" } else { "none but those that are listed" };
            failures.push(Failure::new(at, what, none, text.clone()));
        }
    }
    for (at, matcher) in expected {
        if !found.iter().any(|text| meets(matcher, text)) {
            let got = if found.is_empty() { "none".to_owned() } else { found.join("\n") };
            failures.push(Failure::new(*at, what, matcher.to_string(), got));
        }
    }
}
