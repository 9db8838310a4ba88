//! The configuration of a plugin or a VM, an `Any`: as bytes, as Envoy makes them (`MessageUtil::anyToBytes`).

use super::{PREFIX, STRUCTS, bytes, type_of};
use crate::cursor::Cursor;
use crate::plugin::{Form, Handed};
use crate::protobuf;

/// Reads the member `name` of a plugin or a VM.
pub(super) fn read<'a>(parent: &Cursor<'a>, name: &str) -> Handed<'a> {
    let Some(any) = parent.get(name) else { return Handed::nothing(parent.span(), &parent.path) };
    let nothing = Handed { form: Form::Opaque, ..Handed::nothing(any.span(), &any.path) };
    let Some(entries) = any.node.entries() else {
        any.expected("a map with `@type` and `value`");
        return nothing;
    };
    let Some(kind) = any.get("@type") else {
        if !entries.is_empty() {
            let problem = any.problem("`@type` is missing, which only an empty map may lack");
            any.reader.problems.add(problem.hint(right_form()));
        }
        return nothing;
    };
    let Some(type_name) = type_of(kind.node) else {
        kind.expected("the name of a type");
        return nothing;
    };
    let value = any.get("value");
    match type_name {
        "google.protobuf.StringValue" => {
            any.object(&["@type", "value"]);
            let Some(value) = value else { return nothing };
            let Some(text) = value.text(0..=usize::MAX) else { return nothing };
            Handed {
                bytes: text.into_bytes(),
                form: Form::Text(value.node),
                span: value.span(),
                path: value.path,
            }
        }
        "google.protobuf.BytesValue" => {
            any.object(&["@type", "value"]);
            let Some(value) = value else { return nothing };
            let Some(text) = value.text(0..=usize::MAX) else { return nothing };
            match bytes(&text) {
                Some(bytes) => Handed { bytes, form: Form::Opaque, span: value.span(), path: value.path },
                None => {
                    value.add("found no base64, expected the configuration's bytes in base64");
                    nothing
                }
            }
        }
        "google.protobuf.Struct" => {
            any.object(&["@type", "value"]);
            protobuf_warning(&any, "a Struct");
            let bytes =
                value.map(|value| protobuf::structure(value.node, any.reader.dialect)).unwrap_or_default();
            Handed { bytes, ..nothing }
        }
        name if STRUCTS.contains(&name) => {
            any.object(&["@type", "type_url", "value"]);
            protobuf_warning(&any, "a TypedStruct");
            let url = any.get("type_url").and_then(|url| url.text(0..=usize::MAX)).unwrap_or_default();
            let bytes = protobuf::typed_structure(&url, value.map(|value| value.node), any.reader.dialect);
            Handed { bytes, ..nothing }
        }
        name => {
            let problem = kind.problem(format!(
                "a plugin is handed a {name} as protobuf, and this command cannot write one"
            ));
            kind.reader.problems.add(problem.hint(right_form()));
            nothing
        }
    }
}

fn protobuf_warning(any: &Cursor<'_>, what: &str) {
    let message = format!("{what} reaches the plugin as protobuf, not as JSON");
    any.reader.problems.add(any.problem(message).warning().hint(right_form()));
}

fn right_form() -> String {
    format!("write {{\"@type\": {PREFIX}google.protobuf.StringValue, value: '<JSON>'}}")
}
