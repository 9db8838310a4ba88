//! Names of metrics, and the ids that the host gave them.
//!
//! A name is `wasm_<filter>_<what>`, with the unit in it and `_total` at the end of a counter's. No part of a request
//! is ever part of one; a part of a configuration may be, if [`word`] has read it.

use std::collections::BTreeMap;

use crate::config::{Fields, Json, Node, Text};

/// `wasm_<filter>_<what>`, with underscores for the filter's hyphens.
///
/// ```
/// assert_eq!(filter_kit::metric::name("header-mutation", "changed_total"), "wasm_header_mutation_changed_total");
/// ```
pub fn name(filter: &str, what: &str) -> String {
    ["wasm_", &filter.replace('-', "_"), "_", what].concat()
}

/// The longest word of a configuration that may be part of a name, in bytes.
pub const MAX_WORD: usize = 40;

/// Reads a word that may be part of a metric's name.
pub fn word(node: Node<'_>) -> Option<String> {
    node.parsed(Text::pattern("^[a-z0-9_]{1,40}$"), |text| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if (1..=MAX_WORD).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(text.to_owned())
        } else {
            Err("a word for a metric's name: 1 to 40 of a-z, 0-9 and `_`")
        }
    })
}

/// Whether a name says, in a way that Envoy can make a label of, which filter a metric is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagStyle {
    /// It does not: the name is what a scraper sees.
    #[default]
    Flat,
    /// `wasm_filter.<filter>.<name>`: the bootstrap of Istio's proxy has a tag `wasm_filter` that is cut out of such a
    /// name (istio, `envoy_bootstrap.json`, `stats_tags`). Without that tag the dots become underscores.
    Istio,
}

impl TagStyle {
    /// The words for it in a configuration.
    pub const WORDS: [(&str, Self); 2] = [("flat", Self::Flat), ("istio", Self::Istio)];

    /// Reads the field `tag_style`, which is `flat` unless it is given.
    pub fn field(fields: &mut Fields<'_>) -> Option<Self> {
        fields.or(
            "tag_style",
            "`flat` names as they stand; `istio` has Istio's proxy put the filter into a label `wasm_filter`",
            "flat",
            |node| node.one_of(&Self::WORDS),
        )
    }

    /// Reads the object `metrics`, which has nothing but the field `tag_style`.
    pub fn metrics(fields: &mut Fields<'_>) -> Option<Self> {
        fields.or("metrics", "How its metrics are named", Json::EMPTY_OBJECT, |node| node.object(Self::field))
    }

    /// The name under which the metric `name` of `filter` is defined.
    ///
    /// ```
    /// use filter_kit::metric::TagStyle;
    /// assert_eq!(TagStyle::Flat.name("redaction", "wasm_redaction_errors_total"), "wasm_redaction_errors_total");
    /// assert_eq!(TagStyle::Istio.name("redaction", "wasm_x_total"), "wasm_filter.redaction.wasm_x_total");
    /// ```
    pub fn name(self, filter: &str, name: &str) -> String {
        match self {
            Self::Flat => name.to_owned(),
            Self::Istio => ["wasm_filter.", filter, ".", name].concat(),
        }
    }
}

/// The metrics that a VM has defined, by name.
///
/// Envoy gives a new id at every definition, even of a name it has (Envoy 1.40, `context.cc`), and never frees one. A
/// changed configuration makes a new root context in the same VM, so the table has to be the VM's.
#[derive(Debug, Default)]
pub struct Defined(BTreeMap<Box<str>, u32>);

impl Defined {
    /// None yet.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The id of the metric `name`. `define` is called once for each name that it succeeds for.
    pub fn id(&mut self, name: &str, define: impl FnOnce(&str) -> Option<u32>) -> Option<u32> {
        if let Some(id) = self.0.get(name) {
            return Some(*id);
        }
        let id = define(name)?;
        self.0.insert(name.into(), id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn a_metric_is_defined_once() {
        let (mut defined, mut calls) = (Defined::new(), 0);
        for (name, id) in [("a", Some(1)), ("b", Some(2)), ("a", Some(1))] {
            let found = defined.id(name, |_| {
                calls += 1;
                Some(calls)
            });
            assert_eq!(found, id);
        }
        assert_eq!(defined.id("c", |_| None), None);
        assert_eq!(defined.id("c", |_| Some(7)), Some(7));
    }

    #[test]
    fn a_tag_style_is_flat_unless_it_is_given() {
        let read = |json: &str| config::read(json.as_bytes(), |root| root.object(TagStyle::field));
        assert_eq!(read("{}"), Ok(TagStyle::Flat));
        assert_eq!(read(r#"{"tag_style": "istio"}"#), Ok(TagStyle::Istio));
        assert!(read(r#"{"tag_style": "prometheus"}"#).is_err());
    }

    #[test]
    fn a_word_for_a_name_has_no_other_characters() {
        let read = |json: &str| config::read(json.as_bytes(), word);
        assert_eq!(read("\"api_2\"").as_deref(), Ok("api_2"));
        for wrong in
            ["\"\"", "\"API\"", "\"a-b\"", "\"a.b\"", "\"\u{e9}\"", "1", &format!("{:?}", "a".repeat(41))]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
