//! What an expression says, as a tree.

use std::iter::Peekable;
use std::str::Chars;

use crate::bytes::Bytes;

/// A part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// One byte of these.
    One(Bytes),
    /// One after the other.
    All(Vec<Tree>),
    /// One of them.
    Any(Vec<Tree>),
    /// So many times at least, and so many at most.
    Times(Box<Tree>, u32, Option<u32>),
}

impl Tree {
    /// How long the shortest match is.
    pub(super) fn shortest(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::All(parts) => parts.iter().map(Self::shortest).sum(),
            Self::Any(parts) => parts.iter().map(Self::shortest).min().unwrap_or(0),
            Self::Times(part, least, _) => part.shortest().saturating_mul(*least as usize),
        }
    }

    /// How long the longest is; `None` if there is none.
    pub(super) fn longest(&self) -> Option<usize> {
        match self {
            Self::One(_) => Some(1),
            Self::All(parts) => parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(part.longest()?)),
            Self::Any(parts) => parts.iter().try_fold(0, |most, part| Some(part.longest()?.max(most))),
            Self::Times(part, _, most) => match part.longest() {
                Some(0) => Some(0),
                longest => longest?.checked_mul((*most)? as usize),
            },
        }
    }
}

/// The highest number of repetitions.
const MOST_TIMES: u32 = 1024;

/// How deep groups may be nested.
const DEEPEST: usize = 32;

/// Reads an expression.
pub(super) fn parse(pattern: &str, any_case: bool) -> Result<Tree, String> {
    let mut parser = Parser { rest: pattern.chars().peekable(), any_case, depth: 0 };
    let tree = parser.alternatives()?;
    match parser.rest.next() {
        None => Ok(tree),
        Some(_) => Err("a `(` for each `)`".to_owned()),
    }
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    any_case: bool,
    depth: usize,
}

