//! What an operator may choose.

use std::time::Duration;

use crate::boolean::boolean;
use crate::duration::duration;

/// How resources of ECDS are treated.
#[derive(clap::Args, Clone, Debug)]
#[group(id = "ecds")]
pub struct Options {
    /// Fetch remote Wasm modules and give Envoy their paths. If not, resources pass as they are, but for variables that
    /// only the agent is told (ISTIO_META_*), which never reach Envoy.
    #[arg(
        id = "wasm-conversion", long = "wasm-conversion", value_name = "BOOL",
        env = "ISTIO_AGENT_ENABLE_WASM_REMOTE_LOAD_CONVERSION",
        default_value = "true", num_args = 0..=1, default_missing_value = "true", value_parser = boolean,
    )]
    pub convert: bool,
    /// What Envoy is given for a module that cannot be fetched.
    #[arg(
        long = "wasm-on-fetch-failure",
        value_name = "POLICY",
        env = "MESHLOOM_WASM_ON_FETCH_FAILURE",
        default_value = "last-good",
        value_enum
    )]
    pub on_fetch_failure: OnFetchFailure,
    /// How long Envoy waits for a module before it is given what stands in for it; the module follows when it is there.
    #[arg(
        long = "wasm-start-budget", value_name = "TIME",
        env = "MESHLOOM_WASM_START_BUDGET", default_value = "5s", value_parser = duration,
    )]
    pub start_budget: Duration,
    /// How long a module's file is kept for an Envoy that no longer asks for it: it may be draining.
    #[arg(
        long = "wasm-release-after", value_name = "TIME",
        env = "MESHLOOM_WASM_RELEASE_AFTER", default_value = "60s", value_parser = duration,
    )]
    pub release_after: Duration,
    /// What chance depends on: the same seed makes the same delays. Not for operators.
    #[arg(skip)]
    pub seed: Option<u64>,
}

/// What Envoy is given for a module that cannot be fetched.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFetchFailure {
    /// The last resource that it accepted under that name; without one, a filter that allows or denies every request,
    /// as the plugin's failure policy says.
    #[default]
    LastGood,
    /// A filter that allows every request.
    Open,
    /// A filter that denies every request.
    Close,
    /// Nothing, until the module is there: Envoy goes on with what it has, and a listener that is new waits.
    Wait,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            convert: true,
            on_fetch_failure: OnFetchFailure::default(),
            start_budget: Duration::from_secs(5),
            release_after: Duration::from_secs(60),
            seed: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    fn parsed(arguments: &[&str]) -> Result<Options, clap::Error> {
        Command::try_parse_from([&["agent"], arguments].concat()).map(|command| command.options)
    }

    #[test]
    fn the_defaults_of_the_command_are_those_of_the_library() {
        assert_eq!(format!("{:?}", parsed(&[]).unwrap()), format!("{:?}", Options::default()));
    }

    #[test]
    fn every_policy_is_read_and_the_rest_is_refused() {
        let options = parsed(&["--wasm-on-fetch-failure", "wait", "--wasm-start-budget", "1500ms"]).unwrap();
        assert_eq!(options.on_fetch_failure, OnFetchFailure::Wait);
        assert_eq!(options.start_budget, Duration::from_millis(1500));
        assert!(!parsed(&["--wasm-conversion", "f"]).unwrap().convert);
        assert!(parsed(&["--wasm-conversion", "maybe"]).is_err());
    }
}
