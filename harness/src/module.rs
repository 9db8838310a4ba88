//! A compiled module: read once, compiled once, shared by every test of the process.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use sha2::{Digest, Sha256};
use wasmtime::{ExternType, InstancePre};

use crate::engine::{METERED, Machinery, UNMETERED};
use crate::guest::Guest;

pub use proxy_wasm_abi::{Description, Export, Import, Memory};

/// A Proxy-Wasm module. Cheap to clone.
#[derive(Clone)]
pub struct Module(Arc<Inner>);

struct Inner {
    name: String,
    bytes: Vec<u8>,
    digest: [u8; 32],
    description: Description,
    metered: OnceLock<Result<Linked, Arc<str>>>,
    unmetered: OnceLock<Result<Linked, Arc<str>>>,
}

/// A module with its imports found, ready to be instantiated.
#[derive(Clone)]
pub(crate) struct Linked {
    pub(crate) instance: InstancePre<Guest>,
}

/// Why a file is not a module that can be run.
#[derive(Debug, thiserror::Error)]
pub enum Unloadable {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unread {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not WebAssembly that is valid.
    #[error("{name}: not a valid WebAssembly module: {message}")]
    Invalid {
        /// The module's name.
        name: String,
        /// What is wrong with it.
        message: String,
    },
}

impl Module {
    /// Reads a module from a `.wasm` file, or a `.wat` text.
    ///
    /// # Errors
    ///
    /// [`Unloadable`] if it cannot be read or is not WebAssembly. Whether it is Proxy-Wasm is found out when a host
    /// starts it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Unloadable> {
        let path = path.as_ref();
        let bytes =
            std::fs::read(path).map_err(|source| Unloadable::Unread { path: path.to_owned(), source })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::from_bytes(&name, &bytes)
    }

    /// Takes a module in memory, binary or text. Equal bytes are compiled once in a process.
    ///
    /// # Errors
    ///
    /// [`Unloadable::Invalid`] if it is not WebAssembly.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, Unloadable> {
        type Known = HashMap<(String, [u8; 32]), Module>;
        static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let key = (name.to_owned(), digest);
        if let Some(known) = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let invalid = |message: String| Unloadable::Invalid { name: name.to_owned(), message };
        let bytes = wat::parse_bytes(bytes).map_err(|error| invalid(error.to_string()))?.into_owned();
        let description = Description::of(&bytes).map_err(invalid)?;
        let module = Self(Arc::new(Inner {
            name: name.to_owned(),
            bytes,
            digest,
            description,
            metered: OnceLock::new(),
            unmetered: OnceLock::new(),
        }));
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(key, module.clone());
        Ok(module)
    }

    /// The name it was given: that of its file, without the ending.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What stands in it: imports, exports, memory, size.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.0.description
    }

    /// The module itself, binary also if it was read from text.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// SHA-256 of what it was read from.
    pub(crate) fn digest(&self) -> &[u8] {
        &self.0.digest
    }

    /// Compiles it, or finds it compiled.
    ///
    /// # Errors
    ///
    /// What the compiler said.
    pub(crate) fn linked(&self, metered: bool) -> Result<Linked, Arc<str>> {
        let (place, machinery) =
            if metered { (&self.0.metered, &METERED) } else { (&self.0.unmetered, &UNMETERED) };
        place.get_or_init(|| self.link(machinery).map_err(|error| format!("{error:#}").into())).clone()
    }

    fn link(&self, machinery: &Machinery) -> wasmtime::Result<Linked> {
        let module = wasmtime::Module::new(&machinery.engine, self.bytes())?;
        let mut linker = machinery.linker.clone();
        let abi = self.0.description.abi();
        linker.allow_shadowing(true);
        for import in module.imports() {
            let (space, name) = (import.module().to_owned(), import.name().to_owned());
            if proxy_wasm_abi::is_provided(&space, &name, abi) {
                continue;
            }
            // It may be a mistake on a path that is never taken, so only the call is one.
            if let ExternType::Func(kind) = import.ty() {
                let (in_space, called) = (space.clone(), name.clone());
                linker.func_new(&space, &name, kind, move |_, _, _| {
                    Err(wasmtime::Error::msg(format!(
                        "the module called {in_space}.{called}, which this host does not provide"
                    )))
                })?;
            }
        }
        Ok(Linked { instance: linker.instantiate_pre(&module)? })
    }

    /// The imports that no host of this ABI version provides.
    #[must_use]
    pub fn unknown_imports(&self) -> Vec<&Import> {
        let description = self.description();
        let abi = description.abi();
        let unknown = |import: &&Import| !proxy_wasm_abi::is_provided(&import.module, &import.name, abi);
        description.imports.iter().filter(unknown).collect()
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("name", &self.name()).finish_non_exhaustive()
    }
}
