//! The tables, and the files that are kept.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::goals::Figure;
use crate::latency::{Wait, Waiting};
use crate::lists::List;
use crate::rounds::Cost;
use crate::suite::Suite;
use crate::variant::NONE;

/// One table of a run, in every form in which it is kept.
#[derive(Clone, Debug)]
pub struct Section {
    /// In Markdown.
    pub markdown: String,
    /// Its values.
    pub figures: Vec<Figure>,
    /// A list of `{suite, case, value, unit, baseline, ratio}`.
    raw: Vec<Value>,
    /// Every measurement: suite, case, round, value, unit.
    csv: String,
}

/// The entry of a value, as it is kept.
fn entry(suite: &str, case: &str, value: f64, unit: &str, baseline: &str, ratio: f64) -> Value {
    json!({
        "suite": suite, "case": case, "value": rounded(value), "unit": unit, "baseline": baseline, "ratio": rounded(ratio),
    })
}

/// Measurements as lines of CSV.
fn csv(suite: &str, case: &str, values: &[f64], unit: &str) -> String {
    let line =
        |(round, value): (usize, &f64)| format!("{suite},\"{case}\",{},{value:.4},{unit}\n", round + 1);
    values.iter().enumerate().map(line).collect()
}

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

    /// The table in every form.
    pub fn section(&self) -> Section {
        let figures = self.lines().into_iter().flat_map(|line| {
            let figure = |quantity, value| Figure::new(&self.suite.name, &line.cost.case, quantity, value);
            [figure("median", line.median), figure("added", line.added)]
        });
        Section { markdown: self.markdown(), figures: figures.collect(), raw: self.raw(), csv: self.csv() }
    }

    fn markdown(&self) -> String {
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

    fn raw(&self) -> Vec<Value> {
        let mut raw = Vec::new();
        for Line { cost, median, spread, ratio, added, times } in self.lines() {
            let mut add = |value: f64, unit: &str, baseline: &str, ratio: f64| {
                raw.push(entry(&self.suite.name, &cost.case, value, unit, baseline, ratio));
            };
            add(median, "µs CPU/request", NONE, ratio);
            add(spread, "µs CPU/request, median absolute deviation", &cost.case, spread / median);
            if let (Some(times), Some(yardstick)) = (times, self.suite.yardstick) {
                add(added, "µs CPU/request added to none", yardstick, times);
            }
        }
        raw
    }

    fn csv(&self) -> String {
        self.costs
            .iter()
            .map(|cost| csv(&self.suite.name, &cost.case, &cost.rounds, "µs CPU/request"))
            .collect()
    }
}

/// The table of what clients waited.
pub fn waits(waiting: &Waiting, waits: &[Wait]) -> Section {
    let suite = &waiting.suite;
    let mut section = Section {
        markdown: format!(
            "### {}\n\n{}.\n\n| filter | µs, half of them | 99 of 100 | all | added, half of them | added, 99 of 100 | ÷ none | requests |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|\n",
            suite.name,
            sentence(&suite.asks)
        ),
        figures: Vec::new(),
        raw: Vec::new(),
        csv: String::new(),
    };
    let none = waits.iter().find(|wait| wait.case == NONE).map(|wait| &*wait.micros).unwrap_or_default();
    for Wait { case, micros } in waits {
        let [half, most, all] =
            [0.5, 0.99, 1.0].map(|share| (quantile(micros, share), quantile(none, share)));
        let ratio = half.0 / half.1;
        let _ = writeln!(
            section.markdown,
            "| {case} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {ratio:.3} | {} |",
            half.0,
            most.0,
            all.0,
            half.0 - half.1,
            most.0 - most.1,
            micros.len()
        ); // a String takes everything
        for (quantity, unit, (value, of_none)) in
            [("p50", "µs, half", half), ("p99", "µs, 99 of 100", most), ("max", "µs, all", all)]
        {
            section.figures.push(Figure::new(&suite.name, case, quantity, value));
            section.raw.push(entry(&suite.name, case, value, unit, NONE, value / of_none));
        }
        section.csv.push_str(&csv(&suite.name, case, micros, "µs waited"));
    }
    section
}

