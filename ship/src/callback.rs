//! The callbacks of the Proxy-Wasm ABI, and which trait method of the Rust SDK stands behind each.
//!
//! The SDK exports all of them from every module, and Envoy calls each one that it finds exported: every body
//! chunk, every trailer, every log, although the answer is always "nothing to do". So a module keeps only those
//! that its source implements: as a method of the SDK's traits, or without the SDK by name, in `filter_abi::callbacks!` or as a
//! function that is exported so.

mod source;

use std::collections::BTreeSet;
use std::fmt;

pub use source::{Unclear, implemented_in};

const HTTP_CALL: &[&str] = &["proxy_on_http_call_response"];
// All four whichever is implemented: the SDK keeps a table of open calls that only some of them empty.
const GRPC: &[&str] = &[
    "proxy_on_grpc_receive_initial_metadata",
    "proxy_on_grpc_receive",
    "proxy_on_grpc_receive_trailing_metadata",
    "proxy_on_grpc_close",
];

/// The SDK's traits, their methods and the exports through which the host reaches them.
const METHODS: &[(&str, &str, &[&str])] = &[
    ("Context", "on_done", &["proxy_on_done"]),
    ("Context", "on_foreign_function", &["proxy_on_foreign_function"]),
    ("Context", "on_grpc_call_response", GRPC),
    ("Context", "on_grpc_stream_close", GRPC),
    ("Context", "on_grpc_stream_initial_metadata", GRPC),
    ("Context", "on_grpc_stream_message", GRPC),
    ("Context", "on_grpc_stream_trailing_metadata", GRPC),
    ("Context", "on_http_call_response", HTTP_CALL),
    ("HttpContext", "on_http_request_body", &["proxy_on_request_body"]),
    ("HttpContext", "on_http_request_headers", &["proxy_on_request_headers"]),
    ("HttpContext", "on_http_request_trailers", &["proxy_on_request_trailers"]),
    ("HttpContext", "on_http_response_body", &["proxy_on_response_body"]),
    ("HttpContext", "on_http_response_headers", &["proxy_on_response_headers"]),
    ("HttpContext", "on_http_response_trailers", &["proxy_on_response_trailers"]),
    ("HttpContext", "on_log", &["proxy_on_log"]),
    ("RootContext", "on_configure", &["proxy_on_configure"]),
    ("RootContext", "on_log", &["proxy_on_log"]),
    ("RootContext", "on_queue_ready", &["proxy_on_queue_ready"]),
    ("RootContext", "on_tick", &["proxy_on_tick"]),
    ("RootContext", "on_vm_start", &["proxy_on_vm_start"]),
    ("StreamContext", "on_downstream_close", &["proxy_on_downstream_connection_close"]),
    ("StreamContext", "on_downstream_data", &["proxy_on_downstream_data"]),
    ("StreamContext", "on_log", &["proxy_on_log"]),
    ("StreamContext", "on_new_connection", &["proxy_on_new_connection"]),
    ("StreamContext", "on_upstream_close", &["proxy_on_upstream_connection_close"]),
    ("StreamContext", "on_upstream_data", &["proxy_on_upstream_data"]),
];

/// Hostcalls whose answer the SDK must see even when the filter ignores it: it frees the call's entry there.
const ANSWERED: &[(&str, &[&str])] =
    &[("dispatch_http_call", HTTP_CALL), ("dispatch_grpc_call", GRPC), ("open_grpc_stream", GRPC)];

/// In every module of the SDK: it makes a context in the first and frees it in the second.
const LIFE: [&str; 2] = ["proxy_on_context_create", "proxy_on_delete"];

/// A set of callbacks by the names they are exported under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callbacks(BTreeSet<&'static str>);

impl Callbacks {
    /// None: a module may speak the ABI itself.
    #[must_use]
    pub fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// What no module of the SDK can do without.
    #[must_use]
    pub fn least() -> Self {
        Self(LIFE.into())
    }

