//! What happens in a test, one thing after the other.

use std::time::Duration;

use proxy_wasm_harness::{Reaction, Status};

use super::cluster::{failure, respond};
use super::expect::Expect;
use super::message::{More, Request, Upstream};
use super::plugin::Configuration;
use crate::yaml::{At, Fields, Node, Problems};

/// One thing that happens, and what is expected after it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) at: At,
    /// The stream that it is about; the last one that was opened, if nothing is said.
    pub(crate) stream: Option<String>,
    pub(crate) action: Option<Action>,
    pub(crate) expect: Option<Expect>,
}

#[derive(Debug)]
pub(crate) enum Action {
    /// A client sends a request; what the upstream does with it, if that is not the usual.
    Request(Box<Request>, Option<Upstream>),
    /// The upstream answers now.
    Response(Upstream),
    /// The client sends more.
    Send(More),
    /// The upstream sends more.
    Reply(More),
    Disconnect,
    Advance(Duration),
    /// The oldest callout to the cluster that waits is answered.
    Callout {
        cluster: String,
        reaction: Reaction,
    },
    /// Hostcalls fail.
    Fail {
        hostcall: String,
        status: Status,
        after: u64,
        times: u64,
    },
    Reconfigure(Configuration),
}

pub(crate) const FIELDS: [&str; 11] = [
    "request",
    "response",
    "send",
    "reply",
    "disconnect",
    "advance",
    "callout",
    "fail",
    "reconfigure",
    "stream",
    "expect",
];
pub(crate) const CALLOUT: [&str; 3] = ["cluster", "respond", "fail"];
pub(crate) const FAIL: [&str; 4] = ["hostcall", "status", "after", "times"];

impl Step {
    /// A test that is one step.
    pub(crate) fn of_test(fields: &Fields<'_>, problems: &Problems) -> Option<Self> {
        let request = fields.get("request").map(|node| Request::read(node, problems));
        let upstream = fields.entry("response").map(|(key, node)| (key.at, Upstream::read(node, problems)));
        let expect = fields.get("expect").map(|node| Expect::read(node, problems));
        let upstream = match (&request, upstream) {
            (None, Some((at, _))) => {
                return problems.add(at, "`response` without `request`: nothing is there to respond to");
            }
            (_, upstream) => upstream.map(|(_, upstream)| upstream),
        };
        let upstream = match upstream {
            Some(upstream) => Some(upstream?),
            None => None,
        };
        let action = match request {
            Some(request) => Some(Action::Request(Box::new(request?), upstream)),
            None => None,
        };
        let expect = match expect {
            Some(expect) => Some(expect?),
            None => None,
        };
        Some(Self { at: fields.at, stream: None, action, expect })
    }

    pub(crate) fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "a step", &FIELDS)?;
        let actions = fields.present(&[
            "request",
            "response",
            "send",
            "reply",
            "disconnect",
            "advance",
            "callout",
            "fail",
            "reconfigure",
        ]);
        let action = match actions.as_slice() {
            [] => None,
            ["request", "response"] | [_] => Some(Action::read(&fields, &actions, problems)),
            several => {
                let several = several.join("`, `");
                return problems
                    .add(fields.at, format!("`{several}` in one step, expected one: give each a step"));
            }
        };
        let stream = fields.get("stream").and_then(|node| problems.text(node, "a name"));
        let expect = fields.get("expect").map(|node| Expect::read(node, problems));
        if action.is_none() && expect.is_none() {
            return problems.add(fields.at, "a step in which nothing happens and nothing is expected");
        }
        let action = match action {
            Some(action) => Some(action?),
            None => None,
        };
        let expect = match expect {
            Some(expect) => Some(expect?),
            None => None,
        };
        Some(Self { at: fields.at, stream, action, expect })
    }
}

impl Action {
    fn read(fields: &Fields<'_>, names: &[&'static str], problems: &Problems) -> Option<Self> {
        let name = names.first().copied().unwrap_or_default();
        let node = fields.get(name)?;
        Some(match name {
            "request" => {
                let request = Request::read(node, problems);
                let upstream = fields.get("response").map(|node| Upstream::read(node, problems));
                let upstream = match upstream {
                    Some(upstream) => Some(upstream?),
                    None => None,
                };
                Self::Request(Box::new(request?), upstream)
            }
            "response" => Self::Response(Upstream::read(node, problems)?),
            "send" => Self::Send(More::read(node, problems)?),
            "reply" => Self::Reply(More::read(node, problems)?),
            "disconnect" => match problems.bool(node)? {
                true => Self::Disconnect,
                false => return problems.expected(node, "true"),
            },
            "advance" => Self::Advance(problems.duration(node)?),
            "callout" => Self::callout(node, problems)?,
            "fail" => Self::fail(node, problems)?,
            _ => Self::Reconfigure(Configuration::read(node)),
        })
    }

    fn callout(node: &Node, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "the answer to a callout", &CALLOUT)?;
        let cluster = match fields.get("cluster") {
            Some(node) => problems.text(node, "the name of a cluster"),
            None => problems.add(fields.at, "`cluster` is missing: to which the callout goes"),
        };
        let reaction = match (fields.get("respond"), fields.get("fail")) {
            (Some(node), None) => respond(node, problems),
            (None, Some(node)) => failure(node, problems),
            _ => problems.add(fields.at, "expected either `respond` or `fail`"),
        };
        if let Some(Reaction::RespondAfter(..)) = reaction {
            return problems
                .add(fields.at, "`after` is for rules of clusters: here put `advance` into a step before");
        }
        Some(Self::Callout { cluster: cluster?, reaction: reaction? })
    }

    fn fail(node: &Node, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "a fault", &FAIL)?;
        let hostcall = match fields.get("hostcall") {
            Some(node) => problems.text(node, "a hostcall, such as proxy_get_property"),
            None => problems.add(fields.at, "`hostcall` is missing, such as proxy_get_property"),
        };
        let statuses: Vec<(String, Status)> =
            Status::ALL.iter().map(|status| (format!("{status:?}"), *status)).collect();
        let words: Vec<(&str, Status)> =
            statuses.iter().map(|(name, status)| (name.as_str(), *status)).collect();
        let status = match fields.get("status") {
            Some(node) => problems.word(node, &words),
            None => problems.add(fields.at, "`status` is missing, such as NotFound or InternalFailure"),
        };
        let number =
            |name: &str| fields.get(name).and_then(|node| problems.unsigned(node, "a number of calls"));
        let (after, times) = (number("after").unwrap_or(0), number("times").unwrap_or(1));
        Some(Self::Fail { hostcall: hostcall?, status: status?, after, times })
    }
}
