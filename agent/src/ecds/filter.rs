//! The two filters that stand in for a module that is not there.

use crate::wire::{Any, put_bytes};

/// Where in Envoy a filter runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// On requests.
    Http,
    /// On connections.
    Network,
}

/// An RBAC filter that lets everything pass or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// No rules: every request passes.
    Allow,
    /// Rules that no request meets: every request is denied.
    Deny,
}

impl Kind {
    /// The kind of a Wasm filter, by the name of its type.
    #[must_use]
    pub fn of(type_name: &str) -> Option<Self> {
        match type_name {
            "envoy.extensions.filters.http.wasm.v3.Wasm" => Some(Self::Http),
            "envoy.extensions.filters.network.wasm.v3.Wasm" => Some(Self::Network),
            _ => None,
        }
    }

    /// The type of a Wasm filter of that kind.
    #[must_use]
    pub fn type_url(self) -> &'static str {
        match self {
            Self::Http => "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            Self::Network => "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
        }
    }
}

impl Filter {
    /// The filter as an `Any`. Bodies and prefixes are those of Istio's agent, since dashboards know them.
    #[must_use]
    pub fn encode(self, kind: Kind) -> Vec<u8> {
        // `RBAC.rules`, and the prefix's field in either message.
        const RULES: u32 = 1;
        let (type_url, prefix) = match kind {
            Kind::Http => ("type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC", 6),
            Kind::Network => ("type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC", 3),
        };
        let mut value = Vec::new();
        match self {
            Self::Allow => put_bytes(&mut value, prefix, b"wasm-default-allow"),
            Self::Deny => {
                put_bytes(&mut value, RULES, b"");
                put_bytes(&mut value, prefix, b"wasm-default-deny");
            }
        }
        Any { type_url, value: &value }.encode()
    }
}
