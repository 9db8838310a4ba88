//! The configuration: a list of rules, each a list of operations for either direction.

use filter_kit::config::{self, Fields, Json, Node, Refusal, Variant};
use filter_kit::header;

use crate::operation::{HeaderName, HeaderValue, Operation};

/// What to do to the headers of each request and response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mutations {
    /// Applied to request headers, in this order.
    pub request: Vec<Operation>,
    /// Applied to response headers, in this order; also to replies that Envoy or a filter behind this one makes. (One that
    /// a filter before this one makes never comes here: Envoy 1.36 to 1.40.)
    pub response: Vec<Operation>,
}

impl Mutations {
    /// Reads plugin configuration such as
    /// `{"version": 1, "rules": [{"request": [{"op": "set", "name": "x-a", "value": "b"}]}]}`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        config::read(bytes, Self::from_node)
    }

    /// Reads the configuration, and natively describes it for `schema.json`.
    pub fn from_node(root: Node<'_>) -> Option<Self> {
        root.object(|fields| {
            fields.version(1);
            let rules = fields.required(
                "rules",
                "At least one rule; they are applied one after the other",
                |node| node.some_of(rule),
            )?;
            let mut mutations = Self::default();
            for rule in rules {
                mutations.request.extend(rule.request);
                mutations.response.extend(rule.response);
            }
            Some(mutations)
        })
    }
}

fn rule(node: Node<'_>) -> Option<Mutations> {
    let rule = node.object(|fields| {
        fields.schema(CHANGES_SOMETHING);
        let request = fields.or(
            "request",
            "Operations on request headers, in this order",
            Json::EMPTY_LIST,
            operations,
        );
        let response = fields.or(
            "response",
            "Operations on response headers, in this order",
            Json::EMPTY_LIST,
            operations,
        );
        Some(Mutations { request: request?, response: response? })
    })?;
    if rule == Mutations::default() {
        return node.problem("changes nothing, expected an operation in `request` or `response`");
    }
    Some(rule)
}

/// That there is an operation in one of the lists.
const CHANGES_SOMETHING: &str = r#"{"anyOf": [
    {"required": ["request"], "properties": {"request": {"minItems": 1}}},
    {"required": ["response"], "properties": {"response": {"minItems": 1}}}]}"#;

fn operations(node: Node<'_>) -> Option<Vec<Operation>> {
    node.list_of(|node| node.defined("operation", "A change to the headers of a message", operation))
}

fn operation(node: Node<'_>) -> Option<Operation> {
    node.tagged(
        "op",
        "What to do",
        &[
            Variant::new("set", "One line with the value, in place of all", |fields| {
                valued(fields, Operation::Set)
            }),
            Variant::new("add", "One line with the value, unless the header is there", |fields| {
                valued(fields, Operation::Add)
            }),
            Variant::new("append", "One more line with the value", |fields| {
                valued(fields, Operation::Append)
            }),
            Variant::new("remove", "No line", |fields| Some(Operation::Remove(name(fields)?))),
            Variant::new("rename", "Its lines under another name, in place of any there", |fields| {
                let from = name(fields);
                let to = fields.required("to", "The new name", header_name);
                Some(Operation::Rename(from?, to?))
            }),
        ],
    )
}

fn valued(fields: &mut Fields<'_>, operation: fn(HeaderName, HeaderValue) -> Operation) -> Option<Operation> {
    let name = name(fields);
    let value = fields.required("value", "The value; may be empty", |node| {
        node.parsed(header::SETTABLE_VALUE, HeaderValue::parse)
    });
    Some(operation(name?, value?))
}

fn name(fields: &mut Fields<'_>) -> Option<HeaderName> {
    fields.required("name", "The header, in any case; sent in lower case", header_name)
}

