//! Answers requests that lack a header, so that they never reach the upstream.
//!
//! | request               | outcome             |
//! |-----------------------|---------------------|
//! | has the header        | forwarded untouched |
//! | lacks it, or is empty | 400                 |

use filter_kit::config::{self, Node, Refusal};
use filter_kit::header::{SETTABLE_NAME, settable_name};

#[cfg(target_family = "wasm")]
mod shell;

/// What every request must have; built once per configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The header's name, in lower case.
    pub header: String,
}

/// Why a request is answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The header is not there, or has no value.
    Missing,
}

impl Requirement {
    /// Reads plugin configuration such as `{"version": 1, "header": "x-tenant"}`.
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
            let header = fields.required("header", "The header's name; compared without case", |node| {
                node.parsed(SETTABLE_NAME, settable_name)
            });
            Some(Self { header: header? })
        })
    }

    /// Decides on the raw value of the header, which need not be UTF-8.
    ///
    /// # Errors
    ///
    /// The reason to answer in place of the upstream.
    pub fn admit(&self, value: Option<&[u8]>) -> Result<(), Denial> {
        match value {
            Some(value) if !value.is_empty() => Ok(()),
            _ => Err(Denial::Missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_needs_a_value_under_that_name() {
        let requirement = Requirement::from_json(br#"{"version": 1, "header": "X-Tenant"}"#).unwrap();
        assert_eq!(requirement.header, "x-tenant");
        assert_eq!(requirement.admit(Some(b"caf\xe9")), Ok(()));
        assert_eq!(requirement.admit(Some(b"")), Err(Denial::Missing));
        assert_eq!(requirement.admit(None), Err(Denial::Missing));
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let refusal = Requirement::from_json(br#"{"header": "x y", "extra": 1}"#).unwrap_err();
        let paths: Vec<&str> = refusal.problems().iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["extra", "version", "header"]);
    }

    #[test]
    fn the_documents_say_what_is_read() {
        let docs = filter_docs::docs!(Requirement::from_node);
        docs.assert_fresh();
        docs.assert_samples();
        docs.assert_accepted(&[r#"{"version": 1.0, "header": "X-Tenant"}"#]);
        docs.assert_refused(&[
            "{}",
            "[]",
            r#"{"version": 2, "header": "x"}"#,
            r#"{"version": 1, "header": "x y"}"#,
            r#"{"version": 1, "header": "Host"}"#,
            r#"{"version": 1, "header": "x", "more": 1}"#,
        ]);
    }
}
