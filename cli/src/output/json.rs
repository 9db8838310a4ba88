//! For programs. The fields are described in `cli/README.md`; new ones may come, none goes without a new `version`.

use serde::Serialize;

use crate::check::{Outcome, Report};
use crate::problem::{By, Severity};

#[derive(Serialize)]
struct Output<'a> {
    version: u32,
    envoy: &'a str,
    ok: bool,
    plugins: Vec<Plugin<'a>>,
    problems: Vec<Entry<'a>>,
    unknown: Vec<Unknown<'a>>,
}

#[derive(Serialize)]
struct Plugin<'a> {
    file: &'a str,
    line: usize,
    name: &'a str,
    path: &'a str,
    module: Option<&'a str>,
    outcome: Outcome,
}

#[derive(Serialize)]
struct Entry<'a> {
    severity: Severity,
    by: By,
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    path: &'a str,
    field: Option<&'a str>,
    plugin: Option<&'a str>,
    message: &'a str,
    hint: Option<&'a str>,
}

#[derive(Serialize)]
struct Unknown<'a> {
    file: &'a str,
    line: usize,
    message: &'a str,
}

pub(super) fn show(reports: &[Report], envoy: &str) -> String {
    let mut output = Output {
        version: 1,
        envoy,
        ok: reports.iter().all(|report| report.errors() == 0 && report.unknown.is_empty()),
        plugins: Vec::new(),
        problems: Vec::new(),
        unknown: Vec::new(),
    };
    for report in reports {
        let (source, file) = (&report.source, report.source.name.as_str());
        output.plugins.extend(report.plugins.iter().map(|plugin| Plugin {
            file,
            line: source.at(plugin.at).line,
            name: &plugin.name,
            path: &plugin.path,
            module: plugin.module.as_deref(),
            outcome: plugin.outcome,
        }));
        output.problems.extend(report.problems.iter().map(|problem| {
            let (at, end) = (source.at(problem.span.start), source.at(problem.span.end));
            Entry {
                severity: problem.severity,
                by: problem.by,
                file,
                line: at.line,
                column: at.column,
                end_line: end.line,
                end_column: end.column,
                path: &problem.path,
                field: problem.field.as_deref(),
                plugin: problem.plugin.as_deref(),
                message: &problem.message,
                hint: problem.hint.as_deref(),
            }
        }));
        output.unknown.extend(report.unknown.iter().map(|(at, message)| Unknown {
            file,
            line: source.at(*at).line,
            message,
        }));
    }
    let json = serde_json::to_string_pretty(&output);
    json.unwrap_or_else(|error| {
        format!("{{\"version\": 1, \"ok\": false, \"error\": {:?}}}", error.to_string())
    }) + "\n"
}
