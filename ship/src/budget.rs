//! The bytes that a filter's module may have: `filters/<filter>/budget.toml`, a data file that a reviewer sees.
//!
//! ```toml
//! # 96 kB on the day this was written.
//! module_bytes = 130_000
//! ```

use std::fs;
use std::io;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::optimize::Stamp;
use crate::workspace::{Filter, Workspace};

/// One module on the scales.
#[derive(Debug, Serialize)]
pub struct Weight {
    /// The filter.
    pub name: String,
    /// What cargo left.
    pub compiled_bytes: usize,
    /// What is shipped.
    pub module_bytes: usize,
    /// What it may be.
    pub budget_bytes: usize,
    /// Without wasm-opt a module is larger and proves nothing.
    pub optimised: bool,
    /// `filters/x/budget.toml:2`.
    #[serde(skip)]
    pub budget_at: String,
}

/// Why a module could not be weighed.
#[derive(Debug, thiserror::Error)]
pub enum Unweighed {
    /// Nobody decided how large it may be.
    #[error("filter `{filter}` has no budget, add {file} with a line such as `module_bytes = 130_000`")]
    NoBudget {
        /// The filter.
        filter: String,
        /// The file to add.
        file: String,
    },
    /// The budget is no budget.
    #[error("{file}: {message}")]
    Budget {
        /// The file.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// There is no module in `dist/`, or not the one that was optimised.
    #[error("filter `{filter}` has no optimised module at {file}, run `make optimize`")]
    NotOptimised {
        /// The filter.
        filter: String,
        /// Where it was looked for.
        file: String,
    },
    /// The budget could not be read.
    #[error("reading {file}")]
    Unread {
        /// The file.
        file: String,
        /// Why not.
        source: io::Error,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    module_bytes: Spanned<usize>,
    /// What cases may cost: for the filter's tests.
    #[serde(default, rename = "cost")]
    _cost: Option<IgnoredAny>,
}

impl Weight {
    /// Weighs the filter's module in `dist/`.
    ///
    /// # Errors
    ///
    /// [`Unweighed`], naming the file that is missing or wrong.
    pub fn of(workspace: &Workspace, filter: &Filter) -> Result<Self, Unweighed> {
        let path = filter.folder.join("budget.toml");
        let file = workspace.shown(&path).to_string();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Unweighed::NoBudget { filter: filter.name.clone(), file });
            }
            Err(source) => return Err(Unweighed::Unread { file, source }),
            Ok(text) => text,
        };
        let (budget_bytes, line) = match read(&text) {
            Ok(read) => read,
            Err(message) => return Err(Unweighed::Budget { file, message }),
        };
        let (stamp, _) = shipped(workspace, filter).ok_or_else(|| Unweighed::NotOptimised {
            filter: filter.name.clone(),
            file: workspace.shown(&workspace.shipped(filter)).to_string(),
        })?;
        Ok(Self {
            name: filter.name.clone(),
            compiled_bytes: stamp.compiled_bytes,
            module_bytes: stamp.module_bytes,
            budget_bytes,
            optimised: stamp.optimised,
            budget_at: format!("{file}:{line}"),
        })
    }

    /// What to say when the module is too large.
    #[must_use]
    pub fn excess(&self) -> Option<String> {
        let Self { name, module_bytes, budget_bytes, budget_at, .. } = self;
        (module_bytes > budget_bytes)
            .then(|| format!("{budget_at}: {name} has {module_bytes} bytes, budget {budget_bytes}"))
    }
}

/// The module in `dist/` with its stamp, if `optimize` wrote both.
pub(crate) fn shipped(workspace: &Workspace, filter: &Filter) -> Option<(Stamp, Vec<u8>)> {
    let stamp = Stamp::read(&workspace.stamp(filter))?;
    let module = fs::read(workspace.shipped(filter)).ok()?;
    stamp.describes(&module).then_some((stamp, module))
}

/// The bytes and the line they stand on.
fn read(text: &str) -> Result<(usize, usize), String> {
    let budget: Budget = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    let before = text.get(..budget.module_bytes.span().start).unwrap_or_default();
    Ok((*budget.module_bytes.get_ref(), before.matches('\n').count() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_found_on_its_line() {
        assert_eq!(read("# why\n\nmodule_bytes = 130_000\n").unwrap(), (130_000, 3));
        assert_eq!(read("module_bytes = 1").unwrap(), (1, 1));
        assert_eq!(read("module_bytes = 1\n[cost.listed]\nfuel = 2").unwrap(), (1, 1));
    }

    #[test]
    fn what_is_no_budget_is_refused() {
        for wrong in ["", "module_bytes = -1", "module_bytes = \"1k\"", "module_bytes = 1\nbytes = 2"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_module_over_its_budget_is_named_with_the_line_to_look_at() {
        let mut weight = Weight {
            name: "blocklist".to_owned(),
            compiled_bytes: 300,
            module_bytes: 101,
            budget_bytes: 100,
            optimised: true,
            budget_at: "filters/blocklist/budget.toml:2".to_owned(),
        };
        assert_eq!(
            weight.excess().unwrap(),
            "filters/blocklist/budget.toml:2: blocklist has 101 bytes, budget 100"
        );
        weight.module_bytes = 100;
        assert_eq!(weight.excess(), None);
    }

    #[test]
    fn a_filter_without_a_budget_is_told_which_file_to_add() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::for_tests(folder.path(), "gate");
        let weigh = || Weight::of(&workspace, &workspace.filters()[0]).unwrap_err().to_string();
        assert_eq!(
            weigh(),
            "filter `gate` has no budget, add filters/gate/budget.toml with a line such as `module_bytes = 130_000`"
        );
        fs::create_dir_all(folder.path().join("filters/gate")).unwrap();
        fs::write(folder.path().join("filters/gate/budget.toml"), "module_bytes = 9").unwrap();
        assert_eq!(weigh(), "filter `gate` has no optimised module at dist/gate.wasm, run `make optimize`");
    }
}
