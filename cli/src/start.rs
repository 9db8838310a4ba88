//! Starts the module with what the document hands to it, and brings what it says back to the document.

use proxy_wasm_harness::{Host, Level, LogLine, Module, Profile, StartFailure};

use crate::plugin::{Form, Handed, Plugin};
use crate::problem::{By, Problem, Problems};
use crate::source::Source;
use crate::tree;

/// What it is started in.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) profile: Profile,
    /// Variables of the machine that Envoy runs on.
    pub(crate) environment: &'a [(String, String)],
    pub(crate) clusters: &'a [String],
    /// Instructions that one callback may execute.
    pub(crate) fuel: u64,
}

/// Starts a plugin as Envoy would, and notes everything it has against that. Gives back whether it started.
pub(crate) fn start(
    source: &Source,
    plugin: &Plugin<'_>,
    module: &Module,
    surroundings: &Surroundings<'_>,
    problems: &Problems,
) -> bool {
    let mut given = proxy_wasm_harness::Plugin::new(module)
        .name(&plugin.name)
        .root_id(&plugin.root_id)
        .configuration(plugin.configuration.bytes.clone())
        .vm_configuration(plugin.vm_configuration.bytes.clone());
    for (name, value) in &plugin.environment {
        given = given.environment(name, value);
    }
    for name in &plugin.host_environment {
        if let Some((_, value)) = surroundings.environment.iter().find(|(known, _)| known == name) {
            given = given.environment(name, value);
        }
    }
    for function in &plugin.capabilities {
        given = given.allow_capability(function);
    }
    let mut host = Host::like(surroundings.profile)
        .strict_link()
        .workers_only()
        .without_transcript()
        .fuel_limit(surroundings.fuel)
        .plugin(given);
    for cluster in surroundings.clusters {
        host = host.cluster(cluster);
    }
    let note = |problem: Problem| problems.add(Problem { plugin: Some(plugin.name.clone()), ..problem });
    match host.try_start() {
        Ok(host) => {
            for line in host.log_lines().iter().filter(|line| is_loud(line)) {
                note(said(source, &plugin.configuration, line).warning());
            }
            true
        }
        Err(error) => {
            let of_vm = matches!(error.failure(), StartFailure::VmRefused { .. });
            let handed = if of_vm { &plugin.vm_configuration } else { &plugin.configuration };
            let refused = of_vm || matches!(error.failure(), StartFailure::ConfigurationRefused { .. });
            let mut reasons = 0;
            for line in error.logs().iter().filter(|line| is_loud(line)) {
                let problem = said(source, handed, line);
                let is_reason = line.level > Level::Warn;
                reasons += usize::from(is_reason);
                note(if is_reason { problem } else { problem.warning() });
            }
            if !refused || reasons == 0 {
                for message in envoys_words(error.failure(), module) {
                    let mut problem =
                        Problem::new(By::Envoy, handed.span.clone(), handed.path.as_str(), message);
                    if refused {
                        problem = problem.hint("the module logged no reason");
                    }
                    note(problem);
                }
            }
            false
        }
    }
}

/// Whether somebody should read it.
fn is_loud(line: &LogLine) -> bool {
    line.level >= Level::Warn
}

/// A line of the module's log, at the place that it is about.
fn said(source: &Source, handed: &Handed<'_>, line: &LogLine) -> Problem {
    let message = line.message.as_str();
    let whole = Problem::new(By::Module, handed.span.clone(), handed.path.as_str(), message);
    if let Some((field, reason)) = named_field(message) {
        let (span, exact) = place_of_field(source, handed, field, reason);
        let joined = join(&handed.path, field);
        return Problem {
            span: span.unwrap_or(whole.span.clone()),
            path: if exact { joined } else { handed.path.clone() },
            field: Some(field.to_owned()),
            ..whole
        };
    }
    if let Some(offset) = named_position(message, &handed.bytes) {
        let at = match handed.form {
            Form::File => Some(offset),
            Form::Text(node) => tree::offset_in_source(&source.text, node, offset),
            Form::Fields(_) | Form::Opaque | Form::Absent => None,
        };
        if let Some(at) = at {
            return Problem { span: at..at + 1, ..whole };
        }
    }
    whole
}

/// The path and the rest of ``config field `PATH`: REASON``, as filter-kit writes it.
fn named_field(message: &str) -> Option<(&str, &str)> {
    message.strip_prefix("config field `")?.split_once("`: ")
}

