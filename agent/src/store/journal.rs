//! What is appended to the journal: one line for each record, each with a checksum of its own.
//!
//! A line that is torn or damaged is left out and the others count, since each says something that is true by itself.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::Sha256;

/// Something that the names of files do not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record {
    /// There is a module.
    Module { sha256: Sha256, size: u64, used: u64 },
    /// It is what that source has.
    Source { name: Sha256, checksum: Sha256, sha256: Sha256 },
    /// Those credentials open that source.
    Granted { name: Sha256, checksum: Sha256, to: Sha256 },
    /// That key has signed what the source has.
    Signed { name: Sha256, checksum: Sha256, by: Sha256 },
    /// A URL means that source, for a resource at that version.
    Url {
        url: Sha256,
        shown: String,
        name: Sha256,
        checksum: Sha256,
        resource: String,
        version: String,
        used: u64,
    },
    /// The module was asked for, at that microsecond since 1970.
    Used { sha256: Sha256, used: u64 },
    /// The module is gone, and all that led to it.
    Forget { sha256: Sha256 },
}

/// Digits of a line's checksum.
const CHECK: usize = 16;

/// Longest line that is read, in bytes. Resource names and URLs are shorter.
const LONGEST_LINE: usize = 256 * 1024;

/// Longest journal that is read, in bytes. One is rewritten long before.
const LONGEST: u64 = 64 << 20;

/// Lines for the journal.
pub(super) fn lines(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for record in records {
        let text = serde_json::to_string(record)?;
        if text.len() + CHECK + 2 > LONGEST_LINE {
            tracing::warn!(
                bytes = text.len(),
                "a record is too long for the journal of the store and is left out"
            );
            continue;
        }
        lines.extend_from_slice(check(text.as_bytes()).as_bytes());
        lines.push(b' ');
        lines.extend_from_slice(text.as_bytes());
        lines.push(b'\n');
    }
    Ok(lines)
}

/// What was read of a journal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) records: Vec<Record>,
    /// Lines that say nothing.
    pub(super) damaged: usize,
    /// Bytes that were read.
    pub(super) bytes: u64,
    /// Whether the last line is complete.
    pub(super) ended: bool,
}

/// Reads all that there is.
pub(super) fn read(from: impl Read) -> io::Result<Reading> {
    let mut bytes = Vec::new();
    let read = from.take(LONGEST).read_to_end(&mut bytes)?;
    let mut reading = Reading {
        bytes: u64::try_from(read).unwrap_or(u64::MAX),
        ended: bytes.last().is_none_or(|byte| *byte == b'\n'),
        ..Reading::default()
    };
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match record(line) {
            Some(record) => reading.records.push(record),
            None => reading.damaged += 1,
        }
    }
    Ok(reading)
}

fn record(line: &[u8]) -> Option<Record> {
    let (found, rest) = line.split_at_checked(CHECK)?;
    let text = rest.strip_prefix(b" ")?;
    if line.len() > LONGEST_LINE || check(text).as_bytes() != found {
        return None;
    }
    serde_json::from_slice(text).ok()
}

fn check(text: &[u8]) -> String {
    let mut digits = Sha256::of(text).to_string();
    digits.truncate(CHECK);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Record> {
        let [a, b, c] = [Sha256::of(b"a"), Sha256::of(b"b"), Sha256::of(b"c")];
        vec![
            Record::Module { sha256: a, size: 7, used: 1 },
            Record::Source { name: b, checksum: c, sha256: a },
            Record::Url {
                url: b,
                shown: "http://example.com/ü\n".to_owned(),
                name: b,
                checksum: c,
                resource: "r".to_owned(),
                version: "1".to_owned(),
                used: 2,
            },
            Record::Forget { sha256: a },
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        let reading = read(&*lines(&some()).unwrap()).unwrap();
        assert_eq!((reading.records, reading.damaged, reading.ended), (some(), 0, true));
    }

    #[test]
    fn a_journal_that_is_cut_anywhere_gives_the_records_that_are_whole() {
        let all = lines(&some()).unwrap();
        let whole = |cut: usize| all[..cut].iter().filter(|byte| **byte == b'\n').count();
        for cut in 0..all.len() {
            let reading = read(&all[..cut]).unwrap();
            // A line is whole without its end, too.
            let ends = all.get(cut) == Some(&b'\n');
            assert_eq!(reading.records, some()[..whole(cut) + usize::from(ends)], "cut at {cut}");
        }
    }

    #[test]
    fn a_changed_byte_costs_its_line_and_no_other() {
        let all = lines(&some()).unwrap();
        for at in (0..all.len()).filter(|at| all[*at] != b'\n') {
            let mut changed = all.clone();
            changed[at] ^= 1;
            let reading = read(&*changed).unwrap();
            assert!(reading.records.len() + 1 >= some().len(), "changed at {at}");
            assert!(reading.records.iter().all(|record| some().contains(record)));
            assert!(reading.damaged >= 1);
        }
    }

    #[test]
    fn what_is_no_journal_is_read_as_nothing() {
        let reading = read(&b"{\"modules\":{}}\n\0\0\0\xff\n"[..]).unwrap();
        assert_eq!((reading.records.len(), reading.damaged), (0, 2));
    }
}
