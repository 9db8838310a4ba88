//! Reads `call`.

use std::ops::RangeInclusive;

use filter_kit::config::{Fields, Json, Node, Text};
use filter_kit::header;
use filter_kit::template::Template;

use crate::document::Document;
use crate::path::Path;
use crate::question::Call;
use crate::retry::{On, Retry};

/// The question, and which answers are answers.
pub(super) struct Asked {
    pub(super) call: Call,
    pub(super) ok: Vec<RangeInclusive<u16>>,
    pub(super) max_response_bytes: u64,
    pub(super) retry: Option<Retry>,
}

const METHODS: [(&str, &str); 6] = [
    ("GET", "GET"),
    ("HEAD", "HEAD"),
    ("POST", "POST"),
    ("PUT", "PUT"),
    ("PATCH", "PATCH"),
    ("DELETE", "DELETE"),
];

pub(super) fn read(node: Node<'_>) -> Option<Asked> {
    node.object(|fields| {
        let cluster = fields.required("cluster", "The Envoy cluster that is asked, such as `outbound|80||metadata.default.svc.cluster.local` in Istio; never taken from a request", |node| {
            text(node, Text::ANY.bytes(1, u32::MAX), "the name of an Envoy cluster", |text| !text.is_empty())
        });
        let authority = fields.required("authority", "The `:authority` of the question", |node| {
            text(node, Text::pattern("^[!-~]+$"), "a host, such as \"metadata.internal\"", |text| {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
            })
        });
        let method = fields.or("method", "Its `:method`", "GET", |node| node.one_of(&METHODS));
        let path = fields.required("path", "Its `:path`, a template; each part is percent-encoded", |node| {
            node.parsed(Text::pattern("^/[!-~]*$"), Path::parse)
        });
        let headers = fields.or("headers", "Its headers beside those that are forwarded; one without a value is left out", Json::EMPTY_LIST, |node| {
            node.list_of(|node| {
                node.object(|fields| {
                    let name = fields.required("name", "The header", |node| {
                        node.parsed(header::SETTABLE_NAME, header::settable_name)
                    });
                    let value = fields.required("value", "Its value, a template", value);
                    Some((name?.into(), value?))
                })
            })
        });
        let forward = fields.or("forward_headers", "Request headers that are forwarded", Json::EMPTY_LIST, names);
        let trace = fields.or(
            "trace_headers",
            "Request headers that are forwarded and say nothing about the answer, so need not be in `cache.key`",
            ["traceparent", "tracestate", "x-request-id"],
            names,
        );
        let body = fields.optional("body", "Its body, JSON text; a template whose parts stand inside of strings", |node| {
            node.parsed(Text::ANY.bytes(1, 8192), Document::parse)
        });
        let timeout = fields.or("timeout", "How long an answer may take, with the second attempt; Envoy is told up to 3 ms less, for its timers are late", "200ms", |node| {
            node.milliseconds(1..=5000)
        });
        let max = fields.or("max_response_bytes", "The largest body that is read; an answer with a larger one is an error", "64KiB", |node| {
            node.bytes(1..=1 << 20)
        });
        let inflight = fields.or("max_inflight", "How many calls each VM has under way; more are an error", 128, |node| {
            node.integer(1..=65_536)
        });
        let ok = fields.or("ok_status", "The statuses of an answer that is used", ["2xx"], |node| node.up_to(16, status));
        let retry = fields.optional("retry", "When a call is tried once more, if more than 30 % of `timeout` is left", retry);
        let (method, body) = (method?, body?);
        if body.is_some() && matches!(method, "GET" | "HEAD") {
            return fields.problem(format!("{method} has no body, expected `method` to be POST, PUT, PATCH or DELETE"));
        }
        let (headers, forward, trace) = (headers?, forward?, trace?);
        once(fields, &headers, &forward, &trace)?;
        let call = Call {
            cluster: cluster?.into(),
            authority: authority?.into(),
            method,
            path: path?,
            headers,
            forward,
            trace,
            body,
            timeout_ms: timeout?,
            max_inflight: inflight?,
        };
        Some(Asked { call, ok: ok?, max_response_bytes: max?, retry: retry? })
    })
}

/// Refuses a header that would be sent twice.
fn once(
    fields: &Fields<'_>,
    headers: &[(Box<str>, Template)],
    forward: &[Box<str>],
    trace: &[Box<str>],
) -> Option<()> {
    let own = headers.iter().map(|(name, _)| ("headers", name));
    let forwarded = forward.iter().map(|name| ("forward_headers", name));
    let all: Vec<_> = own.chain(forwarded).chain(trace.iter().map(|name| ("trace_headers", name))).collect();
    for (index, (field, name)) in all.iter().enumerate() {
        if let Some((before, _)) = all.iter().take(index).find(|(_, other)| other == name) {
            return fields.problem(format!(
                "{name:?} stands in `{before}` and in `{field}`, expected it to stand once"
            ));
        }
    }
    Some(())
}

fn names(node: Node<'_>) -> Option<Vec<Box<str>>> {
    node.list_of(|node| node.parsed(header::SETTABLE_NAME, header::settable_name).map(Into::into))
}

/// A template of what is known while the request passes.
pub(super) fn value(node: Node<'_>) -> Option<Template> {
    let template = Template::read(node)?;
    if template.needs_response() {
        return node.expected("parts of the request: there is no response yet");
    }
    Some(template)
}

fn status(node: Node<'_>) -> Option<RangeInclusive<u16>> {
    node.text_or(
        |node| node.one_of(&[("2xx", 200..=299), ("3xx", 300..=399), ("4xx", 400..=499), ("5xx", 500..=599)]),
        |node| u16::try_from(node.integer(200..=599)?).ok().map(|code| code..=code),
    )
}

fn retry(node: Node<'_>) -> Option<Retry> {
    node.object(|fields| {
        let on = fields.required(
            "on",
            "After which: `connect` (no connection could be made), `reset` (it broke), or a status",
            |node| {
                node.up_to(16, |node| {
                    node.text_or(
                        |node| {
                            node.one_of(&[
                                ("connect", On::Connect),
                                ("reset", On::Reset),
                                ("500", On::Status(500)),
                                ("502", On::Status(502)),
                                ("503", On::Status(503)),
                                ("504", On::Status(504)),
                            ])
                        },
                        |node| u16::try_from(node.integer(500..=599)?).ok().map(On::Status),
                    )
                })
            },
        );
        let budget = fields.or(
            "budget_percent",
            "How many calls may be tried again, beside a few to begin with",
            20,
            |node| node.percent(),
        );
        Some(Retry { on: on?, budget: budget? })
    })
}

#[inline(always)] // so that `like` is in no module
fn text(node: Node<'_>, like: Text, expected: &'static str, right: fn(&str) -> bool) -> Option<String> {
    node.parsed(like, |text| if right(text) { Ok(text.to_owned()) } else { Err(expected) })
}
