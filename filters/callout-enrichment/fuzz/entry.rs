//! What a fuzzer's bytes do. libFuzzer calls these functions, and so does the test that replays the corpus.

#![allow(dead_code, reason = "each fuzz target is a program that uses one of the functions")]

use callout_enrichment::answer::Answer;
use callout_enrichment::document::Document;
use callout_enrichment::freshness::Freshness;
use callout_enrichment::json::{Pointer, compact, find, items};
use callout_enrichment::mapping::{Mapping, Shape, Source, Target, enriched};
use callout_enrichment::path::Path;
use callout_enrichment::question::map;
use filter_kit::header;
use filter_kit::testing::Given;
use serde_json::Value;

const SHAPES: [Shape; 5] = [Shape::Text, Shape::Integer, Shape::Boolean, Shape::Json, Shape::List];

/// Two bytes that choose type, default, whether it is required, and status; a pointer, a zero byte, and a body. A reader with a tree finds the same, and whatever the
/// service answers, what comes of it can stand in a header and is of its type.
pub(crate) fn answer(data: &[u8]) {
    let (choice, rest) = data.split_at(data.len().min(2));
    let place = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    let (typed, body) = rest.split_at(place);
    let body = body.get(1..).unwrap_or_default();
    let Ok(typed) = std::str::from_utf8(typed) else { return };
    let Ok(pointer) = Pointer::parse(typed) else {
        // What has no escape in it is refused only for its many steps.
        let plain = typed.is_empty() || (typed.starts_with('/') && !typed.contains('~'));
        assert!(!plain || typed.len() > 128, "{typed}");
        return;
    };

    if let Ok(text) = std::str::from_utf8(body) {
        let found = find(text, &[&pointer]);
        match serde_json::from_str::<Value>(text) {
            Ok(value) => {
                let found =
                    found.expect("it is JSON")[0].map(|found| serde_json::from_str::<Value>(found).unwrap());
                assert_eq!(found.as_ref(), value.pointer(typed), "{typed} in {text}");
                // One pass finds for several what it finds for each.
                let all = others();
                let several: Vec<&Pointer> = all.iter().chain([&pointer]).chain(all.first()).collect();
                let together = find(text, &several).expect("it is JSON");
                for (pointer, found) in several.into_iter().zip(together) {
                    assert_eq!(found, find(text, &[pointer]).expect("it is JSON")[0]);
                }
                assert_eq!(serde_json::from_str::<Value>(&compact(text)).unwrap(), value);
                let list = value.as_array().map(|list| list.len());
                assert_eq!(items(text).map(|items| items.len()), list);
            }
            // Half a surrogate pair and numbers without end are the tree's problem, depth is ours.
            Err(_) => assert!(found.is_none() || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()),
        }
    }

    let choice_of_shape = usize::from(choice.first().copied().unwrap_or(0));
    let shape = SHAPES[choice_of_shape % SHAPES.len()];
    let (default, required) = match choice_of_shape / SHAPES.len() % 3 {
        1 => (Some(&b"0"[..]), false),
        2 => (None, true),
        _ => (None, false),
    };
    let mapping = |source, max_bytes| Mapping {
        source,
        target: Target::Request("x".into()),
        shape,
        max_bytes,
        default: default.map(Into::into),
        required,
    };
    let [plan, first] = others();
    let mappings = [
        mapping(Source::JsonPointer(plan), 8),
        mapping(Source::JsonPointer(pointer), 64),
        mapping(Source::JsonPointer(first), 8192),
        mapping(Source::Body, 256),
        mapping(Source::Header("x".into()), 8192),
        mapping(Source::Status, 8192),
    ];
    let status = choice.get(1).map_or(b"200".to_vec(), |byte| byte.to_string().into_bytes());
    let lines = map(&[(":status", status), ("x", body.to_vec()), ("cache-control", body.to_vec())]);
    let answer = Answer { headers: &lines, body, body_size: body.len() as u64 };
    let _ = Freshness::of(&answer);
    let Ok(enriched) = enriched(&mappings, &answer) else { return };
    assert_eq!(enriched.values.len(), mappings.len());
    for (mapping, value) in mappings.iter().zip(&enriched.values) {
        let Some(value) = value else {
            assert!(!required && default.is_none());
            continue;
        };
        if default == Some(&**value) {
            continue;
        }
        assert!(header::is_value(value) && value.len() <= mapping.max_bytes);
        if mapping.source == Source::Status {
            continue;
        }
        match shape {
            Shape::Integer => assert!(value.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')),
            Shape::Boolean => assert!(matches!(&**value, b"true" | b"false")),
            Shape::Json => assert!(find(std::str::from_utf8(value).unwrap(), &[]).is_some()),
            Shape::Text | Shape::List => {}
        }
    }
}

/// Pointers that are looked for beside the input's own.
fn others() -> [Pointer; 2] {
    ["/plan", "/0"].map(|typed| Pointer::parse(typed).expect("a pointer"))
}

/// A template of a path, a zero byte, and a value. Whatever the value, the question's path is one, with as many segments
/// as the template has; and its body is JSON.
pub(crate) fn question(data: &[u8]) {
    let place = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (typed, value) = data.split_at(place);
    let value = value.get(1..).unwrap_or_default();
    let Ok(typed) = std::str::from_utf8(typed) else { return };
    let given = Given::request("GET", "/")
        .header("x", value)
        .header("cookie", &[b"c=", value].concat())
        .header(":path", &[b"/a?q=", value].concat());

    if let Ok(template) = Path::parse(typed) {
        let segments = |given: &Given| {
            let path = template.render(given).ok()?;
            assert!(path.starts_with(b"/"));
            assert!(
                path.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#'),
                "{}",
                path.escape_ascii()
            );
            let query = path.iter().position(|byte| *byte == b'?').unwrap_or(path.len());
            let segments: Vec<&[u8]> = path[..query].split(|byte| *byte == b'/').collect();
            assert!(!segments.iter().any(|segment| matches!(*segment, b"." | b"..")));
            Some((segments.len(), path.iter().filter(|byte| matches!(byte, b'?' | b'&' | b'=')).count()))
        };
        let harmless = Given::request("GET", "/a?q=v")
            .header("x", b"v")
            .header("cookie", b"c=v")
            .header(":path", b"/a?q=v");
        if let (Some(harmless), Some(hostile)) = (segments(&harmless), segments(&given)) {
            assert_eq!(harmless, hostile, "{typed}");
        }
    }
    if let Ok(document) = Document::parse(typed)
        && let Ok(text) = document.render(&given)
    {
        let text = std::str::from_utf8(&text).unwrap();
        assert!(find(text, &[]).is_some(), "{text}");
    }
}
