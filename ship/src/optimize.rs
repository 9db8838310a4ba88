//! Writes `dist/<filter>.wasm`: the compiled module without what the filter does not need.

mod stamp;
mod wasm_opt;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::callback::{self, Callbacks, Unclear};
use crate::digest::Digest;
use crate::module::{self, Malformed, Mismatch};
use crate::workspace::{Filter, Workspace};

pub use stamp::Stamp;
pub use wasm_opt::{Refused, WasmOpt};

/// What became of one filter.
#[derive(Debug)]
pub struct Outcome {
    /// Whether the module in `dist/` was already what it should be.
    pub fresh: bool,
    /// The callbacks that it exports.
    pub callbacks: Callbacks,
    /// How it was made, and its sizes.
    pub stamp: Stamp,
}

/// Why there is no module in `dist/`.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Cargo has not built it yet.
    #[error("filter `{filter}` has no compiled module at {path}, run `make build`")]
    NotBuilt {
        /// The filter.
        filter: String,
        /// Where it was looked for.
        path: String,
    },
    /// A file could not be read or written.
    #[error("{action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it did not work.
        source: io::Error,
    },
    /// The callbacks cannot be read from the source.
    #[error(transparent)]
    Unclear(#[from] Unclear),
    /// The compiled module cannot be read.
    #[error("filter `{filter}`")]
    Malformed {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        source: Malformed,
    },
    /// wasm-opt did not do its work.
    #[error("filter `{filter}`")]
    Refused {
        /// The filter.
        filter: String,
        /// Why.
        source: Refused,
    },
    /// What would be shipped is not what the source asks for.
    #[error("filter `{filter}`")]
    Mismatch {
        /// The filter.
        filter: String,
        /// The difference.
        source: Mismatch,
    },
}

/// Optimises one filter, unless its module is fresh. Without `wasm_opt` it is pruned only.
///
/// # Errors
///
/// [`Failed`]; `dist/` is then as it was.
pub fn optimize(
    workspace: &Workspace,
    filter: &Filter,
    wasm_opt: Option<&WasmOpt>,
) -> Result<Outcome, Failed> {
    let compiled = compiled(workspace, filter)?;
    let callbacks = callback::implemented_in(filter.sources.iter().map(PathBuf::as_path))?;
    let inputs = inputs(&compiled, &callbacks, wasm_opt);
    let (shipped, stamp_file) = (workspace.shipped(filter), workspace.stamp(filter));
    if let Some(stamp) = Stamp::read(&stamp_file)
        && stamp.inputs == inputs
        && fs::read(&shipped).is_ok_and(|bytes| stamp.describes(&bytes))
    {
        return Ok(Outcome { fresh: true, callbacks, stamp });
    }
    let name = || filter.name.clone();
    let mut module = module::prune(&compiled, &callbacks)
        .map_err(|source| Failed::Malformed { filter: name(), source })?;
    if let Some(wasm_opt) = wasm_opt {
        module = wasm_opt.run(&module).map_err(|source| Failed::Refused { filter: name(), source })?;
    }
    module::check(&module, &callbacks).map_err(|source| Failed::Mismatch { filter: name(), source })?;

    let stamp = Stamp {
        inputs,
        output: Digest::of(&module),
        compiled_bytes: compiled.len(),
        module_bytes: module.len(),
        optimised: wasm_opt.is_some(),
    };
    // The module first: a stamp without its module would say "fresh" of the one before.
    write(&shipped, &module)?;
    write(&stamp_file, stamp.to_json().as_bytes())?;
    Ok(Outcome { fresh: false, callbacks, stamp })
}

fn compiled(workspace: &Workspace, filter: &Filter) -> Result<Vec<u8>, Failed> {
    let path = workspace.compiled(filter);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Failed::NotBuilt { filter: filter.name.clone(), path: workspace.shown(&path).to_string() })
        }
        read => read.map_err(|source| Failed::Io { action: "reading", path, source }),
    }
}

/// All that the shipped module depends on, in one digest.
fn inputs(compiled: &[u8], callbacks: &Callbacks, wasm_opt: Option<&WasmOpt>) -> Digest {
    let arguments = wasm_opt.map_or_else(|| "pruned only".to_owned(), WasmOpt::identity);
    // A ship that prunes differently has another version of itself to say so.
    let ship = env!("CARGO_PKG_VERSION");
    Digest::of(format!("{}\n{callbacks}\n{arguments}\n{ship}", Digest::of(compiled)).as_bytes())
}

/// Writes a file whole or not at all, for an Envoy that may be reading it. Anyone may read it: the one in a
/// container runs as another user.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failed> {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let readable = fs::Permissions::from_mode(0o644);
        let mut file = tempfile::Builder::new().permissions(readable).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| Failed::Io { action: "writing", path: path.to_owned(), source })
}
