//! Offline sets: modules by their URLs, in a folder or a tar file that is an OCI image layout.
//!
//! Each module is an artifact of one layer. `index.json` says by which URL it was obtained
//! (`org.opencontainers.image.ref.name`) and what that is pinned by ([`CHECKSUM`]); the manifest keeps the signatures that
//! were found ([`SIGNATURES`]), so that rules on them hold without network.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use tempfile::NamedTempFile;

use super::disk;
use crate::fetch::Downloaded;
use crate::trust::Signature;
use crate::{Reason, Sha256, Unavailable};

/// Annotation: what the URL is pinned by, the manifest's digest for OCI and the module's for HTTP.
pub const CHECKSUM: &str = "io.meshloom.checksum";

/// Annotation: the signatures of the manifest that the module came by, in JSON.
pub const SIGNATURES: &str = "io.meshloom.signatures";

const URL: &str = "org.opencontainers.image.ref.name";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const MODULE: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Longest index, in bytes.
const LONGEST_INDEX: u64 = 16 << 20;
/// Longest manifest, in bytes.
const LONGEST_MANIFEST: u64 = 4 << 20;
/// Most modules of a set, and most files of its tar.
const MOST: usize = 10_000;

/// An offline set, read.
#[derive(Clone, Debug, Default)]
pub struct Bundle(HashMap<String, Vec<Entry>>);

/// A module of an offline set.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What its URL is pinned by.
    pub checksum: Sha256,
    /// Of the module.
    pub sha256: Sha256,
    /// Bytes.
    pub size: u64,
    /// Of the manifest that the module came by.
    pub signatures: Vec<Signature>,
    file: PathBuf,
    offset: u64,
}

/// A module to be put into an offline set.
#[derive(Clone, Debug)]
pub struct Packed {
    /// By which it is found again, as a resource has it.
    pub url: String,
    /// What that is pinned by.
    pub checksum: Sha256,
    /// Of the module.
    pub sha256: Sha256,
    /// Bytes.
    pub size: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Of the manifest that the module came by.
    pub signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    manifests: Vec<Descriptor>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: String,
    artifact_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct SignatureText {
    payload: String,
    signature: String,
    place: String,
}

impl Bundle {
    /// Reads what is in a folder or a tar file.
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`] if it cannot be read, and [`Reason::Unusable`] if it is no offline set, with what is wrong.
    pub fn open(path: &Path) -> Result<Self, Unavailable> {
        let layout = Layout::of(path).map_err(|error| disk(path, "cannot read", &error))?;
        Self::read(&layout).map_err(|why| {
            Unavailable::new(Reason::Unusable, format!("{} is no offline set: {why}", path.display()))
        })
    }

    fn read(layout: &Layout) -> Result<Self, String> {
        let index = layout.bytes("index.json", LONGEST_INDEX)?;
        let index: Index = serde_json::from_slice(&index).map_err(|error| format!("index.json: {error}"))?;
        if index.manifests.len() > MOST {
            return Err(format!("index.json: {} manifests, more than {MOST}", index.manifests.len()));
        }
        let mut problems = Vec::new();
        let mut entries: HashMap<String, Vec<Entry>> = HashMap::new();
        for (number, descriptor) in index.manifests.iter().enumerate() {
            match Entry::read(layout, descriptor) {
                Ok((url, entry)) => entries.entry(url).or_default().push(entry),
                Err(why) => problems.push(format!("manifests[{number}]: {why}")),
            }
        }
        if problems.is_empty() { Ok(Self(entries)) } else { Err(problems.join("; ")) }
    }

    /// The module of a URL, which is pinned by that if it is.
    #[must_use]
    pub fn find(&self, url: &str, pinned: Option<Sha256>) -> Option<&Entry> {
        self.0.get(url)?.iter().find(|entry| pinned.is_none_or(|pinned| entry.checksum == pinned))
    }

    /// Its URLs, in no order.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Writes an offline set: a tar file if the path ends in `.tar`, else a folder. It is there whole, or not at all (a
    /// folder: its index).
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`]
    pub fn write(path: &Path, modules: &[Packed]) -> Result<(), Unavailable> {
        let is_tar = path.extension().is_some_and(|extension| extension == "tar");
        let written = if is_tar { write_tar(path, modules) } else { write_folder(path, modules) };
        written.map_err(|error| disk(path, "cannot write", &error))
    }
}

