//! What tests of the fetchers have in common: options, wishes, and what came of them.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use meshloom_agent::fetch::{FetchOptions, Fetcher as _, Network, Registries, Resolved};
use meshloom_agent::{Secret, Sha256, Unavailable, Wanted};

/// A module, as far as the fetchers look.
pub(crate) const MODULE: &[u8] = b"\0asm\x01\0\0\0 a module";

/// Waits that are long for a server on this machine, and short for whoever waits for the test.
pub(crate) fn options() -> FetchOptions {
    FetchOptions {
        backoff: Duration::from_millis(1),
        idle_timeout: Duration::from_secs(20),
        docker_config: Some("/nowhere".into()),
        ..FetchOptions::default()
    }
}

pub(crate) fn wanted(url: impl Into<String>) -> Wanted {
    let wanted = Wanted::new(url, "extensions.istio.io/wasmplugin/ns.name", Duration::from_secs(30));
    Wanted { resource_version: "1".to_owned(), ..wanted }
}

/// A pull secret for one host.
pub(crate) fn secret(host: &str, fields: &str) -> Option<Secret> {
    Some(Secret::new(format!(r#"{{"auths": {{"{host}": {{{fields}}}}}}}"#)))
}

pub(crate) fn network(options: FetchOptions) -> Network {
    network_with(options, "")
}

pub(crate) fn network_with(options: FetchOptions, registries: &str) -> Network {
    Network::with_registries(options, Registries::parse(registries).unwrap()).unwrap()
}

/// A folder for downloads, and what is left in it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn files(&self) -> usize {
        std::fs::read_dir(self.0.path()).unwrap().count()
    }
}

/// Resolves, downloads, and looks at what is on disk: the module, or why there is none and that nothing is left.
pub(crate) async fn pull(network: &Network, wanted: &Wanted) -> Result<(Resolved, Vec<u8>), Unavailable> {
    let folder = Folder::new();
    let resolved = network.resolve(wanted).await?;
    match network.download(wanted, &resolved, folder.path(), &()).await {
        Ok(downloaded) => {
            assert_eq!(folder.files(), 1, "besides the module there is something left");
            let module = std::fs::read(downloaded.file.path()).unwrap();
            assert_eq!((downloaded.sha256, downloaded.size), (Sha256::of(&module), module.len() as u64));
            drop(downloaded);
            assert_eq!(folder.files(), 0, "the module outlives who has it");
            Ok((resolved, module))
        }
        Err(unavailable) => {
            assert_eq!(folder.files(), 0, "something is left of what failed: {unavailable}");
            Err(unavailable)
        }
    }
}

pub(crate) async fn module(network: &Network, wanted: &Wanted) -> Vec<u8> {
    let pulled = pull(network, wanted).await;
    pulled.unwrap_or_else(|unavailable| panic!("{:?}: {unavailable}", unavailable.reason)).1
}

pub(crate) async fn refusal(network: &Network, wanted: &Wanted) -> Unavailable {
    match pull(network, wanted).await {
        Ok((_, module)) => panic!("{} bytes came", module.len()),
        Err(unavailable) => unavailable,
    }
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}
