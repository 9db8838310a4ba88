//! The question that the service is asked about a request.

use filter_kit::header;
use filter_kit::reads::{Map, Reads, written};
use filter_kit::template::{Source, Template, Unrendered};

use crate::document::Document;
use crate::path::Path;

/// Whom to ask, and how. Nothing of it but what the templates say is ever taken from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The Envoy cluster that is asked.
    pub cluster: Box<str>,
    /// The question's `:authority`.
    pub authority: Box<str>,
    /// Its `:method`.
    pub method: &'static str,
    /// Its `:path`.
    pub path: Path,
    /// Its headers beside those that are forwarded.
    pub headers: Vec<(Box<str>, Template)>,
    /// Request headers that are forwarded, all their lines.
    pub forward: Vec<Box<str>>,
    /// Those that are forwarded and say nothing about the answer: the ids of a trace.
    pub trace: Vec<Box<str>>,
    /// Its body.
    pub body: Option<Document>,
    /// How long an answer may take, with a second attempt, in milliseconds.
    pub timeout_ms: u64,
    /// How many calls a VM has in flight at once.
    pub max_inflight: u64,
}

/// How long the proxy is told to wait for an answer that may take so long, both in milliseconds. A tenth less, up to three:
/// its timers count whole milliseconds and are late by one or two (Envoy 1.40), and a request has to go on by then.
pub fn wait_ms(timeout_ms: u64) -> u64 {
    timeout_ms - (timeout_ms / 10).min(3)
}

/// There is no question about this request: a part of it is missing, or would make another question of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unaskable;

impl From<Unrendered> for Unaskable {
    fn from(_: Unrendered) -> Self {
        Self
    }
}

/// A question as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The header lines as the ABI writes a map down.
    pub headers: Vec<u8>,
    /// The body; none if it is empty.
    pub body: Vec<u8>,
}

impl Call {
    /// The question about the request at hand, and how many values were left out of it because no header can have them.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn question(&self, reads: &dyn Reads) -> Result<(Question, u64), Unaskable> {
        let path = self.path.render(reads)?;
        let body = self.body.as_ref().map(|body| body.render(reads)).transpose()?.unwrap_or_default();
        let mut lines: Vec<(&str, Vec<u8>)> = vec![
            (":method", self.method.into()),
            (":path", path),
            (":authority", self.authority.as_bytes().into()),
        ];
        if self.body.is_some() && !self.headers.iter().any(|(name, _)| **name == *"content-type") {
            lines.push(("content-type", b"application/json".into()));
        }
        let mut left_out = 0;
        for (name, template) in &self.headers {
            let mut value = Vec::new();
            match template.render(reads, header::MAX_VALUE, &mut value) {
                Ok(()) if header::is_value(&value) => lines.push((name, value)),
                Err(Unrendered::Missing) => {}
                Ok(()) | Err(Unrendered::TooLong) => left_out += 1,
            }
        }
        for name in self.forward.iter().chain(&self.trace) {
            reads.header(Map::Request, name, &mut |value| {
                if header::is_value(value) {
                    lines.push((name, value.into()));
                } else {
                    left_out += 1;
                }
                false
            });
        }
        Ok((Question { headers: map(&lines), body }, left_out))
    }

    /// What the question reads of a request, but for the ids of a trace.
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        let forward = self.forward.iter().map(|name| Source::Headers(name.clone()));
        let body = self.body.iter().flat_map(Document::sources);
        let headers = self.headers.iter().flat_map(|(_, template)| template.sources());
        self.path.sources().chain(body).chain(headers).cloned().chain(forward)
    }
}

/// Header lines as the ABI writes a map down (proxy-wasm ABI 0.2.1, "Serialization").
pub fn map(lines: &[(&str, Vec<u8>)]) -> Vec<u8> {
    written(lines.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())))
}

#[cfg(test)]
mod tests {
    use filter_kit::reads::pairs;
    use filter_kit::testing::Given;

    use super::*;

    fn call() -> Call {
        Call {
            cluster: "metadata".into(),
            authority: "metadata.test".into(),
            method: "POST",
            path: Path::parse("/t/${header:x-tenant}").unwrap(),
            headers: vec![
                ("x-from".into(), Template::parse("${host}").unwrap()),
                ("x-user".into(), Template::parse("${header:x-user}").unwrap()),
            ],
            forward: vec!["authorization".into()],
            trace: vec!["traceparent".into()],
            body: Some(Document::parse("{\"p\": \"${path}\"}").unwrap()),
            timeout_ms: 200,
            max_inflight: 1,
        }
    }

    fn lines(question: &Question) -> Vec<String> {
        let shown =
            |(name, value): (&[u8], &[u8])| format!("{}: {}", name.escape_ascii(), value.escape_ascii());
        pairs(&question.headers).map(shown).collect()
    }

    #[test]
    fn a_question_has_what_its_templates_say_and_what_is_forwarded() {
        let given = Given::request("GET", "/a")
            .header(":authority", b"A.Test:80")
            .header("x-tenant", b"acme")
            .header("authorization", b"one")
            .header("authorization", b"two")
            .header("traceparent", b"00-1-2-01")
            .header("cookie", b"secret");
        let (question, left_out) = call().question(&given).unwrap();
        assert_eq!(
            lines(&question),
            [
                ":method: POST",
                ":path: /t/acme",
                ":authority: metadata.test",
                "content-type: application/json",
                "x-from: a.test",
                "authorization: one",
                "authorization: two",
                "traceparent: 00-1-2-01",
            ]
        );
        assert_eq!((question.body.as_slice(), left_out), (&br#"{"p": "/a"}"#[..], 0));
    }

    #[test]
    fn a_value_that_would_end_a_line_is_left_out_and_counted() {
        let given = Given::request("GET", "/a")
            .header("x-tenant", b"acme")
            .header("x-user", b"a\r\nx-admin: 1")
            .header("authorization", b"a\0");
        let (question, left_out) = call().question(&given).unwrap();
        assert_eq!(left_out, 2);
        assert!(
            !lines(&question).iter().any(|line| line.contains("admin") || line.starts_with("authorization"))
        );
    }

    #[test]
    fn without_the_tenant_there_is_nothing_to_ask() {
        assert_eq!(call().question(&Given::request("GET", "/")), Err(Unaskable));
    }

    #[test]
    fn what_a_question_reads_is_told_but_for_the_trace() {
        let sources: Vec<Source> = call().sources().collect();
        let header = |name: &str| Source::Header(name.into());
        let expected = [
            header("x-tenant"),
            Source::Path,
            Source::Host,
            header("x-user"),
            Source::Headers("authorization".into()),
        ];
        assert_eq!(sources, expected);
    }

    #[test]
    fn the_proxy_is_told_to_wait_a_little_less_than_an_answer_may_take_and_never_not_at_all() {
        let told = [1, 5, 10, 29, 50, 5_000].map(wait_ms);
        assert_eq!(told, [1, 5, 9, 27, 47, 4_997]);
    }
}
