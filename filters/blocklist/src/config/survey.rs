//! A first look at a configuration: how many entries each list has, and what they are for.

use std::io::Read;

use filter_kit::config::Sink;

use super::MOST;
use crate::store::{Builder, Key, Precision};

/// Where the long lists are.
pub(super) const PATH: [&str; 3] = ["lists", "*", "entries"];

/// How the entries of a list are to be kept; none if they are not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plan {
    kept: Option<(Precision, usize)>,
}

/// Looks at a configuration, without making anything of it: what is wrong with it is found when it is read. One that
/// cannot be made out has no plans.
pub(super) fn plans(mut reader: impl Read) -> Vec<Plan> {
    let (mut scan, mut buffer) = (Scan::default(), vec![0; 16 * 1024]);
    while let Ok(size @ 1..) = reader.read(&mut buffer) {
        buffer.get(..size).unwrap_or_default().iter().for_each(|byte| scan.byte(*byte));
    }
    if scan.odd { Vec::new() } else { scan.plans }
}

/// The longest word that is of interest, in bytes.
const WORD: usize = 8;

/// Where a look at JSON has come to.
#[derive(Default)]
struct Scan {
    plans: Vec<Plan>,
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// The string that ended last, as far as it is of interest.
    text: Vec<u8>,
    in_lists: bool,
    /// The member of a list that is being read.
    member: Member,
    in_entries: bool,
    /// The entries of the list that is being read, if it has any.
    count: Option<usize>,
    allows: bool,
    off: bool,
    /// A name is written with escapes, and might be one of those that count.
    odd: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Member {
    #[default]
    Other,
    Entries,
    Action,
    Mode,
}

impl Scan {
    fn byte(&mut self, byte: u8) {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => {
                    self.escaped = true;
                    self.odd |= !self.in_entries && (self.depth == 1 || self.depth == 3);
                }
                b'"' => {
                    self.in_string = false;
                    if let (true, Some(count)) = (self.in_entries, &mut self.count) {
                        *count += 1;
                    }
                }
                _ if !self.in_entries && self.text.len() <= WORD => self.text.push(byte),
                _ => {}
            }
            return;
        }
        match (byte, self.depth) {
            (b'"', _) => {
                self.in_string = true;
                self.text.clear();
            }
            (b':', 1) => self.in_lists = self.text == b"lists",
            (b':', 3) => {
                self.member = match self.text.as_slice() {
                    b"entries" => Member::Entries,
                    b"action" => Member::Action,
                    b"mode" => Member::Mode,
                    _ => Member::Other,
                };
            }
            (b',', 3) => self.value(),
            (b'{' | b'[', depth) => {
                if byte == b'[' && depth == 3 && self.in_lists && self.member == Member::Entries {
                    self.in_entries = true;
                    self.count = Some(0);
                }
                self.depth += 1;
            }
            (b'}' | b']', depth) => {
                if depth == 4 {
                    self.in_entries = false;
                }
                if depth == 3 {
                    self.value();
                    self.list();
                }
                self.depth = depth.saturating_sub(1);
            }
            _ => {}
        }
    }

    /// A member of a list has ended, whose value was the last string if it was one.
    fn value(&mut self) {
        match std::mem::take(&mut self.member) {
            Member::Action => self.allows = self.text == b"allow",
            Member::Mode => self.off = self.text == b"off",
            _ => {}
        }
    }

    fn list(&mut self) {
        let (allows, off) = (std::mem::take(&mut self.allows), std::mem::take(&mut self.off));
        if let Some(count) = self.count.take() {
            let precision = if allows { Precision::Names } else { Precision::Fingerprints };
            self.plans.push(Plan { kept: (!off).then_some((precision, count.min(MOST))) });
        }
    }
}

/// Builds the entries of every list as they are read.
pub(super) struct Lists {
    key: Key,
    plans: Vec<Plan>,
    builders: Vec<Option<Builder>>,
}

impl Lists {
    /// With a plan for each list, in order; entries of a list without one are kept whatever they are for.
    pub(super) fn new(key: Key, plans: &[Plan]) -> Self {
        Self { key, plans: plans.to_vec(), builders: Vec::new() }
    }

    /// The builder that has the entries of the list with that number.
    pub(super) fn take(&mut self, number: usize) -> Option<Builder> {
        self.builders.get_mut(number)?.take()
    }

    /// A builder for a list that has none.
    pub(super) fn empty(&self) -> Builder {
        Builder::new(self.key, Precision::Names, 0)
    }
}

impl Sink for Lists {
    fn begin(&mut self) -> usize {
        let number = self.builders.len();
        let builder = match self.plans.get(number) {
            Some(Plan { kept: Some((precision, count)) }) => Builder::new(self.key, *precision, *count),
            Some(Plan { kept: None }) => Builder::checking(self.key),
            None => self.empty(),
        };
        self.builders.push(Some(builder));
        number
    }

    fn item(&mut self, text: &str) -> Result<(), &'static str> {
        match self.builders.last_mut() {
            Some(Some(builder)) => builder.add(text),
            _ => Ok(()),
        }
    }
}
