//! The command `meshloom-agent`.

mod bundle;
mod cache;
mod convert;
mod counted;
mod fetching;
mod logging;
mod options;
mod pull;
mod run;
mod threads;
mod verify;

use std::fmt::Display;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// It was tried, and did not succeed; or a module is not fit.
const FAILED: u8 = 1;
/// The command, its options or a document cannot be used; clap's code for the same.
const UNUSABLE: u8 = 2;

const CODES: &str = "\
Exit codes:
  0    done
  1    it was tried and failed, or a module is not fit for Envoy
  2    the command line, the environment or a document cannot be used
  130  ended at once by a second signal

Every option is an environment variable as well; the command line wins.";

/// Turns remote Wasm modules into checked local files: for Envoy and its control plane, or at the command line
#[derive(Parser)]
#[command(name = "meshloom-agent", version, after_help = CODES, max_term_width = 120)]
struct Cli {
    #[command(flatten)]
    logs: logging::LogOptions,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Stand between Envoy and the control plane
    Run(Box<run::Run>),
    /// Download modules into the store, and print where they are
    Pull(Box<pull::Pull>),
    /// Say whether modules are fit for Envoy, and why not
    Verify(Box<verify::Verify>),
    /// Fetch the remote Wasm modules of an Envoy configuration, and print it with files in their place
    Convert(Box<convert::Convert>),
    /// Look at the store, or tidy it up
    Cache(Box<cache::Cache>),
    /// Take modules to where there is no network
    Bundle(Box<bundle::Bundle>),
}

/// Why a command ends without success.
#[derive(Debug)]
struct Failure {
    code: u8,
    lines: Vec<String>,
}

impl Failure {
    /// It was tried.
    fn failed(line: impl Display) -> Self {
        Self { code: FAILED, lines: vec![line.to_string()] }
    }

    /// It cannot be tried: all that is wrong.
    fn unusable(lines: Vec<String>) -> Self {
        Self { code: UNUSABLE, lines }
    }
}

/// Runs the command.
#[must_use]
pub fn main() -> ExitCode {
    // Whoever speaks TLS here speaks it by ring; a provider that is there already stays.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let matches = Cli::command().get_matches();
    // What is read of the matches was checked when they were made.
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match cli.logs.start().and_then(|()| dispatch(cli.verb, &matches)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, lines }) => {
            for line in lines {
                eprintln!("error: {line}");
            }
            ExitCode::from(code)
        }
    }
}

fn dispatch(verb: Verb, matches: &ArgMatches) -> Result<(), Failure> {
    match verb {
        Verb::Run(run) => run.run(matches.subcommand().map_or(matches, |(_, below)| below)),
        Verb::Pull(pull) => pull.run(),
        Verb::Verify(verify) => verify.run(),
        Verb::Convert(convert) => convert.run(),
        Verb::Cache(cache) => cache.run(),
        Verb::Bundle(bundle) => bundle.run(),
    }
}

/// The command line, for whoever documents it or holds documents to it.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Writes a line where a script reads it; a reader that is gone is not a failure of the command.
fn print(text: &str) {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    let _reader_gone = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// Several problems, one a line.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}
