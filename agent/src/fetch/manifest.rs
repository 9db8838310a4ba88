//! Reads an OCI or Docker manifest and chooses what of it is the module.

use std::fmt::Write as _;

use oci_client::manifest::{
    IMAGE_DOCKER_LAYER_GZIP_MEDIA_TYPE, IMAGE_DOCKER_LAYER_TAR_MEDIA_TYPE, IMAGE_LAYER_GZIP_MEDIA_TYPE,
    IMAGE_LAYER_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE, ImageIndexEntry, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OciDescriptor, OciImageIndex, OciImageManifest, WASM_LAYER_MEDIA_TYPE,
};
use serde::Deserialize;

use crate::Sha256;

/// Bytes that a manifest may have: what registries have to take (OCI distribution specification 1.1, "Pushing
/// Manifests").
pub const LARGEST: usize = 4 << 20;

/// What is asked for, in the order of preference.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// Types of layers that are the module itself: Istio's and solo.io's, wasm-to-oci's, the CNCF's.
const MODULES: [&str; 4] = [
    "application/vnd.module.wasm.content.layer.v1+wasm",
    WASM_LAYER_MEDIA_TYPE,
    "application/wasm",
    "application/vnd.wasm.content.layer.v1+wasm+gzip",
];
/// Types of layers that are archives.
const ARCHIVES: [&str; 6] = [
    IMAGE_LAYER_GZIP_MEDIA_TYPE,
    IMAGE_DOCKER_LAYER_GZIP_MEDIA_TYPE,
    IMAGE_LAYER_MEDIA_TYPE,
    IMAGE_DOCKER_LAYER_TAR_MEDIA_TYPE,
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];
/// Types of layers that may be anything.
const OPAQUE: [&str; 2] = ["application/octet-stream", "application/vnd.oci.empty.v1+json"];
/// Where ORAS writes the name of the file that a layer was.
const TITLE: &str = "org.opencontainers.image.title";
/// How many layers or platforms a message lists.
const LISTED: usize = 10;

/// A manifest that was read.
#[derive(Clone, Debug)]
pub enum Manifest {
    /// Of one image or artifact.
    Image(Box<OciImageManifest>),
    /// Of several, by platforms.
    Index(OciImageIndex),
}

/// A blob that is the module, or has it in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Of the blob.
    pub digest: Sha256,
    /// Bytes of the blob.
    pub size: u64,
}

/// What tells one kind of manifest from another.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    media_type: Option<String>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

impl Manifest {
    /// Reads a manifest. Its own word about its type counts, and the answer's where it has none.
    ///
    /// # Errors
    ///
    /// In words, if it is none, or if it is one of Docker's first schema.
    pub fn read(bytes: &[u8], content_type: Option<&str>) -> Result<Self, String> {
        if bytes.len() > LARGEST {
            return Err(format!("the manifest has more than {LARGEST} bytes"));
        }
        let broken = |error: serde_json::Error| format!("the manifest cannot be read: {error}");
        let shape: Shape = serde_json::from_slice(bytes).map_err(broken)?;
        // One text that is two things, depending on who reads it (CVE-2021-41190).
        if shape.layers.is_some() && shape.manifests.is_some() {
            return Err("the manifest has both layers and manifests: it is not clear what it is".to_owned());
        }
        if shape.fs_layers.is_some() {
            return Err("the manifest is of Docker's schema 1, which no current tool writes".to_owned());
        }
        let told = shape.media_type.as_deref().or(content_type).unwrap_or_default();
        let told = told.split(';').next().unwrap_or_default().trim();
        let is_index = matches!(told, OCI_IMAGE_INDEX_MEDIA_TYPE | IMAGE_MANIFEST_LIST_MEDIA_TYPE);
        if is_index || (shape.manifests.is_some() && shape.media_type.is_none()) {
            return serde_json::from_slice(bytes).map(Self::Index).map_err(broken);
        }
        serde_json::from_slice(bytes).map(|image| Self::Image(Box::new(image))).map_err(broken)
    }
}

