//! Which module a plugin runs, and what it is given.

use std::collections::HashSet;

use crate::cursor::Cursor;

/// The fields that a WasmPlugin's `spec` and a TrafficExtension's `wasm` have for it.
pub(super) const FIELDS: &[&str] = &[
    "url",
    "sha256",
    "imagePullPolicy",
    "imagePullSecret",
    "verificationKey",
    "pluginConfig",
    "pluginName",
    "failStrategy",
    "vmConfig",
    "type",
];

/// What was read.
#[derive(Default)]
pub(super) struct Module {
    pub(super) url: String,
    pub(super) sha256: Option<String>,
    pub(super) root_id: String,
    pub(super) environment: Vec<(String, String)>,
    pub(super) host_environment: Vec<String>,
}

pub(super) fn check(spec: &Cursor<'_>) -> Module {
    let mut module = Module::default();
    match spec.get("url") {
        Some(url) => module.url = check_url(&url).unwrap_or_default(),
        None => spec.missing("url", "where the module is, such as oci://ghcr.io/org/name:tag"),
    }
    module.sha256 = spec.get("sha256").and_then(|sha256| check_sha256(&sha256));
    if let Some(policy) = spec.get("imagePullPolicy") {
        policy.word(&["UNSPECIFIED_POLICY", "IfNotPresent", "Always"]);
    }
    if let Some(secret) = spec.get("imagePullSecret") {
        secret.text(1..=253);
    }
    if let Some(key) = spec.get("verificationKey")
        && key.text(0..=usize::MAX).is_some_and(|key| !key.is_empty())
    {
        let problem =
            key.problem("Istio does not implement `verificationKey`: no signature is checked").warning();
        let hint = "pin the module by its digest in `url`; Meshloom's agent checks signatures by a key that is in \
                    `vmConfig.env` as ISTIO_META_WASM_VERIFICATION_KEY";
        key.reader.problems.add(problem.hint(hint));
    }
    if let Some(config) = spec.get("pluginConfig")
        && config.node.entries().is_none()
    {
        config.expected("a map");
    }
    if let Some(name) = spec.get("pluginName") {
        module.root_id = name.text(1..=256).unwrap_or_default();
    }
    if let Some(strategy) = spec.get("failStrategy") {
        strategy.word(&["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"]);
    }
    if let Some(kind) = spec.get("type") {
        kind.word(&["UNSPECIFIED_PLUGIN_TYPE", "HTTP", "NETWORK"]);
    }
    if let Some(config) = spec.get("vmConfig")
        && config.object(&["env"])
        && let Some(variables) = config.get("env")
    {
        environment(&variables, &mut module);
    }
    module
}

/// Go's `url.ParseRequestURI` as the webhook uses it, and what the agent can then make of the URL.
fn check_url(cursor: &Cursor<'_>) -> Option<String> {
    let url = cursor.text(1..=usize::MAX)?;
    if url.chars().any(|char| char.is_whitespace() || char.is_control()) {
        cursor.expected("a URL, which has no white space");
        return None;
    }
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        // `host:5000/repo` is read as a URL whose scheme is `host`.
        None => match url.split_once(':') {
            Some((host, rest)) if rest.contains('/') && !host.contains('/') => {
                let problem = cursor.problem(format!("url contains unsupported scheme: {host}"));
                cursor
                    .reader
                    .problems
                    .add(problem.hint(format!("a registry with a port needs its scheme: oci://{url}")));
                return None;
            }
            _ => ("", url.as_str()),
        },
    };
    if !matches!(scheme, "" | "oci" | "http" | "https" | "file") {
        cursor.add(format!("url contains unsupported scheme: {scheme}"));
        return None;
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let whole = match scheme {
        "oci" => !host.is_empty() && !path.is_empty(),
        "http" | "https" => !host.is_empty(),
        "file" => !rest.is_empty(),
        _ => !host.is_empty() && !host.contains(['?', '#', ':']),
    };
    if !whole {
        cursor.expected("a URL such as oci://ghcr.io/org/name:tag, https://example.com/name.wasm or file:///opt/name.wasm");
        return None;
    }
    Some(url)
}

fn check_sha256(cursor: &Cursor<'_>) -> Option<String> {
    let digest = cursor.text(0..=usize::MAX)?;
    if digest.is_empty() {
        return None;
    }
    let problem = if digest.len() != 64 {
        cursor.problem("sha256 field must be 64 characters long")
    } else if !digest.bytes().all(|byte| matches!(byte, b'a'..=b'f' | b'0'..=b'9')) {
        cursor.problem("sha256 field must match [a-f0-9]{64} pattern")
    } else {
        return Some(digest);
    };
    let bare = digest.strip_prefix("sha256:").map(|_| "write the digits alone, without `sha256:`".to_owned());
    cursor.reader.problems.add(crate::problem::Problem { hint: bare, ..problem });
    None
}

fn environment(variables: &Cursor<'_>, module: &mut Module) {
    let items = variables.items();
    if items.len() > 256 {
        variables.add(format!("found {} variables, expected at most 256", items.len()));
    }
    let mut seen = HashSet::new();
    for item in &items {
        if !item.object(&["name", "valueFrom", "value"]) {
            continue;
        }
        let Some(name) = item.get("name") else {
            item.missing("name", "the variable's name");
            continue;
        };
        let Some(text) = name.text(1..=256) else { continue };
        if !seen.insert(text.clone()) {
            name.add(format!("duplicate env {text:?}: each name may be there once"));
        }
        if text.starts_with("ISTIO_META_") && text != "ISTIO_META_WASM_VERIFICATION_KEY" {
            let message =
                "variables whose names begin with ISTIO_META_ never reach the module: the agent removes them";
            name.reader.problems.add(name.problem(message).warning());
        }
        let words = ["INLINE", "HOST"];
        let from = item.get("valueFrom").map_or(Some("INLINE".to_owned()), |from| from.word(&words));
        let value = item.get("value");
        match from.as_deref() {
            Some("HOST") => {
                if let Some(value) = value {
                    value.add("value may only be set when valueFrom is INLINE");
                }
                module.host_environment.push(text);
            }
            Some(_) => {
                let value = value.and_then(|value| value.text(0..=2048));
                module.environment.push((text, value.unwrap_or_default()));
            }
            None => {}
        }
    }
}
