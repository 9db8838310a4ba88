//! What a module needs of its host.

use proxy_wasm_harness::AbiVersion;
use serde::Serialize;

/// One import, and what Envoy makes of it.
#[derive(Debug, Serialize)]
pub(crate) struct Import {
    pub(crate) module: String,
    pub(crate) name: String,
    pub(crate) signature: String,
    /// Whether Envoy gives it to a module of this ABI version.
    pub(crate) provided: bool,
    /// The versions of the ABI that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) abi: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

impl Import {
    pub(super) fn of(import: &proxy_wasm_harness::Import, abi: Option<AbiVersion>) -> Self {
        let (space, name, signature) = (&import.module, &import.name, &import.signature);
        let provided = import.provided();
        let versions = provided.as_ref().map(|provided| versions(provided.since, provided.until));
        let problem = match (&provided, abi) {
            (None, _) => Some(match signature.as_str() {
                kind @ ("memory" | "table" | "global" | "tag") => {
                    format!("imports the {kind} {space}.{name}, Envoy provides functions only")
                }
                _ => format!("imports {space}.{name}, which Envoy does not provide"),
            }),
            (Some(provided), Some(abi)) if abi < provided.since || abi > provided.until => Some(format!(
                "imports {space}.{name}, which is in ABI {}, and exports the marker of {abi}",
                versions.clone().unwrap_or_default()
            )),
            (Some(provided), _) if provided.signature != *signature => {
                let wanted = &provided.signature;
                let names = provided.parameters.join(", ");
                Some(format!("imports {space}.{name} as {signature}, expected {wanted}, for ({names})"))
            }
            _ => None,
        };
        Self {
            module: space.clone(),
            name: name.clone(),
            signature: signature.clone(),
            provided: problem.is_none(),
            abi: versions,
            problem,
        }
    }
}

/// Versions of the ABI, shortly.
fn versions(since: AbiVersion, until: AbiVersion) -> String {
    let [first, .., last] = AbiVersion::ALL;
    match (since == first, until == last) {
        (true, true) => "every version".to_owned(),
        (true, false) if until == first => until.to_string(),
        (true, false) => format!("{until} and before"),
        (false, true) if since == last => since.to_string(),
        (false, true) => format!("{since} and later"),
        (false, false) => format!("{since} to {until}"),
    }
}
