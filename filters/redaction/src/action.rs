//! What becomes of a match.

pub(crate) mod hash;
mod mask;

pub(crate) use hash::Key;
pub(crate) use mask::Mask;

use crate::tokens::Tokens;

/// What becomes of a match.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Characters give way to another.
    Mask(Mask),
    /// It gives way to a text.
    Replace(Box<str>),
    /// It goes.
    Remove,
    /// It gives way to a keyed hash of it, the same for the same.
    Hash(Key),
    /// It gives way to a token of the detector with this name, until that comes back in the response.
    Tokenize(Box<str>),
    /// A token gives way to what it stands for.
    Restore(Tokens),
    /// It stays, and is counted.
    Tag,
    /// The message does not go on.
    Block,
}

/// What stands in place of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) put: Vec<u8>,
    /// Each byte stands in place of one.
    pub(crate) masks: bool,
}

/// What stands in place of that which no action of its own can be applied to.
pub(crate) const MARKER: &str = "[REDACTED]";

impl Action {
    /// Whether the same stands in place of any match.
    pub(crate) fn is_constant(&self) -> bool {
        matches!(self, Self::Replace(_) | Self::Remove | Self::Tag | Self::Block)
    }

    /// Whether a match becomes as long as it was.
    pub(crate) fn keeps_length(&self) -> bool {
        matches!(self, Self::Mask(_) | Self::Tag | Self::Block)
    }

    /// What stands in place of a match. `runs_on`: it is longer than what is here. `tokens`: those of the exchange.
    pub(crate) fn change(
        &self,
        matched: &[u8],
        runs_on: bool,
        tokens: &mut Option<Tokens>,
    ) -> Option<Change> {
        let put = match self {
            Self::Mask(mask) => return Some(Change { put: mask.apply(matched, runs_on), masks: true }),
            Self::Replace(with) => with.as_bytes().to_vec(),
            Self::Remove => Vec::new(),
            Self::Hash(key) => key.hash(matched).into_bytes(),
            Self::Tokenize(name) => {
                let tokens = tokens.as_mut()?;
                let token = if runs_on { None } else { tokens.token(name, matched) };
                token.unwrap_or(MARKER).as_bytes().to_vec()
            }
            Self::Restore(tokens) => tokens.original(matched)?.to_vec(),
            Self::Tag | Self::Block => return None,
        };
        Some(Change { put, masks: false })
    }
}
