//! The body of a reply: text with a few parts that change from one request to the next.

/// A body, compiled once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Part(Part),
}

/// A part that changes. What stands there has no byte that means anything to JSON or HTML: nothing has to be escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Host,
    Rule,
    Reason,
    RequestId,
}

const PARTS: [(&str, Part); 4] =
    [("host", Part::Host), ("rule", Part::Rule), ("reason", Part::Reason), ("request_id", Part::RequestId)];

/// What the parts are for one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// The host in the form in which hosts are compared; empty if it is none.
    pub host: &'a str,
    /// The list that denied it; empty if none did.
    pub rule: &'a str,
    /// Why.
    pub reason: &'a str,
    /// What the client or an earlier proxy called the request; shown only if it has nothing but letters, digits, and
    /// the signs of UUIDs and base64.
    pub request_id: &'a [u8],
}

/// The longest request id that is shown, in bytes.
const MAX_ID: usize = 128;

impl Body {
    /// Reads a body as an operator typed it.
    ///
    /// # Errors
    ///
    /// What a right one would be, to follow "expected".
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        let (mut pieces, mut text, mut rest) = (Vec::new(), String::new(), typed);
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                text.push('$');
                rest = after;
                continue;
            }
            let inside = after.strip_prefix('{').and_then(|after| after.split_once('}'));
            let found =
                inside.and_then(|(name, rest)| Some((PARTS.iter().find(|(word, _)| *word == name)?.1, rest)));
            let Some((part, after)) = found else {
                return Err("`${host}`, `${rule}`, `${reason}` or `${request_id}`; `$$` for a dollar sign");
            };
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text).into()));
            }
            pieces.push(Piece::Part(part));
            rest = after;
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(Piece::Text(text.into()));
        }
        Ok(Self { pieces })
    }

    /// Whether it is JSON, whatever the parts are.
    pub(crate) fn is_json(&self) -> bool {
        let with = |parts| is_json(&self.render(parts));
        let some = Parts { host: "a.test", rule: "a", reason: "a", request_id: b"a" };
        with(Parts::default()) && with(some)
    }

    /// The body for one request.
    pub fn render(&self, parts: Parts<'_>) -> Vec<u8> {
        let mut body = Vec::new();
        for piece in &self.pieces {
            body.extend_from_slice(match piece {
                Piece::Text(text) => text.as_bytes(),
                Piece::Part(Part::Host) => parts.host.as_bytes(),
                Piece::Part(Part::Rule) => parts.rule.as_bytes(),
                Piece::Part(Part::Reason) => parts.reason.as_bytes(),
                Piece::Part(Part::RequestId) if is_id(parts.request_id) => parts.request_id,
                Piece::Part(Part::RequestId) => b"",
            });
        }
        body
    }
}

fn is_id(id: &[u8]) -> bool {
    id.len() <= MAX_ID && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+/=".contains(byte))
}

fn is_json(text: &[u8]) -> bool {
    // Read as the configuration is: a second reader of JSON would be more of a module.
    filter_kit::config::tree_taking(&mut &*text, &[], &mut ()).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_put_in_where_they_stand() {
        let body =
            Body::parse(r#"{"host": "${host}", "by": "${rule}:${reason}", "id": "${request_id}", "$$": 1}"#);
        let parts = Parts { host: "a.test", rule: "ads", reason: "listed", request_id: b"f00-1" };
        assert_eq!(
            String::from_utf8(body.unwrap().render(parts)).unwrap(),
            r#"{"host": "a.test", "by": "ads:listed", "id": "f00-1", "$": 1}"#
        );
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for wrong in ["$", "${", "${host", "${Host}", "${header:x}", "$host", "a $5"] {
            assert!(Body::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Body::parse("").unwrap().render(Parts::default()), b"");
    }

    #[test]
    fn a_body_is_json_whatever_its_parts_are() {
        for (body, is_json) in [
            ("{}", true),
            (r#"{"a": "${host}"}"#, true),
            (r#"{"a": ${host}}"#, false),
            (r#"{"a": "${host}}"#, false),
            ("blocked", false),
            ("", false),
        ] {
            assert_eq!(Body::parse(body).unwrap().is_json(), is_json, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_client_can_break_out_of_its_quotes(id in proptest::collection::vec(0u8.., 0..40)) {
            let body = Body::parse(r#"{"id": "${request_id}"}"#).unwrap();
            let shown = body.render(Parts { request_id: &id, ..Parts::default() });
            prop_assert!(is_json(&shown));
            prop_assert!(!shown.iter().any(|byte| b"<>&'".contains(byte)));
        }

        #[test]
        fn no_text_is_too_odd_to_be_read(typed in "\\PC{0,40}|[${}a-z_]{0,30}") {
            if let Ok(body) = Body::parse(&typed) {
                body.render(Parts::default());
            }
        }
    }
}