impl Entry {
    fn read(layout: &Layout, descriptor: &Descriptor) -> Result<(String, Self), String> {
        let digest = |text: &str| text.parse::<Sha256>().map_err(|error| error.to_string());
        let url = descriptor.annotations.get(URL).ok_or_else(|| format!("no annotation {URL}"))?;
        let checksum =
            descriptor.annotations.get(CHECKSUM).ok_or_else(|| format!("no annotation {CHECKSUM}"))?;
        let expected = digest(&descriptor.digest)?;
        let manifest = layout.bytes(&blob(&expected), LONGEST_MANIFEST)?;
        if Sha256::of(&manifest) != expected {
            return Err(format!("the manifest is not what its digest {expected} says"));
        }
        let manifest: Manifest = serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
        let [layer] = manifest.layers.as_slice() else {
            return Err(format!("{} layers: expected one", manifest.layers.len()));
        };
        let sha256 = digest(&layer.digest)?;
        let (file, offset, size) = layout.place(&blob(&sha256))?;
        if size != layer.size {
            return Err(format!("the module has {size} bytes: expected {}", layer.size));
        }
        let signatures = match manifest.annotations.get(SIGNATURES) {
            Some(text) => signatures(text)?,
            None => Vec::new(),
        };
        let entry = Self { checksum: digest(checksum)?, sha256, size, signatures, file, offset };
        Ok((url.clone(), entry))
    }

    /// Copies the module into a new file of the folder, and checks it. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`], and [`Reason::ChecksumMismatch`] if the set is damaged.
    pub fn copy_to(&self, folder: &Path) -> Result<Downloaded, Unavailable> {
        let (file, sha256) =
            self.copy(folder).map_err(|error| disk(&self.file, "cannot copy a module from", &error))?;
        if sha256 != self.sha256 {
            let message =
                format!("{}: a module is {sha256} and should be {}", self.file.display(), self.sha256);
            return Err(Unavailable::new(Reason::ChecksumMismatch, message));
        }
        Ok(Downloaded { file, sha256, size: self.size })
    }

    fn copy(&self, folder: &Path) -> io::Result<(NamedTempFile, Sha256)> {
        let mut from = File::open(&self.file)?;
        from.seek(SeekFrom::Start(self.offset))?;
        let mut from = from.take(self.size);
        let mut to = NamedTempFile::new_in(folder)?;
        let mut hasher = sha2::Sha256::new();
        let mut piece = vec![0; 64 * 1024];
        loop {
            match from.read(&mut piece)? {
                0 => break,
                read => {
                    let read = piece.get(..read).unwrap_or_default();
                    hasher.update(read);
                    to.write_all(read)?;
                }
            }
        }
        Ok((to, Sha256::from_hasher(hasher)))
    }
}

fn signatures(text: &str) -> Result<Vec<Signature>, String> {
    let found: Vec<SignatureText> =
        serde_json::from_str(text).map_err(|error| format!("{SIGNATURES}: {error}"))?;
    let read = |found: SignatureText| {
        let payload =
            STANDARD.decode(&found.payload).map_err(|_| format!("{SIGNATURES}: a payload is no base64"))?;
        Ok(Signature { payload: payload.into(), signature: found.signature, place: found.place })
    };
    found.into_iter().map(read).collect()
}

/// A folder or a tar file with files in it.
enum Layout {
    Folder(PathBuf),
    /// Where each file is: offset and size.
    Tar(PathBuf, HashMap<String, (u64, u64)>),
}

impl Layout {
    fn of(path: &Path) -> io::Result<Self> {
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let mut files = HashMap::new();
        let mut archive = tar::Archive::new(File::open(path)?);
        for entry in archive.entries_with_seek()?.take(MOST * 3) {
            let entry = entry?;
            if entry.header().entry_type().is_file() {
                let name = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
                files.insert(name, (entry.raw_file_position(), entry.size()));
            }
        }
        Ok(Self::Tar(path.to_owned(), files))
    }

