//! What is in a filter's OCI artifact.
//!
//! Istio's agent pulls an artifact in one of two shapes. This is the one without an archive: exactly two layers,
//! the module as it is, then a description of it. Nothing in it depends on the time or place of the push, so one
//! commit has one digest.

use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use serde_json::json;

use crate::command::output_of;
use crate::digest::Digest;
use crate::module::{self, Malformed};
use crate::workspace::Filter;

/// The layer that the agent compiles.
pub const MODULE_LAYER: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
/// The layer that describes it; the agent counts it and does not read it.
pub const CONFIG_LAYER: &str = "application/vnd.module.wasm.config.v1+json";
/// Tells a registry's pages that this is no container image.
pub const ARTIFACT_TYPE: &str = "application/vnd.module.wasm.artifact.v1";

/// The commit that the artifacts are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    created: Timestamp,
    revision: Option<String>,
}

/// `SOURCE_DATE_EPOCH` is no time.
#[derive(Debug, thiserror::Error)]
#[error("SOURCE_DATE_EPOCH is {0:?}, expected seconds since 1970, such as 1767225600")]
pub struct NotATime(String);

impl Origin {
    /// The commit that `root` is at. `source_date_epoch`, when given, stands in for the commit's time; see
    /// <https://reproducible-builds.org/specs/source-date-epoch/>.
    ///
    /// # Errors
    ///
    /// [`NotATime`], when `source_date_epoch` is none.
    pub fn of(root: &Path, source_date_epoch: Option<&str>) -> Result<Self, NotATime> {
        let git = |args: &[&str]| {
            let output = output_of(Command::new("git").arg("-C").arg(root).args(args)).ok()?;
            Some(output.trim().to_owned())
        };
        let revision = git(&["rev-parse", "HEAD"]).map(|commit| {
            // What is not committed cannot be found again under the commit's name.
            let is_clean = git(&["status", "--porcelain"]).is_some_and(|changes| changes.is_empty());
            if is_clean { commit } else { format!("{commit}-dirty") }
        });
        let created = match source_date_epoch {
            Some(typed) => time(typed).ok_or_else(|| NotATime(typed.to_owned()))?,
            // Sources without git and without a time, from an archive say: the same moment for everyone.
            None => git(&["show", "--no-patch", "--format=%ct", "HEAD"])
                .and_then(|seconds| time(&seconds))
                .unwrap_or_default(),
        };
        Ok(Self { created, revision })
    }

    /// Whether the commit alone does not say what is pushed.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.revision.as_ref().is_some_and(|revision| revision.ends_with("-dirty"))
    }
}

fn time(seconds: &str) -> Option<Timestamp> {
    Timestamp::from_second(seconds.parse().ok()?).ok()
}

/// The manifest's annotations: <https://github.com/opencontainers/image-spec/blob/main/annotations.md>
#[must_use]
pub fn annotations(filter: &Filter, origin: &Origin) -> Vec<(&'static str, String)> {
    let Filter { name, version, description, license, .. } = filter;
    let optional = [
        ("org.opencontainers.image.revision", origin.revision.as_ref()),
        ("org.opencontainers.image.licenses", license.as_ref()),
        ("org.opencontainers.image.description", description.as_ref()),
    ];
    let mut annotations = vec![
        ("org.opencontainers.image.title", name.clone()),
        ("org.opencontainers.image.version", version.clone()),
        ("org.opencontainers.image.created", origin.created.to_string()),
    ];
    annotations.extend(optional.into_iter().filter_map(|(key, value)| Some((key, value?.clone()))));
    annotations
}

/// The second layer: what to know of the module without running it.
///
/// # Errors
///
/// [`Malformed`], when the exports cannot be read.
pub fn description(filter: &Filter, bytes: &[u8]) -> Result<String, Malformed> {
    let description = json!({
        "type": "envoy_proxy",
        "name": filter.name,
        "version": filter.version,
        "abiVersions": module::abi_versions(bytes)?,
        // None by name: the SDK's root context answers to any `pluginName`.
        "config": { "rootIds": [] },
        "digest": Digest::of(bytes),
    });
    Ok(description.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter() -> Filter {
        Filter::for_tests(Path::new("/w"), "tenant-gate")
    }

    #[test]
    fn an_artifact_is_annotated_with_what_the_manifest_of_its_package_says() {
        let origin = Origin { created: time("1767225600").unwrap(), revision: Some("abc".to_owned()) };
        let annotations = annotations(&filter(), &origin);
        let shown: Vec<_> = annotations
            .iter()
            .map(|(key, value)| format!("{}={value}", key.rsplit('.').next().unwrap()))
            .collect();
        assert_eq!(
            shown,
            [
                "title=tenant-gate",
                "version=0.1.0",
                "created=2026-01-01T00:00:00Z",
                "revision=abc",
                "licenses=Apache-2.0",
                "description=Does.",
            ]
        );
    }

    #[test]
    fn the_description_names_the_abi_and_the_bytes() {
        let module = wat::parse_str(r#"(module (func (export "proxy_abi_version_0_2_1")))"#).unwrap();
        let text = description(&filter(), &module).unwrap();
        assert_eq!(text, description(&filter(), &module).unwrap());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["abiVersions"], json!(["0.2.1"]));
        assert_eq!(value["digest"], json!(Digest::of(&module)));
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        let error = Origin::of(Path::new("."), Some("yesterday")).unwrap_err();
        assert!(error.to_string().starts_with("SOURCE_DATE_EPOCH is \"yesterday\", expected seconds"));
    }

    #[test]
    fn sources_without_git_have_no_revision_and_one_time() {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin::of(folder.path(), None).unwrap();
        assert_eq!(origin, Origin { created: Timestamp::UNIX_EPOCH, revision: None });
        assert!(!origin.is_dirty());
    }
}
