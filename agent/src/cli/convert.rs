//! `convert`: files in the place of remote modules.

mod document;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::fetching::Fetching;
use super::pull::{Wanting, obtain};
use super::threads::ThreadOptions;
use super::{Failure, print};
use crate::Wanted;
use document::Found;

/// How many bytes a document may have.
const LIMIT: u64 = 64 << 20;

const EXAMPLES: &str = "\
Examples:
  meshloom-agent convert --cache-dir=modules envoy.yaml >local.yaml && envoy -c local.yaml
  kubectl get envoyfilter gate -o json | meshloom-agent convert --cache-dir=modules -

Changes a Wasm filter's vm_config wherever it stands: in a resource of ECDS, a listener, a bootstrap. Environment
variables that begin with ISTIO_META_ are for the agent, and taken out. If one module cannot be had, nothing is printed:
a remote source never gets past the agent.";

/// `meshloom-agent convert`
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Convert {
    /// Envoy's configuration in JSON or YAML, or a part of it; - for stdin
    #[arg(value_name = "FILE")]
    document: PathBuf,

    /// How the result is written; as the document is, if this is not given
    #[arg(long, env = "MESHLOOM_CONVERT_FORMAT")]
    format: Option<Format>,

    #[command(flatten)]
    wanting: Wanting,
    #[command(flatten)]
    fetching: Fetching,
    #[command(flatten)]
    threads: ThreadOptions,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Yaml,
}

impl Convert {
    pub(super) fn run(self) -> Result<(), Failure> {
        let text = read(&self.document).map_err(|why| self.unusable(&why))?;
        let format = if text.trim_start().starts_with(['{', '[']) { Format::Json } else { Format::Yaml };
        let mut value: Value = match format {
            Format::Json => serde_json::from_str(&text).map_err(|error| self.unusable(&error.to_string()))?,
            Format::Yaml => {
                serde_saphyr::from_str(&text).map_err(|error| self.unusable(&error.to_string()))?
            }
        };
        let wanted = self.wanted(document::find(&mut value))?;
        let runtime = self.threads.runtime()?;
        let results = runtime.block_on(async {
            let opened = self.fetching.open_with_bars()?;
            Ok(obtain(&opened, wanted.iter().map(|(_, wanted)| wanted.clone()).collect()).await)
        })?;
        let (mut files, mut lines) = (Vec::new(), Vec::new());
        for ((place, _), result) in wanted.iter().zip(results) {
            match result {
                Ok(held) => files.push(held.path.display().to_string()),
                Err(error) => lines.push(format!("{place}: {error}")),
            }
        }
        if !lines.is_empty() {
            return Err(Failure { code: super::FAILED, lines });
        }
        document::replace(&mut value, &files);
        let text = match self.format.unwrap_or(format) {
            Format::Json => serde_json::to_string_pretty(&value).map_err(Failure::failed)?,
            Format::Yaml => serde_saphyr::to_string(&value).map_err(Failure::failed)?,
        };
        print(text.trim_end());
        Ok(())
    }

    /// What can be asked for, unless there is something that cannot.
    fn wanted(&self, found: Vec<Found>) -> Result<Vec<(String, Wanted)>, Failure> {
        let (secret, key) = (self.wanting.secret()?, self.wanting.key()?);
        let (mut wanted, mut lines) = (Vec::new(), Vec::new());
        for Found { place, wanted: one } in found {
            match one {
                Ok(one) => {
                    let pull_secret = one.pull_secret.or_else(|| secret.clone());
                    let verification_key = one.verification_key.or_else(|| key.clone());
                    wanted.push((place, Wanted { pull_secret, verification_key, ..one }));
                }
                Err(why) => lines.push(format!("{}: {place}: {why}", self.document.display())),
            }
        }
        if lines.is_empty() { Ok(wanted) } else { Err(Failure::unusable(lines)) }
    }

    fn unusable(&self, why: &str) -> Failure {
        Failure::unusable(vec![format!("{}: {why}", self.document.display())])
    }
}

/// The document's text.
fn read(path: &Path) -> Result<String, String> {
    let source: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(|error| error.to_string())?)
    };
    let mut text = String::new();
    source.take(LIMIT + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= LIMIT) {
        Ok(text)
    } else {
        Err(format!("more than {LIMIT} bytes"))
    }
}
