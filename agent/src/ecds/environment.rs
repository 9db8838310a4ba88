//! What a VM's environment tells the agent, and what is left of it for Envoy.

#[cfg(test)]
use crate::wire::put_bytes;
use crate::wire::{Malformed, fields, replaced, text, without};
use crate::{PullPolicy, Secret};

/// Variables with this prefix are for the agent alone.
pub(super) const PREFIX: &str = "ISTIO_META_";

/// `VmConfig.environment_variables`.
pub(super) const ENVIRONMENT: u32 = 7;
const KEY_VALUES: u32 = 2;
const ENTRY: (u32, u32) = (1, 2);

/// What the control plane tells the agent by way of the environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The pull secret, which may be empty: then it should be there and is not.
    pub(super) pull_secret: Option<Secret>,
    /// The public key by which the module has to be signed, in PEM; empty or not, as it stands there.
    pub(super) verification_key: Option<String>,
    pub(super) policy: PullPolicy,
    pub(super) resource_version: String,
    /// Whether there was any such variable.
    pub(super) any: bool,
}

/// Reads what is told from `environment_variables`.
pub(super) fn told(environment: &[u8]) -> Result<Told, Malformed> {
    let mut told = Told::default();
    for field in fields(environment) {
        let field = field?;
        if field.number != KEY_VALUES {
            continue;
        }
        let entry = field.bytes("EnvironmentVariables.key_values")?;
        let Some(key) = key(entry)? else { continue };
        told.any = true;
        let value = || text(entry, ENTRY.1, "the value of an environment variable");
        match key {
            b"WASM_IMAGE_PULL_SECRET" => told.pull_secret = Some(Secret::new(value()?.to_owned())),
            b"WASM_VERIFICATION_KEY" => told.verification_key = Some(value()?.to_owned()),
            b"WASM_IMAGE_PULL_POLICY" => {
                told.policy = match value()? {
                    "IfNotPresent" => PullPolicy::IfNotPresent,
                    "Always" => PullPolicy::Always,
                    _ => PullPolicy::Unspecified,
                }
            }
            b"WASM_PLUGIN_RESOURCE_VERSION" => told.resource_version = value()?.to_owned(),
            _ => {}
        }
    }
    Ok(told)
}

/// What follows the prefix in an entry's key, if it has that prefix.
fn key(entry: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut key: &[u8] = b"";
    for field in fields(entry) {
        let field = field?;
        if field.number == ENTRY.0 {
            key = field.bytes("the key of an environment variable")?;
        }
    }
    Ok(key.strip_prefix(PREFIX.as_bytes()))
}

/// The `VmConfig` without those variables, its environment being `environment`. If nothing is left of the environment,
/// there is none.
pub(super) fn stripped(vm_config: &[u8], environment: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut kept = Vec::with_capacity(environment.len());
    for field in fields(environment) {
        let field = field?;
        if field.number != KEY_VALUES || key(field.bytes("EnvironmentVariables.key_values")?)?.is_none() {
            kept.extend_from_slice(field.raw);
        }
    }
    if kept.is_empty() { without(vm_config, &[ENVIRONMENT]) } else { replaced(vm_config, ENVIRONMENT, &kept) }
}

/// An environment of these variables, for tests.
#[cfg(test)]
pub(super) fn of(variables: &[(&str, &str)]) -> Vec<u8> {
    let mut environment = Vec::new();
    for (name, value) in variables {
        let mut entry = Vec::new();
        put_bytes(&mut entry, ENTRY.0, name.as_bytes());
        put_bytes(&mut entry, ENTRY.1, value.as_bytes());
        put_bytes(&mut environment, KEY_VALUES, &entry);
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_is_told_secret_key_policy_and_version() {
        let environment = of(&[
            ("ISTIO_META_WASM_IMAGE_PULL_SECRET", "{}"),
            ("ISTIO_META_WASM_IMAGE_PULL_POLICY", "Always"),
            ("ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION", "7"),
            ("ISTIO_META_WASM_VERIFICATION_KEY", "-----BEGIN PUBLIC KEY-----"),
            ("MINE", "1"),
        ]);
        let told = told(&environment).unwrap();
        assert_eq!(told.pull_secret, Some(Secret::new("{}".into())));
        assert_eq!(told.verification_key.as_deref(), Some("-----BEGIN PUBLIC KEY-----"));
        assert_eq!(told.policy, PullPolicy::Always);
        assert_eq!(told.resource_version, "7");
        assert!(told.any);
    }

    #[test]
    fn a_policy_that_does_not_exist_is_as_if_there_were_none() {
        for (text, policy) in [
            ("UNSPECIFIED_POLICY", PullPolicy::Unspecified),
            ("IfNotPresent", PullPolicy::IfNotPresent),
            ("always", PullPolicy::Unspecified),
        ] {
            let told = told(&of(&[("ISTIO_META_WASM_IMAGE_PULL_POLICY", text)])).unwrap();
            assert_eq!(told.policy, policy, "{text}");
        }
    }

    #[test]
    fn what_is_left_of_an_environment_is_kept_and_an_empty_one_is_not() {
        let vm_config = |environment: &[u8]| {
            let mut message = vec![0x0a, 2, b'i', b'd'];
            put_bytes(&mut message, ENVIRONMENT, environment);
            put_bytes(&mut message, 99, b"unknown");
            message
        };
        let strip = |environment: &[u8]| stripped(&vm_config(environment), environment).unwrap();
        let secret = ("ISTIO_META_WASM_IMAGE_PULL_SECRET", "{}");
        assert_eq!(
            strip(&of(&[secret, ("A", "1"), ("ISTIO_META_MINE", "2")])),
            vm_config(&of(&[("A", "1")]))
        );
        assert_eq!(strip(&of(&[secret])), without(&vm_config(b""), &[ENVIRONMENT]).unwrap());
        let mut host_keys = Vec::new();
        put_bytes(&mut host_keys, 1, b"PATH");
        let with_host_keys = [host_keys.clone(), of(&[secret])].concat();
        assert_eq!(strip(&with_host_keys), vm_config(&host_keys));
    }
}
