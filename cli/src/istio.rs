//! WasmPlugin and TrafficExtension (extensions.istio.io/v1alpha1): what a cluster would refuse or drop in silence, and
//! what istiod would hand to Envoy.
//!
//! The rules are those of the resource's schema, which a cluster checks first, and of Istio's admission webhook
//! (`pkg/config/validation`); where both have one, the stricter.

use crate::cursor::{Cursor, Reader};
use crate::istiod;
use crate::plugin::{Code, Form, Handed, Plugin, name_in_url};
use crate::problem::{By, Problems};
use crate::tree::{Dialect, Node};

mod attachment;
mod module;

const VERSION: &str = "extensions.istio.io/v1alpha1";

/// Of `metadata`: what a cluster's schema has.
const METADATA: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "labels",
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// What a resource of Kubernetes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    WasmPlugin,
    TrafficExtension,
    List,
    /// Nothing that this command knows, by its kind.
    Other,
}

/// What a document says it is; `None` if it is no resource of Kubernetes.
pub(crate) fn resource(node: &Node) -> Option<Resource> {
    let kind = node.get("kind")?.text()?;
    node.get("apiVersion").and_then(Node::text)?;
    Some(match kind {
        "WasmPlugin" => Resource::WasmPlugin,
        "TrafficExtension" => Resource::TrafficExtension,
        "List" => Resource::List,
        _ => Resource::Other,
    })
}

/// Checks a WasmPlugin or a TrafficExtension. Gives back the plugin, if there is one to start.
pub(crate) fn read<'a>(
    node: &'a Node,
    path: &str,
    resource: Resource,
    problems: &'a Problems,
) -> Option<Plugin<'a>> {
    let reader = Reader { problems, by: By::Istio, dialect: Dialect::Kubernetes };
    let top = Cursor { path: path.to_owned(), ..Cursor::top(node, reader) };
    if !top.object(&["apiVersion", "kind", "metadata", "spec", "status"]) {
        return None;
    }
    if let Some(version) = top.get("apiVersion") {
        version.word(&[VERSION]);
    }
    let (namespace, name) = metadata(&top);
    let Some(spec) = top.get("spec") else {
        top.missing("spec", "a map with at least `url`");
        return None;
    };
    if spec.node.entries().is_none() {
        spec.expected("a map");
        return None;
    }
    let (settings, suffix) = if resource == Resource::WasmPlugin {
        spec.object(&[attachment::FIELDS, &["targetRef"], module::FIELDS].concat());
        (spec.clone(), "~istio-translated-wasmplugin")
    } else {
        spec.object(&[attachment::FIELDS, &["wasm", "lua"]].concat());
        let Some(wasm) = wasm(&spec) else {
            attachment::check(&spec);
            return None;
        };
        if !wasm.object(module::FIELDS) {
            attachment::check(&spec);
            return None;
        }
        (wasm, "")
    };
    attachment::check(&spec);
    let module = module::check(&settings);
    let namespace = if namespace.is_empty() { "default" } else { &namespace };
    Some(plugin(&settings, module, &name, format!("{namespace}.{name}{suffix}")))
}

/// The plugin as istiod makes it.
fn plugin<'a>(settings: &Cursor<'a>, module: module::Module, short: &str, name: String) -> Plugin<'a> {
    let configuration = match settings.get("pluginConfig") {
        Some(cursor) => Handed {
            bytes: istiod::configuration(cursor.node, Dialect::Kubernetes),
            form: Form::Fields(cursor.node),
            span: cursor.span(),
            path: cursor.path.clone(),
        },
        None => Handed::nothing(settings.span(), &settings.path),
    };
    let code = match module.url.strip_prefix("file://") {
        Some(path) => Code::File(path.to_owned()),
        None if module.url.is_empty() => Code::Unsaid,
        None => Code::Remote(module.url.clone()),
    };
    let mut names: Vec<String> = name_in_url(&module.url).map(str::to_owned).into_iter().collect();
    names.extend([short.to_owned(), module.root_id.clone()].into_iter().filter(|name| !name.is_empty()));
    let is_http = module.url.starts_with("http://") || module.url.starts_with("https://");
    Plugin {
        name,
        root_id: module.root_id,
        span: settings.span(),
        path: settings.path.clone(),
        configuration,
        vm_configuration: Handed::nothing(settings.span(), &settings.path),
        environment: module.environment,
        host_environment: module.host_environment,
        capabilities: Vec::new(),
        code,
        names,
        // Of an OCI image it is the manifest's.
        sha256: module.sha256.filter(|_| is_http),
    }
}

/// The namespace and the name.
fn metadata(top: &Cursor<'_>) -> (String, String) {
    let Some(metadata) = top.get("metadata") else {
        top.missing("metadata", "a map with a `name`");
        return Default::default();
    };
    if !metadata.object(METADATA) {
        return Default::default();
    }
    let subdomain = |name: &str, most: usize| {
        let usual = |label: &str| {
            let inner = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
            !label.is_empty() && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
        };
        name.len() <= most && name.split('.').all(usual)
    };
    let read = |field: &str, most: usize| {
        let cursor = metadata.get(field)?;
        let text = cursor.text(0..=usize::MAX)?;
        if !subdomain(&text, most) || field == "namespace" && text.contains('.') {
            cursor.expected(&format!(
                "at most {most} lower-case letters, digits and `-`, a letter or a digit at each end"
            ));
        }
        Some(text)
    };
    let namespace = read("namespace", 63).unwrap_or_default();
    if metadata.get("name").is_none() && metadata.get("generateName").is_none() {
        metadata.missing("name", "the resource's name");
    }
    (namespace, read("name", 253).unwrap_or_default())
}

/// The `wasm` of a TrafficExtension, which has that or `lua`.
fn wasm<'a>(spec: &Cursor<'a>) -> Option<Cursor<'a>> {
    let (wasm, lua) = (spec.get("wasm"), spec.get("lua"));
    if let (Some(_), Some(lua)) = (&wasm, &lua) {
        lua.add("`wasm` and `lua` are both there, expected one of them");
    }
    if let Some(lua) = &lua
        && lua.object(&["inlineCode"])
    {
        match lua.get("inlineCode") {
            Some(code) => drop(code.text(1..=65_536)),
            None => lua.missing("inlineCode", "a Lua script"),
        }
    }
    if wasm.is_none() && lua.is_none() {
        spec.missing("wasm", "a map with at least `url`");
    }
    wasm
}
