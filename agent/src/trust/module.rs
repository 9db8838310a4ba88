//! A module compared with what Envoy provides and needs.

use std::io::{self, Read};

use proxy_wasm_abi::{AbiVersion, Description, Import, Unreadable, is_provided, provided};

/// What was found in a module.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// What stands in it, if it could be read.
    pub description: Option<Description>,
    /// What Envoy could not run about it, each in words of its own.
    pub problems: Vec<String>,
    /// What is worth knowing and hinders nothing.
    pub notes: Vec<String>,
}

/// Most names that one problem lists.
const MOST_NAMED: usize = 10;

/// Longest name that is written out, in characters.
const LONGEST_NAME: usize = 100;

/// Exports that mark the ABI begin with this.
const MARKER: &str = "proxy_abi_version_";

/// Bytes of a page of linear memory.
const PAGE: u64 = 64 * 1024;

pub(super) fn inspect(from: impl Read, most_memory: u64) -> io::Result<Inspection> {
    let description = match Description::read(from) {
        Ok(description) => description,
        Err(Unreadable::Io(error)) => return Err(error),
        Err(Unreadable::Invalid(why)) => {
            let problems = vec![format!("not valid WebAssembly: {why}")];
            return Ok(Inspection { problems, ..Inspection::default() });
        }
    };
    let mut problems = Vec::new();
    markers(&description, &mut problems);
    imports(&description, &mut problems);
    exports(&description, &mut problems);
    memory(&description, most_memory, &mut problems);
    let notes = notes(&description);
    Ok(Inspection { description: Some(description), problems, notes })
}

fn markers(module: &Description, problems: &mut Vec<String>) {
    let known: Vec<&str> = module.abi_versions.iter().map(|version| version.marker()).collect();
    let expected = AbiVersion::ALL.map(AbiVersion::marker).join(", ");
    let unknown: Vec<String> = module
        .exports
        .iter()
        .map(|export| export.name.as_str())
        .filter(|name| name.starts_with(MARKER) && !known.contains(name))
        .map(quoted)
        .collect();
    if !unknown.is_empty() {
        problems.push(format!("unknown ABI version {}: Envoy knows {expected}", listed(&unknown)));
    }
    match known.as_slice() {
        [] if unknown.is_empty() => problems.push(format!(
            "no Proxy-Wasm module: it exports none of {expected} (was it built as a library, without proxy_wasm::main?)"
        )),
        [] | [_] => {}
        several => {
            problems.push(format!("several ABI versions ({}): Envoy takes one of them", several.join(", ")));
        }
    }
}

fn imports(module: &Description, problems: &mut Vec<String>) {
    let abi = module.abi();
    let mut missing = Vec::new();
    let mut different = Vec::new();
    for import in &module.imports {
        let name = named(import);
        match provided(&import.module, &import.name) {
            Some(provided) if !is_provided(&import.module, &import.name, abi) => {
                missing.push(format!("{name} (of ABI {} to {})", provided.since, provided.until));
            }
            Some(provided) if provided.signature != import.signature => {
                let found = import.signature.chars().take(LONGEST_NAME).collect::<String>();
                different.push(format!("{name} as {found}, which Envoy has as {}", provided.signature));
            }
            Some(_) => {}
            None if !import.signature.starts_with('(') => {
                missing.push(format!("{name} (a {})", import.signature))
            }
            None => missing.push(name),
        }
    }
    if !missing.is_empty() {
        problems.push(format!("imports what Envoy does not provide for ABI {abi}: {}", listed(&missing)));
    }
    if !different.is_empty() {
        problems.push(format!("imports with another signature than Envoy's: {}", listed(&different)));
    }
}

/// What proxy-wasm-cpp-host looks for: `memory`; `malloc`, else `proxy_on_memory_allocate`; and how it starts, if at all.
fn exports(module: &Description, problems: &mut Vec<String>) {
    let signature = |name: &str| module.export(name).map(|export| export.signature.as_str());
    match signature("memory") {
        Some("memory") => {}
        Some(other) => problems.push(format!("exports \"memory\" as {other}: expected a memory")),
        None => problems.push("does not export its memory: expected \"memory\"".to_owned()),
    }
    match (signature("malloc"), signature("proxy_on_memory_allocate")) {
        (None, None) => problems.push(
            "exports neither \"malloc\" nor \"proxy_on_memory_allocate\": Envoy cannot pass anything to it"
                .to_owned(),
        ),
        (Some("(i32) -> i32"), _) | (None, Some("(i32) -> i32")) => {}
        (Some(found), _) | (None, Some(found)) => {
            problems.push(format!("exports its allocator as {}: expected (i32) -> i32", clipped(found)));
        }
    }
    for name in ["_initialize", "_start"] {
        if let Some(found) = signature(name).filter(|found| *found != "()") {
            problems.push(format!("exports {name:?} as {}: expected ()", clipped(found)));
        }
    }
}

fn memory(module: &Description, most: u64, problems: &mut Vec<String>) {
    let Some(memory) = module.memory else { return };
    let bytes = memory.minimum.saturating_mul(PAGE);
    if bytes > most {
        problems.push(format!("asks for {bytes} bytes of memory at its start, more than {most}"));
    }
}

fn notes(module: &Description) -> Vec<String> {
    let precompiled = |name: &&String| name.contains("precompiled") || name.starts_with("envoy.");
    let precompiled: Vec<String> =
        module.custom.iter().filter(precompiled).map(|name| quoted(name.as_str())).collect();
    if precompiled.is_empty() {
        return Vec::new();
    }
    let named = listed(&precompiled);
    vec![format!(
        "has precompiled code ({named}), which Envoy runs only if allow_precompiled is set, unchecked"
    )]
}

fn named(import: &Import) -> String {
    format!("{}.{}", clipped(&import.module).escape_debug(), clipped(&import.name).escape_debug())
}

fn quoted(name: &str) -> String {
    format!("{:?}", clipped(name))
}

fn clipped(text: &str) -> String {
    text.chars().take(LONGEST_NAME).collect()
}

fn listed(names: &[String]) -> String {
    let first = names.get(..MOST_NAMED).unwrap_or(names).join(", ");
    match names.len().saturating_sub(MOST_NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
