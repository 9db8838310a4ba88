//! Remote Wasm code within Envoy's configuration, wherever it stands: an ECDS resource, a listener, a bootstrap.
//!
//! Works on JSON as Envoy reads it (Protobuf's JSON, names in either case), and changes nothing else. What a Wasm filter
//! is told by the path of its names, so any type that holds a `VmConfig` is found, `TypedStruct` included.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::trust::PublicKey;
use crate::{PullPolicy, Secret, Sha256, Wanted};

/// Variables that are for the agent and not for the module.
const OURS: &str = "ISTIO_META_";
/// How long a fetch may take if the document does not say, as Istio's agent has it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How deep documents may be nested.
const DEPTH: usize = 200;

/// Where remote code stands in a document, and what it asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The way to the `VmConfig`, as in `static_resources.listeners[0].…`.
    pub(super) place: String,
    /// The module, or why it cannot be asked for.
    pub(super) wanted: Result<Wanted, String>,
}

/// Finds the remote code of a document, in the order in which [`replace`] needs the files.
pub(super) fn find(document: &mut Value) -> Vec<Found> {
    let mut found = Vec::new();
    let is_whole = walk(document, &mut String::new(), "", DEPTH, &mut |machine, place, name| {
        if let Some(remote) = field(machine, "code").and_then(|code| field(code.as_object()?, "remote")) {
            found.push(Found { place: place.to_owned(), wanted: wanted(machine, remote, name) });
        }
    });
    if !is_whole {
        let wanted = Err(format!("nested deeper than {DEPTH} levels"));
        found.push(Found { place: "the document".to_owned(), wanted });
    }
    found
}

/// Puts files in the place of remote code, one for each that was found, and strips all variables that are not for the
/// module.
pub(super) fn replace(document: &mut Value, files: &[String]) {
    let mut files = files.iter();
    let _is_whole = walk(document, &mut String::new(), "", DEPTH, &mut |machine, _, _| {
        let is_remote = field(machine, "code").and_then(|code| field(code.as_object()?, "remote")).is_some();
        if let Some(file) = if is_remote { files.next() } else { None } {
            machine.insert("code".to_owned(), json!({ "local": { "filename": file } }));
        }
        strip(machine);
    });
}

/// Is shown a `VmConfig`, its place, and the nearest name around it.
type Visit<'a> = dyn FnMut(&mut Map<String, Value>, &str, &str) + 'a;

/// Calls for each `VmConfig`, with its place and the nearest name around it. False if something was too deep to look at.
fn walk(value: &mut Value, place: &mut String, name: &str, depth: usize, visit: &mut Visit<'_>) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let mut is_whole = true;
    let length = place.len();
    match value {
        Value::Object(object) => {
            let own = object.get("name").and_then(Value::as_str).map(str::to_owned);
            let name = own.as_deref().unwrap_or(name);
            for (key, inner) in object {
                if !place.is_empty() {
                    place.push('.');
                }
                place.push_str(key);
                match inner {
                    Value::Object(machine) if matches!(key.as_str(), "vm_config" | "vmConfig") => {
                        visit(machine, place, name);
                    }
                    inner => is_whole &= walk(inner, place, name, depth, visit),
                }
                place.truncate(length);
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter_mut().enumerate() {
                place.push_str(&format!("[{index}]"));
                is_whole &= walk(inner, place, name, depth, visit);
                place.truncate(length);
            }
        }
        _ => {}
    }
    is_whole
}

fn wanted(machine: &Map<String, Value>, remote: &Value, name: &str) -> Result<Wanted, String> {
    let remote = remote.as_object().ok_or("remote: expected an object")?;
    let uri = field(remote, "http_uri").and_then(Value::as_object).ok_or("remote: there is no http_uri")?;
    let url = field(uri, "uri").and_then(Value::as_str).ok_or("remote.http_uri: there is no uri")?;
    let checksum = match field(remote, "sha256").and_then(Value::as_str) {
        // Old control planes send the word.
        None | Some("" | "nil") => None,
        Some(text) => Some(text.parse::<Sha256>().map_err(|error| format!("remote.sha256: {error}"))?),
    };
    let timeout = match field(uri, "timeout").and_then(Value::as_str) {
        None => TIMEOUT,
        Some(text) => seconds(text).ok_or_else(|| {
            format!("remote.http_uri.timeout: {text:?} is no duration, expected seconds such as \"30s\"")
        })?,
    };
    let variable = |key: &str| variables(machine)?.get(key)?.as_str();
    let pull_secret = match variable("ISTIO_META_WASM_IMAGE_PULL_SECRET") {
        Some("") => {
            return Err("ISTIO_META_WASM_IMAGE_PULL_SECRET is empty: the pull secret is missing".to_owned());
        }
        secret => secret.map(|text| Secret::new(text.to_owned())),
    };
    let verification_key = variable("ISTIO_META_WASM_VERIFICATION_KEY").map(PublicKey::from_pem).transpose();
    Ok(Wanted {
        checksum,
        resource_version: variable("ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION").unwrap_or_default().to_owned(),
        policy: match variable("ISTIO_META_WASM_IMAGE_PULL_POLICY") {
            Some("IfNotPresent") => PullPolicy::IfNotPresent,
            Some("Always") => PullPolicy::Always,
            _ => PullPolicy::Unspecified,
        },
        pull_secret,
        verification_key: verification_key
            .map_err(|why| format!("ISTIO_META_WASM_VERIFICATION_KEY: {why}"))?,
        ..Wanted::new(url, name, timeout)
    })
}

/// A duration as Protobuf's JSON has it.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero())
}

