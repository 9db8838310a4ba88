//! `bundle`: offline sets.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use futures_util::future::join_all;
use serde_json::json;

use super::fetching::Fetching;
use super::pull::{Output, Wanting};
use super::threads::ThreadOptions;
use super::{Failure, print};
use crate::Held;
use crate::store::bundle::{Bundle as Set, Packed};

const EXAMPLES: &str = "\
Examples:
  meshloom-agent bundle create --cache-dir=modules set.tar oci://registry.example.com/filters/gate:1.2
  meshloom-agent bundle ls set.tar
  meshloom-agent run --bundle=set.tar --offline

An offline set is an OCI image layout: a folder, or a tar file if its name ends in .tar. It holds the modules under the
URLs by which resources ask for them, with their signatures. It is written whole, or not at all.";

/// `meshloom-agent bundle`
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Bundle {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Fetch modules, and write them into an offline set
    Create(Box<Create>),
    /// List an offline set: URL, digest, and bytes, with tabs between them
    Ls(Ls),
}

#[derive(Args)]
struct Create {
    /// The offline set: a file that ends in .tar, or a folder
    #[arg(value_name = "SET")]
    set: PathBuf,
    /// What goes into it, as `pull` takes it
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,

    #[command(flatten)]
    wanting: Wanting,
    #[command(flatten)]
    fetching: Fetching,
    #[command(flatten)]
    threads: ThreadOptions,
}

#[derive(Args)]
struct Ls {
    /// The offline set
    #[arg(value_name = "SET")]
    set: PathBuf,
    /// What is printed
    #[arg(long, env = "MESHLOOM_OUTPUT", default_value = "text")]
    output: Output,
}

impl Bundle {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Create(create) => create.run(),
            Verb::Ls(ls) => ls.run(),
        }
    }
}

impl Create {
    fn run(self) -> Result<(), Failure> {
        let wanted: Vec<_> =
            self.urls.iter().map(|url| self.wanting.wanted(url)).collect::<Result<_, _>>()?;
        let packed = self.threads.runtime()?.block_on(async {
            let opened = self.fetching.open_with_bars()?;
            let results = join_all(wanted.iter().map(|wanted| opened.shelf.pack(wanted.clone()))).await;
            let (mut packed, mut lines) = (Vec::new(), Vec::new());
            for (wanted, result) in wanted.iter().zip(results) {
                match result {
                    Ok(module) => packed.push(module),
                    Err(error) => lines.push(format!("{}: {error}", crate::shown::text(&wanted.url))),
                }
            }
            if lines.is_empty() { Ok(packed) } else { Err(Failure { code: super::FAILED, lines }) }
        })?;
        // The modules stay in the store until they are in the set.
        let (packed, _held): (Vec<Packed>, Vec<Held>) = packed.into_iter().unzip();
        Set::write(&self.set, &packed).map_err(Failure::failed)?;
        listed(&self.set, Output::Text)
    }
}

impl Ls {
    fn run(self) -> Result<(), Failure> {
        listed(&self.set, self.output)
    }
}

fn listed(path: &Path, output: Output) -> Result<(), Failure> {
    let set = Set::open(path).map_err(Failure::failed)?;
    let mut urls: Vec<_> = set.urls().collect();
    urls.sort_unstable();
    let entries: Vec<_> = urls.into_iter().filter_map(|url| Some((url, set.find(url, None)?))).collect();
    match output {
        Output::Json => {
            let modules: Vec<_> = entries
                .iter()
                .map(|(url, entry)| {
                    json!({
                        "url": crate::shown::text(url),
                        "digest": format!("sha256:{}", entry.checksum),
                        "wasm_sha256": entry.sha256.to_string(),
                        "bytes": entry.size,
                        "signatures": entry.signatures.len(),
                    })
                })
                .collect();
            print(&json!({ "version": 1, "modules": modules }).to_string());
        }
        Output::Text => entries.iter().for_each(|(url, entry)| {
            print(&format!("{}\tsha256:{}\t{}", crate::shown::text(url), entry.checksum, entry.size));
        }),
    }
    Ok(())
}
