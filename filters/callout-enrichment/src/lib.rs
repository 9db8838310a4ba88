//! Asks a service about each request and adds what it answers as request headers.
//!
//! | the service                                     | the request goes on                            |
//! |-------------------------------------------------|------------------------------------------------|
//! | answers 2xx                                     | with the mapped headers                        |
//! | answers anything else, late, or not at all      | without them                                   |
//! | is in no cluster that Envoy knows               | without them, at once                          |
//!
//! In every case what a client sent under the name of a mapped header is taken off first: an upstream that sees
//! such a header can trust it.

mod config;
mod mapping;

#[cfg(target_family = "wasm")]
mod shell;

pub use config::{Call, Enrichment};
pub use mapping::{Answer, Mapping, Source};

/// Why nothing is added to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No response: the connection broke, or the response was too large for Envoy to buffer.
    NoAnswer,
    /// A response with another status than 2xx. Envoy answers 503 in the service's place when it cannot
    /// connect, and 504 when the timeout has passed.
    Status(u16),
    /// A response body of more bytes than are read.
    TooLarge,
}

impl Failure {
    /// Every cause that is counted, as the word in its metric's name.
    pub const CAUSES: [&'static str; 5] = ["reset", "4xx", "5xx", "other_status", "too_large"];

    /// The place of this failure's cause in [`CAUSES`](Self::CAUSES).
    pub fn cause(self) -> usize {
        match self {
            Self::NoAnswer => 0,
            Self::Status(400..=499) => 1,
            Self::Status(500..=599) => 2,
            Self::Status(_) => 3,
            Self::TooLarge => 4,
        }
    }
}

/// The headers to add, and how many mapped values could not become one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    /// Names and values, in the order of the mapping.
    pub lines: Vec<(&'a str, Vec<u8>)>,
    /// Values that were there, but cannot stand in a header.
    pub invalid: u64,
}

impl Enrichment {
    /// Decides what to add to the request.
    ///
    /// # Errors
    ///
    /// Why nothing is.
    pub fn headers(&self, answer: &Answer<'_>) -> Result<Headers<'_>, Failure> {
        let status = answer.status().ok_or(Failure::NoAnswer)?;
        if !(200..300).contains(&status) {
            return Err(Failure::Status(status));
        }
        if answer.body_size > self.call.max_response_bytes {
            return Err(Failure::TooLarge);
        }
        let body = mapping::Body::new(answer.body);
        let mut headers = Headers::default();
        for mapping in &self.map {
            match mapping.source.value(answer, &body) {
                Some(value) if filter_kit::header::is_value(&value) => {
                    headers.lines.push((&mapping.to, value))
                }
                Some(_) => headers.invalid += 1,
                None => {}
            }
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"version": 1,
        "call": {"cluster": "metadata", "authority": "metadata", "path": "/", "max_response_bytes": 1000},
        "map": [
            {"from": "literal", "value": "1", "to": "x-meta"},
            {"from": "status", "to": "x-meta-status"},
            {"from": "header", "name": "X-User", "to": "x-meta-user"},
            {"from": "json_pointer", "path": "/a/b~1c/0", "to": "x-meta-json"}]}"#;

    fn enriched(status: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Result<Vec<String>, Failure> {
        let enrichment = Enrichment::from_json(CONFIG.as_bytes()).unwrap();
        let mut lines = vec![(":status".to_owned(), status.as_bytes().to_vec())];
        lines.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())));
        let answer = Answer { headers: &lines, body, body_size: body.len() as u64 };
        let headers = enrichment.headers(&answer)?;
        let shown = |(name, value): &(&str, Vec<u8>)| format!("{name}: {}", value.escape_ascii());
        let mut shown: Vec<String> = headers.lines.iter().map(shown).collect();
        if headers.invalid > 0 {
            shown.push(format!("{} invalid", headers.invalid));
        }
        Ok(shown)
    }

    #[test]
    fn a_2xx_answer_becomes_the_mapped_headers() {
        assert_eq!(
            enriched("200", &[("x-user", b"ada")], br#"{"a": {"b/c": ["gold"]}}"#),
            Ok(vec![
                "x-meta: 1".into(),
                "x-meta-status: 200".into(),
                "x-meta-user: ada".into(),
                "x-meta-json: gold".into()
            ])
        );
    }

    #[test]
    fn what_the_answer_does_not_have_is_not_added() {
        let rest = Ok(vec!["x-meta: 1".to_owned(), "x-meta-status: 204".to_owned()]);
        for body in
            [&b""[..], b"no json", br#"{"a": 1}"#, br#"{"a": {"b/c": [null]}}"#, br#"{"a": {"b/c": [{}]}}"#]
        {
            assert_eq!(enriched("204", &[], body), rest, "{}", body.escape_ascii());
        }
    }

    #[test]
    fn numbers_keep_their_digits_and_words_are_written_out() {
        for (json, value) in
            [("12345678901234567890", "12345678901234567890"), ("-7", "-7"), ("0.5", "0.5"), ("true", "true")]
        {
            let body = format!(r#"{{"a": {{"b/c": [{json}]}}}}"#);
            let headers = enriched("200", &[], body.as_bytes()).unwrap();
            assert_eq!(headers.last(), Some(&format!("x-meta-json: {value}")));
        }
    }

    #[test]
    fn a_value_that_would_end_a_header_line_is_counted_and_not_added() {
        let headers =
            enriched("200", &[("x-user", b"caf\xe9")], br#"{"a": {"b/c": ["x\r\nx-admin: 1"]}}"#).unwrap();
        assert_eq!(headers, ["x-meta: 1", "x-meta-status: 200", r"x-meta-user: caf\xe9", "1 invalid"]);
    }

    #[test]
    fn any_other_answer_adds_nothing() {
        for (status, failure) in [
            ("199", Failure::Status(199)),
            ("301", Failure::Status(301)),
            ("404", Failure::Status(404)),
            ("500", Failure::Status(500)),
            ("504", Failure::Status(504)),
            ("abc", Failure::NoAnswer),
            ("", Failure::NoAnswer),
        ] {
            assert_eq!(enriched(status, &[("x-user", b"ada")], b"{}"), Err(failure), "{status}");
        }
        assert_eq!(enriched("200", &[], &[b' '; 1001]), Err(Failure::TooLarge));
    }

    #[test]
    fn each_failure_is_counted_under_its_cause() {
        for (failure, cause) in [
            (Failure::NoAnswer, "reset"),
            (Failure::Status(404), "4xx"),
            (Failure::Status(504), "5xx"),
            (Failure::Status(302), "other_status"),
            (Failure::TooLarge, "too_large"),
        ] {
            assert_eq!(Failure::CAUSES[failure.cause()], cause);
        }
    }

    #[test]
    fn a_hostile_body_is_no_answer_to_a_pointer() {
        let deep = "[".repeat(1000);
        assert_eq!(enriched("200", &[], deep.as_bytes()).unwrap().len(), 2);
    }
}
