//! Binaryen's optimiser, called with what a module for Envoy needs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, output_of};
use crate::module::{Features, Malformed, UnknownFeature};

// Of header-mutation's 121 pruned kB without names, -O4 and -Os differ from this by half a percent of size either
// way, and -Oz saves 2.5 %. So the level is the one that is for speed and that everybody uses.
const LEVEL: &str = "-O3";

/// wasm-opt, and how it is to be called.
#[derive(Debug)]
pub struct WasmOpt {
    path: PathBuf,
    version: String,
    keep_names: bool,
}

/// Why wasm-opt did not answer a module.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It failed.
    #[error(transparent)]
    Failed(#[from] command::Failed),
    /// Its files could not be written or read.
    #[error("passing the module to wasm-opt")]
    Io(#[from] io::Error),
    /// The features are not readable.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A feature has no name in wasm-opt.
    #[error(transparent)]
    Feature(#[from] UnknownFeature),
}

impl WasmOpt {
    /// The tool at `path`. With `keep_names` functions keep their names, which a trap's backtrace shows.
    ///
    /// # Errors
    ///
    /// When it is no program that tells its version.
    pub fn at(path: &Path, keep_names: bool) -> Result<Self, command::Failed> {
        let version = output_of(Command::new(path).arg("--version"))?.trim().to_owned();
        Ok(Self { path: path.to_owned(), version, keep_names })
    }

    /// What else than the module decides about the answer.
    pub(super) fn identity(&self) -> String {
        format!("{} {LEVEL} {}", self.version, self.stripping().join(" "))
    }

    /// The optimised module.
    pub(super) fn run(&self, module: &[u8]) -> Result<Vec<u8>, Refused> {
        let folder = tempfile::tempdir()?;
        let (input, output) = (folder.path().join("in.wasm"), folder.path().join("out.wasm"));
        fs::write(&input, module)?;
        let features = match Features::of_module(module)? {
            Some(features) => features,
            // Stripped: what the compiler has on for the target is the most that it can have used.
            None => Features::of_rustc(&output_of(
                Command::new("rustc").args(["--print=cfg", "--target=wasm32-unknown-unknown"]),
            )?),
        };
        let mut command = Command::new(&self.path);
        command.arg(&input).arg("-o").arg(&output);
        output_of(command.args(features.options()?).arg(LEVEL).args(self.stripping()))?;
        Ok(fs::read(&output)?)
    }

    /// The custom sections: nothing in them is executed, and Envoy reads none but the names.
    fn stripping(&self) -> &'static [&'static str] {
        if self.keep_names {
            &["--debuginfo", "--strip-producers", "--strip-target-features"]
        } else {
            &["--strip-debug", "--strip-producers", "--strip-target-features"]
        }
    }
}
