//! Where things are below the folder of a store.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::Sha256;

/// What a module is known by: where it comes from and what it is pinned by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The SHA-256 of the name: of the URL for HTTP, of registry and repository for OCI.
    pub name: Sha256,
    /// The module's SHA-256 for HTTP, the manifest's for OCI.
    pub checksum: Sha256,
}

#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn own(&self) -> PathBuf {
        self.root.join(".meshloom")
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.own().join("blobs")
    }

    pub(super) fn blob(&self, sha256: &Sha256) -> PathBuf {
        self.blobs().join(sha256.to_string())
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.own().join("tmp")
    }

    pub(super) fn flights(&self) -> PathBuf {
        self.own().join("flights")
    }

    pub(super) fn flight(&self, key: &Sha256) -> PathBuf {
        self.flights().join(key.to_string())
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.own().join("lock")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.own().join("journal")
    }

    pub(super) fn salt(&self) -> PathBuf {
        self.own().join("salt")
    }

    pub(super) fn folder_of(&self, source: &Source) -> PathBuf {
        self.root.join(source.name.to_string())
    }

    /// The file that Envoy is told of.
    pub(super) fn path(&self, source: &Source) -> PathBuf {
        self.folder_of(source).join(format!("{}.wasm", source.checksum))
    }

    /// Every file that has the name of a source.
    pub(super) fn sources(&self) -> io::Result<Vec<Source>> {
        let mut found = Vec::new();
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            let Some(name) = digest(&folder.file_name().to_string_lossy()) else { continue };
            // Gone since, or a file of somebody else's.
            let Ok(entries) = fs::read_dir(folder.path()) else { continue };
            for entry in entries {
                let entry = entry?.file_name();
                let checksum = entry.to_string_lossy().strip_suffix(".wasm").and_then(digest);
                found.extend(checksum.map(|checksum| Source { name, checksum }));
            }
        }
        Ok(found)
    }

    /// Every blob.
    pub(super) fn all_blobs(&self) -> io::Result<Vec<Sha256>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.blobs())? {
            found.extend(digest(&entry?.file_name().to_string_lossy()));
        }
        Ok(found)
    }
}

/// Digests in names of files are lowercase and bare.
fn digest(name: &str) -> Option<Sha256> {
    name.parse::<Sha256>().ok().filter(|digest| digest.to_string() == name)
}

/// A folder that everybody may look into, whatever the umask.
pub(super) fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// What a folder names is on disk.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes a file; that there is none is as good.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
