//! What expressions mean.

use super::*;
use crate::abi::Status;
use crate::header::HeaderMap;

/// A request to `/a/b`, and nothing else.
struct Request;

impl Names for Request {
    fn top(&self, name: &str) -> Option<Found> {
        match name {
            "request" => Some(Found::Group(Group::Request)),
            "mine" => Some(Found::Value(Value::Bytes(b"state".to_vec()))),
            _ => None,
        }
    }

    fn member(&self, group: Group, name: &[u8]) -> Option<Value> {
        match (group, name) {
            (Group::Request, b"path") => Some("/a/b".into()),
            (Group::Request, b"size") => Some(Value::Int(5)),
            (Group::Request, b"headers") => {
                Some(Value::Headers(HeaderMap::from([("x-a", "1"), ("x-a", "2"), ("x-b", "3")])))
            }
            _ => None,
        }
    }
}

fn evaluated(text: &str) -> Result<Value, &'static str> {
    let expression = Expression::read(text).map_err(|refused| match refused {
        Refused::Unread => "unread",
        Refused::Unknown => "unknown",
    })?;
    match expression.evaluate(&Request) {
        Ok(Found::Value(value)) => Ok(value),
        Ok(Found::Group(_)) => Err("a group"),
        Err(Failed) => Err("failed"),
    }
}

#[test]
fn what_is_true() {
    for text in [
        "true",
        "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9",
        "-7 / 2 == -3 && -7 % 2 == -1 && 7 - 2 - 1 == 4",
        "-9223372036854775808 < 0 && 0xff == 255 && 1u == 1 && 1.0 == 1 && 1 < 1.5 && 2u > 1",
        "'a' + \"b\" == 'ab' && 'a' < 'b' && r'\\n' == '\\\\n' && '''a'b''' == \"a'b\"",
        "b'\\xff' == b'\\377' && b'a' != 'a' && '\\u00e9' == 'é'",
        "1 in [1, 2] && !(3 in [1, 2]) && 'x-a' in request.headers && 'path' in request && 'k' in {'k': 1}",
        "request.path.startsWith('/a') && request.path.endsWith('b') && request.path.contains('/b')",
        "request.path.matches('^/[ab]/') && matches(request.path, 'b$') && !request.path.matches('^b')",
        "request.headers['x-a'] == '1,2' && request.headers.size() == 2 && request['size'] == 5",
        "has(request.path) && !has(request.none) && has(request.headers.x) == false",
        "size('é') == 1 && size(b'\\303\\251') == 2 && size([1, 2]) == 2 && 'ab'.size() == 2",
        "request.size > 3 ? true : request.none",
        "false && request.none || true || request.none",
        "[1, 2, 3].all(n, n > 0) && [1, 2].exists(n, n == 2) && [1, 2].exists_one(n, n == 2)",
        "[1, 2, 3].map(n, n * 2) == [2, 4, 6] && [1, 2, 3].map(n, n > 1, n * 2) == [4, 6]",
        "[1, 2, 3].filter(n, n != 2) == [1, 3] && {'a': 1}.all(k, k == 'a') && [] + [1] == [1]",
        "[[1], [2]].all(n, n.exists(m, m > 0)) && [1, 'a'].exists(n, n + 1 == 2)",
        "int('7') == 7 && int(1.9) == 1 && uint(7) == 7u && double(1) == 1.0 && string(7) == '7'",
        "duration('1h30m') == duration('5400s') && duration('90s').getMinutes() == 1",
        "timestamp('2026-11-21T10:20:30.5Z').getFullYear() == 2026",
        "timestamp('2026-11-21T10:20:30Z').getMonth() == 10 && timestamp('2026-11-21T10:20:30Z').getDate() == 21",
        "timestamp('2026-11-21T00:00:00Z').getDayOfWeek() == 6 && timestamp('2024-12-31T00:00:00Z').getDayOfYear() == 365",
        "timestamp('2026-11-21T12:00:00+02:00') == timestamp('2026-11-21T10:00:00Z')",
        "timestamp('1969-12-31T23:59:59Z') + duration('1s') == timestamp(0)",
        "string(timestamp('2024-02-29T01:02:03.040Z')) == '2024-02-29T01:02:03.04Z'",
        "null == null && null != 1 && 'a' != 1 && {'a': [1]} == {'a': [1.0]}",
        "dyn(mine) == b'state' // what a filter left\n",
    ] {
        assert_eq!(evaluated(text), Ok(Value::Bool(true)), "{text}");
    }
}

#[test]
fn what_has_no_value() {
    for text in [
        "none",
        "request.none",
        "request.path.none",
        "1 + 1.0",
        "1 + 'a'",
        "1 / 0",
        "1 % 0",
        "9223372036854775807 + 1",
        "-(-9223372036854775808)",
        "'a' < 1",
        "!1",
        "1 ? 2 : 3",
        "true && request.none",
        "[1][1]",
        "[1][-1]",
        "{'a': 1}['b']",
        "{1: 2}",
        "'a'.matches('(')",
        "int('x')",
        "size(1)",
        "[1, 2].all(n, n)",
        "duration('1')",
        "timestamp('yesterday')",
    ] {
        assert_eq!(evaluated(text), Err("failed"), "{text}");
    }
    assert_eq!(evaluated("request"), Err("a group"));
    assert_eq!(evaluated("null").unwrap().to_bytes(), Err(Status::SerializationFailure));
}

#[test]
fn what_is_no_expression() {
    for text in [
        "",
        "1 +",
        "1 2",
        "(1",
        "a.",
        "a[1",
        "'a",
        "'a\n'",
        "a ? b",
        "has(1)",
        "while",
        "1e",
        "9223372036854775808",
        "f(1,)",
        "a && ",
        "[1, , 2]",
        "a.1",
        "{'a' 1}",
        "[1].map(1, 2)",
        "#",
        "'\\q'",
        "99999999999999999999u",
    ] {
        assert_eq!(evaluated(text), Err("unread"), "{text}");
    }
}

#[test]
fn a_function_that_there_is_not_is_known_before_it_is_called() {
    for text in
        ["f(1)", "size(1, 2)", "'a'.upper()", "[1].map(n, f(n))", "true || f()", "request.path.contains()"]
    {
        assert_eq!(evaluated(text), Err("unknown"), "{text}");
    }
}

#[test]
fn nesting_without_end_is_refused() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("!", ""), ("-", ""), ("a.b(", ")"), ("1+", ""), ("a ? b : ", "")]
    {
        let text = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        assert_eq!(evaluated(&text), Err("unread"), "{open}");
        let text = format!("{}1{}", open.repeat(1_000), close.repeat(1_000));
        assert_eq!(evaluated(&text), Err("unread"), "{open}");
    }
    assert_eq!(evaluated(&format!("a{}", ".b".repeat(1000))), Err("unread"));
    let rows = (0..60).fold("1".to_owned(), |inner, _| format!("({inner}{})", "+1".repeat(30)));
    assert_eq!(evaluated(&rows), Err("unread"));
    assert_eq!(evaluated(&format!("size([{}]) == 1000", "1+1,".repeat(1000))), Ok(Value::Bool(true)));
}

#[test]
fn macros_within_macros_end() {
    let ten = "[1,1,1,1,1,1,1,1,1,1]";
    let text = (0..8).fold("true".to_owned(), |inner, level| format!("{ten}.all(n{level}, {inner})"));
    assert_eq!(evaluated(&text), Err("failed"));
}