    /// In which file, from which byte on, and how many.
    fn place(&self, name: &str) -> Result<(PathBuf, u64, u64), String> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                let size = fs::metadata(&path).map_err(|error| format!("{name}: {error}"))?.len();
                Ok((path, 0, size))
            }
            Self::Tar(path, files) => {
                let (offset, size) = files.get(name).ok_or_else(|| format!("{name} is not there"))?;
                Ok((path.clone(), *offset, *size))
            }
        }
    }

    fn bytes(&self, name: &str, most: u64) -> Result<Vec<u8>, String> {
        let (path, offset, size) = self.place(name)?;
        if size > most {
            return Err(format!("{name} has {size} bytes, more than {most}"));
        }
        let read = || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(size).read_to_end(&mut bytes)?;
            io::Result::Ok(bytes)
        };
        read().map_err(|error| format!("{name}: {error}"))
    }
}

fn blob(digest: &Sha256) -> String {
    format!("blobs/sha256/{digest}")
}

/// All files of a set but the modules: name and content. The index is the last.
fn documents(modules: &[Packed]) -> io::Result<Vec<(String, Vec<u8>)>> {
    let empty = b"{}".to_vec();
    let config = || Descriptor {
        media_type: EMPTY.to_owned(),
        digest: named(&empty),
        size: 2,
        annotations: BTreeMap::new(),
    };
    let mut documents = vec![
        ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        (blob(&Sha256::of(&empty)), empty.clone()),
    ];
    let mut manifests = Vec::new();
    for module in modules {
        let mut annotations = BTreeMap::new();
        if !module.signatures.is_empty() {
            let text = |signature: &Signature| SignatureText {
                payload: STANDARD.encode(&signature.payload),
                signature: signature.signature.clone(),
                place: signature.place.clone(),
            };
            let texts: Vec<SignatureText> = module.signatures.iter().map(text).collect();
            annotations.insert(SIGNATURES.to_owned(), serde_json::to_string(&texts)?);
        }
        let layer = Descriptor {
            media_type: MODULE.to_owned(),
            digest: format!("sha256:{}", module.sha256),
            size: module.size,
            annotations: BTreeMap::new(),
        };
        let manifest = serde_json::to_vec(&Manifest {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            artifact_type: MODULE.to_owned(),
            config: config(),
            layers: vec![layer],
            annotations,
        })?;
        let annotations = [(URL, module.url.clone()), (CHECKSUM, format!("sha256:{}", module.checksum))];
        manifests.push(Descriptor {
            media_type: MANIFEST.to_owned(),
            digest: named(&manifest),
            size: u64::try_from(manifest.len()).unwrap_or(u64::MAX),
            annotations: annotations.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        });
        documents.push((blob(&Sha256::of(&manifest)), manifest));
    }
    documents.push(("index.json".to_owned(), serde_json::to_vec(&Index { schema_version: 2, manifests })?));
    Ok(documents)
}

fn named(bytes: &[u8]) -> String {
    format!("sha256:{}", Sha256::of(bytes))
}

fn write_folder(path: &Path, modules: &[Packed]) -> io::Result<()> {
    fs::create_dir_all(path.join("blobs/sha256"))?;
    let put = |name: &str, write: &dyn Fn(&mut File) -> io::Result<()>| {
        let mut file = NamedTempFile::new_in(path)?;
        write(file.as_file_mut())?;
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path.join(name)).map_err(|error| error.error)?;
        io::Result::Ok(())
    };
    for module in modules {
        put(&blob(&module.sha256), &|to| io::copy(&mut File::open(&module.path)?, to).map(drop))?;
    }
    for (name, content) in documents(modules)? {
        put(&name, &|to| to.write_all(&content))?;
    }
    Ok(())
}

fn write_tar(path: &Path, modules: &[Packed]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = NamedTempFile::new_in(folder)?;
    let mut archive = tar::Builder::new(file.as_file());
    let header = |size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o644);
        header
    };
    let mut there = std::collections::HashSet::new();
    for (name, content) in documents(modules)? {
        if there.insert(name.clone()) {
            let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
            archive.append_data(&mut header(size), name, content.as_slice())?;
        }
    }
    for module in modules.iter().filter(|module| there.insert(blob(&module.sha256))) {
        archive.append_data(&mut header(module.size), blob(&module.sha256), File::open(&module.path)?)?;
    }
    archive.finish()?;
    drop(archive);
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
