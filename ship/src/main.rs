//! `ship`: optimise, weigh and push the filters of this workspace.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use meshloom_ship::artifact::Origin;
use meshloom_ship::budget::Weight;
use meshloom_ship::optimize::{WasmOpt, optimize};
use meshloom_ship::push::{Destination, push};
use meshloom_ship::workspace::Workspace;

/// Takes the compiled filters of this workspace to a registry.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Optimize(Optimize),
    Size(Size),
    Push(Push),
}

/// Writes dist/FILTER.wasm: only the callbacks that the filter implements, optimised by wasm-opt
#[derive(Args)]
struct Optimize {
    /// Which filters [default: all]
    filters: Vec<String>,
    /// Binaryen's optimiser; without it modules are pruned only
    #[arg(long, env = "WASM_OPT", value_name = "PATH")]
    wasm_opt: Option<PathBuf>,
    /// Keep function names, for backtraces that can be read
    #[arg(long)]
    keep_names: bool,
}

/// Holds each module in dist/ against its filter's budget.toml
#[derive(Args)]
struct Size {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Pushes each module in dist/ as an OCI artifact and prints its URL, pinned by digest
#[derive(Args)]
struct Push {
    /// The registry's host, such as ghcr.io or localhost:5000
    #[arg(long, value_name = "HOST[:PORT]")]
    registry: String,
    /// The organisation, or a longer path, before the filter's name
    #[arg(long)]
    org: String,
    /// The tag that the artifacts get
    #[arg(long)]
    tag: String,
    /// Push this filter; may be repeated [default: all but templates]
    #[arg(long = "filter", value_name = "NAME")]
    filters: Vec<String>,
    /// Speak plain HTTP to a registry that is not on this machine
    #[arg(long)]
    plain_http: bool,
    /// The OCI registry client
    #[arg(long, env = "ORAS", default_value = "oras", value_name = "PATH")]
    oras: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Verb::Optimize(verb) => verb.run(),
        Verb::Size(verb) => verb.run(),
        Verb::Push(verb) => verb.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Optimize {
    fn run(self) -> Result<()> {
        let workspace = Workspace::find()?;
        // An empty path is what a Makefile passes when the tool could not be had.
        let path = self.wasm_opt.filter(|path| !path.as_os_str().is_empty());
        let wasm_opt = path.map(|path| WasmOpt::at(&path, self.keep_names)).transpose()?;
        if wasm_opt.is_none() {
            eprintln!(
                "warning: no wasm-opt was named, so the modules are pruned only: they work, but are larger"
            );
        }
        for filter in workspace.select(&self.filters)? {
            let outcome = optimize(&workspace, filter, wasm_opt.as_ref())?;
            let state = if outcome.fresh { ", fresh" } else { "" };
            println!(
                "{:<20} {:>7} -> {:>7} bytes{state}; callbacks: {}",
                filter.name, outcome.stamp.compiled_bytes, outcome.stamp.module_bytes, outcome.callbacks
            );
        }
        Ok(())
    }
}

impl Push {
    fn run(self) -> Result<()> {
        // All that was typed is checked before anything is pushed.
        let to = Destination {
            registry: self.registry.parse()?,
            org: self.org.parse()?,
            tag: self.tag.parse()?,
            plain_http: self.plain_http,
            oras: from_anywhere(self.oras),
        };
        let workspace = Workspace::find()?;
        let mut filters = workspace.select(&self.filters)?;
        if self.filters.is_empty() {
            filters.retain(|filter| !filter.is_template);
        }
        let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
        let origin = Origin::of(workspace.root(), epoch.as_deref())?;
        if origin.is_dirty() {
            eprintln!(
                "warning: there are changes that are not committed, so the revision is marked `-dirty`"
            );
        }
        let mut all = Vec::new();
        for filter in filters {
            let pushed = push(&workspace, filter, &origin, &to)?;
            if !pushed.optimised {
                eprintln!("warning: {} was pruned only, there was no wasm-opt", pushed.filter);
            }
            if !self.json {
                println!("{}", pushed.url);
            }
            all.push(pushed);
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&all)?);
        }
        Ok(())
    }
}

/// A tool by a path that means the same in every folder; one by a bare name is looked for on `PATH`.
fn from_anywhere(tool: PathBuf) -> PathBuf {
    if tool.components().count() < 2 { tool } else { std::path::absolute(&tool).unwrap_or(tool) }
}

impl Size {
    fn run(self) -> Result<()> {
        let workspace = Workspace::find()?;
        let mut weights = Vec::new();
        let mut problems = Vec::new();
        for filter in workspace.filters() {
            match Weight::of(&workspace, filter) {
                Ok(weight) => weights.push(weight),
                Err(problem) => problems.push(format!("{:#}", anyhow::Error::from(problem))),
            }
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&weights)?);
        } else {
            for Weight { name, compiled_bytes, module_bytes, budget_bytes, .. } in &weights {
                println!("{name:<20} {compiled_bytes:>7} -> {module_bytes:>7} bytes of {budget_bytes:>7}");
            }
        }
        for weight in &weights {
            match weight.excess() {
                Some(excess) if weight.optimised => problems.push(excess),
                Some(excess) => eprintln!("warning: {excess} (not optimised: there was no wasm-opt)"),
                None => {}
            }
        }
        if problems.is_empty() { Ok(()) } else { bail!(problems.join("\nerror: ")) }
    }
}
