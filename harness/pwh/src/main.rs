//! `pwh`: looks into, runs and weighs compiled Proxy-Wasm modules, with Envoy's semantics and without Envoy.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod command;
mod inspect;
mod matcher;
mod report;
mod run;
mod scenario;
mod yaml;

/// Looks into, runs and weighs compiled Proxy-Wasm modules, with Envoy's semantics and without Envoy
///
/// A module is a .wasm file in any language; nothing else of its project is needed.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 all is well, 1 a test failed or Envoy would refuse the module, \
    2 the command line or a file is not right."
)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Inspect(command::inspect::Inspect),
    Run(command::run::Run),
    Bench(command::bench::Bench),
    Schema(command::schema::Schema),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Verb::Inspect(verb) => verb.run(),
        Verb::Run(verb) => verb.run(),
        Verb::Bench(verb) => verb.run(),
        Verb::Schema(verb) => verb.run(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
