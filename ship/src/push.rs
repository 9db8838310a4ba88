//! Pushes a module by `oras`, which knows the registries' logins, and answers the digest that it has there.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use serde::Serialize;

use crate::artifact::{self, ARTIFACT_TYPE, CONFIG_LAYER, MODULE_LAYER, Origin};
use crate::budget::shipped;
use crate::command::{self, output_of};
use crate::digest::Digest;
use crate::module::Malformed;
use crate::reference::{Invalid, Org, Registry, Repository, Tag};
use crate::workspace::{Filter, Workspace};

/// Where the artifacts go, and how.
#[derive(Debug)]
pub struct Destination {
    /// Whose registry.
    pub registry: Registry,
    /// Before the filter's name.
    pub org: Org,
    /// After it.
    pub tag: Tag,
    /// Without TLS; a registry on this machine needs not be told so.
    pub plain_http: bool,
    /// The program.
    pub oras: PathBuf,
}

/// One artifact that is in a registry.
#[derive(Debug, Serialize)]
pub struct Pushed {
    /// The filter.
    pub filter: String,
    /// `oci://HOST/ORG/FILTER@sha256:…`
    pub url: String,
    /// `HOST/ORG/FILTER:TAG`
    pub tagged: String,
    /// Of the manifest: what a WasmPlugin's `sha256` and an agent's cache mean.
    pub digest: Digest,
    /// Of the module in it.
    pub module_digest: Digest,
    /// Its size.
    pub module_bytes: usize,
    /// False when there was no wasm-opt.
    pub optimised: bool,
}

/// Why a filter was not pushed.
#[derive(Debug, thiserror::Error)]
pub enum Kept {
    /// `dist/` does not have what `optimize` writes.
    #[error("filter `{filter}` has no optimised module at {file}, run `make optimize`")]
    NotOptimised {
        /// The filter.
        filter: String,
        /// Where it was looked for.
        file: String,
    },
    /// It is there to be copied from.
    #[error("filter `{0}` is a template, which is never pushed")]
    Template(String),
    /// Its name cannot be a registry's.
    #[error(transparent)]
    Name(#[from] Invalid),
    /// The module cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The layers could not be written for oras, or its manifest not be read.
    #[error("passing the layers to oras")]
    Io(#[from] io::Error),
    /// oras did not push.
    #[error("pushing {tagged}")]
    Oras {
        /// Where to.
        tagged: String,
        /// What oras said.
        source: command::Failed,
    },
}

/// Pushes one filter's module.
///
/// # Errors
///
/// [`Kept`]; the registry may have got a layer by then, but no manifest or tag.
pub fn push(
    workspace: &Workspace,
    filter: &Filter,
    origin: &Origin,
    to: &Destination,
) -> Result<Pushed, Kept> {
    if filter.is_template {
        return Err(Kept::Template(filter.name.clone()));
    }
    let repository = Repository::new(&to.registry, &to.org, &filter.name)?;
    let (stamp, module) = shipped(workspace, filter).ok_or_else(|| Kept::NotOptimised {
        filter: filter.name.clone(),
        file: workspace.shown(&workspace.shipped(filter)).to_string(),
    })?;

    let layers = tempfile::tempdir()?;
    let (module_file, config_file) = (format!("{}.wasm", filter.name), "config.json");
    fs::write(layers.path().join(&module_file), &module)?;
    fs::write(layers.path().join(config_file), artifact::description(filter, &module)?)?;

    let tagged = repository.tagged(&to.tag);
    let manifest = layers.path().join("manifest.json");
    let mut oras = Command::new(&to.oras);
    // In the folder of the layers, because oras annotates each with its path as it was given.
    oras.current_dir(layers.path()).args(["push", "--no-tty", "--image-spec=v1.1", "--artifact-type"]);
    oras.arg(ARTIFACT_TYPE).arg("--export-manifest").arg(&manifest);
    if to.plain_http || to.registry.is_loopback() {
        oras.arg("--plain-http");
    }
    for (key, value) in artifact::annotations(filter, origin) {
        oras.arg("--annotation").arg(format!("{key}={value}"));
    }
    oras.arg(&tagged);
    // The order counts: Istio takes the first of two layers for the module.
    oras.arg(format!("{module_file}:{MODULE_LAYER}")).arg(format!("{config_file}:{CONFIG_LAYER}"));
    output_of(&mut oras).map_err(|source| Kept::Oras { tagged: tagged.clone(), source })?;

    let digest = Digest::of(&fs::read(&manifest)?);
    Ok(Pushed {
        filter: filter.name.clone(),
        url: repository.pinned(&digest),
        tagged,
        digest,
        module_digest: stamp.output,
        module_bytes: module.len(),
        optimised: stamp.optimised,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_was_not_optimised_is_not_pushed() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::for_tests(folder.path(), "gate");
        let to = Destination {
            registry: "localhost:1".parse().unwrap(),
            org: "meshloom".parse().unwrap(),
            tag: "v1".parse().unwrap(),
            plain_http: false,
            oras: PathBuf::from("/nowhere/oras"),
        };
        let origin = Origin::of(folder.path(), None).unwrap();
        let refusal = || push(&workspace, &workspace.filters()[0], &origin, &to).unwrap_err().to_string();
        let not_optimised = "filter `gate` has no optimised module at dist/gate.wasm, run `make optimize`";
        assert_eq!(refusal(), not_optimised);
        // Nor is one that came there by another way.
        fs::create_dir(folder.path().join("dist")).unwrap();
        fs::write(folder.path().join("dist/gate.wasm"), "module").unwrap();
        assert_eq!(refusal(), not_optimised);
    }
}