    /// Every callback there is.
    #[must_use]
    pub fn all() -> Self {
        let methods = METHODS.iter().flat_map(|(_, _, exports)| exports.iter().copied());
        Self(methods.chain(LIFE).collect())
    }

    /// The names, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &'static str> + '_ {
        self.0.iter().copied()
    }

    /// Whether the callback exported as `name` is one of them.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    fn keep(&mut self, exports: &[&'static str]) {
        self.0.extend(exports);
    }
}

/// Without the prefix that all share: this is read by people.
impl fmt::Display for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{}", name.strip_prefix("proxy_on_").unwrap_or(name))?;
        }
        Ok(())
    }
}

/// Whether an export is one that the host calls on an event, known here or not.
#[must_use]
pub fn is_callback(export: &str) -> bool {
    // The odd one out: the ABI's newer name for malloc.
    export.starts_with("proxy_on_") && export != "proxy_on_memory_allocate"
}

/// The exports behind a method of an SDK trait; `None` for a method that is not in the table.
fn exports_of(name_of_trait: &str, method: &str) -> Option<&'static [&'static str]> {
    METHODS
        .iter()
        .find(|(owner, name, _)| *owner == name_of_trait && *name == method)
        .map(|(_, _, exports)| *exports)
}

/// The callback of that name; `None` for one that the host does not call, as far as is known here.
fn named(export: &str) -> Option<&'static str> {
    Callbacks::all().0.into_iter().find(|name| *name == export)
}

fn is_sdk_trait(name: &str) -> bool {
    METHODS.iter().any(|(owner, _, _)| *owner == name)
}

fn exports_answering(hostcall: &str) -> Option<&'static [&'static str]> {
    ANSWERED.iter().find(|(name, _)| *name == hostcall).map(|(_, exports)| *exports)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_allocator_is_no_callback_although_it_is_named_like_one() {
        assert!(is_callback("proxy_on_tick"));
        assert!(is_callback("proxy_on_something_new"));
        assert!(!is_callback("proxy_on_memory_allocate"));
        assert!(!is_callback("malloc"));
    }

    #[test]
    fn callbacks_are_shown_without_their_common_prefix() {
        assert_eq!(Callbacks::least().to_string(), "context_create delete");
    }

    /// The source of the SDK that the filters are locked to, as cargo unpacked it.
    fn sdk() -> PathBuf {
        let output = std::process::Command::new(env!("CARGO"))
            // For one platform: cargo would otherwise fetch the crates of every other.
            .args(["metadata", "--format-version=1", "--locked", "--filter-platform=wasm32-unknown-unknown"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let sdk = packages.iter().find(|package| package["name"] == "proxy-wasm").unwrap();
        PathBuf::from(sdk["manifest_path"].as_str().unwrap()).with_file_name("src")
    }

    #[test]
    fn the_table_has_every_callback_method_of_the_sdk_and_no_other() {
        let text = std::fs::read_to_string(sdk().join("traits.rs")).unwrap();
        let mut found = BTreeSet::new();
        for item in syn::parse_file(&text).unwrap().items {
            let syn::Item::Trait(item) = item else { continue };
            for member in item.items {
                let syn::TraitItem::Fn(method) = member else { continue };
                let name = method.sig.ident.to_string();
                if name.starts_with("on_") {
                    found.insert((item.ident.to_string(), name));
                }
            }
        }
        let table: BTreeSet<_> =
            METHODS.iter().map(|(owner, name, _)| ((*owner).to_owned(), (*name).to_owned())).collect();
        assert_eq!(found, table);
    }

    #[test]
    fn the_table_has_every_callback_that_the_sdk_exports_and_no_other() {
        let text = std::fs::read_to_string(sdk().join("dispatcher.rs")).unwrap();
        let mut found = BTreeSet::new();
        for item in syn::parse_file(&text).unwrap().items {
            let syn::Item::Fn(function) = item else { continue };
            let name = function.sig.ident.to_string();
            if is_callback(&name) {
                found.insert(name);
            }
        }
        assert_eq!(found, Callbacks::all().names().map(str::to_owned).collect());
    }
}
