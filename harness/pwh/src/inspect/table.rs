//! An inspection as people read it.

use std::fmt::Write as _;

use super::{Inspection, Started};
use crate::report::coloured;

/// The whole, a fact a line.
pub(crate) fn text(inspection: &Inspection) -> String {
    let mut text = String::new();
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    fact("module", &inspection.name);
    let sizes = format!(
        "{} bytes: {} of code, {} of data",
        inspection.size, inspection.code_bytes, inspection.data_bytes
    );
    fact("size", &sizes);
    for section in &inspection.custom_sections {
        fact("", &format!("{} of the custom section {:?}", section.bytes, section.name));
    }
    fact("ABI", &or_none(&inspection.abi_versions.join(", ")));
    fact("start", &or_none(&inspection.start.join(", then ")));
    fact("allocator", &or_none(inspection.allocator.unwrap_or_default()));
    match &inspection.memory {
        Some(memory) => {
            let most = memory.maximum_bytes.map_or("no maximum".to_owned(), |most| format!("at most {most}"));
            fact("memory", &format!("{} bytes to begin with, {most}", memory.minimum_bytes));
        }
        None => fact("memory", "none"),
    }
    fact("features", &or_none(&inspection.features.join(", ")));

    let _ = writeln!(text, "\ncallbacks");
    for callback in &inspection.callbacks {
        let _ = writeln!(text, "  {:<46} {}", callback.name, callback.signature);
    }
    if !inspection.other_exports.is_empty() {
        let _ = writeln!(text, "other exports\n{}", wrapped(&inspection.other_exports));
    }
    let _ = writeln!(text, "imports");
    for import in &inspection.imports {
        let name = format!("{}.{}", import.module, import.name);
        let by = match (&import.problem, &import.abi) {
            (Some(_), None) => "not provided".to_owned(),
            (Some(_), Some(abi)) => format!("not provided like this; ABI {abi}"),
            (None, Some(abi)) if abi.starts_with("every") => "every ABI version".to_owned(),
            (None, abi) => format!("ABI {}", abi.as_deref().unwrap_or_default()),
        };
        let _ = writeln!(text, "  {name:<46} {:<40} {by}", import.signature);
    }
    let _ = writeln!(text, "capabilities, if they are restricted\n{}", wrapped(&inspection.capabilities));
    if let Some(started) = &inspection.started {
        start(&mut text, started);
    }
    list(&mut text, "warnings", "33", &inspection.warnings);
    list(&mut text, "Envoy would refuse it", "1;31", &inspection.problems);
    if inspection.problems.is_empty() {
        let _ = writeln!(text, "\n{}", coloured("Envoy would load it", "1;32"));
    }
    text
}

fn start(text: &mut String, started: &Started) {
    let _ = match &started.message {
        None => writeln!(text, "\nstarted: it runs, with {} bytes of memory", started.memory_bytes),
        Some(message) => writeln!(text, "\nstarted: {message}"),
    };
    for line in &started.logs {
        let _ = writeln!(text, "  {line}");
    }
}

fn list(text: &mut String, title: &str, colour: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", coloured(title, colour));
    for item in items {
        let _ = writeln!(text, "  {item}");
    }
}

/// Names in lines of bearable length.
fn wrapped(names: &[String]) -> String {
    const WIDTH: usize = 100;
    let mut lines: Vec<String> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let comma = if index + 1 == names.len() { "" } else { "," };
        match lines.last_mut() {
            Some(line) if line.len() + name.len() + 2 <= WIDTH => line.push_str(&format!(" {name}{comma}")),
            _ => lines.push(format!("  {name}{comma}")),
        }
    }
    if lines.is_empty() { "  none".to_owned() } else { lines.join("\n") }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}
