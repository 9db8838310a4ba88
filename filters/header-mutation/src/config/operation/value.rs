//! Reads the value that an operation puts somewhere.

use filter_kit::config::{Fields, Node, Text};
use filter_kit::header;
use filter_kit::template::Template;

use crate::host::Side;
use crate::value::{Kind, Value};

/// A header's value, with sources in it; any text for a parameter.
const TEMPLATE: Text = Text::pattern(
    r"^(?=([^$]|\$\$|\$\{[a-z_]+(:[^}]*)?\})*$)([^\x00-\x20\x7f]([^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?$",
)
.bytes(0, 8192);
const TEXT: Text = Text::pattern(r"^([^$]|\$\$|\$\{[a-z_]+(:[^}]*)?\})*$").bytes(0, 8192);

/// Reads `value` and `default`.
#[inline(never)]
pub(super) fn read(fields: &mut Fields<'_>, kind: Kind, side: Side) -> Option<Value> {
    let template =
        fields.required("value", "The value, with sources such as `${header:x-a}`; may be empty", |node| {
            match kind {
                Kind::Parameter => node.parsed(TEXT, |typed| parse(typed, kind, side)),
                _ => node.parsed(TEMPLATE, |typed| parse(typed, kind, side)),
            }
        });
    let default =
        fields.optional("default", "What stands in its place if a source of it is missing", |node| {
            literal(node, kind)
        });
    value(fields, template?, default?)
}

#[inline(never)]
fn value(fields: &Fields<'_>, template: Template, default: Option<Box<[u8]>>) -> Option<Value> {
    match (template.literal().map(Box::from), default) {
        (Some(text), None) => Some(Value::Literal(text)),
        (None, default) => Some(Value::Template(template, default)),
        (Some(_), Some(_)) => {
            fields.problem("`default` stands in for a missing source, but `value` has no source")
        }
    }
}

/// Reads a value that is the same for every message.
#[inline(never)]
pub(super) fn literal(node: Node<'_>, kind: Kind) -> Option<Box<[u8]>> {
    node.parsed(header::SETTABLE_VALUE, |typed| {
        let value = typed.as_bytes();
        if value.len() <= header::MAX_VALUE && kind.takes(value) {
            Ok(value.into())
        } else {
            Err(kind.expected())
        }
    })
}

#[inline(never)]
fn parse(typed: &str, kind: Kind, side: Side) -> Result<Template, &'static str> {
    // What is wrong in the template's own text would be wrong for every message.
    if kind != Kind::Parameter && !header::is_value(typed.as_bytes()) {
        return Err(kind.expected());
    }
    let template = Template::parse(typed)?;
    if template.literal().is_some_and(|text| !kind.takes(text)) {
        return Err(kind.expected());
    }
    if template.needs_response() && side != Side::Response {
        return Err(
            "a source that is there by then: only `response` has `${status}` and `${response_header:x}`",
        );
    }
    Ok(template)
}
