//! `lab`: Envoy with all filters in front of the real httpbin, on this machine.

#![expect(clippy::indexing_slicing, reason = "JSON that is not there reads as null")]

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod demo;
mod stack;

use stack::{Ports, Stack};

/// Brings up Envoy with all filters in front of the real httpbin, and shows what they do.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start httpbin and Envoy, wait until they serve, and leave them running
    Up {
        #[command(flatten)]
        ports: Ports,
    },
    /// End what `up` started, and nothing else
    Down,
    /// Walk through every lab of the course: request, what came back, and a tick or a cross
    Demo {
        #[command(flatten)]
        ports: Ports,
        /// Leave everything running afterwards
        #[arg(long, env = "KEEP", value_parser = clap::builder::FalseyValueParser::new())]
        keep: bool,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<ExitCode> {
    match verb {
        Verb::Up { ports } => {
            let (stack, fresh) = Stack::up(ports)?;
            if !fresh {
                println!("already up");
            }
            print!("{}", stack.greeting());
        }
        Verb::Down => match Stack::recorded()? {
            Some(stack) => {
                stack.down()?;
                println!("down");
            }
            None => println!("nothing is up"),
        },
        Verb::Demo { ports, keep } => {
            let (stack, fresh) = Stack::up(ports)?;
            let crosses = demo::walk(&stack);
            if fresh && !keep {
                stack.down()?;
            } else {
                print!("\nleft running:\n{}", stack.greeting());
            }
            if crosses? > 0 {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
