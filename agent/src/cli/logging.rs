//! What is logged, and how.

use std::io::{IsTerminal as _, stderr};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use super::Failure;

/// How the log reads
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Log")]
pub(super) struct LogOptions {
    /// What is logged to stderr: error, warn, info, debug or trace; or by module, as in `warn,meshloom_agent::fetch=debug`
    #[arg(long, global = true, env = "MESHLOOM_LOG_LEVEL", default_value = "info", value_name = "FILTER")]
    log_level: String,

    /// How it is written
    #[arg(long, global = true, env = "MESHLOOM_LOG_FORMAT", default_value = "text")]
    log_format: Format,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Lines for people; in colour at a terminal
    Text,
    /// One JSON object a line
    Json,
}

impl LogOptions {
    /// From here on, things are logged.
    pub(super) fn start(&self) -> Result<(), Failure> {
        let filter = EnvFilter::try_new(&self.log_level).map_err(|error| {
            Failure::unusable(vec![format!(
                "log-level: {:?}: {error}, expected such as info or warn,meshloom_agent=debug",
                self.log_level
            )])
        })?;
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
        // A log that is there already is a program's that calls this: it stays.
        let _started = match self.log_format {
            Format::Json => log.json().flatten_event(true).with_current_span(false).try_init(),
            Format::Text => log.with_ansi(stderr().is_terminal()).try_init(),
        };
        Ok(())
    }
}
