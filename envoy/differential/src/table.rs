//! The table of what was asked and answered, for the README.

use std::fmt::Write;

use crate::recording::scenarios;

/// The line before the table, and the one after it.
pub const FENCE: [&str; 2] = ["<!-- table of scenarios -->\n", "<!-- end of the table -->\n"];

/// A row for each scenario, in the order of their names.
pub fn table() -> String {
    let mut table = "| statement | scenario | Envoy's answer |\n|---|---|---|\n".to_owned();
    for named in scenarios() {
        let (name, scenario) = (named.name, named.scenario);
        let (statement, answer) = (scenario.statement.trim(), scenario.answer.trim());
        // A text does not fail to be written to.
        let _ = writeln!(table, "| {statement} | [{name}](scenarios/{name}.yaml) | {answer} |");
    }
    table
}

/// A document with its table made anew; `None` if it has no place for one.
pub fn renewed(document: &str) -> Option<String> {
    let (before, rest) = document.split_once(FENCE[0])?;
    let (_, after) = rest.split_once(FENCE[1])?;
    Some([before, FENCE[0], &table(), FENCE[1], after].concat())
}