fn header_name(node: Node<'_>) -> Option<HeaderName> {
    node.parsed(header::SETTABLE_NAME, HeaderName::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> Vec<String> {
        Mutations::from_json(json.as_bytes())
            .unwrap_err()
            .problems()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        assert_eq!(
            refusal(
                r#"{"version": 1, "rules": [
                    {"request": [
                        {"op": "sett", "name": "x-a", "value": "b"},
                        {"op": "set", "name": "x a", "value": "b\r\nx-evil: 1"},
                        {"op": "remove", "name": ":path", "value": "x"},
                        {"op": "rename", "name": "Content-Length"}]},
                    {"reqest": []}]}"#
            ),
            [
                "config field `rules[0].request[0].op`: found \"sett\", expected one of `set`, `add`, `append`, `remove`, `rename`",
                "config field `rules[0].request[1].name`: found \"x a\", expected a header name: letters, digits and hyphens, up to 256 of them",
                "config field `rules[0].request[1].value`: found \"b\\r\\nx-evil: 1\", expected a header value: no control bytes, no space at its ends, at most 8192 bytes",
                "config field `rules[0].request[2].value`: unknown field, expected one of `op`, `name`",
                "config field `rules[0].request[2].name`: found \":path\", expected a header that is no pseudo-header: those route the message",
                "config field `rules[0].request[3].name`: found \"Content-Length\", expected a header that Envoy does not own: this one frames or routes the message",
                "config field `rules[0].request[3].to`: missing",
                "config field `rules[1].reqest`: unknown field, expected one of `request`, `response`",
                "config field `rules[1]`: changes nothing, expected an operation in `request` or `response`",
            ]
        );
    }

    #[test]
    fn a_configuration_that_does_nothing_is_a_mistake() {
        assert_eq!(refusal(""), ["config: no configuration was given, expected a JSON object"]);
        assert_eq!(refusal("{}"), ["config field `version`: missing", "config field `rules`: missing"]);
        assert_eq!(refusal(r#"{"version": 1, "rules": []}"#), ["config field `rules`: list at least one"]);
    }

    #[test]
    fn rules_run_one_after_the_other() {
        let json = r#"{"version": 1, "rules": [
            {"response": [{"op": "remove", "name": "server"}]},
            {"response": [{"op": "set", "name": "x-a", "value": ""}]}]}"#;
        let mutations = Mutations::from_json(json.as_bytes()).unwrap();
        assert_eq!(mutations.request, []);
        assert_eq!(mutations.response.len(), 2);
    }

    #[test]
    fn the_documents_say_what_is_read() {
        let docs = filter_docs::docs!(Mutations::from_node);
        docs.assert_fresh();
        docs.assert_samples();
        let rule = |rule: &str| format!(r#"{{"version": 1, "rules": [{rule}]}}"#);
        let request = |operation: &str| rule(&format!(r#"{{"request": [{operation}]}}"#));
        let accepted = [
            request(r#"{"op": "set", "name": "X-A", "value": ""}"#),
            request(r#"{"value": "caf\u00e9 a\tb", "name": "x-a", "op": "append"}"#),
            request(r#"{"op": "rename", "name": "x-a", "to": "x-b"}"#),
            rule(r#"{"request": [], "response": [{"op": "remove", "name": "server"}]}"#),
        ];
        docs.assert_accepted(&accepted.each_ref().map(String::as_str));
        let refused = [
            "{}".to_owned(),
            r#"{"version": 1, "rules": []}"#.to_owned(),
            rule("{}"),
            rule(r#"{"request": [], "response": []}"#),
            rule(r#"{"reqest": []}"#),
            request("{}"),
            request(r#"{"op": "sett", "name": "x-a", "value": "b"}"#),
            request(r#"{"op": "set", "name": "x-a"}"#),
            request(r#"{"op": "remove", "name": "x-a", "value": "b"}"#),
            request(r#"{"op": "set", "name": "x a", "value": "b"}"#),
            request(r#"{"op": "remove", "name": ":path"}"#),
            request(r#"{"op": "remove", "name": "Content-Length"}"#),
            request(r#"{"op": "set", "name": "x-a", "value": "b\r\nx-evil: 1"}"#),
            request(r#"{"op": "set", "name": "x-a", "value": " b"}"#),
            request(r#"{"op": "set", "name": "x-a", "value": 1}"#),
        ];
        docs.assert_refused(&refused.each_ref().map(String::as_str));
        let long = "\u{e9}".repeat(4097);
        let value = request(&format!(r#"{{"op": "set", "name": "x-a", "value": "{long}"}}"#));
        docs.assert_refused_by_reader_alone(&[&value]);
    }
}
