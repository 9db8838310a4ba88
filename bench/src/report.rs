//! The tables, and the files that are kept.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::rounds::Cost;
use crate::suite::Suite;
use crate::variant::NONE;

/// The costs of a suite, ready to be shown.
pub struct Table<'a> {
    suite: &'a Suite,
    costs: Vec<Cost>,
}

/// One line of a table, in µs per request.
struct Line<'a> {
    cost: &'a Cost,
    median: f64,
    spread: f64,
    /// Over that of no filter.
    ratio: f64,
    /// More than no filter.
    added: f64,
    /// `added` over that of the yardstick.
    times: Option<f64>,
}

impl<'a> Line<'a> {
    fn new(cost: &'a Cost, none: &[f64], yardstick: Option<f64>) -> Self {
        let median_cost = median(&cost.rounds);
        let added = added(&cost.rounds, none);
        Self {
            cost,
            median: median_cost,
            spread: spread(&cost.rounds),
            ratio: median_cost / median(none),
            added,
            times: yardstick.map(|yardstick| added / yardstick),
        }
    }
}

impl<'a> Table<'a> {
    /// The table of a suite.
    pub fn new(suite: &'a Suite, costs: Vec<Cost>) -> Self {
        Self { suite, costs }
    }

    fn lines(&self) -> Vec<Line<'_>> {
        let rounds = |case: &str| self.costs.iter().find(|cost| cost.case == case).map(|cost| &*cost.rounds);
        let none = rounds(NONE).unwrap_or_default();
        let yardstick = self.suite.yardstick.and_then(rounds).map(|yardstick| added(yardstick, none));
        let line = |cost| Line::new(cost, none, yardstick);
        self.costs.iter().map(line).collect()
    }

    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n{}.\n\n", self.suite.name, sentence(&self.suite.asks));
        let (head, rule) = match self.suite.yardstick {
            Some(case) => (format!(" × {case} |"), "---:|"),
            None => (String::new(), ""),
        };
        let _ = write!(
            text,
            "| filter | µs CPU per request | ± | added | ÷ none |{head} calls in + out |\n\
             |---|---:|---:|---:|---:|{rule}---:|\n"
        ); // a String takes everything
        for Line { cost, median, spread, ratio, added, times } in self.lines() {
            let mark = if cost.calls.callout { " (with a callout per request)" } else { "" };
            let _ = write!(text, "| {}{mark} | {median:.2} | {spread:.2} | {added:.2} ", cost.case);
            let _ = write!(text, "| {ratio:.3} |");
            if let Some(times) = times {
                let _ = write!(text, " {times:.2} |");
            }
            let _ = writeln!(text, " {} + {} |", cost.calls.callbacks, cost.calls.hostcalls);
        }
        text
    }

    /// The same as a list of `{suite, case, value, unit, baseline, ratio}`.
    fn raw(&self) -> Vec<Value> {
        let mut raw = Vec::new();
        for Line { cost, median, spread, ratio, added, times } in self.lines() {
            let mut entry = |value: f64, unit: &str, baseline: &str, ratio: f64| {
                raw.push(json!({
                    "suite": self.suite.name,
                    "case": cost.case,
                    "value": rounded(value),
                    "unit": unit,
                    "baseline": baseline,
                    "ratio": rounded(ratio),
                }));
            };
            entry(median, "µs CPU/request", NONE, ratio);
            entry(spread, "µs CPU/request, median absolute deviation", &cost.case, spread / median);
            if let (Some(times), Some(yardstick)) = (times, self.suite.yardstick) {
                entry(added, "µs CPU/request added to none", yardstick, times);
            }
        }
        raw
    }

    fn csv(&self) -> String {
        let mut text = String::new();
        for cost in &self.costs {
            for (round, value) in cost.rounds.iter().enumerate() {
                let _ = writeln!(text, "{},\"{}\",{},{value:.4}", self.suite.name, cost.case, round + 1);
            }
        }
        text
    }
}

/// Writes the results into a new folder in `parent`, and says which.
///
/// # Errors
///
/// When it cannot be written.
pub fn keep(parent: &Path, name: &str, setup: &str, tables: &[Table<'_>]) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(parent)?;
    let folder = new_folder(parent, name)?;
    let raw: Vec<Value> = tables.iter().flat_map(Table::raw).collect();
    std::fs::write(folder.join("setup.md"), setup)?;
    std::fs::write(folder.join("raw.json"), serde_json::to_string_pretty(&raw)? + "\n")?;
    let rounds: String = tables.iter().map(Table::csv).collect();
    std::fs::write(folder.join("rounds.csv"), format!("suite,case,round,µs CPU/request\n{rounds}"))?;
    std::fs::write(folder.join("summary.md"), summary(tables))?;
    Ok(folder)
}

/// All tables.
pub fn summary(tables: &[Table<'_>]) -> String {
    let tables: Vec<String> = tables.iter().map(Table::markdown).collect();
    format!("## What a filter costs in Envoy\n\n{}", tables.join("\n"))
}

/// `name`, or the first of `name-2`, `name-3`, ... that is not there: results are never written over.
fn new_folder(parent: &Path, name: &str) -> std::io::Result<PathBuf> {
    let mut folder = parent.join(name);
    for suffix in 2.. {
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            done => return done.map(|()| folder),
        }
        folder = parent.join(format!("{name}-{suffix}"));
    }
    Ok(folder)
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), middle.checked_sub(1).and_then(|below| values.get(below))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => f64::midpoint(*lower, *upper),
        (Some(value), _) => *value,
        (None, _) => f64::NAN,
    }
}

/// What `rounds` cost over `none`: within a round, since both saw the same disturbances.
fn added(rounds: &[f64], none: &[f64]) -> f64 {
    median(&rounds.iter().zip(none).map(|(cost, none)| cost - none).collect::<Vec<_>>())
}

/// The median absolute deviation.
fn spread(values: &[f64]) -> f64 {
    let middle = median(values);
    median(&values.iter().map(|value| (value - middle).abs()).collect::<Vec<_>>())
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_its_spread_ignore_an_outlier() {
        assert_eq!(median(&[3.0, 1.0, 900.0, 2.0, 4.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(spread(&[3.0, 1.0, 900.0, 2.0, 4.0]), 1.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn results_that_are_there_are_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let name = |folder: PathBuf| folder.file_name().unwrap().to_str().unwrap().to_owned();
        let next = || name(new_folder(parent.path(), "2026-01-31-here").unwrap());
        assert_eq!([next(), next(), next()], ["2026-01-31-here", "2026-01-31-here-2", "2026-01-31-here-3"]);
    }
}
