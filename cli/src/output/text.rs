//! For people: as a compiler would say it.

use crate::check::{Outcome, Report};
use crate::problem::{By, Problem, Severity};

use super::printable;

/// How much of a line is shown, in characters.
const WIDTH: usize = 120;

pub(super) fn show(reports: &[Report], envoy: &str, quiet: bool) -> String {
    let mut text = String::new();
    for report in reports {
        let name = &report.source.name;
        for problem in &report.problems {
            text.push_str(&one(report, problem));
        }
        for (at, message) in &report.unknown {
            let at = report.source.at(*at);
            text.push_str(&format!("{name}:{}:{}: error: {}\n", at.line, at.column, printable(message)));
        }
        if quiet {
            continue;
        }
        for plugin in report.plugins.iter().filter(|plugin| plugin.outcome == Outcome::Started) {
            let at = report.source.at(plugin.at);
            let module = plugin.module.as_deref().unwrap_or_default();
            let shown = printable(&plugin.name);
            text.push_str(&format!("{name}:{}: fine: {shown} starts ({module}, Envoy {envoy})\n", at.line));
        }
        for kind in &report.skipped {
            text.push_str(&format!("{name}: nothing to check in a {}\n", printable(kind)));
        }
    }
    text
}

fn one(report: &Report, problem: &Problem) -> String {
    let source = &report.source;
    let at = source.at(problem.span.start);
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let message = printable(&problem.message);
    let mut text = format!("{}:{}:{}: {severity}: {message}\n", source.name, at.line, at.column);
    text.push_str(&excerpt(report, problem, at.line));
    let who = match problem.by {
        By::Module => format!("said by {}", problem.plugin.as_deref().unwrap_or("the module")),
        By::Envoy => "refused by Envoy".to_owned(),
        By::Istio => "refused by Kubernetes or Istio".to_owned(),
        By::Meshloom => String::new(),
    };
    let who = if problem.severity == Severity::Warning { who.replace("refused", "taken") } else { who };
    let place = if problem.path.is_empty() { String::new() } else { format!("at {}", problem.path) };
    let note: Vec<&str> =
        [place.as_str(), who.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
    if !note.is_empty() {
        text.push_str(&format!("  = {}\n", printable(&note.join(", "))));
    }
    if let Some(hint) = &problem.hint {
        text.push_str(&format!("  = hint: {}\n", printable(hint)));
    }
    text
}

/// The line, and carets under what is meant.
fn excerpt(report: &Report, problem: &Problem, number: usize) -> String {
    let (begin, line) = report.source.line_of(problem.span.start);
    if line.trim().is_empty() {
        return String::new();
    }
    let before = line.get(..problem.span.start.saturating_sub(begin)).unwrap_or(line).chars().count();
    let end = problem.span.end.saturating_sub(begin).min(line.len());
    let length =
        line.get(problem.span.start.saturating_sub(begin)..end).map_or(1, |part| part.chars().count()).max(1);
    // A line of a megabyte is shown around what is meant.
    let skipped = if before + 20 > WIDTH { before - WIDTH / 4 } else { 0 };
    let shown: String = line
        .chars()
        .skip(skipped)
        .take(WIDTH)
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    let cut = |is_cut: bool| if is_cut { "..." } else { "" };
    let (left, right) = (cut(skipped > 0), cut(line.chars().count() > skipped + WIDTH));
    let indent = " ".repeat(before - skipped + left.len());
    let carets = "^".repeat(length.min(WIDTH.saturating_sub(before - skipped)).max(1));
    let margin = " ".repeat(number.to_string().len());
    format!("{number} | {left}{shown}{right}\n{margin} | {indent}{carets}\n")
}
