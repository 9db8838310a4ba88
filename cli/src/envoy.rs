//! Plugins in what Envoy reads: a bootstrap, a listener, an ECDS resource, an EnvoyFilter.
//!
//! Wherever a message of a Wasm plugin stands in the tree by its `@type`, there is one: HTTP and network filters,
//! inline or as the default of a filter that is discovered, access loggers, services, sinks of statistics.

use base64::Engine as _;

use crate::cursor::{Cursor, Reader};
use crate::plugin::{Code, Plugin, name_in_url};
use crate::problem::{By, Problems};
use crate::tree::{Dialect, Kind, Node, Value};

mod configuration;

const PREFIX: &str = "type.googleapis.com/";

/// Messages that hold a plugin, each in its field `config`.
const MESSAGES: &[&str] = &[
    "envoy.extensions.filters.http.wasm.v3.Wasm",
    "envoy.extensions.filters.network.wasm.v3.Wasm",
    "envoy.extensions.wasm.v3.WasmService",
    "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog",
    "envoy.extensions.stat_sinks.wasm.v3.Wasm",
];

const STRUCTS: &[&str] = &["xds.type.v3.TypedStruct", "udpa.type.v1.TypedStruct"];

/// `envoy.extensions.wasm.v3.PluginConfig`
const PLUGIN: &[&str] = &[
    "name",
    "root_id",
    "vm_config",
    "configuration",
    "fail_open",
    "failure_policy",
    "reload_config",
    "capability_restriction_config",
    "allow_on_headers_stop_iteration",
];
/// `envoy.extensions.wasm.v3.VmConfig`
const VM: &[&str] = &[
    "vm_id",
    "runtime",
    "code",
    "configuration",
    "allow_precompiled",
    "nack_on_code_cache_miss",
    "environment_variables",
];

/// Whether a document is one that Envoy reads, by the names in it.
pub(crate) fn is_envoy(node: &Node) -> bool {
    const NAMES: &[&str] = &[
        "@type",
        "admin",
        "dynamic_resources",
        "dynamicResources",
        "filter_chains",
        "filterChains",
        "http_filters",
        "httpFilters",
        "static_resources",
        "staticResources",
        "typed_config",
        "typedConfig",
        "vm_config",
        "vmConfig",
        "bootstrap_extensions",
    ];
    let named = |node: &Node| {
        node.entries()
            .is_some_and(|entries| entries.iter().any(|(key, _)| NAMES.contains(&key.name.as_str())))
    };
    named(node) || has_message(node)
}

fn has_message(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar(_) => false,
        Kind::List(items) => items.iter().any(has_message),
        Kind::Map(entries) => message(node).is_some() || entries.iter().any(|(_, value)| has_message(value)),
    }
}

/// The type of a message, by `@type` or, in a TypedStruct, by `type_url`.
fn message(node: &Node) -> Option<&str> {
    let name = type_of(node.get("@type")?)?;
    if STRUCTS.contains(&name) {
        node.get("type_url").or_else(|| node.get("typeUrl")).and_then(type_of)
    } else {
        Some(name)
    }
    .filter(|name| MESSAGES.contains(name))
}

fn type_of(node: &Node) -> Option<&str> {
    let url = node.text()?;
    Some(url.strip_prefix(PREFIX).unwrap_or(url))
}

/// Every plugin in the tree, in its order.
pub(crate) fn read<'a>(
    node: &'a Node,
    path: &str,
    dialect: Dialect,
    problems: &'a Problems,
) -> Vec<Plugin<'a>> {
    let reader = Reader { problems, by: By::Envoy, dialect };
    let mut plugins = Vec::new();
    find(&Cursor { path: path.to_owned(), ..Cursor::top(node, reader) }, &mut plugins);
    plugins
}

