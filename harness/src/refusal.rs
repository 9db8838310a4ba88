//! One plugin alone: started with a configuration, or refusing it.

use crate::abi::Level;
use crate::host::Host;
use crate::log::{LogLine, Role};
use crate::plugin::Plugin;
use crate::start::{StartError, StartFailure};

/// A configuration as bytes: JSON by `json!`, or any text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration(Vec<u8>);

impl From<serde_json::Value> for Configuration {
    fn from(json: serde_json::Value) -> Self {
        Self(json.to_string().into_bytes())
    }
}

impl From<&str> for Configuration {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for Configuration {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&[u8]> for Configuration {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Plugin {
    /// Starts a host with this plugin alone.
    ///
    /// # Panics
    ///
    /// If it refuses the configuration, saying why.
    #[must_use]
    #[track_caller]
    pub fn configure(self, configuration: impl Into<Configuration>) -> Host {
        Host::envoy().plugin(self.configuration(configuration.into().0)).start()
    }

    /// Starts a host with this plugin alone, and gives back why it refuses to.
    ///
    /// # Panics
    ///
    /// If it starts, or fails in another way than by refusing.
    #[must_use]
    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation that is not met fails the test")]
    pub fn refuses(self, configuration: impl Into<Configuration>) -> Refusal {
        let configuration = configuration.into().0;
        let shown = crate::guest::quoted(&configuration);
        let name = self.config.name.clone();
        match Host::envoy().plugin(self.configuration(configuration)).try_start() {
            Ok(_) => panic!("expected {name} to refuse {shown}; it started"),
            Err(error) => match error.failure() {
                StartFailure::ConfigurationRefused { .. } | StartFailure::VmRefused { .. } => Refusal(error),
                _ => panic!("expected {name} to refuse {shown}; it failed: {error}"),
            },
        }
    }
}

/// A plugin's No to its configuration.
#[derive(Debug)]
pub struct Refusal(StartError);

impl Refusal {
    /// All of it: which callback answered false, and every line that was logged.
    #[must_use]
    pub fn message(&self) -> String {
        self.0.to_string()
    }

    /// What the plugin logged at that level, in order.
    #[must_use]
    pub fn logged(&self, level: Level) -> Vec<String> {
        let lines = self.lines().filter(|line| line.level == level);
        lines.map(|line| line.message.clone()).collect()
    }

    fn lines(&self) -> impl Iterator<Item = &LogLine> {
        // The VM that others are cloned from runs no plugin; which of the others refuses depends on how they start.
        self.0.logs().iter().filter(|line| line.role != Role::Base)
    }

    /// # Panics
    ///
    /// If no line of that level has this text in it.
    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation that is not met fails the test")]
    pub fn assert_logged(&self, level: Level, text: &str) -> &Self {
        if !self.lines().any(|line| line.level == level && line.message.contains(text)) {
            panic!("expected {text:?} to be logged as {level}; it was\n{}", self.message());
        }
        self
    }

    /// # Panics
    ///
    /// If the text is nowhere in the message.
    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation that is not met fails the test")]
    pub fn assert_says(&self, text: &str) -> &Self {
        let message = self.message();
        if !message.contains(text) {
            panic!("expected the refusal to say {text:?}; it says\n{message}");
        }
        self
    }
}
