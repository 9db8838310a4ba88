//! A rule: to which messages it applies, and what it does to each side of them.

use filter_kit::config::{Fields, Json, Node, Text};
use filter_kit::when::When;

use super::operation;
use crate::host::Side;
use crate::name::{Allow, Guard};
use crate::operation::Operation;

/// How many operations a list may have.
const MOST_OPERATIONS: u32 = 64;

/// Operations, and the messages that they are for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    /// For the access log.
    pub(crate) name: Option<Box<str>>,
    /// The messages; all of them if there is none.
    pub(crate) when: Option<When>,
    /// Whether no later rule applies where this one does.
    pub(crate) stop: bool,
    /// By the side's place in [`Side::ALL`].
    operations: [Vec<Operation>; 4],
}

impl Rule {
    /// What it does to one side, in this order.
    pub(crate) fn operations(&self, side: Side) -> &[Operation] {
        let [request, request_trailers, response, response_trailers] = &self.operations;
        match side {
            Side::Request => request,
            Side::RequestTrailers => request_trailers,
            Side::Response => response,
            Side::ResponseTrailers => response_trailers,
        }
    }

    /// Whether only the response tells if it applies.
    pub(crate) fn needs_response(&self) -> bool {
        self.when.as_ref().is_some_and(When::needs_response)
    }
}

#[cfg(feature = "regex")]
const WHEN: fn(Node<'_>) -> Option<When> = When::read_with_regex;
#[cfg(not(feature = "regex"))]
const WHEN: fn(Node<'_>) -> Option<When> = When::read;

pub(super) fn read(node: Node<'_>, allow: &Allow) -> Option<Rule> {
    let rule = node.object(|fields| {
        fields.schema(DOES_SOMETHING);
        let name = fields.optional("name", "What the access log calls it", |node| {
            node.parsed(Text::pattern("^[A-Za-z0-9_.-]{1,40}$"), |text| {
                let right = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
                let is_name = (1..=40).contains(&text.len()) && text.bytes().all(right);
                if is_name { Ok(text.into()) } else { Err("a name: 1 to 40 letters, digits and `_.-`") }
            })
        });
        let when = fields.optional("when", "To which messages it applies; to all, if it is not given", WHEN);
        let stop = fields
            .or("stop", "Whether no later rule applies where this one does", false, |node| node.boolean());
        let request =
            fields.or("request", "Operations on request headers, in this order", Json::EMPTY_LIST, |node| {
                list(node, |node| operation::of_request(node, allow))
            });
        let response = fields.or(
            "response",
            "Operations on response headers, in this order",
            Json::EMPTY_LIST,
            |node| list(node, |node| operation::of_response(node, allow)),
        );
        let trailers = |fields: &mut Fields<'_>, side| match side {
            Side::RequestTrailers => fields.or(
                "request_trailers",
                "Operations on a request's trailers, if it has any",
                Json::EMPTY_LIST,
                |node| list(node, |node| operation::of_trailers(node, Guard { side, allow })),
            ),
            _ => fields.or(
                "response_trailers",
                "Operations on a response's trailers, if it has any",
                Json::EMPTY_LIST,
                |node| list(node, |node| operation::of_trailers(node, Guard { side, allow })),
            ),
        };
        let request_trailers = trailers(fields, Side::RequestTrailers);
        let response_trailers = trailers(fields, Side::ResponseTrailers);
        Some(Rule {
            name: name?,
            when: when?,
            stop: stop?,
            operations: [request?, request_trailers?, response?, response_trailers?],
        })
    })?;
    if rule.operations.iter().all(Vec::is_empty) && !(rule.stop && rule.when.is_some()) {
        return node.problem(
            "changes nothing, expected an operation in `request`, `response`, `request_trailers` or \
             `response_trailers`, or `when` with `stop`",
        );
    }
    let too_early =
        [Side::Request, Side::RequestTrailers].iter().any(|side| !rule.operations(*side).is_empty());
    if rule.needs_response() && too_early {
        return node.problem(
            "`when` looks at the response, expected no operation in `request` or `request_trailers`: those are \
             before it",
        );
    }
    Some(rule)
}

fn list(node: Node<'_>, read: impl FnMut(Node<'_>) -> Option<Operation>) -> Option<Vec<Operation>> {
    node.list_up_to(MOST_OPERATIONS, read)
}

/// That there is an operation in one of the lists, or that it keeps later rules away from some messages.
const DOES_SOMETHING: &str = r#"{"anyOf": [
    {"required": ["request"], "properties": {"request": {"minItems": 1}}},
    {"required": ["response"], "properties": {"response": {"minItems": 1}}},
    {"required": ["request_trailers"], "properties": {"request_trailers": {"minItems": 1}}},
    {"required": ["response_trailers"], "properties": {"response_trailers": {"minItems": 1}}},
    {"required": ["when", "stop"], "properties": {"stop": {"const": true}}}]}"#;
