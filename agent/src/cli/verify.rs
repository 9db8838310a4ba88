//! `verify`: whether modules are fit for Envoy.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::fetching::Fetching;
use super::pull::{Output, Wanting};
use super::threads::ThreadOptions;
use super::{Failure, print};
use crate::trust::{Inspection, Trust};

const EXAMPLES: &str = "\
Examples:
  meshloom-agent verify target/wasm32-wasip1/release/gate.wasm
  meshloom-agent verify --cache-dir=modules --signatures=signatures.yaml oci://registry.example.com/filters/gate:1.2
  meshloom-agent verify --cache-dir=modules --verification-key=team.pub oci://registry.example.com/filters/gate:1.2

A URL is fetched into the store as the agent would, its signatures checked by the rules of --signatures and by
--verification-key. Exit code 1: some module is not fit, or cannot be had.";

/// `meshloom-agent verify`
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Verify {
    /// Files, or URLs as `pull` takes them
    #[arg(required = true, value_name = "FILE|URL")]
    modules: Vec<String>,

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

/// What was found out about one of them.
struct Verdict {
    shown: String,
    /// Why it is not fit. Nothing: it is.
    problems: Vec<String>,
    /// What else is known, for programs and for people.
    facts: Vec<(&'static str, Value)>,
}

impl Verify {
    pub(super) fn run(self) -> Result<(), Failure> {
        let trust = Trust::new(&self.fetching.trust).map_err(|why| Failure::unusable(super::lines(&why)))?;
        let key = self.wanting.key()?;
        let mut verdicts = Vec::new();
        for module in &self.modules {
            verdicts.push(if is_url(module) {
                self.url(module, &trust)?
            } else {
                let mut verdict = inspected(module.clone(), Path::new(module), &trust);
                if key.is_some() {
                    let why = "only images of a registry can be signed: name it by oci://, or leave --verification-key out";
                    verdict.problems.push(why.to_owned());
                }
                verdict
            });
        }
        match self.output {
            Output::Json => {
                let modules: Vec<_> = verdicts.iter().map(Verdict::document).collect();
                print(&json!({ "version": 1, "modules": modules }).to_string());
            }
            Output::Text => verdicts.iter().for_each(|verdict| print(&verdict.text())),
        }
        let unfit: Vec<_> = verdicts.iter().filter(|verdict| !verdict.problems.is_empty()).collect();
        match unfit.len() {
            0 => Ok(()),
            number => Err(Failure::failed(format!("{number} of {} not fit for Envoy", verdicts.len()))),
        }
    }

    fn url(&self, url: &str, trust: &Trust) -> Result<Verdict, Failure> {
        let wanted = self.wanting.wanted(url)?;
        let (obtained, signers) = self.threads.runtime()?.block_on(async {
            let opened = self.fetching.open_with_bars()?;
            let obtained = opened.library.obtain(wanted.clone()).await;
            let signers = obtained.as_ref().ok().and_then(|held| opened.shelf.signers(&wanted, held));
            Ok((obtained, signers))
        })?;
        Ok(match obtained {
            Ok(held) => {
                let mut verdict = inspected(crate::shown::text(url), &held.path, trust);
                verdict.facts.push(("digest", format!("sha256:{}", held.checksum).into()));
                verdict.facts.push(("wasm_sha256", held.sha256.to_string().into()));
                // Unsigned where a rule enforces it is not obtained at all.
                verdict.facts.push(match signers {
                    None => ("signature", "not asked for by any rule".into()),
                    Some(keys) if keys.is_empty() => {
                        ("signature", "missing or wrong, which the rule allows".into())
                    }
                    Some(keys) => ("signed_by", keys.iter().map(ToString::to_string).collect()),
                });
                verdict.facts.push(("path", held.path.display().to_string().into()));
                verdict
            }
            Err(error) => Verdict {
                shown: crate::shown::text(url),
                problems: vec![error.message],
                facts: vec![("reason", error.reason.label().into())],
            },
        })
    }
}

fn is_url(module: &str) -> bool {
    ["http://", "https://", "oci://"].iter().any(|scheme| module.starts_with(scheme))
        && !Path::new(module).exists()
}

/// Reads the file, whole.
fn inspected(shown: String, path: &Path, trust: &Trust) -> Verdict {
    match trust.inspect(path) {
        Ok(inspection) => Verdict { shown, facts: facts(&inspection), problems: inspection.problems },
        Err(error) => Verdict { shown, problems: vec![error.message], facts: Vec::new() },
    }
}

/// What stands in the module.
fn facts(inspection: &Inspection) -> Vec<(&'static str, Value)> {
    let notes = json!(inspection.notes);
    let Some(module) = &inspection.description else { return vec![("notes", notes)] };
    let abi: Vec<_> = module.abi_versions.iter().map(|version| version.marker()).collect();
    let imports: Vec<_> =
        module.imports.iter().map(|import| format!("{}.{}", import.module, import.name)).collect();
    let exports: Vec<_> = module.exports.iter().map(|export| export.name.as_str()).collect();
    let memory = module.memory.as_ref().map(|memory| memory.minimum.saturating_mul(64 * 1024));
    vec![
        ("abi", json!(abi)),
        ("bytes", json!(module.size)),
        ("memory_bytes", json!(memory)),
        ("imports", json!(imports)),
        ("exports", json!(exports)),
        ("notes", notes),
    ]
}

impl Verdict {
    fn document(&self) -> Value {
        let own = [
            ("module", json!(self.shown)),
            ("fit", json!(self.problems.is_empty())),
            ("problems", json!(self.problems)),
        ];
        let all = own.iter().chain(&self.facts);
        Value::Object(all.map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    fn text(&self) -> String {
        let fit = if self.problems.is_empty() { "fit for Envoy" } else { "not fit for Envoy" };
        let mut lines = vec![format!("{}: {fit}", self.shown)];
        lines.extend(self.problems.iter().map(|problem| format!("  problem: {problem}")));
        for (name, value) in &self.facts {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Array(list) => {
                    list.iter().map(|one| one.as_str().unwrap_or_default()).collect::<Vec<_>>().join(" ")
                }
                other => other.to_string(),
            };
            lines.push(format!("  {}: {text}", name.replace('_', " ")));
        }
        lines.join("\n")
    }
}
