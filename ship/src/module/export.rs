//! The export section: the only part of a module that pruning touches.

use std::collections::BTreeSet;
use std::ops::Range;

use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{ExternalKind, Parser, Payload, Validator};

use super::Malformed;
use crate::callback::{Callbacks, is_callback};

/// A module that does not export the callbacks it should.
#[derive(Debug, thiserror::Error)]
pub enum Mismatch {
    /// It does not even validate.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It lacks a callback that the source implements.
    #[error(
        "the source implements `{0}`, but the module does not export it (is the module older than the source?)"
    )]
    Missing(String),
    /// It has one that the source does not implement.
    #[error("the module exports `{0}`, which the source does not implement")]
    Needless(String),
}

/// The module without the callbacks that are not in `kept`; every other section stays as it is, byte for byte.
///
/// # Errors
///
/// [`Malformed`] when the bytes are no module.
pub fn prune(module: &[u8], kept: &Callbacks) -> Result<Vec<u8>, Malformed> {
    let mut pruned = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::ExportSection(exports) = payload {
            let mut section = ExportSection::new();
            for export in exports {
                let export = export?;
                if is_kept(export.name, export.kind, kept) {
                    section.export(export.name, encoded(export.kind), export.index);
                }
            }
            pruned.section(&section);
        } else if let Some((id, range)) = payload.as_section() {
            pruned.section(&RawSection { id, data: at(module, range) });
        }
    }
    Ok(pruned.finish())
}

/// The bytes of a section that the parser found.
fn at(module: &[u8], range: Range<u64>) -> &[u8] {
    let index = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
    module.get(index(range.start)..index(range.end)).unwrap_or_default()
}

fn is_kept(name: &str, kind: ExternalKind, kept: &Callbacks) -> bool {
    match kind {
        // A callback that the table does not know stays as well, for `check` to name it.
        ExternalKind::Func => kept.has(name) || !Callbacks::all().has(name),
        // The linker's notes on its memory layout (`__heap_base`): no host reads them.
        ExternalKind::Global => !name.starts_with("__"),
        _ => true,
    }
}

fn encoded(kind: ExternalKind) -> ExportKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
    }
}

/// Validates the module and holds its callbacks against `expected`: those, and no others.
///
/// # Errors
///
/// [`Mismatch`], naming the first callback that differs.
pub fn check(module: &[u8], expected: &Callbacks) -> Result<(), Mismatch> {
    Validator::new().validate_all(module).map_err(Malformed)?;
    let mut found = BTreeSet::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::ExportSection(exports) = payload.map_err(Malformed)? else { continue };
        for export in exports {
            let export = export.map_err(Malformed)?;
            if is_callback(export.name) {
                found.insert(export.name);
            }
        }
    }
    if let Some(missing) = expected.names().find(|name| !found.contains(name)) {
        return Err(Mismatch::Missing(missing.to_owned()));
    }
    match found.into_iter().find(|name| !expected.has(name)) {
        Some(needless) => Err(Mismatch::Needless(needless.to_owned())),
        None => Ok(()),
    }
}

/// The versions of the ABI that the module says it speaks, such as `0.2.1`.
///
/// # Errors
///
/// [`Malformed`] when the bytes are no module.
pub fn abi_versions(module: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut versions = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::ExportSection(exports) = payload? else { continue };
        for export in exports {
            if let Some(version) = export?.name.strip_prefix("proxy_abi_version_") {
                versions.push(version.replace('_', "."));
            }
        }
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the SDK makes of a filter, in small.
    const GUEST: &str = r#"(module
        (type (func (param i32 i32) (result i32)))
        (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (global (export "__heap_base") i32 (i32.const 1024))
        (global (export "version") i32 (i32.const 7))
        (func (export "_initialize"))
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (local.get 0))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32) (local.get 0))
        (func (export "proxy_on_context_create") (param i32 i32))
        (func (export "proxy_on_delete") (param i32))
        (func (export "proxy_on_tick") (param i32))
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (i32.const 0))
        (data (i32.const 0) "kept")
        (@custom "note" "kept too"))"#;

    fn guest() -> Vec<u8> {
        wat::parse_str(GUEST).unwrap()
    }

    fn exports(module: &[u8]) -> Vec<String> {
        let sections = Parser::new(0).parse_all(module).map(Result::unwrap);
        let exports = sections.filter_map(|payload| match payload {
            Payload::ExportSection(exports) => Some(exports),
            _ => None,
        });
        exports.flatten().map(|export| export.unwrap().name.to_owned()).collect()
    }

    fn sections_but_exports(module: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let sections = Parser::new(0).parse_all(module).map(Result::unwrap);
        let raw = sections.filter_map(|payload| payload.as_section());
        raw.filter(|(id, _)| *id != 7).map(|(id, range)| (id, at(module, range).to_vec())).collect()
    }

    #[test]
    fn only_needless_callbacks_and_the_linkers_notes_go() {
        let pruned = prune(&guest(), &Callbacks::least()).unwrap();
        assert_eq!(
            exports(&pruned),
            [
                "memory",
                "version",
                "_initialize",
                "proxy_abi_version_0_2_1",
                "malloc",
                "proxy_on_memory_allocate",
                "proxy_on_context_create",
                "proxy_on_delete",
            ]
        );
        check(&pruned, &Callbacks::least()).unwrap();
    }

    #[test]
    fn every_other_section_stays_byte_for_byte() {
        let pruned = prune(&guest(), &Callbacks::least()).unwrap();
        assert_eq!(sections_but_exports(&pruned), sections_but_exports(&guest()));
    }

    #[test]
    fn pruning_a_pruned_module_changes_nothing() {
        let once = prune(&guest(), &Callbacks::least()).unwrap();
        assert_eq!(prune(&once, &Callbacks::least()).unwrap(), once);
    }

    #[test]
    fn a_callback_that_the_source_lacks_is_named() {
        let error = check(&guest(), &Callbacks::least()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the module exports `proxy_on_request_body`, which the source does not implement"
        );
    }

    #[test]
    fn a_callback_that_the_module_lacks_is_named() {
        let error = check(&guest(), &Callbacks::all()).unwrap_err().to_string();
        assert!(error.starts_with("the source implements `proxy_on_configure`"), "{error}");
    }

    #[test]
    fn a_callback_that_nobody_knows_is_not_pruned_but_refused() {
        let module = wat::parse_str(r#"(module (func (export "proxy_on_early_hints")))"#).unwrap();
        let pruned = prune(&module, &Callbacks::all()).unwrap();
        assert_eq!(exports(&pruned), ["proxy_on_early_hints"]);
    }

    #[test]
    fn bytes_that_are_no_module_are_refused() {
        assert!(prune(b"<html>", &Callbacks::least()).is_err());
        assert!(matches!(check(b"\0asm", &Callbacks::least()), Err(Mismatch::Malformed(_))));
    }
}