fn find<'a>(cursor: &Cursor<'a>, plugins: &mut Vec<Plugin<'a>>) {
    match &cursor.node.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => {
            for (index, node) in items.iter().enumerate() {
                find(&cursor.item(index, node), plugins);
            }
        }
        Kind::Map(_) if message(cursor.node).is_some() => {
            let is_struct =
                cursor.node.get("@type").and_then(type_of).is_some_and(|name| STRUCTS.contains(&name));
            let inner = if is_struct { cursor.get("value") } else { Some(cursor.clone()) };
            match inner.and_then(|inner| inner.get("config")) {
                Some(config) => plugins.extend(plugin(&config)),
                None => cursor.missing("config", "a map with at least `vm_config`"),
            }
        }
        Kind::Map(_) => cursor.entries().for_each(|(_, member)| find(&member, plugins)),
    }
}

fn plugin<'a>(config: &Cursor<'a>) -> Option<Plugin<'a>> {
    if !config.object(PLUGIN) {
        return None;
    }
    let text = |cursor: &Cursor<'a>, name: &str| {
        cursor.get(name).and_then(|text| text.text(0..=usize::MAX)).unwrap_or_default()
    };
    let name = text(config, "name");
    let root_id = text(config, "root_id");
    policy(config);
    let configuration = configuration::read(config, "configuration");
    let Some(vm) = config.get("vm_config") else {
        config.missing("vm_config", "a map with `code`");
        return None;
    };
    if !vm.object(VM) {
        return None;
    }
    let vm_configuration = configuration::read(&vm, "configuration");
    if let Some(runtime) = vm.get("runtime")
        && let Some(name) = runtime.text(0..=usize::MAX)
        && !matches!(name.as_str(), "" | "envoy.wasm.runtime.v8")
    {
        let message = format!(
            "Failed to create Wasm VM using {name} runtime. Envoy was compiled without support for it"
        );
        runtime.reader.problems.add(runtime.problem(message).hint("write `envoy.wasm.runtime.v8`"));
    }
    let (code, sha256) = code(&vm);
    let (environment, host_environment) = environment(&vm, &name);
    let capabilities = config.follow(&["capability_restriction_config", "allowed_capabilities"]);
    let named = match &code {
        Code::File(path) | Code::Remote(path) => name_in_url(path).map(str::to_owned),
        Code::Inline(_) | Code::Unsaid => None,
    };
    let mut names: Vec<String> = named.into_iter().collect();
    names.extend([name.clone(), root_id.clone()].into_iter().filter(|name| !name.is_empty()));
    Some(Plugin {
        span: config.get("name").map_or_else(|| config.span(), |name| name.node.span.clone()),
        path: config.path.clone(),
        name,
        root_id,
        configuration,
        vm_configuration,
        environment,
        host_environment,
        capabilities: capabilities
            .map(|allowed| allowed.entries().map(|(key, _)| key.name.clone()).collect())
            .unwrap_or_default(),
        code,
        names,
        sha256,
    })
}

fn policy(config: &Cursor<'_>) {
    let policy = config.get("failure_policy");
    if let Some(policy) = &policy
        && !matches!(policy.value(), Some(Value::Number(_)))
    {
        policy.word(&["UNSPECIFIED", "FAIL_RELOAD", "FAIL_CLOSED", "FAIL_OPEN"]);
    }
    if let Some(open) = config.get("fail_open") {
        if policy.is_some() {
            open.add("only one of fail_open or failure_policy can be set");
        } else {
            let message = "`fail_open` is deprecated and will be removed from Envoy";
            open.reader
                .problems
                .add(open.problem(message).warning().hint("write `failure_policy: FAIL_OPEN`"));
        }
    }
}

/// Where the module is, and the digest it must have.
fn code(vm: &Cursor<'_>) -> (Code, Option<String>) {
    let Some(code) = vm.get("code") else {
        // Envoy starts, and says that there is no code, when the plugin is made.
        vm.missing("code", "`local` or `remote`");
        return (Code::Unsaid, None);
    };
    if !code.object(&["local", "remote"]) {
        return (Code::Unsaid, None);
    }
    match (code.get("local"), code.get("remote")) {
        (Some(_), Some(remote)) => {
            remote.add("`local` and `remote` are both there, expected one of them");
            (Code::Unsaid, None)
        }
        (Some(source), None) => (local(&source), None),
        (None, Some(source)) => remote(&source),
        (None, None) => {
            code.add("found neither `local` nor `remote`, expected one of them");
            (Code::Unsaid, None)
        }
    }
}

