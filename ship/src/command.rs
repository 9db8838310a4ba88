//! Runs a tool and tells, when it fails, what it said.

use std::io;
use std::process::{Command, ExitStatus};

/// A tool that did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It could not be started.
    #[error("starting {tool}")]
    Start {
        /// The program.
        tool: String,
        /// Why not.
        source: io::Error,
    },
    /// It ended with an error.
    #[error("{tool} ended with {status}: {said}")]
    End {
        /// The program.
        tool: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to standard error.
        said: String,
    },
}

/// What the tool printed.
pub(crate) fn output_of(command: &mut Command) -> Result<String, Failed> {
    let tool = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Err(source) => Err(Failed::Start { tool, source }),
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(Failed::End { tool, status: output.status, said })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tool_complained_of_is_in_the_error() {
        let error = output_of(Command::new("sh").args(["-c", "echo no such layer >&2; exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "sh ended with exit status: 3: no such layer");
    }

    #[test]
    fn a_tool_that_is_not_there_is_named() {
        let error = output_of(&mut Command::new("/nowhere/oras")).unwrap_err();
        assert_eq!(error.to_string(), "starting /nowhere/oras");
    }
}
