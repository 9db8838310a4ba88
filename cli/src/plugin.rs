//! A plugin as a document describes it: what Envoy would be given to start.

use std::ops::Range;

use crate::tree::Node;

/// A plugin of a document.
#[derive(Debug)]
pub(crate) struct Plugin<'a> {
    /// Its name in logs.
    pub(crate) name: String,
    pub(crate) root_id: String,
    /// Where it stands, for what is wrong with it as a whole.
    pub(crate) span: Range<usize>,
    pub(crate) path: String,
    pub(crate) configuration: Handed<'a>,
    pub(crate) vm_configuration: Handed<'a>,
    pub(crate) environment: Vec<(String, String)>,
    /// Variables whose values come from the host's own environment.
    pub(crate) host_environment: Vec<String>,
    /// Functions that may be called; empty means all.
    pub(crate) capabilities: Vec<String>,
    pub(crate) code: Code,
    /// What the module may be called in a folder of modules, the best first.
    pub(crate) names: Vec<String>,
    /// The SHA-256 that the module must have, if the document says so.
    pub(crate) sha256: Option<String>,
}

/// Where a plugin's code is.
#[derive(Debug)]
pub(crate) enum Code {
    /// In a file, at a path of the machine that Envoy runs on.
    File(String),
    /// In the document itself.
    Inline(Vec<u8>),
    /// At a URL, which is not asked.
    Remote(String),
    /// Not said.
    Unsaid,
}

/// Bytes that a plugin or a VM is configured with, and where they come from.
#[derive(Debug)]
pub(crate) struct Handed<'a> {
    pub(crate) bytes: Vec<u8>,
    pub(crate) form: Form<'a>,
    pub(crate) span: Range<usize>,
    pub(crate) path: String,
}

/// How the bytes are written in the document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form<'a> {
    /// As fields of the document.
    Fields(&'a Node),
    /// As the file itself, byte for byte.
    File,
    /// As a text in the document.
    Text(&'a Node),
    /// In a way that nobody would look for a field in: base64, protobuf.
    Opaque,
    /// Not at all.
    Absent,
}

impl Handed<'_> {
    /// No configuration.
    pub(crate) fn nothing(span: Range<usize>, path: &str) -> Self {
        Self { bytes: Vec::new(), form: Form::Absent, span, path: path.to_owned() }
    }
}

/// What a module may be called, from its URL: `oci://ghcr.io/org/header-mutation:v1` is `header-mutation`.
pub(crate) fn name_in_url(url: &str) -> Option<&str> {
    let path = url.split(['?', '#']).next()?;
    let last = path.rsplit('/').next()?;
    let name = last.split('@').next()?.split(':').next()?;
    let name = name.strip_suffix(".wasm").unwrap_or(name);
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_module() {
        for url in [
            "oci://ghcr.io/org/header-mutation:v0.1.0",
            "oci://ghcr.io:5000/org/header-mutation@sha256:00",
            "ghcr.io/org/header-mutation:v1@sha256:00",
            "https://example.com/a/header-mutation.wasm?version=1",
            "file:///opt/header-mutation.wasm",
            "header-mutation",
        ] {
            assert_eq!(name_in_url(url), Some("header-mutation"), "{url}");
        }
        assert_eq!(name_in_url("oci://ghcr.io/"), None);
    }
}
