//! `cache`: the store, at the command line.

use std::time::SystemTime;

use clap::{Args, Subcommand};
use serde_json::json;

use super::pull::Output;
use super::{Failure, print};
use crate::admin::Stored;
use crate::store::{Store, StoreOptions};

const EXAMPLES: &str = "\
Examples:
  meshloom-agent cache ls --cache-dir=modules
  meshloom-agent cache gc --cache-dir=modules --module-expiry=1h

Both may be used while an agent runs: what it uses is not removed.";

/// `meshloom-agent cache`
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Cache {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List the modules: digest, bytes, whether in use, path, and where from; with tabs between them
    Ls(Common),
    /// Remove what has expired, and what is too much
    Gc(Common),
}

#[derive(Args)]
struct Common {
    /// What is printed
    #[arg(long, env = "MESHLOOM_OUTPUT", default_value = "text")]
    output: Output,
    #[command(flatten)]
    store: StoreOptions,
}

impl Cache {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Ls(common) => ls(&common),
            Verb::Gc(common) => gc(&common),
        }
    }
}

fn ls(common: &Common) -> Result<(), Failure> {
    let store = Store::open(&common.store).map_err(Failure::failed)?;
    let modules = stored(&store);
    match common.output {
        Output::Json => print(&json!({ "version": 1, "modules": modules }).to_string()),
        Output::Text => modules.iter().for_each(|module| {
            let urls: Vec<_> = module.sources.iter().map(String::as_str).collect();
            print(&format!(
                "{}\t{}\t{}\t{}\t{}",
                module.sha256,
                module.bytes,
                if module.in_use { "in use" } else { "unused" },
                module.path,
                urls.join(" "),
            ));
        }),
    }
    Ok(())
}

fn gc(common: &Common) -> Result<(), Failure> {
    let store = Store::open(&common.store).map_err(Failure::failed)?;
    let collected = store.gc(SystemTime::now()).map_err(Failure::failed)?;
    let (modules, bytes, orphans) = (collected.modules, collected.bytes, collected.orphans);
    print(&match common.output {
        Output::Json => {
            json!({ "version": 1, "modules": modules, "bytes": bytes, "orphans": orphans }).to_string()
        }
        Output::Text => {
            format!("removed {modules} modules of {bytes} bytes, and {orphans} files that nobody knew")
        }
    });
    Ok(())
}

/// What a store has, as it is shown.
pub(super) fn stored(store: &Store) -> Vec<Stored> {
    store.files().list().into_iter().map(shown).collect()
}

fn shown(listed: crate::store::Listed) -> Stored {
    let path = listed.paths.first().map(|path| path.display().to_string()).unwrap_or_default();
    Stored {
        sha256: listed.sha256,
        path,
        bytes: listed.size,
        in_use: listed.pinned,
        used_ms: Some(listed.used / 1000),
        sources: listed.urls,
        digests: listed.checksums.iter().map(|checksum| format!("sha256:{checksum}")).collect(),
    }
}
