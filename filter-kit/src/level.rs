//! `log_level`: how much a filter writes into the proxy's log.

use crate::config::Fields;

/// How much is written, beside what the proxy itself leaves out by its own level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All of it.
    #[default]
    Info,
    /// What goes wrong.
    Warn,
    /// Why a configuration is refused, which is always written.
    Error,
}

impl Level {
    /// The words for it in a configuration.
    pub const WORDS: [(&str, Self); 3] = [("info", Self::Info), ("warn", Self::Warn), ("error", Self::Error)];

    /// Reads the field `log_level`, which is `info` unless it is given.
    pub fn field(fields: &mut Fields<'_>) -> Option<Self> {
        fields.or(
            "log_level",
            "What is written into Envoy's log, as far as Envoy's own level lets it: `error` is refused configurations alone, `warn` also what goes wrong, `info` all",
            "info",
            |node| node.one_of(&Self::WORDS),
        )
    }

    /// Whether what has the level `message` is written.
    pub fn writes(self, message: Self) -> bool {
        message >= self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn what_is_below_the_level_is_not_written() {
        let read = |json: &str| config::read(json.as_bytes(), |root| root.object(Level::field));
        assert_eq!(read("{}"), Ok(Level::Info));
        let warn = read(r#"{"log_level": "warn"}"#).unwrap();
        assert_eq!(
            [Level::Info, Level::Warn, Level::Error].map(|level| warn.writes(level)),
            [false, true, true]
        );
        assert_eq!(
            read(r#"{"log_level": "debug"}"#).map_err(|refusal| refusal.to_string()),
            Err("config field `log_level`: found \"debug\", expected one of `info`, `warn`, `error`"
                .to_owned())
        );
    }
}
