//! What is expected after a step.

use proxy_wasm_harness::{Callback, Level};

use super::LEVELS;
use super::cluster::{Asked, WHEN};
use super::message;
use crate::matcher::Matcher;
use crate::yaml::{At, Fields, Kind, Node, Problems};

/// Expectations in the order of the file, each with its place.
#[derive(Debug)]
pub(crate) struct Expect(pub(crate) Vec<(At, Expectation)>);

#[derive(Debug)]
pub(crate) enum Expectation {
    /// The whole request has reached the upstream.
    Forwarded(Message),
    /// Nothing of it has.
    NotForwarded,
    /// A filter, or the proxy, has answered in the upstream's place.
    Answered(Message),
    NotAnswered,
    /// The client has received a whole response, whoever made it.
    Received(Message),
    NotReceived,
    /// A filter holds the stream in that callback; or none does.
    Paused(Option<Callback>),
    Reset(bool),
    Log(Line),
    Metric(String, Measure),
    /// Just these callouts were made so far, in this order.
    Callouts(Vec<(At, Callout)>),
    /// Each finding is met by one of these, and each of these meets one; looked at when the test is over.
    Findings(Vec<(At, Matcher)>),
    /// The same for traps of VMs.
    Traps(Vec<(At, Matcher)>),
    Cost(Measured, u64),
    /// The plugin does not start, saying this.
    Refused(Matcher),
}

/// What a message has to be like.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) status: Option<(At, u32)>,
    pub(crate) method: Option<(At, Matcher)>,
    pub(crate) path: Option<(At, Matcher)>,
    pub(crate) authority: Option<(At, Matcher)>,
    pub(crate) headers: Vec<(At, String, Matcher)>,
    pub(crate) body: Option<(At, Matcher)>,
    pub(crate) trailers: Vec<(At, String, Matcher)>,
}

/// Something about the log.
#[derive(Debug)]
pub(crate) struct Line {
    /// None for any.
    pub(crate) level: Option<Level>,
    pub(crate) matcher: Matcher,
}

#[derive(Debug)]
pub(crate) struct Callout {
    pub(crate) cluster: Option<Matcher>,
    pub(crate) request: Asked,
}

/// What a metric stands at.
#[derive(Debug)]
pub(crate) enum Measure {
    /// A counter's or a gauge's value.
    Value(u64),
    Counter(u64),
    Gauge(u64),
    /// What a histogram has recorded.
    Histogram(Vec<u64>),
    /// How often a histogram has recorded something.
    Count(u64),
    Absent,
}

/// Costs that can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measured {
    Fuel,
    Hostcalls,
    Callbacks,
    Allocations,
    AllocatedBytes,
    Memory,
}

pub(crate) const FIELDS: [&str; 12] = [
    "forwarded",
    "answered",
    "received",
    "paused_in",
    "reset",
    "logs",
    "metrics",
    "callouts",
    "findings",
    "traps",
    "costs",
    "refused",
];
pub(crate) const FORWARDED: [&str; 6] = ["method", "path", "authority", "headers", "body", "trailers"];
pub(crate) const RECEIVED: [&str; 4] = ["status", "headers", "body", "trailers"];
pub(crate) const METRIC: [&str; 5] = ["counter", "gauge", "histogram", "count", "absent"];
pub(crate) const COSTS: [(&str, Measured); 6] = [
    ("max_fuel", Measured::Fuel),
    ("max_hostcalls", Measured::Hostcalls),
    ("max_callbacks", Measured::Callbacks),
    ("max_allocations", Measured::Allocations),
    ("max_allocated_bytes", Measured::AllocatedBytes),
    ("max_memory", Measured::Memory),
];
pub(crate) const PHASES: [Callback; 6] = [
    Callback::RequestHeaders,
    Callback::RequestBody,
    Callback::RequestTrailers,
    Callback::ResponseHeaders,
    Callback::ResponseBody,
    Callback::ResponseTrailers,
];

/// The name of a phase: that of its callback without `proxy_on_`.
pub(crate) fn phase(callback: Callback) -> &'static str {
    callback.name().trim_start_matches("on_")
}

impl Expect {
    pub(crate) fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "expect", &FIELDS)?;
        let mut all = Vec::new();
        for name in fields.present(&FIELDS) {
            let Some((key, node)) = fields.entry(name) else { continue };
            Expectation::read(name, key.at, node, problems, &mut all);
        }
        if all.is_empty() && problems.is_empty() {
            return problems.expected(node, &crate::yaml::list(&FIELDS));
        }
        Some(Self(all))
    }
}

impl Expectation {
    fn read(name: &str, at: At, node: &Node, problems: &Problems, all: &mut Vec<(At, Self)>) {
        let one = match name {
            "forwarded" => Self::message(node, &FORWARDED, problems, Self::Forwarded, Self::NotForwarded),
            "answered" => Self::message(node, &RECEIVED, problems, Self::Answered, Self::NotAnswered),
            "received" => Self::message(node, &RECEIVED, problems, Self::Received, Self::NotReceived),
            "paused_in" => {
                let mut words: Vec<(&str, Option<Callback>)> =
                    PHASES.iter().map(|callback| (phase(*callback), Some(*callback))).collect();
                words.push(("none", None));
                problems.word(node, &words).map(Self::Paused)
            }
            "reset" => problems.bool(node).map(Self::Reset),
            "refused" => Matcher::read(node, problems).map(Self::Refused),
            "findings" => list_or_none(node, problems).map(Self::Findings),
            "traps" => list_or_none(node, problems).map(Self::Traps),
            "logs" => {
                for item in problems.items(node, "a list such as [info: hello]") {
                    all.extend(Line::read(item, problems).map(|line| (item.at, Self::Log(line))));
                }
                return;
            }
            "metrics" => {
                for (key, node) in problems.entries(node, "a map of metrics by name") {
                    let metric = Measure::read(node, problems);
                    all.extend(metric.map(|metric| (key.at, Self::Metric(key.name.clone(), metric))));
                }
                return;
            }
            "costs" => {
                let names: Vec<&str> = COSTS.iter().map(|(name, _)| *name).collect();
                let Some(fields) = problems.fields(node, "costs", &names) else { return };
                for (name, measured) in COSTS {
                    let Some((key, node)) = fields.entry(name) else { continue };
                    let most = match measured {
                        Measured::Memory | Measured::AllocatedBytes => problems.size(node),
                        _ => problems.unsigned(node, "a number"),
                    };
                    all.extend(most.map(|most| (key.at, Self::Cost(measured, most))));
                }
                return;
            }
            _ => Self::callouts(node, problems),
        };
        all.extend(one.map(|one| (at, one)));
    }

