//! `pull`: modules into the store.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::fetching::{Fetching, Opened};
use super::threads::ThreadOptions;
use super::{Failure, print};
use crate::duration::duration;
use crate::trust::PublicKey;
use crate::{Held, PullPolicy, Secret, Sha256, Unavailable, Wanted};

const EXAMPLES: &str = "\
Examples:
  meshloom-agent pull --cache-dir=modules oci://registry.example.com/filters/tenant-gate:1.2
  meshloom-agent pull --cache-dir=modules --output=json https://files.example.com/gate.wasm | jq -r '.modules[].path'

Prints a line for each module, in the order of the URLs: path, digest (of the manifest for OCI, of the module for HTTP)
and bytes, with tabs between them. What cannot be had goes to stderr, and the exit code is 1.";

/// `meshloom-agent pull`
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Pull {
    /// What is downloaded: oci://HOST/REPOSITORY:TAG, oci://HOST/REPOSITORY@sha256:DIGEST, http(s)://…
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,

    /// What is printed
    #[arg(long, env = "MESHLOOM_OUTPUT", default_value = "text")]
    output: Output,

    #[command(flatten)]
    wanting: Wanting,
    #[command(flatten)]
    fetching: Fetching,
    #[command(flatten)]
    threads: ThreadOptions,
}

/// How modules are asked for
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Download")]
pub(super) struct Wanting {
    /// How long a download may take in all
    #[arg(long, env = "MESHLOOM_PULL_TIMEOUT", default_value = "5m", value_parser = duration, value_name = "TIME")]
    pull_timeout: Duration,

    /// Docker configuration (JSON) with the credentials, instead of what Docker has of its own
    #[arg(long, env = "MESHLOOM_PULL_SECRET_FILE", value_name = "FILE")]
    pull_secret_file: Option<PathBuf>,

    /// Public key in PEM by which images have to be signed (cosign), besides what --signatures says
    #[arg(long, env = "MESHLOOM_VERIFICATION_KEY", value_name = "FILE")]
    verification_key: Option<PathBuf>,
}

/// How results are printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Lines
    Text,
    /// A document with a version, to which fields are only ever added
    Json,
}

impl Wanting {
    /// What somebody at a command line means by a URL: what is there now.
    pub(super) fn wanted(&self, url: &str) -> Result<Wanted, Failure> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(Wanted {
            // Never the same twice, so that a tag is looked up again.
            resource_version: now.as_nanos().to_string(),
            policy: PullPolicy::Always,
            pull_secret: self.secret()?,
            verification_key: self.key()?,
            ..Wanted::new(url, "meshloom-agent pull", self.pull_timeout)
        })
    }

    /// The credentials, if there are other than Docker's.
    pub(super) fn secret(&self) -> Result<Option<Secret>, Failure> {
        let Some(path) = &self.pull_secret_file else { return Ok(None) };
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(error) => {
                Err(Failure::unusable(vec![format!("pull-secret-file: {}: {error}", path.display())]))
            }
        }
    }

    /// The key by which images have to be signed, if there is one.
    pub(super) fn key(&self) -> Result<Option<PublicKey>, Failure> {
        let Some(path) = &self.verification_key else { return Ok(None) };
        let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
        let key = read.and_then(|text| PublicKey::from_pem(&text));
        key.map(Some)
            .map_err(|why| Failure::unusable(vec![format!("verification-key: {}: {why}", path.display())]))
    }
}

impl Pull {
    pub(super) fn run(self) -> Result<(), Failure> {
        let wanted: Vec<_> =
            self.urls.iter().map(|url| self.wanting.wanted(url)).collect::<Result<_, _>>()?;
        let runtime = self.threads.runtime()?;
        let results = runtime.block_on(async {
            let opened = self.fetching.open_with_bars()?;
            Ok(obtain(&opened, wanted).await)
        })?;
        let (mut modules, mut failures) = (Vec::new(), Vec::new());
        for (url, result) in self.urls.iter().zip(&results) {
            match result {
                Ok(held) => modules.push(module(url, held)),
                Err(error) => failures.push(json!({
                    "url": crate::shown::text(url), "reason": error.reason.label(), "message": error.message
                })),
            }
        }
        match self.output {
            Output::Json => {
                print(&json!({ "version": 1, "modules": modules, "failures": failures }).to_string());
            }
            Output::Text => results.iter().flatten().for_each(|held| {
                print(&format!("{}\tsha256:{}\t{}", held.path.display(), held.checksum, held.size));
            }),
        }
        let lines: Vec<_> =
            self.urls.iter().zip(results).filter_map(|(url, result)| failed(url, result)).collect();
        if lines.is_empty() { Ok(()) } else { Err(Failure { code: super::FAILED, lines }) }
    }
}

/// All of them at a time; the fetcher knows how many downloads that may be.
pub(super) async fn obtain(opened: &Opened, wanted: Vec<Wanted>) -> Vec<Result<Held, Unavailable>> {
    join_all(wanted.into_iter().map(|wanted| opened.library.obtain(wanted))).await
}

fn failed(url: &str, result: Result<Held, Unavailable>) -> Option<String> {
    result.err().map(|error| format!("{}: {error}", crate::shown::text(url)))
}

fn module(url: &str, held: &Held) -> Value {
    json!({
        "url": crate::shown::text(url),
        "path": held.path,
        "digest": digest(&held.checksum),
        "wasm_sha256": held.sha256.to_string(),
        "bytes": held.size,
    })
}

fn digest(checksum: &Sha256) -> String {
    format!("sha256:{checksum}")
}