fn local(source: &Cursor<'_>) -> Code {
    const FIELDS: &[&str] = &["filename", "inline_bytes", "inline_string", "environment_variable"];
    if !source.object(&[FIELDS, &["watched_directory"]].concat()) {
        return Code::Unsaid;
    }
    let given: Vec<(&str, Cursor<'_>)> =
        FIELDS.iter().filter_map(|name| Some((*name, source.get(name)?))).collect();
    for (_, second) in given.iter().skip(1) {
        second.add(
            "only one of `filename`, `inline_bytes`, `inline_string` and `environment_variable` can be set",
        );
    }
    let Some((name, cursor)) = given.first() else {
        source.missing("filename", "the path of a module");
        return Code::Unsaid;
    };
    let Some(text) = cursor.text(1..=usize::MAX) else { return Code::Unsaid };
    match *name {
        "filename" => Code::File(text),
        "inline_string" => Code::Inline(text.into_bytes()),
        "inline_bytes" => match bytes(&text) {
            Some(bytes) => Code::Inline(bytes),
            None => {
                cursor.add("found no base64, expected the module's bytes in base64");
                Code::Unsaid
            }
        },
        _ => Code::Unsaid,
    }
}

fn remote(source: &Cursor<'_>) -> (Code, Option<String>) {
    if !source.object(&["http_uri", "sha256", "retry_policy"]) {
        return (Code::Unsaid, None);
    }
    let sha256 = source.get("sha256").and_then(|digest| digest.text(1..=usize::MAX));
    if source.get("sha256").is_none() {
        source.missing("sha256", "the module's SHA-256 in hex");
    }
    let Some(uri) = source.get("http_uri") else {
        source.missing("http_uri", "a map with `uri`, `cluster` and `timeout`");
        return (Code::Unsaid, sha256);
    };
    uri.object(&["uri", "cluster", "timeout"]);
    match uri.get("uri").and_then(|uri| uri.text(1..=usize::MAX)) {
        Some(url) => (Code::Remote(url), sha256),
        None => (Code::Unsaid, sha256),
    }
}

/// base64 as protobuf's JSON takes it: of either alphabet, with padding or without.
fn bytes(text: &str) -> Option<Vec<u8>> {
    use base64::alphabet::{STANDARD, URL_SAFE};
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let decode = |alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok();
    decode(&STANDARD).or_else(|| decode(&URL_SAFE))
}

fn environment(vm: &Cursor<'_>, plugin: &str) -> (Vec<(String, String)>, Vec<String>) {
    let Some(variables) = vm.get("environment_variables") else { return Default::default() };
    if !variables.object(&["host_env_keys", "key_values"]) {
        return Default::default();
    }
    let mut values = Vec::new();
    if let Some(pairs) = variables.get("key_values") {
        if pairs.node.entries().is_none() {
            pairs.expected("a map of texts");
        }
        for (key, value) in pairs.entries() {
            if let Some(text) = value.text(0..=usize::MAX) {
                values.push((key.name.clone(), text));
            }
        }
    }
    let mut hosts: Vec<String> = Vec::new();
    for key in variables.get("host_env_keys").map(|keys| keys.items()).unwrap_or_default() {
        let Some(name) = key.text(0..=usize::MAX) else { continue };
        if values.iter().any(|(other, _)| *other == name) || hosts.contains(&name) {
            // Envoy's words.
            key.add(format!(
                "Key {name} is duplicated in envoy.extensions.wasm.v3.VmConfig.environment_variables for {plugin}. All the keys must be unique."
            ));
        }
        hosts.push(name);
    }
    (values, hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_taken_in_both_alphabets_and_without_padding() {
        for text in ["+/8=", "-_8=", "-_8"] {
            assert_eq!(bytes(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(bytes("e30***"), None);
    }
}