    /// A message, or `false` for none.
    fn message(
        node: &Node,
        known: &[&str],
        problems: &Problems,
        some: impl FnOnce(Message) -> Self,
        none: Self,
    ) -> Option<Self> {
        match node.kind {
            Kind::Bool(true) => Some(some(Message::default())),
            Kind::Bool(false) => Some(none),
            _ => Message::read(node, known, problems).map(some),
        }
    }

    fn callouts(node: &Node, problems: &Problems) -> Option<Self> {
        if node.scalar().as_deref() == Some("none") {
            return Some(Self::Callouts(Vec::new()));
        }
        let mut known = vec!["cluster"];
        known.extend(WHEN);
        let mut callouts = Vec::new();
        for item in problems.items(node, "a list of callouts, or `none`") {
            let fields = problems.fields(item, "a callout", &known)?;
            let cluster = fields.get("cluster").and_then(|node| Matcher::read(node, problems));
            callouts.push((item.at, Callout { cluster, request: Asked::of(&fields, problems) }));
        }
        Some(Self::Callouts(callouts))
    }
}

/// `none`, or a list of matchers.
fn list_or_none(node: &Node, problems: &Problems) -> Option<Vec<(At, Matcher)>> {
    if node.scalar().as_deref() == Some("none") {
        return Some(Vec::new());
    }
    let items = problems.items(node, "a list of matchers, or `none`").iter();
    Some(items.filter_map(|item| Some((item.at, Matcher::read(item, problems)?))).collect())
}

impl Message {
    fn read(node: &Node, known: &[&str], problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "a message", known)?;
        let matcher = |name: &str| {
            fields.entry(name).and_then(|(key, node)| Some((key.at, Matcher::read(node, problems)?)))
        };
        let status =
            fields.entry("status").and_then(|(key, node)| Some((key.at, message::status(node, problems)?)));
        Some(Self {
            status,
            method: matcher("method"),
            path: matcher("path"),
            authority: matcher("authority"),
            headers: Self::matchers("headers", &fields, problems),
            body: matcher("body"),
            trailers: Self::matchers("trailers", &fields, problems),
        })
    }

    fn matchers(name: &str, fields: &Fields<'_>, problems: &Problems) -> Vec<(At, String, Matcher)> {
        let Some(node) = fields.get(name) else { return Vec::new() };
        let entries = problems.entries(node, "a map of names to matchers").iter();
        entries
            .filter_map(|(key, node)| {
                if node.is_null() {
                    return problems
                        .expected(node, "a matcher: '' for an empty value, {absent: true} for none");
                }
                Some((key.at, key.name.clone(), Matcher::read(node, problems)?))
            })
            .collect()
    }
}

impl Line {
    fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let mut known: Vec<&str> = LEVELS.iter().map(|(name, _)| *name).collect();
        known.push("any");
        let fields = problems.fields(node, "a log line", &known)?;
        let mut present = known.iter().filter_map(|name| Some((*name, fields.get(name)?)));
        let (Some((name, node)), None) = (present.next(), present.next()) else {
            // An unknown one has been named already.
            let named = fields.names().any(|name| !known.contains(&name));
            let what = "expected one level with a matcher, such as `info: hello`";
            return if named { None } else { problems.add(fields.at, what) };
        };
        let level = LEVELS.iter().find(|(level, _)| *level == name).map(|(_, level)| *level);
        Some(Self { level, matcher: Matcher::read(node, problems)? })
    }
}

impl Measure {
    fn read(node: &Node, problems: &Problems) -> Option<Self> {
        const WHAT: &str =
            "a number, or {histogram: [1, 2]}, {count: 2}, {counter: 1}, {gauge: 1} or {absent: true}";
        match &node.kind {
            Kind::Map(_) => {}
            Kind::Int(_) | Kind::Uint(_) => return problems.unsigned(node, WHAT).map(Self::Value),
            _ => return problems.expected(node, WHAT),
        }
        let fields = problems.fields(node, "a metric", &METRIC)?;
        let mut present = METRIC.iter().filter_map(|name| Some((*name, fields.get(name)?)));
        let (Some((name, node)), None) = (present.next(), present.next()) else {
            return problems.expected(node, WHAT);
        };
        let number = |node| problems.unsigned(node, "a number that is not negative");
        Some(match name {
            "counter" => Self::Counter(number(node)?),
            "gauge" => Self::Gauge(number(node)?),
            "count" => Self::Count(number(node)?),
            "histogram" => {
                let values = problems.items(node, "a list of numbers").iter().map(number);
                Self::Histogram(values.collect::<Option<_>>()?)
            }
            _ => match problems.bool(node)? {
                true => Self::Absent,
                false => return problems.expected(node, "true"),
            },
        })
    }
}
