//! `meshloom`: checks what is to be deployed, against the modules that will read it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod command;
mod cursor;
mod envoy;
mod istio;
mod istiod;
mod modules;
mod output;
mod plugin;
mod problem;
mod protobuf;
mod source;
mod start;
mod tree;

/// Checks what is to be deployed, against the modules that will read it
#[derive(Parser)]
#[command(name = "meshloom", version)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Validate(command::validate::Validate),
    Schema(command::schema::Schema),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Verb::Validate(verb) => verb.run(),
        Verb::Schema(verb) => verb.run(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
