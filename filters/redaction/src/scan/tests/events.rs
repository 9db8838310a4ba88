//! Streams of events.

use super::*;

/// What leaves of a stream after each of these pieces.
fn after_each(redaction: &Redaction, pieces: &[&str]) -> Vec<String> {
    let mut scanner = Scanner::new(&redaction.rules, Body::Events);
    let mut held = Vec::new();
    let mut out = Vec::new();
    for piece in pieces {
        held.extend_from_slice(piece.as_bytes());
        let Scanned { consumed, put } = scanner.scan(&redaction.rules, &held, false);
        let put = put.unwrap_or_else(|| held[..consumed].to_vec());
        held.drain(..consumed);
        out.push(String::from_utf8(put).unwrap());
    }
    out
}

#[test]
fn any_two_line_ends_end_an_event() {
    let redaction = rules(BUILT_IN);
    for end in ["\n\n", "\r\r", "\r\n\r\n", "\n\r", "\r\n\n", "\n\r\n"] {
        let events = format!("data: password='open{end}data: shut' +1415{end}5550123 ada@example.com{end}");
        let redacted = events.replace("open", "*").replace("ada@example.com", "MAIL");
        assert_eq!(whole(&redaction, Body::Events, &events), redacted, "{end:?}");
        let first = format!("data: +1415{end}");
        assert_eq!(
            after_each(&redaction, &[&first]),
            std::slice::from_ref(&first),
            "nothing waits behind {end:?}"
        );
    }
}

#[test]
fn lines_of_data_that_are_json_are_looked_into_as_json() {
    let redaction = rules(BUILT_IN);
    let events = concat!(
        "event: message\n",
        "data: {\"dob\": \"1815-12-10\", \"to\": \"ada\\u0040example.com\", \"n\": 4111111111111111}\n",
        "\n",
        "data: [DONE]\n",
        "data: bob@example.com\n",
        "\n",
        "data:{\"users\": [\r\n",
        "id: 7\r\n",
        "data: {\"pin\": 12},\r\n",
        "data: {\"x\": 12}]}\r\n",
        "\r\n",
        "data: \"a \\\"password\\\": \\\"b\\\"\"\n\n",
        "data: {\"broken\": \"ada@example.com\n",
        "data: dob\": 1}\n\n",
        "data: {\"dob\": 12}",
    );
    let redacted = concat!(
        "event: message\n",
        "data: {\"dob\": \"\", \"to\": \"MAIL\", \"n\": \"CARD\"}\n",
        "\n",
        "data: [DONE]\n",
        "data: MAIL\n",
        "\n",
        "data:{\"users\": [\r\n",
        "id: 7\r\n",
        "data: {\"pin\": \"PATH\"},\r\n",
        "data: {\"x\": 12}]}\r\n",
        "\r\n",
        "data: \"a \\\"password\\\": \\\"*\\\"\"\n\n",
        "data: {\"broken\": \"MAIL\n",
        "data: dob\": 1}\n\n",
        "data: {\"dob\": null}",
    );
    assert_eq!(whole(&redaction, Body::Events, events), redacted);
    super::cuts::assert_no_cut_matters(&redaction, Body::Events, events.as_bytes());
    let mut scanner = Scanner::new(&redaction.rules, Body::Events);
    scanner.scan(&redaction.rules, events.as_bytes(), true);
    assert_eq!(scanner.tally().broken, 0, "what looks like JSON need not be any");
}

#[test]
fn a_line_leaves_when_it_has_come() {
    let redaction = rules(BUILT_IN);
    let pieces =
        ["data: {\"a\": \"b\"}\n", "\n", "event: x!\n", "data: one!\n", "data: {\"dob\"", ": 1", "}", "\n\n"];
    let after = [
        "data: {\"a\": \"b\"}\n",
        "\n",
        "event: x!\n",
        "data: one!\n",
        "data: {\"dob\"",
        ": ",
        "null}",
        "\n\n",
    ];
    assert_eq!(after_each(&redaction, &pieces), after);
}