fn variables(machine: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let environment = field(machine, "environment_variables")?.as_object()?;
    field(environment, "key_values")?.as_object()
}

/// Takes the agent's variables away, and what is then empty.
fn strip(machine: &mut Map<String, Value>) {
    let Some(spelt) = spelling(machine, "environment_variables") else { return };
    let Some(environment) = machine.get_mut(&spelt).and_then(Value::as_object_mut) else { return };
    if let Some(inner) = spelling(environment, "key_values")
        && let Some(values) = environment.get_mut(&inner).and_then(Value::as_object_mut)
    {
        values.retain(|key, _| !key.starts_with(OURS));
        if values.is_empty() {
            environment.remove(&inner);
        }
    }
    if environment.is_empty() {
        machine.remove(&spelt);
    }
}

/// The field under its name in Protobuf, or in JSON's camel case.
fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(&spelling(object, name)?).filter(|value| !value.is_null())
}

fn spelling(object: &Map<String, Value>, name: &str) -> Option<String> {
    let mut camel = String::with_capacity(name.len());
    for (index, word) in name.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if index > 0 => camel.push(first.to_ascii_uppercase()),
            Some(first) => camel.push(first),
            None => {}
        }
        camel.push_str(letters.as_str());
    }
    [name.to_owned(), camel].into_iter().find(|spelt| object.contains_key(spelt))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(code: Value) -> Value {
        json!({
            "name": "gate",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": { "name": "p", "vm_config": {
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": code,
                    "environment_variables": { "key_values": {
                        "ISTIO_META_WASM_IMAGE_PULL_POLICY": "Always",
                        "ISTIO_META_WASM_IMAGE_PULL_SECRET": "{}",
                        "MODE": "strict"
                    } }
                } }
            }
        })
    }

    fn remote() -> Value {
        json!({ "remote": {
            "http_uri": { "uri": "oci://registry.test/gate:1", "cluster": "_", "timeout": "30s" },
            "sha256": "nil"
        } })
    }

    #[test]
    fn remote_code_is_found_with_all_that_is_said_of_it() {
        let found = find(&mut filter(remote()));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "typed_config.config.vm_config");
        let wanted = found[0].wanted.as_ref().unwrap();
        assert_eq!((wanted.url.as_str(), wanted.resource.as_str()), ("oci://registry.test/gate:1", "p"));
        assert_eq!((wanted.checksum, wanted.policy), (None, PullPolicy::Always));
        assert_eq!(wanted.timeout, Duration::from_secs(30));
        assert_eq!(wanted.pull_secret, Some(Secret::new("{}".to_owned())));
    }

    #[test]
    fn the_key_by_which_it_has_to_be_signed_is_read_and_one_that_is_none_is_a_mistake() {
        let with_key = |key: &str| {
            let mut document = filter(remote());
            document["typed_config"]["config"]["vm_config"]["environment_variables"]["key_values"]["ISTIO_META_WASM_VERIFICATION_KEY"] =
                json!(key);
            find(&mut document).remove(0).wanted
        };
        let key = include_str!("../../../tests/store/fixtures/cosign.pub");
        assert_eq!(with_key(key).unwrap().verification_key, Some(PublicKey::from_pem(key).unwrap()));
        let error = with_key("").unwrap_err();
        assert!(
            error.starts_with("ISTIO_META_WASM_VERIFICATION_KEY: empty: expected a public key"),
            "{error}"
        );
    }

    #[test]
    fn a_file_takes_its_place_and_nothing_else_changes_but_the_agents_variables() {
        let mut document = filter(remote());
        replace(&mut document, &["/store/a.wasm".to_owned()]);
        let mut expected = filter(json!({ "local": { "filename": "/store/a.wasm" } }));
        expected["typed_config"]["config"]["vm_config"]["environment_variables"] =
            json!({ "key_values": { "MODE": "strict" } });
        assert_eq!(document, expected);
        assert!(find(&mut document).is_empty());
    }

    #[test]
    fn it_is_found_however_deep_and_in_camel_case() {
        let camel =
            json!({ "vmConfig": { "code": { "remote": { "httpUri": { "uri": "http://files.test/a" } } } } });
        let mut document = json!({ "static_resources": { "listeners": [{}, { "filter_chains": [
            { "filters": [{ "name": "a", "typed_config": { "value": { "config": camel } } }, filter(remote())] }
        ] }] } });
        let places: Vec<_> = find(&mut document).into_iter().map(|found| found.place).collect();
        assert_eq!(
            places,
            [
                "static_resources.listeners[1].filter_chains[0].filters[0].typed_config.value.config.vmConfig",
                "static_resources.listeners[1].filter_chains[0].filters[1].typed_config.config.vm_config",
            ]
        );
        replace(&mut document, &["/1".to_owned(), "/2".to_owned()]);
        let text = document.to_string();
        assert!(text.contains("{\"filename\":\"/1\"}") && text.contains("{\"filename\":\"/2\"}"), "{text}");
        assert!(!text.contains("emote"), "{text}");
    }

    #[test]
    fn what_cannot_be_asked_for_says_which_field_is_wrong() {
        for (remote, expected) in [
            (json!({}), "remote: there is no http_uri"),
            (json!({ "http_uri": {} }), "remote.http_uri: there is no uri"),
            (
                json!({ "http_uri": { "uri": "x" }, "sha256": "zz" }),
                "remote.sha256: \"zz\" is no SHA-256 digest",
            ),
            (json!({ "http_uri": { "uri": "x", "timeout": "5 min" } }), "remote.http_uri.timeout: \"5 min\""),
            (json!(3), "remote: expected an object"),
        ] {
            let found = find(&mut filter(json!({ "remote": remote })));
            let error = found[0].wanted.as_ref().unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn variables_of_the_agent_are_stripped_from_local_code_too() {
        let mut document = filter(json!({ "local": { "filename": "/own.wasm" } }));
        document["typed_config"]["config"]["vm_config"]["environment_variables"]["key_values"]
            .as_object_mut()
            .unwrap()
            .remove("MODE");
        assert!(find(&mut document).is_empty());
        replace(&mut document, &[]);
        let machine = &document["typed_config"]["config"]["vm_config"];
        assert_eq!(
            *machine,
            json!({
                "runtime": "envoy.wasm.runtime.v8", "code": { "local": { "filename": "/own.wasm" } }
            })
        );
    }

    #[test]
    fn a_document_that_is_nested_without_end_is_said_to_be() {
        let mut document = filter(remote());
        for _ in 0..1000 {
            document = json!([document]);
        }
        let found = find(&mut document);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].wanted, Err("nested deeper than 200 levels".to_owned()));
    }
}
