//! Writes `dist/<filter>.wasm`: the compiled module without what the filter does not need.

mod stamp;
mod wasm_opt;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::callback::{self, Callbacks, Unclear};
use crate::digest::Digest;
use crate::module::{self, Features, Malformed, Mismatch};
use crate::workspace::{Filter, Workspace};

pub use stamp::Stamp;
pub use wasm_opt::{Refused, WasmOpt};

/// To be raised when the same inputs are to give another module: every one in a `dist/` is then stale.
const REVISION: u32 = 1;

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
    /// It was compiled without the feature that it is to have.
    #[error(
        "filter `{filter}` was compiled without the target feature `{feature}`: run `make build`, without RUSTFLAGS in the environment"
    )]
    Without {
        /// The filter.
        filter: String,
        /// The feature.
        feature: String,
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
    if let Some(feature) = &filter.feature {
        let features =
            Features::of_module(&compiled).map_err(|source| Failed::Malformed { filter: name(), source })?;
        if !features.is_some_and(|features| features.has(feature)) {
            return Err(Failed::Without { filter: name(), feature: feature.clone() });
        }
    }
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
    Digest::of(format!("{}\n{callbacks}\n{arguments}\n{REVISION}", Digest::of(compiled)).as_bytes())
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

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const SOURCE: &str = "impl HttpContext for Stream { fn on_log(&mut self) {} }";

    /// A workspace with one filter, `gate`, of this source and with these callbacks in its compiled module.
    fn workspace(source: &str, callbacks: &[&str]) -> (TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let workspace = Workspace::for_tests(root, "gate");
        fs::create_dir_all(root.join("filters/gate/src")).unwrap();
        fs::write(root.join("filters/gate/src/shell.rs"), source).unwrap();
        let exports: String =
            callbacks.iter().map(|name| format!("(func (export \"proxy_on_{name}\"))")).collect();
        let compiled = workspace.compiled(&workspace.filters()[0]);
        fs::create_dir_all(compiled.parent().unwrap()).unwrap();
        fs::write(compiled, wat::parse_str(format!("(module {exports})")).unwrap()).unwrap();
        (folder, workspace)
    }

    fn run(workspace: &Workspace) -> Result<Outcome, Failed> {
        optimize(workspace, &workspace.filters()[0], None)
    }

    #[test]
    fn a_module_is_written_once_and_then_fresh_until_something_changes() {
        let (folder, workspace) = workspace(SOURCE, &["context_create", "delete", "log", "tick"]);
        let first = run(&workspace).unwrap();
        assert!(!first.fresh);
        assert!(first.stamp.module_bytes < first.stamp.compiled_bytes);
        assert_eq!(first.callbacks.to_string(), "context_create delete log");
        assert!(run(&workspace).unwrap().fresh);

        let ticking = "impl RootContext for Root { fn on_tick(&mut self) {} }";
        fs::write(folder.path().join("filters/gate/src/root.rs"), ticking).unwrap();
        let second = run(&workspace).unwrap();
        assert!(!second.fresh);
        assert_eq!(second.callbacks.to_string(), "context_create delete log tick");
    }

    #[test]
    fn a_module_that_lacks_the_feature_it_is_for_is_not_shipped() {
        let (folder, workspace) = workspace(SOURCE, &["context_create", "delete", "log"]);
        let mut filter = workspace.filters()[0].clone();
        filter.feature = Some("simd128".to_owned());
        let compiled = workspace.compiled(&filter);
        fs::create_dir_all(compiled.parent().unwrap()).unwrap();
        fs::copy(workspace.compiled(&workspace.filters()[0]), &compiled).unwrap();
        let error = optimize(&workspace, &filter, None).unwrap_err().to_string();
        assert!(error.contains("without the target feature `simd128`"), "{error}");
        assert!(!folder.path().join("dist").exists());
    }

    #[test]
    fn a_module_that_someone_changed_is_written_again() {
        let (folder, workspace) = workspace(SOURCE, &["context_create", "delete", "log"]);
        run(&workspace).unwrap();
        fs::write(folder.path().join("dist/gate.wasm"), "other").unwrap();
        assert!(!run(&workspace).unwrap().fresh);
    }

    #[test]
    fn anyone_may_read_what_is_shipped() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, workspace) = workspace(SOURCE, &["context_create", "delete", "log"]);
        run(&workspace).unwrap();
        let mode = fs::metadata(folder.path().join("dist/gate.wasm")).unwrap().permissions().mode();
        assert_eq!(mode & 0o444, 0o444, "{mode:o}");
    }

    #[test]
    fn a_filter_that_is_not_built_is_named_with_the_file_that_is_missing() {
        let (folder, workspace) = workspace(SOURCE, &[]);
        fs::remove_dir_all(folder.path().join("target")).unwrap();
        assert_eq!(
            run(&workspace).unwrap_err().to_string(),
            "filter `gate` has no compiled module at target/wasm32-unknown-unknown/release/gate.wasm, run `make build`"
        );
    }

    #[test]
    fn a_module_older_than_its_source_is_not_shipped() {
        let (folder, workspace) = workspace(SOURCE, &["context_create", "delete"]);
        let error = run(&workspace).unwrap_err();
        assert!(
            matches!(&error, Failed::Mismatch { source: Mismatch::Missing(name), .. } if name == "proxy_on_log")
        );
        assert!(!folder.path().join("dist").exists());
    }
}