/// The layer with the module.
///
/// 1. the one layer of a Wasm type (of two, Istio takes the first; of more, the one named `plugin.wasm`);
/// 2. else the last archive, as images for Istio have them;
/// 3. else the one layer that is named `*.wasm`, or the only layer, if its type says nothing.
///
/// What the manifest's configuration is does not matter.
///
/// # Errors
///
/// In words, with the layers that there are.
pub fn layer(manifest: &OciImageManifest) -> Result<Layer, String> {
    let layers = &manifest.layers;
    let of =
        |types: &'static [&str]| layers.iter().filter(move |layer| types.contains(&plain(&layer.media_type)));
    let modules: Vec<&OciDescriptor> = of(&MODULES).collect();
    let chosen = match modules.as_slice() {
        [module] => Some(*module),
        [first, _] if layers.len() == 2 && plain(&first.media_type) == MODULES[0] => Some(*first),
        [] => of(&ARCHIVES).next_back().or_else(|| opaque(layers)),
        several => one(several.iter().copied().filter(|layer| title(layer) == Some("plugin.wasm"))),
    };
    let Some(chosen) = chosen else { return Err(invalid(manifest, modules.len())) };
    let size = u64::try_from(chosen.size).map_err(|_| format!("a layer of {} bytes", chosen.size))?;
    let digest = chosen.digest.strip_prefix("sha256:").and_then(|digits| digits.parse().ok());
    let digest = digest
        .ok_or_else(|| format!("a layer's digest is {:?}, expected sha256:", shortened(&chosen.digest)))?;
    Ok(Layer { digest, size })
}

fn opaque(layers: &[OciDescriptor]) -> Option<&OciDescriptor> {
    let is_opaque = |layer: &OciDescriptor| {
        plain(&layer.media_type).is_empty() || OPAQUE.contains(&plain(&layer.media_type))
    };
    let named = layers.iter().filter(|layer| title(layer).is_some_and(|title| title.ends_with(".wasm")));
    one(named).or_else(|| match layers {
        [only] if is_opaque(only) => Some(only),
        _ => None,
    })
}

/// What is left, if it is one.
fn one<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

fn plain(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

fn title(layer: &OciDescriptor) -> Option<&str> {
    layer.annotations.as_ref()?.get(TITLE).map(String::as_str)
}

fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

fn invalid(manifest: &OciImageManifest, modules: usize) -> String {
    let mut text = "the given image is in invalid format as an OCI image: ".to_owned();
    let layers = &manifest.layers;
    if layers.is_empty() {
        text.push_str("number of layers must be greater than zero");
    } else if modules == 0 {
        text.push_str("no layer is a Wasm module or an archive");
    } else {
        let _ = write!(text, "{modules} layers are Wasm modules, and none alone is named plugin.wasm");
    }
    for (index, layer) in layers.iter().take(LISTED).enumerate() {
        let _ = write!(text, "; layer {index} is {:?} of {} bytes", shortened(&layer.media_type), layer.size);
        if let Some(title) = title(layer) {
            let _ = write!(text, " named {:?}", shortened(title));
        }
    }
    if layers.len() > LISTED {
        let _ = write!(text, "; and {} more", layers.len() - LISTED);
    }
    text
}

/// The manifest of an index that has the module: of a platform of Wasm, else of linux/amd64 (which an entry without
/// platform is too), else the only one.
///
/// # Errors
///
/// In words, with the platforms that there are.
pub fn child(index: &OciImageIndex) -> Result<&ImageIndexEntry, String> {
    let entries: Vec<&ImageIndexEntry> =
        index.manifests.iter().filter(|entry| !is_attestation(entry)).collect();
    let find = |fits: fn(&str, &str) -> bool| {
        entries.iter().copied().find(|entry| {
            let (os, arch) = platform(entry);
            fits(&os, &arch)
        })
    };
    find(|os, arch| arch.starts_with("wasm") || os.starts_with("wasi"))
        .or_else(|| find(|os, arch| os == "linux" && arch == "amd64"))
        .or_else(|| one(entries.iter().copied()))
        .ok_or_else(|| {
            let platforms = entries.iter().take(LISTED).map(|entry| {
                let (os, arch) = platform(entry);
                format!("{:?}", shortened(&format!("{os}/{arch}")))
            });
            let platforms: Vec<String> = platforms.collect();
            format!(
                "no child with platform wasm or linux/amd64 in the index: it has {}",
                if platforms.is_empty() { "none".to_owned() } else { platforms.join(", ") }
            )
        })
}

fn platform(entry: &ImageIndexEntry) -> (String, String) {
    match &entry.platform {
        Some(platform) => (platform.os.to_string(), platform.architecture.to_string()),
        None => ("linux".to_owned(), "amd64".to_owned()),
    }
}

/// What BuildKit writes beside the images.
fn is_attestation(entry: &ImageIndexEntry) -> bool {
    let annotations = entry.annotations.as_ref();
    annotations.is_some_and(|annotations| annotations.contains_key("vnd.docker.reference.type"))
}

#[cfg(test)]
mod tests;
