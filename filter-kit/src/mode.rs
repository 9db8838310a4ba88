//! What a filter does about its findings, and without a decision.

use crate::config::Fields;

/// Whether findings have consequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They do.
    Enforce,
    /// They are counted, and the message passes as it is.
    Report,
    /// Nothing is looked for.
    Off,
}

impl Mode {
    /// The words for it in a configuration.
    pub const WORDS: [(&str, Self); 3] =
        [("enforce", Self::Enforce), ("report", Self::Report), ("off", Self::Off)];

    /// Reads the field `mode`, which is `enforce` unless it is given.
    pub fn field(fields: &mut Fields<'_>) -> Option<Self> {
        fields.or(
            "mode",
            "`enforce` acts, `report` only counts and changes nothing, `off` does not look",
            "enforce",
            |node| node.one_of(&Self::WORDS),
        )
    }
}

/// What becomes of a message about which nothing can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It passes.
    Open,
    /// It does not.
    Closed,
}

impl Failure {
    /// The words for it in a configuration.
    pub const WORDS: [(&str, Self); 2] = [("open", Self::Open), ("closed", Self::Closed)];

    /// Reads the field `fail`, which is `default` unless it is given.
    pub fn field(fields: &mut Fields<'_>, default: Self) -> Option<Self> {
        let default = if default == Self::Open { "open" } else { "closed" };
        fields.or(
            "fail",
            "What becomes of a message about which nothing can be decided: it passes, or not",
            default,
            |node| node.one_of(&Self::WORDS),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn a_mode_and_a_failure_have_defaults() {
        let read = |json: &str| {
            config::read(json.as_bytes(), |root| {
                root.object(|fields| {
                    let (mode, fail) = (Mode::field(fields), Failure::field(fields, Failure::Closed));
                    Some((mode?, fail?))
                })
            })
        };
        assert_eq!(read("{}"), Ok((Mode::Enforce, Failure::Closed)));
        assert_eq!(read(r#"{"mode": "report", "fail": "open"}"#), Ok((Mode::Report, Failure::Open)));
        assert!(read(r#"{"mode": "shadow"}"#).is_err() && read(r#"{"fail": true}"#).is_err());
    }
}
