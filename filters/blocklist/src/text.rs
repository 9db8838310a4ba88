//! Lists as they are passed around: text, a line each, read piece by piece.

use std::io::Read;

use filter_kit::host::listed;
use sha2::{Digest, Sha256};

use crate::config::{Checksum, Remote};
use crate::store::{Builder, Entries, Key, Precision};

/// Why a list is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It has more bytes than `max_bytes`.
    TooLarge,
    /// It has more entries than `max_entries`.
    TooMany,
    /// It has more lines that are no entries than `max_bad_lines`: how many of them, and the first of them, by their
    /// numbers from 1, with what a right one would be.
    BadLines(usize, Vec<(usize, &'static str)>),
    /// It has no entry: an answer that is no list at all looks like that.
    Empty,
    /// Its last line is no checksum, and has to be.
    NoChecksum,
    /// Its checksum is that of other bytes.
    WrongChecksum,
    /// It ends before it should.
    Truncated,
}

/// A list that was read.
#[derive(Debug)]
pub struct Loaded {
    /// Its entries.
    pub entries: Entries,
    /// How many lines were none.
    pub bad_lines: usize,
}

/// How much is read at once, in bytes.
const PIECE: usize = 16 * 1024;
/// The longest line, in bytes: one of a hosts file may have several names.
const MAX_LINE: usize = 4096;
/// How many bad lines are told by their numbers.
const TOLD: usize = 10;
/// What a last line begins with that is a checksum; the hash of all bytes before it follows, in hexadecimal.
const CHECKSUM: [&str; 2] = ["# sha256: ", "! sha256: "];

/// Reads a list of `size` bytes, twice: first for how many lines it has.
///
/// # Errors
///
/// [`Refused`]: then nothing of it is to be taken.
pub fn read<R: Read>(
    open: impl Fn() -> R,
    size: usize,
    remote: &Remote,
    key: Key,
    precision: Precision,
) -> Result<Loaded, Refused> {
    if size > remote.max_bytes {
        return Err(Refused::TooLarge);
    }
    let survey = survey(open(), size)?;
    if survey.checksum.is_none() && remote.checksum == Checksum::Required {
        return Err(Refused::NoChecksum);
    }
    let capacity = survey.lines.min(remote.max_entries);
    let mut list = Reading {
        builder: Builder::new(key, precision, capacity),
        line: 0,
        bad_lines: 0,
        told: Vec::new(),
        most: remote.max_entries,
    };
    let mut hash = survey.checksum.map(|_| Sha256::new());
    let mut left = survey.end;
    let mut kept = Vec::new();
    pieces(open(), |piece| {
        let piece = piece.get(..left.min(piece.len())).unwrap_or_default();
        left -= piece.len();
        if let Some(hash) = &mut hash {
            hash.update(piece);
        }
        list.piece(piece, &mut kept)
    })?;
    list.line(&kept)?;
    if let (Some(hash), Some(expected)) = (hash, survey.checksum)
        && hash.finalize().as_slice() != expected
    {
        return Err(Refused::WrongChecksum);
    }
    if list.bad_lines > remote.max_bad_lines {
        return Err(Refused::BadLines(list.bad_lines, list.told));
    }
    if list.builder.count() == 0 {
        return Err(Refused::Empty);
    }
    Ok(Loaded { entries: list.builder.build(), bad_lines: list.bad_lines })
}

/// What is known of a list before it is read.
struct Survey {
    lines: usize,
    /// The hash on its last line.
    checksum: Option<[u8; 32]>,
    /// Where the lines before that end.
    end: usize,
}

fn survey(reader: impl Read, size: usize) -> Result<Survey, Refused> {
    let (mut lines, mut seen) = (1, 0);
    // The end of the list: a checksum line is shorter.
    let mut tail: Vec<u8> = Vec::new();
    pieces(reader, |piece| {
        lines += piece.iter().filter(|byte| **byte == b'\n').count();
        seen += piece.len();
        let part = piece.get(piece.len().saturating_sub(128)..).unwrap_or_default();
        tail.extend_from_slice(part);
        tail.drain(..tail.len().saturating_sub(128));
        Ok(())
    })?;
    if seen < size {
        return Err(Refused::Truncated);
    }
    let text = tail.trim_ascii_end();
    let start = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let checksum = text.get(start..).and_then(checksum);
    let end = if checksum.is_some() { seen - tail.len() + start } else { seen };
    Ok(Survey { lines, checksum, end })
}

fn checksum(line: &[u8]) -> Option<[u8; 32]> {
    let line = std::str::from_utf8(line).ok()?;
    let digits = CHECKSUM.iter().find_map(|word| line.strip_prefix(word))?.as_bytes();
    let mut hash = [0; 32];
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != hash.len() || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    for (to, [high, low]) in hash.iter_mut().zip(pairs) {
        *to = digit(*high)? << 4 | digit(*low)?;
    }
    Some(hash)
}

fn pieces(mut reader: impl Read, mut each: impl FnMut(&[u8]) -> Result<(), Refused>) -> Result<(), Refused> {
    let mut buffer = vec![0; PIECE];
    loop {
        let size = reader.read(&mut buffer).map_err(|_| Refused::Truncated)?;
        match buffer.get(..size) {
            Some(piece) if size > 0 => each(piece)?,
            _ => return Ok(()),
        }
    }
}

struct Reading {
    builder: Builder,
    line: usize,
    bad_lines: usize,
    told: Vec<(usize, &'static str)>,
    most: usize,
}

impl Reading {
    /// Reads what lines end in a piece; `kept` has the beginning of the one that goes on in the next.
    fn piece(&mut self, piece: &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        let mut lines = piece.split(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            let ends = lines.peek().is_some();
            if !kept.is_empty() || !ends {
                // A line without end is bad as soon as it is too long: no more of it is kept.
                let room = (MAX_LINE + 1).saturating_sub(kept.len());
                kept.extend_from_slice(line.get(..line.len().min(room)).unwrap_or_default());
            }
            if ends {
                let whole = std::mem::take(kept);
                self.line(if whole.is_empty() { line } else { &whole })?;
                *kept = whole;
                kept.clear();
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Refused> {
        self.line += 1;
        let result = if line.len() > MAX_LINE {
            Err("a line of at most 4096 bytes")
        } else {
            std::str::from_utf8(line)
                .map_err(|_| "text in UTF-8")
                .and_then(|line| listed(line).try_for_each(|entry| self.builder.add(entry)))
        };
        if self.builder.count() > self.most {
            return Err(Refused::TooMany);
        }
        if let Err(expected) = result {
            self.bad_lines += 1;
            if self.told.len() < TOLD {
                self.told.push((self.line, expected));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
