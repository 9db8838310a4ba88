//! Reads what becomes of a request without an answer, and when the service is left alone.

use filter_kit::config::{Fields, Json, Node};
use filter_kit::header;

use crate::breaker::{Limits, Ratio};
use crate::engine::{Deny, Policy};

pub(super) fn fields(fields: &mut Fields<'_>) -> [Option<Policy>; 4] {
    [
        fields.or("on_timeout", "What becomes of a request if no answer comes in time: `continue` without, `stale` (an answer within `cache.stale_if_error`, or else without), or `{\"deny\": 503}`", "stale", policy),
        fields.or("on_error", "The same if there is no connection, it breaks, the answer is 1xx, 3xx, 5xx or too large, the breaker is open, or too many calls are under way", "stale", policy),
        fields.or("on_invalid", "The same if the answer is not the JSON that `map` looks into, something required is not in it, or there is nothing to ask", "continue", policy),
        fields.or("on_4xx", "The same if the answer is 4xx; what the service answered can be passed on: `{\"deny\": \"as_answered\"}`", "continue", refusal),
    ]
}

fn policy(node: Node<'_>) -> Option<Policy> {
    node.text_or(without_denial, |node| node.defined("denial", "The client is answered", denial))
}

fn refusal(node: Node<'_>) -> Option<Policy> {
    node.text_or(without_denial, |node| node.defined("refusal", "The client is answered", refused))
}

fn without_denial(node: Node<'_>) -> Option<Policy> {
    node.one_of(&[
        ("continue", Policy { stale: false, deny: None }),
        ("stale", Policy { stale: true, deny: None }),
    ])
}

fn denial(node: Node<'_>) -> Option<Policy> {
    node.object(|fields| {
        let deny = fields.required("deny", "The status of the answer", |node| node.integer(400..=599));
        let stale = stale(fields);
        let status = u16::try_from(deny?).ok()?;
        Some(Policy { stale: stale?, deny: Some(Deny::With(status)) })
    })
}

fn refused(node: Node<'_>) -> Option<Policy> {
    node.object(|fields| {
        let status = fields.required(
            "deny",
            "The status of the answer, or `as_answered`: status and body of the service's own",
            |node| {
                node.text_or(
                    |node| node.one_of(&[("as_answered", None)]),
                    |node| u16::try_from(node.integer(400..=599)?).ok().map(Some),
                )
            },
        );
        let headers = fields.optional(
            "headers",
            "With `as_answered`, which headers of the service's answer are passed on",
            |node| {
                node.up_to(32, |node| {
                    node.parsed(header::SETTABLE_NAME, header::settable_name).map(Box::<str>::from)
                })
            },
        );
        let stale = stale(fields);
        let (status, headers) = (status?, headers?);
        let deny = match status {
            None => {
                let headers = headers.unwrap_or_default();
                // Envoy sets it on every local reply (Envoy 1.36 to 1.40).
                if headers.iter().any(|name| **name == *"content-type") {
                    return fields
                        .problem("`headers` has \"content-type\", which Envoy sets: a local reply is text");
                }
                Deny::AsAnswered(headers)
            }
            Some(_) if headers.is_some() => {
                return fields.problem("`headers` are passed on only if `deny` is \"as_answered\"");
            }
            Some(status) => Deny::With(status),
        };
        Some(Policy { stale: stale?, deny: Some(deny) })
    })
}

fn stale(fields: &mut Fields<'_>) -> Option<bool> {
    fields.or(
        "stale",
        "Whether an answer within `cache.stale_if_error` is used instead, if there is one",
        false,
        |node| node.boolean(),
    )
}

pub(super) fn breaker(fields: &mut Fields<'_>) -> Option<Option<Limits>> {
    fields.or(
        "breaker",
        "When the service is left alone, in each VM; `\"off\"` for never",
        Json::EMPTY_OBJECT,
        |node| {
            node.text_or(
                |node| node.one_of(&[("off", None)]),
                |node| node.defined("limits", "Of failures in each VM", limits).map(Some),
            )
        },
    )
}

fn limits(node: Node<'_>) -> Option<Limits> {
    node.object(|fields| {
        let row = fields.or(
            "consecutive_failures",
            "After so many timeouts and errors in a row; 0 for no such limit",
            10,
            |node| node.integer(0..=10_000),
        );
        let ratio = fields.optional("ratio", "Or if so many of the calls of a window failed", |node| {
            node.object(|fields| {
                let failures = fields.required("failure_percent", "How many", |node| node.percent());
                let window = fields
                    .or("window", "How long a window is", "10s", |node| node.milliseconds(100..=600_000));
                let min = fields.or("min_calls", "Of fewer calls nothing is concluded", 20, |node| {
                    node.integer(1..=1_000_000)
                });
                Some(Ratio { failures: failures?, window_ms: window?, min_calls: u32::try_from(min?).ok()? })
            })
        });
        let open = fields.or(
            "open_for",
            "For how long; then one call finds out, for which no request waits",
            "5s",
            |node| node.milliseconds(1..=600_000),
        );
        Some(Limits { consecutive_failures: u32::try_from(row?).ok()?, ratio: ratio?, open_for_ms: open? })
    })
}
