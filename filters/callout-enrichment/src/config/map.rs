//! Reads `map`.

use filter_kit::config::{Alternative, Fields, Node, Text, Variant};
use filter_kit::header;

use crate::json::{MAX_POINTERS, Pointer};
use crate::mapping::{Mapping, Shape, Source, Target};

pub(super) fn read(node: Node<'_>) -> Option<Vec<Mapping>> {
    let map = node.up_to(MAX_POINTERS as u32, mapping)?;
    for (index, mapping) in map.iter().enumerate() {
        if map.iter().take(index).any(|other| other.target == mapping.target) {
            let (Target::Request(name) | Target::Response(name) | Target::FilterState(name)) =
                &mapping.target;
            return node.problem(format!("two entries make {name:?}, expected one"));
        }
    }
    Some(map)
}

fn mapping(node: Node<'_>) -> Option<Mapping> {
    node.tagged(
        "from",
        "The part of the answer",
        &[
            Variant::new("literal", "Always the same value: there was an answer", |fields| {
                let target = target(fields);
                let value = fields.required("value", "The value", |node| {
                    node.parsed(header::SETTABLE_VALUE, header::settable_value)
                        .map(|value| Source::Literal(value.into()))
                });
                fixed(value?, target?)
            }),
            Variant::new("status", "The status code", |fields| fixed(Source::Status, target(fields)?)),
            Variant::new("header", "The first value of a response header", |fields| {
                let target = target(fields);
                let name = fields.required("name", "The response header", header::name);
                shaped(fields, name.map(|name| Source::Header(name.into())), target)
            }),
            Variant::new("body", "The whole body", |fields| {
                let target = target(fields);
                shaped(fields, Some(Source::Body), target)
            }),
            Variant::new("json_pointer", "What a JSON pointer finds in the body", |fields| {
                let target = target(fields);
                let path = fields.required("path", "The pointer (RFC 6901)", |node| {
                    node.parsed(Text::pattern("^(/([^~]|~[01])*)?$"), Pointer::parse).map(Source::JsonPointer)
                });
                shaped(fields, path, target)
            }),
        ],
    )
}

/// A value that is there whenever there is an answer.
fn fixed(source: Source, target: Target) -> Option<Mapping> {
    let max_bytes = header::MAX_VALUE;
    Some(Mapping { source, target, shape: Shape::Text, max_bytes, default: None, required: false })
}

fn shaped(fields: &mut Fields<'_>, source: Option<Source>, target: Option<Target>) -> Option<Mapping> {
    let shape =
        fields.or("type", "What it must be; `csv` is a JSON list with commas between", "string", |node| {
            node.one_of(&[
                ("string", Shape::Text),
                ("int", Shape::Integer),
                ("bool", Shape::Boolean),
                ("json", Shape::Json),
                ("csv", Shape::List),
            ])
        });
    let max =
        fields.or("max_bytes", "How long it may be", 256, |node| node.bytes(1..=header::MAX_VALUE as u64));
    let default =
        fields.optional("default", "What stands in its place if the answer does not have it", |node| {
            node.parsed(header::SETTABLE_VALUE, header::settable_value).map(Into::into)
        });
    let required =
        fields.or("required", "Whether an answer without it is invalid", false, |node| node.boolean());
    let (default, required) = (default?, required?);
    if required && default.is_some() {
        return fields
            .problem("expected `required` or `default`, not both: with a default nothing is missing");
    }
    let max_bytes = usize::try_from(max?).ok()?;
    Some(Mapping { source: source?, target: target?, shape: shape?, max_bytes, default, required })
}

fn target(fields: &mut Fields<'_>) -> Option<Target> {
    fields.exactly_one(&[
        Alternative::new(
            "to",
            "The request header that is made of it; what a client sent under its name is taken off",
            |node| {
                node.parsed(header::SETTABLE_NAME, header::settable_name)
                    .map(|name| Target::Request(name.into()))
            },
        ),
        Alternative::new("to_response", "The response header that is made of it", |node| {
            node.parsed(header::SETTABLE_NAME, header::settable_name)
                .map(|name| Target::Response(name.into()))
        }),
        Alternative::new(
            "to_filter_state",
            "The filter state that is made of it, for the access log: `%FILTER_STATE(wasm.NAME:PLAIN)%`",
            |node| {
                node.parsed(Text::pattern("^[A-Za-z0-9_.-]{1,64}$"), |text| {
                    let right = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
                    if (1..=64).contains(&text.len()) && text.bytes().all(right) {
                        Ok(Target::FilterState(text.into()))
                    } else {
                        Err("a name of 1 to 64 letters, digits, `_`, `.` and `-`")
                    }
                })
            },
        ),
    ])
}
