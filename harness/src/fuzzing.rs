//! What tests and fuzzers of the harness itself need to see of it.

use crate::abi::AbiVersion;
use crate::hostcall::TABLE;

/// A function that a guest may import, and that returns a number.
#[derive(Debug, Clone)]
pub struct Hostcall {
    /// Where it is imported from.
    pub namespace: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its parameters as WebAssembly names their types.
    pub parameters: Vec<&'static str>,
    /// The export that marks a guest of the newest ABI that has it.
    pub marker: &'static str,
}

/// Every function there is, in the order of the specification.
#[must_use]
pub fn hostcalls() -> Vec<Hostcall> {
    let wasm = |kind: &&'static str| if kind.ends_with("64") { "i64" } else { "i32" };
    TABLE
        .iter()
        .map(|entry| Hostcall {
            namespace: entry.space.names().last().copied().unwrap_or_default(),
            name: entry.name,
            parameters: entry.parameters.iter().map(|(_, kind)| wasm(kind)).collect(),
            marker: AbiVersion::marker(*entry.versions.end()),
        })
        .collect()
}
