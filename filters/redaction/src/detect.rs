//! Detectors: each says whether what it looks for stands at a place that the prefilter found worth a look.

pub(crate) mod assignment;
mod card;
pub(crate) mod email;
pub(crate) mod iban;
mod ip;
mod key;
pub(crate) mod literal;
mod phone;
pub(crate) mod regex;
pub(crate) mod rest;
mod ssn;
pub(crate) mod value;

use crate::text::{More, Text};
use literal::Literals;
use regex::Expression;
use rest::Rest;

/// What is found.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    CreditCard,
    /// With nine digits without separators being one too, where words nearby speak for it.
    UsSsn {
        plain: bool,
    },
    Email,
    Ipv4,
    Ipv6,
    Iban,
    PhoneE164,
    Jwt,
    AwsAccessKey,
    PrivateKeyPem,
    Bearer,
    /// Values after these keys.
    Assignment(Keys),
    Literal(Literals),
    Regex(Expression),
}

/// Whether a match may stand in the middle of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boundary {
    /// It may not.
    Word,
    /// It may.
    None,
}

impl Boundary {
    fn begins(self, text: &Text<'_>, place: usize) -> bool {
        self == Self::None || text.begins(place)
    }

    fn ends(self, text: &Text<'_>, place: usize) -> Result<bool, More> {
        if self == Self::None { Ok(true) } else { text.ends(place) }
    }
}

/// Names of keys, compared without the case of ASCII letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys(Vec<Box<[u8]>>);

impl Keys {
    pub(crate) fn new(keys: impl IntoIterator<Item = String>) -> Self {
        Self(keys.into_iter().map(|key| key.into_bytes().into_boxed_slice()).collect())
    }

    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        self.0.iter().any(|key| key.eq_ignore_ascii_case(name))
    }

    /// The signs of all of them.
    pub(crate) fn signs(&self) -> u64 {
        self.0.iter().fold(0, |signs, key| signs | sign(key))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|key| &**key)
    }
}

/// One bit of many, the same for names that are the same without the case of ASCII letters: that of a name which is none of
/// a few keys is nearly always another.
#[inline]
pub(crate) fn sign(name: &[u8]) -> u64 {
    let lower = |byte: Option<&u8>| byte.map_or(0, |byte| u32::from(byte | 0x20));
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
    1 << (length.wrapping_add(lower(name.first()) * 7).wrapping_add(lower(name.last()) * 11) % 64)
}

/// What a detector says of a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    /// Nothing is there.
    No,
    /// More must come before it can be told.
    Need,
    /// A match that ends before that place.
    Match(usize),
    /// A match that goes on after that place, further than is waited for.
    Runs(usize, Rest),
}

/// Where a match ends, if there is one and that can be told.
impl From<Result<Option<usize>, More>> for Verdict {
    fn from(end: Result<Option<usize>, More>) -> Self {
        match end {
            Ok(Some(end)) => Self::Match(end),
            Ok(None) => Self::No,
            Err(More) => Self::Need,
        }
    }
}

/// What a detector found at a trigger.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Where it begins. From here on, or from the trigger on if that is before, bytes are needed as they are.
    pub(crate) start: usize,
    pub(crate) verdict: Verdict,
    /// The backslashes of the quotation marks that have to be put around what stands in its place, if any have.
    pub(crate) quotes: Option<u32>,
}

impl Kind {
    /// Looks at the trigger at `at`. `cap`: after how many bytes of a match its end is not waited for.
    pub(crate) fn look(&self, text: &Text<'_>, at: usize, boundary: Boundary, cap: usize) -> Found {
        let (start, verdict) = match self {
            Self::CreditCard => (at, card::at(text, at, boundary)),
            Self::UsSsn { plain } => (at, ssn::at(text, at, boundary, *plain)),
            Self::Email => email::at(text, at),
            Self::Ipv4 => ip::v4(text, at, boundary),
            Self::Ipv6 => ip::v6(text, at, boundary),
            Self::Iban => (at, iban::at(text, at, boundary)),
            Self::PhoneE164 => (at, phone::at(text, at, boundary)),
            Self::Jwt => (at, key::jwt(text, at, cap)),
            Self::AwsAccessKey => (at, key::aws(text, at, boundary)),
            Self::PrivateKeyPem => (at, key::pem(text, at, cap)),
            Self::Bearer => key::bearer(text, at, cap),
            Self::Assignment(keys) => {
                let assignment::Assigned { start, verdict, quotes } = assignment::at(text, at, keys, cap);
                return Found { start, verdict, quotes };
            }
            Self::Regex(expression) => (at, expression.at(text, at, boundary)),
            Self::Literal(literals) => (at, literals.at(text, at, boundary)),
        };
        Found { start, verdict, quotes: None }
    }

    /// Whether it begins before its trigger: others that begin earlier may be found later.
    pub(crate) fn looks_back(&self) -> bool {
        matches!(self, Self::Email | Self::Ipv4 | Self::Ipv6)
    }
}
