//! What a module offers its host.

use proxy_wasm_harness::{AbiVersion, Callback as Known, Description};
use serde::Serialize;

/// A callback that Envoy calls.
#[derive(Debug, Serialize)]
pub(crate) struct Callback {
    pub(crate) name: String,
    pub(crate) signature: String,
}

#[derive(Debug, Default)]
pub(super) struct Exports {
    pub(super) callbacks: Vec<Callback>,
    pub(super) others: Vec<String>,
    pub(super) problems: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// What the host looks for beside callbacks, with its type.
const ELSE: [(&str, &str); 6] = [
    ("malloc", "(i32) -> i32"),
    ("proxy_on_memory_allocate", "(i32) -> i32"),
    ("_initialize", "()"),
    ("_start", "()"),
    ("main", "(i32 i32) -> i32"),
    ("__main_void", "() -> i32"),
];

impl Exports {
    pub(super) fn of(description: &Description, abi: Option<AbiVersion>) -> Self {
        let mut exports = Self::default();
        for export in &description.exports {
            let (name, signature) = (export.name.as_str(), export.signature.as_str());
            let known = Known::ALL.iter().find(|callback| callback.export() == name);
            let wanted = match known {
                Some(callback) => Some(expected(*callback, abi)),
                None => ELSE.iter().find(|(other, _)| *other == name).map(|(_, kind)| (*kind).to_owned()),
            };
            if let Some(wanted) = wanted.filter(|wanted| wanted != signature) {
                let names = known.map_or(String::new(), |callback| {
                    format!(", for ({})", callback.parameters().join(", "))
                });
                exports.problems.push(format!("exports {name} as {signature}, expected {wanted}{names}"));
            } else if known.is_some() {
                exports.callbacks.push(Callback { name: name.to_owned(), signature: signature.to_owned() });
            } else {
                exports.warnings.extend(unheard(name));
                exports.others.push(name.to_owned());
            }
        }
        exports.judge(description);
        exports
    }

    fn judge(&mut self, description: &Description) {
        let has = |name: &str| description.export(name).is_some();
        if !has("malloc") && !has("proxy_on_memory_allocate") {
            self.problems.push(
                "no allocator is exported, expected malloc or proxy_on_memory_allocate, (i32) -> i32"
                    .to_owned(),
            );
        }
        let (create, delete) = (Known::ContextCreate.export(), Known::Delete.export());
        match (has(create), has(delete)) {
            (true, false) => self.warnings.push(format!(
                "{create} is exported and {delete} is not: what a stream's context takes is never given back"
            )),
            (false, true) => self.warnings.push(format!("{delete} is exported and {create} is not")),
            _ => {}
        }
        let streams = [
            Known::RequestHeaders,
            Known::RequestBody,
            Known::RequestTrailers,
            Known::ResponseHeaders,
            Known::ResponseBody,
            Known::ResponseTrailers,
            Known::NewConnection,
            Known::DownstreamData,
            Known::UpstreamData,
            Known::Log,
            Known::Done,
            Known::Tick,
            Known::QueueReady,
        ];
        if !streams.iter().any(|callback| has(callback.export())) {
            self.warnings
                .push("no callback of a stream is exported, nor one of a tick or a queue".to_owned());
        }
    }
}

/// A callback's type in a version of the ABI.
fn expected(callback: Known, abi: Option<AbiVersion>) -> String {
    // ABI 0.1.0 does not say whether the stream ends with its headers.
    let short =
        abi == Some(AbiVersion::V0_1_0) && matches!(callback, Known::RequestHeaders | Known::ResponseHeaders);
    let count = callback.parameters().len() - usize::from(short);
    let parameters = vec!["i32"; count].join(" ");
    if callback.returns() { format!("({parameters}) -> i32") } else { format!("({parameters})") }
}

/// What to say of an export that looks like a callback and is none.
fn unheard(name: &str) -> Option<String> {
    if AbiVersion::ALL.iter().any(|version| version.marker() == name)
        || ELSE.iter().any(|(known, _)| *known == name)
        || !name.starts_with("proxy_")
    {
        return None;
    }
    let names: Vec<&str> = Known::ALL.iter().map(|callback| callback.export()).collect();
    let hint = crate::yaml::nearest(name, &names).map_or(String::new(), |near| format!(" ({near}?)"));
    Some(format!("exports {name}, which Envoy never calls{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_envoy_never_calls_is_held_against_those_that_it_calls() {
        let said = unheard("proxy_on_grpc_trailing_metadata").unwrap();
        assert!(said.ends_with("(proxy_on_grpc_receive_trailing_metadata?)"), "{said}");
        assert_eq!(unheard("proxy_abi_version_0_2_1"), None);
        assert_eq!(unheard("proxy_on_memory_allocate"), None);
        assert_eq!(unheard("__wasm_call_ctors"), None);
        assert!(unheard("proxy_quux").unwrap().ends_with("never calls"));
    }

    #[test]
    fn header_callbacks_of_the_first_abi_are_shorter() {
        assert_eq!(expected(Known::RequestHeaders, Some(AbiVersion::V0_1_0)), "(i32 i32) -> i32");
        assert_eq!(expected(Known::RequestHeaders, Some(AbiVersion::V0_2_0)), "(i32 i32 i32) -> i32");
        assert_eq!(expected(Known::RequestHeaders, None), "(i32 i32 i32) -> i32");
        assert_eq!(expected(Known::Delete, None), "(i32)");
    }
}
