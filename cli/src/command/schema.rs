//! `meshloom schema`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;

/// Prints the JSON Schema of a filter's configuration, for editors
///
/// It is looked for in filters/NAME/schema.json, then beside the module as NAME.schema.json.
#[derive(Args)]
pub(crate) struct Schema {
    /// The filter
    #[arg(value_name = "NAME")]
    filter: String,
    /// The folder of modules
    #[arg(long, value_name = "DIR", env = "MESHLOOM_MODULES", default_value = "dist")]
    modules: PathBuf,
}

impl Schema {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let name = &self.filter;
        if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
            bail!("found {name:?}, expected the name of a filter");
        }
        let places = [
            PathBuf::from("filters").join(name).join("schema.json"),
            self.modules.join(format!("{name}.schema.json")),
        ];
        let Some(path) = places.iter().find(|path| path.is_file()) else {
            let [first, second] = &places;
            bail!("{name} has no schema: there is neither {} nor {}", first.display(), second.display());
        };
        super::print(&std::fs::read_to_string(path).with_context(|| path.display().to_string())?)?;
        Ok(ExitCode::SUCCESS)
    }
}
