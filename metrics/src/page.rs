//! The list of queries in the page.

use std::fmt::Write as _;

use anyhow::Context as _;

use crate::query::{Queries, Terms};

const BEGIN: &str = "<!-- queries.yaml begins -->\n";
const END: &str = "<!-- queries.yaml ends -->\n";

/// The page with the list between its marks made anew.
///
/// # Errors
///
/// When the page has not both marks, or a query a word that stands for nothing.
pub fn page(old: &str, queries: &Queries) -> anyhow::Result<String> {
    let (before, rest) = old.split_once(BEGIN).with_context(|| format!("the page has no line {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("the page has no line {END}"))?;
    let mut list = String::new();
    for query in &queries.queries {
        let promql = queries.render(&query.name, Terms::SHOWN)?;
        write!(list, "\n### {}\n\n{}\n\n```promql\n{promql}\n```\n", query.name, query.answers)?;
    }
    Ok(format!("{before}{BEGIN}{list}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_made_anew() {
        let queries = Queries::read().unwrap();
        let page = |text: &str| page(text, &queries).map_err(|error| error.to_string());
        let made = page(&format!("before\n{BEGIN}old\n{END}after\n")).unwrap();
        assert!(made.starts_with("before\n") && made.ends_with("after\n") && !made.contains("old"), "{made}");
        assert!(made.contains("### p99\n\nThe milliseconds"), "{made}");
        assert_eq!(page(&made).unwrap(), made);
        assert!(page("before\n").unwrap_err().contains("no line"));
    }
}
