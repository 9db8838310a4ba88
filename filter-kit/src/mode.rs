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

/// For how many messages findings have consequences, so that a rule can be rolled out in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// In hundredths of a percent, 0 to 10,000.
    hundredths: u32,
}

impl Share {
    /// All of them.
    pub const ALL: Self = Self { hundredths: 10_000 };

    /// Reads the field `enforce_percent`, which is 100 unless it is given.
    pub fn field(fields: &mut Fields<'_>) -> Option<Self> {
        fields.or(
            "enforce_percent",
            "How many messages `enforce` acts on, in percent; to others it is `report`",
            100,
            |node| node.percent().map(|hundredths| Self { hundredths }),
        )
    }

    /// Whether the next message is one of them. `random` is asked only if that is left to chance.
    pub fn takes(self, random: impl FnOnce() -> [u8; 16]) -> bool {
        match self.hundredths {
            0 => false,
            10_000.. => true,
            // What 2^128 leaves over, divided by 10,000, is no bias that anybody could see.
            share => u128::from_le_bytes(random()) % 10_000 < share.into(),
        }
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
    fn a_share_is_left_to_chance_only_between_none_and_all() {
        let read = |json: &str| config::read(json.as_bytes(), |root| root.object(Share::field));
        assert_eq!(read("{}"), Ok(Share::ALL));
        let takes = |json: &str, random: u128| read(json).unwrap().takes(|| random.to_le_bytes());
        assert!(takes(r#"{"enforce_percent": 0.01}"#, 0) && !takes(r#"{"enforce_percent": 0.01}"#, 1));
        assert!(takes(r#"{"enforce_percent": 50}"#, 14_999) && !takes(r#"{"enforce_percent": 50}"#, 5_000));
        assert!(Share::ALL.takes(|| unreachable!("all is not left to chance")));
        assert!(!read(r#"{"enforce_percent": 0}"#).unwrap().takes(|| unreachable!("nor is none")));
        assert!(read(r#"{"enforce_percent": 101}"#).is_err());
    }

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