/// The table of long lists.
pub fn lists(lists: &[List]) -> Section {
    const SUITE: &str = "lists";
    let mut section = Section {
        markdown: String::from(
            "### lists\n\nblocklist's module in Wasmtime with a list of so many names: the CPU time that its configuration takes, the \
             memory of its VM, and how much longer a host of seven labels takes that is on no list than with one name.\n\n\
             | names | s to configure | bytes | ns, the same host | ± | ns, a thousand hosts by turns | ± |\n\
             |---:|---:|---:|---:|---:|---:|---:|\n",
        ),
        figures: Vec::new(),
        raw: Vec::new(),
        csv: String::new(),
    };
    for list in lists {
        let case = format!("{} names", list.names);
        let (seconds, [one, many]) = (list.seconds(), list.nanoseconds());
        let [one_spread, many_spread] = [&list.lookup, &list.lookup_of_many].map(|values| spread(values));
        let _ = writeln!(
            section.markdown,
            "| {} | {seconds:.3} | {} | {one:.0} | {one_spread:.0} | {many:.0} | {many_spread:.0} |",
            list.names, list.memory
        ); // a String takes everything
        for (quantity, value) in
            [("seconds", seconds), ("bytes", list.memory as f64), ("lookup", one), ("lookup-of-many", many)]
        {
            section.figures.push(Figure::new(SUITE, &case, quantity, value));
            section.raw.push(entry(SUITE, &case, value, quantity, &case, 1.0));
        }
        section.csv.push_str(&csv(SUITE, &case, &list.lookup, "ns to look one up"));
        section.csv.push_str(&csv(SUITE, &case, &list.lookup_of_many, "ns to look a thousand up by turns"));
        section.csv.push_str(&csv(SUITE, &case, &list.configured, "s to configure"));
    }
    section
}

/// Writes the results into a new folder in `parent`, and says which.
///
/// # Errors
///
/// When it cannot be written.
pub fn keep(
    parent: &Path,
    name: &str,
    setup: &str,
    sections: &[Section],
    goals: &str,
) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(parent)?;
    let folder = new_folder(parent, name)?;
    let raw: Vec<&Value> = sections.iter().flat_map(|section| &section.raw).collect();
    std::fs::write(folder.join("setup.md"), setup)?;
    std::fs::write(folder.join("raw.json"), serde_json::to_string_pretty(&raw)? + "\n")?;
    let rounds: String = sections.iter().map(|section| &*section.csv).collect();
    std::fs::write(folder.join("rounds.csv"), format!("suite,case,round,value,unit\n{rounds}"))?;
    std::fs::write(folder.join("summary.md"), summary(sections, goals))?;
    Ok(folder)
}

/// The goals, and all tables.
pub fn summary(sections: &[Section], goals: &str) -> String {
    let tables: Vec<&str> = sections.iter().map(|section| &*section.markdown).collect();
    format!("{goals}\n## What a filter costs\n\n{}", tables.join("\n"))
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

/// The median; not a number where there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), middle.checked_sub(1).and_then(|below| values.get(below))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => f64::midpoint(*lower, *upper),
        (Some(value), _) => *value,
        (None, _) => f64::NAN,
    }
}

/// What that share of the values is not above.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let index = (share * values.len() as f64).ceil() as usize;
    values.get(index.saturating_sub(1)).copied().unwrap_or(f64::NAN)
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
    fn a_quantile_is_the_least_value_that_so_many_are_not_above() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|share| quantile(&values, share)), [100.0, 198.0, 200.0]);
        assert_eq!(quantile(&[7.0], 0.5), 7.0);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn results_that_are_there_are_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let name = |folder: PathBuf| folder.file_name().unwrap().to_str().unwrap().to_owned();
        let next = || name(new_folder(parent.path(), "2026-01-31-here").unwrap());
        assert_eq!([next(), next(), next()], ["2026-01-31-here", "2026-01-31-here-2", "2026-01-31-here-3"]);
    }
}