/// Where a field stands, and whether that is a place in the document by its path.
fn place_of_field(
    source: &Source,
    handed: &Handed<'_>,
    field: &str,
    reason: &str,
) -> (Option<std::ops::Range<usize>>, bool) {
    let at_name = reason.starts_with("unknown field") || reason.starts_with("given more than once");
    let in_text = |text: &str| {
        let tree = tree::json(text).ok()?;
        Some(tree::locate(&tree, field).span(at_name))
    };
    match handed.form {
        Form::Fields(node) => (Some(tree::locate(node, field).span(at_name)), true),
        Form::File => (in_text(&source.text), true),
        Form::Text(node) => {
            let place = std::str::from_utf8(&handed.bytes).ok().and_then(in_text).and_then(|span| {
                let start = tree::offset_in_source(&source.text, node, span.start)?;
                let end = tree::offset_in_source(&source.text, node, span.end).filter(|end| *end > start);
                Some(start..end.unwrap_or(start + 1))
            });
            (place, true)
        }
        Form::Opaque | Form::Absent => (None, false),
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() || field.starts_with('[') {
        format!("{path}{field}")
    } else {
        format!("{path}.{field}")
    }
}

/// The byte of `... at line 2 column 7`, as `serde_json` ends its messages. Its columns are bytes.
fn named_position(message: &str, bytes: &[u8]) -> Option<usize> {
    let (_, place) = message.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let lines = bytes.split(|byte| *byte == b'\n');
    let before: usize = lines.take(line.checked_sub(1)?).map(|line| line.len() + 1).sum();
    let at = before + column.saturating_sub(1);
    (!bytes.is_empty()).then(|| at.min(bytes.len() - 1))
}

/// What Envoy logs of a module that it cannot start.
fn envoys_words(failure: &StartFailure, module: &Module) -> Vec<String> {
    let one = |message: &str| vec![message.to_owned()];
    match failure {
        StartFailure::NoAbiVersion { .. } => one("Missing or unknown Proxy-Wasm ABI version"),
        StartFailure::UnknownImports { imports, .. } => imports
            .iter()
            .map(|import| format!("Failed to load Wasm module due to a missing import: {import}"))
            .collect(),
        StartFailure::NotLinked { message, .. } => {
            let mismatched = mismatched_imports(module);
            if mismatched.is_empty() { one(message) } else { mismatched }
        }
        StartFailure::NoMemory { .. } => one(
            "the module exports no memory of the name \"memory\", without which Envoy does not survive it",
        ),
        StartFailure::NoMalloc { .. } => one("Wasm module is missing malloc function."),
        StartFailure::BadSignature { export, message, .. } => {
            vec![format!("Bad function signature for: {export} ({message})")]
        }
        StartFailure::Trapped { at, message, .. } => vec![format!("Function: {at} failed: {message}")],
        StartFailure::VmRefused { .. } => one("Failed to start base Wasm"),
        StartFailure::ConfigurationRefused { .. } => one("Failed to configure base Wasm plugin"),
        other => vec![other.to_string()],
    }
}

/// Imports of another type than Envoy has, in Envoy's words.
fn mismatched_imports(module: &Module) -> Vec<String> {
    let imports = module.description().imports.iter();
    let mismatched = imports.filter_map(|import| {
        let provided = import.provided()?;
        (provided.signature != import.signature).then(|| {
            format!(
                "Failed to load Wasm module due to an import type mismatch: {}.{}, want: {}, but host exports: {}",
                import.module,
                import.name,
                in_words(&import.signature),
                in_words(&provided.signature),
            )
        })
    });
    mismatched.collect()
}

/// `(i32 i64) -> i32` as V8 has it: `i32 i64 -> i32`, and `void` for nothing.
fn in_words(signature: &str) -> String {
    let side = |side: &str| {
        let types = side.trim().trim_start_matches('(').trim_end_matches(')');
        if types.is_empty() { "void".to_owned() } else { types.to_owned() }
    };
    let (parameters, results) = signature.split_once("->").unwrap_or((signature, ""));
    format!("{} -> {}", side(parameters), side(results))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_in_a_message_is_a_byte() {
        let bytes = b"{\n  \"a\": x\n}";
        assert_eq!(named_position("not valid JSON: expected value at line 2 column 8", bytes), Some(9));
        assert_eq!(named_position("EOF at line 3 column 99", bytes), Some(bytes.len() - 1));
        assert_eq!(named_position("at line 0 column 0", bytes), None);
        assert_eq!(named_position("nothing", bytes), None);
    }

    #[test]
    fn signatures_are_written_as_v8_writes_them() {
        assert_eq!(in_words("(i32 i64) -> i32"), "i32 i64 -> i32");
        assert_eq!(in_words("() -> ()"), "void -> void");
    }
}