impl Parser<'_> {
    fn alternatives(&mut self) -> Result<Tree, String> {
        let mut all = vec![self.row()?];
        while self.rest.next_if_eq(&'|').is_some() {
            all.push(self.row()?);
        }
        Ok(match all.pop() {
            Some(only) if all.is_empty() => only,
            last => Tree::Any(all.into_iter().chain(last).collect()),
        })
    }

    fn row(&mut self) -> Result<Tree, String> {
        let mut parts = Vec::new();
        while let Some(next) = self.rest.peek() {
            if matches!(next, '|' | ')') {
                break;
            }
            let part = self.one()?;
            parts.push(self.repeated(part)?);
        }
        Ok(Tree::All(parts))
    }

    fn one(&mut self) -> Result<Tree, String> {
        let set = match self.rest.next() {
            Some('(') => return self.group(),
            Some('[') => self.class()?,
            Some('.') => Bytes::of(b"\n").not(),
            Some('\\') => self.escape()?,
            Some('^' | '$') => return Err(NO_ANCHORS.to_owned()),
            Some('*' | '+' | '?' | '{') => {
                return Err("something before each `*`, `+`, `?` and `{`".to_owned());
            }
            Some(other) if other.is_ascii() => Bytes::of(&[byte(other)]),
            // A character of several bytes.
            Some(other) => {
                let bytes = other.encode_utf8(&mut [0; 4]).as_bytes().to_vec();
                return Ok(Tree::All(bytes.into_iter().map(|byte| Tree::One(Bytes::of(&[byte]))).collect()));
            }
            None => return Err("more behind its end".to_owned()),
        };
        Ok(Tree::One(if self.any_case { set.in_any_case() } else { set }))
    }

    fn group(&mut self) -> Result<Tree, String> {
        if self.rest.next_if_eq(&'?').is_some() && self.rest.next_if_eq(&':').is_none() {
            return Err("no groups but `(...)` and `(?:...)`".to_owned());
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("groups that are nested at most {DEEPEST} deep"));
        }
        let tree = self.alternatives()?;
        self.depth -= 1;
        self.rest.next_if_eq(&')').map(|_| tree).ok_or_else(|| "a `)` for each `(`".to_owned())
    }

    fn repeated(&mut self, part: Tree) -> Result<Tree, String> {
        let (least, most) = match self.rest.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.rest.next();
                let times = self.times()?;
                return self.not_again(Tree::Times(Box::new(part), times.0, times.1));
            }
            _ => return Ok(part),
        };
        self.rest.next();
        self.not_again(Tree::Times(Box::new(part), least, most))
    }

    fn not_again(&mut self, tree: Tree) -> Result<Tree, String> {
        match self.rest.peek() {
            Some('*' | '+' | '?' | '{') => {
                Err("no repetition that is lazy, possessive or repeated: the longest match counts".to_owned())
            }
            _ => Ok(tree),
        }
    }

    /// `3}`, `3,}` or `3,5}`
    fn times(&mut self) -> Result<(u32, Option<u32>), String> {
        const EXPECTED: &str = "repetitions such as `{3}`, `{3,}` or `{3,5}`, of at most 1024";
        let least = self.number().ok_or(EXPECTED)?;
        let most = match self.rest.next_if_eq(&',') {
            None => Some(least),
            Some(_) if self.rest.peek() == Some(&'}') => None,
            Some(_) => Some(self.number().ok_or(EXPECTED)?),
        };
        let right = self.rest.next() == Some('}')
            && least.max(most.unwrap_or(least)) <= MOST_TIMES
            && most.is_none_or(|most| most >= least);
        if right { Ok((least, most)) } else { Err(EXPECTED.to_owned()) }
    }

    fn number(&mut self) -> Option<u32> {
        let mut digits = None;
        while let Some(digit) = self.rest.peek().and_then(|next| next.to_digit(10)) {
            self.rest.next();
            digits = Some(digits.unwrap_or(0_u32).saturating_mul(10).saturating_add(digit));
        }
        digits
    }

    /// What a backslash begins.
    fn escape(&mut self) -> Result<Bytes, String> {
        let digit = || Bytes::NONE.with(b'0', b'9');
        let word = || Bytes::of(b"_").with(b'0', b'9').with(b'A', b'Z').with(b'a', b'z');
        let space = || Bytes::of(b" \t\n\r\x0b\x0c");
        Ok(match self.rest.next() {
            Some('d') => digit(),
            Some('D') => digit().not(),
            Some('w') => word(),
            Some('W') => word().not(),
            Some('s') => space(),
            Some('S') => space().not(),
            Some('n') => Bytes::of(b"\n"),
            Some('r') => Bytes::of(b"\r"),
            Some('t') => Bytes::of(b"\t"),
            Some('x') => {
                let mut digit = || self.rest.next().and_then(|digit| digit.to_digit(16));
                let (high, low) = (digit(), digit());
                let code = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                Bytes::of(&[code.ok_or("two hexadecimal digits after `\\x`")?])
            }
            Some('b' | 'B' | 'A' | 'z' | 'Z') => return Err(NO_ANCHORS.to_owned()),
            Some(other) if other.is_ascii_punctuation() => Bytes::of(&[byte(other)]),
            _ => {
                return Err(
                    "one of d, D, w, W, s, S, n, r, t, x or a punctuation mark after each `\\`".to_owned()
                );
            }
        })
    }

    /// A class, from behind its opening bracket.
    fn class(&mut self) -> Result<Bytes, String> {
        const EXPECTED: &str = "classes such as `[a-z0-9_]` or `[^,]`, of ASCII characters and escapes";
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut set = Bytes::NONE;
        loop {
            let next = self.rest.next().ok_or(EXPECTED)?;
            let first = match next {
                ']' if set != Bytes::NONE => break,
                '[' | ']' => return Err(EXPECTED.to_owned()),
                '\\' => {
                    let escaped = self.escape()?;
                    set.add(escaped);
                    let mut members = escaped.all();
                    match (members.next(), members.next()) {
                        (Some(only), None) => only,
                        _ => continue,
                    }
                }
                other if other.is_ascii() => byte(other),
                _ => return Err(EXPECTED.to_owned()),
            };
            set = set.with(first, first);
            if self.rest.next_if_eq(&'-').is_none() {
                continue;
            }
            let last = match self.rest.next() {
                // A dash at the end is one.
                Some(']') => {
                    set = set.with(b'-', b'-');
                    break;
                }
                Some('\\') => {
                    let escaped = self.escape()?;
                    let mut members = escaped.all();
                    members.next().filter(|_| members.next().is_none()).ok_or(EXPECTED)?
                }
                Some(other) if other.is_ascii() && other != '[' => byte(other),
                _ => return Err(EXPECTED.to_owned()),
            };
            if last < first {
                return Err(EXPECTED.to_owned());
            }
            set = set.with(first, last);
        }
        // Before it is turned round: what is not a letter in one case is not one in the other.
        let set = if self.any_case { set.in_any_case() } else { set };
        Ok(if negated { set.not() } else { set })
    }
}

const NO_ANCHORS: &str = "no anchors: a match may stand anywhere, and `boundary` says whether within a word";

fn byte(character: char) -> u8 {
    u8::try_from(character).unwrap_or(b'?')
}
