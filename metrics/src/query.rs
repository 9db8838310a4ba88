//! The queries: how they are read, and how their words are filled in.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// Everything in `queries.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queries {
    parts: BTreeMap<String, String>,
    /// In the order they are shown.
    pub queries: Vec<Query>,
    /// In the order they are shown.
    pub panels: Vec<Panel>,
}

/// A query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// What other queries and panels call it.
    pub name: String,
    /// What it answers, in a sentence.
    pub answers: String,
    /// What a series of it is called, as Grafana writes it: `{{class}}` is a label's value. Without one, its name.
    pub legend: Option<String>,
    /// The range of its rates, whoever asks.
    window: Option<String>,
    promql: String,
}

/// A panel of the dashboard.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// Its title.
    pub title: String,
    /// The unit of its values, as Grafana names it: `reqps`, `ms`, `percentunit` (0 to 1) or `none`.
    pub unit: String,
    /// The names of its queries.
    pub queries: Vec<String>,
    /// The name of its plot, if it has one.
    pub plot: Option<String>,
}

/// What stands for the words of a query.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// `inbound` or `outbound`.
    pub direction: &'a str,
    /// Label matchers without braces, such as `job="envoy"`; may be empty.
    pub selector: &'a str,
    /// The range of rates, such as `5m`: several scrapes long.
    pub window: &'a str,
    /// The percentage of responses that should be good, such as `99.9`.
    pub objective: &'a str,
    /// The name of a service level objective in the filter's configuration, such as `fast`.
    pub slo: &'a str,
}

impl Terms<'_> {
    /// What the documents show.
    pub const SHOWN: Terms<'static> =
        Terms { direction: "inbound", selector: "", window: "5m", objective: "99.9", slo: "fast" };
}

/// How deep queries may name one another.
const DEPTH: u32 = 8;

impl Queries {
    /// Those of the repository.
    ///
    /// # Errors
    ///
    /// When the file is not as it should be: a name that stands twice, a word or a query that there is not.
    pub fn read() -> anyhow::Result<Self> {
        Self::parse(include_str!("../queries.yaml"))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let read: Self = serde_saphyr::from_str(text).context("reading queries.yaml")?;
        for query in &read.queries {
            let name = &query.name;
            let others = read.queries.iter().filter(|other| other.name == *name).count();
            ensure!(others == 1 && !read.parts.contains_key(name), "the name {name} stands twice");
            read.render(name, Terms::SHOWN)?;
            ensure!(
                read.panels.iter().any(|panel| panel.queries.contains(name)),
                "the query {name} is in no panel"
            );
        }
        for panel in &read.panels {
            for name in &panel.queries {
                read.query(name).with_context(|| format!("in the panel {:?}", panel.title))?;
            }
        }
        Ok(read)
    }

    /// The query of that name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn query(&self, name: &str) -> anyhow::Result<&Query> {
        self.queries
            .iter()
            .find(|query| query.name == name)
            .with_context(|| format!("there is no query {name}"))
    }

    /// A query in PromQL.
    ///
    /// # Errors
    ///
    /// When there is none of that name, or it has a word that stands for nothing.
    pub fn render(&self, name: &str, terms: Terms<'_>) -> anyhow::Result<String> {
        let query = self.query(name)?;
        let terms = Terms { window: query.window.as_deref().unwrap_or(terms.window), ..terms };
        let filled =
            self.fill(&query.promql, terms, DEPTH).with_context(|| format!("in the query {name}"))?;
        // Matchers that a selector would have followed, or been.
        Ok(filled.replace(",}", "}").replace("{}", ""))
    }

    fn fill(&self, text: &str, terms: Terms<'_>, depth: u32) -> anyhow::Result<String> {
        ensure!(depth > 0, "queries name one another in a circle, or more than {DEPTH} deep");
        let mut pieces = text.split("${");
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (word, rest) = piece.split_once('}').with_context(|| format!("${{{piece} has no end"))?;
            filled += &self.stands_for(word, terms, depth)?;
            filled += rest;
        }
        Ok(filled)
    }

    fn stands_for(&self, word: &str, terms: Terms<'_>, depth: u32) -> anyhow::Result<String> {
        let term = match word {
            "direction" => terms.direction,
            "selector" => terms.selector,
            "window" => terms.window,
            "objective" => terms.objective,
            "slo" => terms.slo,
            _ => {
                let (text, window) = match self.parts.get(word) {
                    Some(text) => (text, None),
                    None => self.query(word).map(|query| (&query.promql, query.window.as_deref()))?,
                };
                let terms = Terms { window: window.unwrap_or(terms.window), ..terms };
                return Ok(format!("({})", self.fill(text, terms, depth - 1)?));
            }
        };
        Ok(term.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parts: &str, queries: &str) -> Result<Queries, String> {
        let text = format!(
            "parts: {{{parts}}}\nqueries:\n{queries}\npanels: [{{title: All, unit: none, queries: [a]}}]\n"
        );
        Queries::parse(&text).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_repositorys_queries_are_in_order() {
        let queries = Queries::read().unwrap();
        let rendered = queries.render("rate", Terms { selector: r#"job="envoy""#, ..Terms::SHOWN }).unwrap();
        assert_eq!(
            rendered,
            r#"sum(rate(wasm_http_inbound_duration_ms_count{job="envoy"}[5m])) or vector(0)"#
        );
        let rendered = queries.render("rate", Terms { window: "1m", ..Terms::SHOWN }).unwrap();
        assert_eq!(rendered, "sum(rate(wasm_http_inbound_duration_ms_count[1m])) or vector(0)");
    }

    #[test]
    fn a_part_stands_in_parentheses_and_a_window_of_its_own_prevails() {
        let queries =
            parse("part: 'm[${window}] or 1'", "- {name: a, answers: ., window: 1h, promql: '${part} * 2'}")
                .unwrap();
        assert_eq!(queries.render("a", Terms::SHOWN).unwrap(), "(m[1h] or 1) * 2");
    }

    #[test]
    fn what_stands_for_nothing_is_refused_by_name() {
        for (query, expected) in [
            ("{name: a, answers: ., promql: '${b}'}", "in the query a: there is no query b"),
            ("{name: a, answers: ., promql: '${b'}", "in the query a: ${b has no end"),
            ("{name: a, answers: ., promql: '${a}'}", "in a circle"),
            ("{name: a, answers: ., promql: m}\n- {name: a, answers: ., promql: m}", "a stands twice"),
            ("{name: b, answers: ., promql: m}", "the query b is in no panel"),
        ] {
            let refused = parse("", &format!("- {query}")).unwrap_err();
            assert!(refused.contains(expected), "{query}: {refused}");
        }
    }
}
