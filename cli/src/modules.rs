//! From a plugin to the module that it runs: a file on this machine, never the network.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use proxy_wasm_harness::{Module, Unloadable};
use sha2::{Digest as _, Sha256};

use crate::plugin::{Code, Plugin};

/// A module may have so many bytes: far more than any has.
const MOST_BYTES: u64 = 256 << 20;
const MAGIC: &[u8] = b"\0asm";

/// Where modules are looked for.
#[derive(Debug)]
pub(crate) struct Modules {
    /// The one that was named for all plugins.
    named: Option<PathBuf>,
    folder: PathBuf,
}

/// A module that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) module: Module,
    /// The file, or that it is in the document.
    pub(crate) shown: String,
    pub(crate) sha256: String,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum Missing {
    /// Nobody knows where it is: the command has to be told.
    Unknown(String),
    /// It is there, and Envoy would say this of it; with more, if more is known.
    Refused(&'static str, Option<String>),
}

impl Modules {
    /// `named` is for every plugin; else a module is looked for in `folder` by its name.
    pub(crate) fn new(named: Option<PathBuf>, folder: PathBuf) -> Self {
        Self { named, folder }
    }

    /// The module of a filter by the filter's name.
    pub(crate) fn named_in(folder: &Path, filter: &str) -> Option<PathBuf> {
        // A name, and no path out of the folder.
        let plain = !filter.is_empty() && !filter.contains(['/', '\\']) && !filter.starts_with('.');
        let names = [format!("{filter}.wasm"), format!("{}.wasm", filter.replace('-', "_"))];
        names.iter().filter(|_| plain).map(|name| folder.join(name)).find(|path| path.is_file())
    }

    /// The module of a plugin.
    ///
    /// # Errors
    ///
    /// What was looked for, or why what was found is none.
    pub(crate) fn find(&self, plugin: &Plugin<'_>) -> Result<Found, Missing> {
        if let Some(path) = &self.named {
            return load(path, true);
        }
        if let Code::Inline(bytes) = &plugin.code {
            return of_bytes(&plugin.name, bytes, "inline".to_owned(), false);
        }
        if let Code::File(path) = &plugin.code
            && Path::new(path).is_file()
        {
            return load(Path::new(path), false);
        }
        let found = plugin.names.iter().find_map(|name| Self::named_in(&self.folder, name));
        match found {
            Some(path) => load(&path, false),
            None => Err(Missing::Unknown(self.explain(plugin))),
        }
    }

    fn explain(&self, plugin: &Plugin<'_>) -> String {
        let at = match &plugin.code {
            Code::File(path) => format!("no file {path}, and "),
            Code::Remote(url) => format!("it is at {url}, which is not fetched, and "),
            Code::Inline(_) | Code::Unsaid => String::new(),
        };
        let folder = self.folder.display();
        let mut names = plugin.names.clone();
        names.dedup();
        let looked = match names.as_slice() {
            [] => format!("nothing to look for in {folder}/"),
            names => format!("no {}.wasm in {folder}/", names.join(".wasm and no ")),
        };
        format!(
            "the module of this plugin is not there: {at}{looked}; name it by --module FILE or --filter NAME, or the folder of modules by --modules DIR"
        )
    }
}

fn load(path: &Path, text: bool) -> Result<Found, Missing> {
    let shown = path.display().to_string();
    let bytes = read(path).map_err(|error| Missing::Unknown(format!("{shown}: {error}")))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    of_bytes(&name, &bytes, shown, text)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::other(format!("it has more than {} MiB", MOST_BYTES >> 20)));
    }
    Ok(bytes)
}

/// `text`: whether WebAssembly's text form will do, which Envoy does not read.
fn of_bytes(name: &str, bytes: &[u8], shown: String, text: bool) -> Result<Found, Missing> {
    let is_text = text && std::str::from_utf8(bytes).is_ok();
    if !is_text && !bytes.starts_with(MAGIC) {
        return Err(Missing::Refused(envoys_words(bytes), Some(format!("{shown} is no WebAssembly"))));
    }
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    match Module::from_bytes(name, bytes) {
        Ok(module) => Ok(Found { module, shown, sha256 }),
        Err(Unloadable::Invalid { message, .. }) if ends_with_a_section(bytes) => {
            Err(Missing::Refused("Failed to load Wasm bytecode", Some(format!("{shown}: {message}"))))
        }
        Err(error) => Err(Missing::Refused(envoys_words(bytes), Some(format!("{shown}: {error}")))),
    }
}

/// What proxy-wasm-cpp-host says of bytes that are no module (`BytecodeUtil::getAbiVersion`): it looks for the version
/// of the ABI before anything else, and not at the first eight bytes.
fn envoys_words(bytes: &[u8]) -> &'static str {
    if ends_with_a_section(bytes) {
        "Missing or unknown Proxy-Wasm ABI version"
    } else {
        "Failed to parse corrupted Wasm module"
    }
}

/// Whether what follows the header can be walked section by section, to the end.
fn ends_with_a_section(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((_, after_kind)) = rest.split_first() {
        let (mut length, mut shift, mut after) = (0u64, 0, after_kind);
        loop {
            let Some((byte, more)) = after.split_first() else { return false };
            length |= u64::from(byte & 0x7f) << shift;
            after = more;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            if shift >= 35 {
                return false;
            }
        }
        let Some(next) = usize::try_from(length).ok().and_then(|length| after.get(length..)) else {
            return false;
        };
        rest = next;
    }
    true
}
