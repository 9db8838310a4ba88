//! What the filters are to reach, and whether a run shows it: [`goals.yaml`](../goals.yaml).

use std::fmt::Write as _;

use anyhow::Context as _;
use serde::Deserialize;

/// One value of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    suite: String,
    case: String,
    quantity: &'static str,
    value: f64,
}

impl Figure {
    /// A value.
    pub fn new(suite: &str, case: &str, quantity: &'static str, value: f64) -> Self {
        Self { suite: suite.to_owned(), case: case.to_owned(), quantity, value }
    }
}

/// What is to be reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// What, in words.
    pub goal: String,
    /// The measurement that shows it, if one does.
    #[serde(default)]
    shown: Option<Shown>,
    /// What else shows it: a file of the repository and, behind `#`, the test in it that does.
    #[serde(default)]
    pub held_by: Option<String>,
}

/// `quantity` of `case`, less that of `over` and divided by that of `per`, where they are given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    suite: String,
    case: String,
    quantity: String,
    #[serde(default)]
    over: Option<String>,
    #[serde(default)]
    per: Option<String>,
    unit: String,
    #[serde(default)]
    at_most: Option<f64>,
    #[serde(default)]
    at_least: Option<f64>,
}

/// All goals.
///
/// # Errors
///
/// When they cannot be read.
pub fn read() -> anyhow::Result<Vec<Goal>> {
    serde_saphyr::from_str(include_str!("../goals.yaml")).context("bench/goals.yaml")
}

impl Shown {
    /// The value, if this run has it.
    fn value(&self, figures: &[Figure]) -> Option<f64> {
        let of = |case: &str| {
            let is_it = |figure: &&Figure| {
                figure.suite == self.suite && figure.case == case && figure.quantity == self.quantity
            };
            figures.iter().find(is_it).map(|figure| figure.value)
        };
        let mut value = of(&self.case)?;
        if let Some(over) = &self.over {
            value -= of(over)?;
        }
        if let Some(per) = &self.per {
            value /= of(per)?;
        }
        Some(value)
    }

    fn is_met(&self, value: f64) -> bool {
        self.at_most.is_none_or(|most| value <= most) && self.at_least.is_none_or(|least| value >= least)
    }

    fn bound(&self) -> String {
        match (self.at_most, self.at_least) {
            (Some(most), _) => format!("≤ {most} {}", self.unit),
            (None, Some(least)) => format!("≥ {least} {}", self.unit),
            (None, None) => String::new(),
        }
    }
}

/// The table of the goals in Markdown: those that this run has a value for, and those that tests hold.
pub fn markdown(goals: &[Goal], figures: &[Figure]) -> String {
    let mut measured = String::new();
    let mut held = String::new();
    for goal in goals {
        // A String takes everything.
        if let Some((shown, value)) = goal.shown.as_ref().and_then(|it| Some((it, it.value(figures)?))) {
            let met = if shown.is_met(value) { "met" } else { "**not met**" };
            let _ = writeln!(measured, "| {} | {} | {} | {met} |", goal.goal, shown.bound(), digits(value));
        }
        if let Some(by) = &goal.held_by {
            let _ = writeln!(held, "| {} | {} |", goal.goal, by.replace('#', ": "));
        }
    }
    let mut text = String::from("## Goals\n\n");
    if !measured.is_empty() {
        let _ = write!(text, "| goal | bound | measured | |\n|---|---|---:|---|\n{measured}\n");
    }
    if !held.is_empty() {
        let _ = write!(text, "| goal | held or measured by |\n|---|---|\n{held}");
    }
    text
}

/// A value in three digits or more.
fn digits(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        small if small >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goals(text: &str) -> Vec<Goal> {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn a_goal_says_its_value_and_whether_it_is_met() {
        let figures = [
            Figure::new("s", "ours", "added", 12.0),
            Figure::new("s", "floor", "added", 5.0),
            Figure::new("s", "ours", "median", 400.0),
        ];
        let shown = |more: &str| {
            let text =
                format!("[{{goal: g, shown: {{suite: s, case: ours, quantity: added, unit: x, {more}}}}}]");
            markdown(&goals(&text), &figures)
        };
        assert!(shown("per: floor, at_most: 2.5").contains("| g | ≤ 2.5 x | 2.40 | met |"));
        assert!(shown("over: floor, at_most: 2").contains("| g | ≤ 2 x | 7.00 | **not met** |"));
        assert!(shown("at_least: 20").contains("| g | ≥ 20 x | 12.0 | **not met** |"));
        assert!(!shown("per: other, at_most: 2").contains("| g |"), "not measured is neither");
    }

    #[test]
    fn every_goal_is_shown_by_something_that_is_there() {
        for goal in read().unwrap() {
            assert!(goal.shown.is_some() || goal.held_by.is_some(), "{}", goal.goal);
            let bounds = goal.shown.iter().all(|it| it.at_most.is_some() || it.at_least.is_some());
            assert!(bounds, "{} has no bound", goal.goal);
            let Some(by) = &goal.held_by else { continue };
            let (file, test) = by.split_once('#').unwrap_or((by, ""));
            let text = std::fs::read_to_string(meshloom_lab::root().join(file));
            let text = text.unwrap_or_else(|error| panic!("{}: {file}: {error}", goal.goal));
            assert!(text.contains(test), "{}: {file} has no {test}", goal.goal);
        }
    }
}
