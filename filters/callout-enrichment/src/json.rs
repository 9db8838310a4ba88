//! Finds values in a JSON text by their pointers: one pass, no tree, nothing copied.
//!
//! The whole text is checked on the way (RFC 8259), so an answer that was cut off is not half believed. Of two members
//! with one name the later counts, as in most readers.

mod pointer;
mod text;

pub use pointer::Pointer;
pub use text::{Kind, compact, kind, unescape};

/// How deep lists and objects may stand in one another.
pub const MAX_DEPTH: usize = 128;

/// How many pointers are looked for in one pass.
pub const MAX_POINTERS: usize = 64;

/// The JSON text of the value that each pointer finds, without white space around it; `None` if `text` is not JSON, or
/// is deeper than [`MAX_DEPTH`]. Only the first [`MAX_POINTERS`] pointers are looked for.
pub fn find<'a>(text: &'a str, pointers: &[&Pointer]) -> Option<Vec<Option<&'a str>>> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, pointers, found: vec![None; pointers.len()] };
    let all = (0..pointers.len().min(MAX_POINTERS)).fold(0, |all, index| all | (1 << index));
    scan.value(0, all)?;
    scan.space();
    if scan.at != scan.bytes.len() {
        return None;
    }
    Some(scan.found.iter().map(|found| found.and_then(|(from, to)| text.get(from..to))).collect())
}

/// The JSON text of each item of a list; `None` if `text` is not a list.
pub fn items(text: &str) -> Option<Vec<&str>> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, pointers: &[], found: Vec::new() };
    let mut items = Vec::new();
    scan.space();
    scan.eat(b'[')?;
    scan.space();
    if scan.eat(b']').is_none() {
        loop {
            scan.space();
            let from = scan.at;
            scan.value(1, 0)?;
            items.push(text.get(from..scan.at)?);
            scan.space();
            if scan.eat(b',').is_none() {
                scan.eat(b']')?;
                break;
            }
        }
    }
    scan.space();
    (scan.at == scan.bytes.len()).then_some(items)
}

/// A set of pointers, by the places of its bits.
type Set = u64;

struct Scan<'a, 'p> {
    bytes: &'a [u8],
    at: usize,
    pointers: &'p [&'p Pointer],
    /// From where to where.
    found: Vec<Option<(usize, usize)>>,
}

impl<'a> Scan<'a, '_> {
    /// Passes a value that the pointers of `active` lead to, or through, in `depth` steps.
    fn value(&mut self, depth: usize, active: Set) -> Option<()> {
        self.space();
        let from = self.at;
        match self.peek()? {
            b'{' => self.object(depth, active)?,
            b'[' => self.list(depth, active)?,
            b'"' => self.string().map(|_| ())?,
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => self.number()?,
        }
        let to = self.at;
        for (index, pointer) in self.pointers.iter().enumerate().take(MAX_POINTERS) {
            if active & (1 << index) != 0
                && pointer.len() == depth
                && let Some(found) = self.found.get_mut(index)
            {
                *found = Some((from, to));
            }
        }
        Some(())
    }

    fn object(&mut self, depth: usize, active: Set) -> Option<()> {
        self.enter(depth)?;
        if self.eat(b'}').is_some() {
            return Some(());
        }
        loop {
            self.space();
            let name = self.string()?;
            let within = self.within(active, |pointer| pointer.names(depth, name));
            self.space();
            self.eat(b':')?;
            self.value(depth + 1, within)?;
            self.space();
            if self.eat(b',').is_none() {
                return self.eat(b'}');
            }
        }
    }

    fn list(&mut self, depth: usize, active: Set) -> Option<()> {
        self.enter(depth)?;
        if self.eat(b']').is_some() {
            return Some(());
        }
        for place in 0.. {
            let within = self.within(active, |pointer| pointer.counts(depth, place));
            self.value(depth + 1, within)?;
            self.space();
            if self.eat(b',').is_none() {
                return self.eat(b']');
            }
        }
        None
    }

    fn enter(&mut self, depth: usize) -> Option<()> {
        if depth >= MAX_DEPTH {
            return None;
        }
        self.at += 1;
        self.space();
        Some(())
    }

    /// Those of `active` for which `leads` holds. What they found in an earlier member of the same name is forgotten.
    fn within(&mut self, active: Set, leads: impl Fn(&Pointer) -> bool) -> Set {
        let mut within = 0;
        if active == 0 {
            return within;
        }
        for (index, pointer) in self.pointers.iter().enumerate().take(MAX_POINTERS) {
            if active & (1 << index) != 0 && leads(pointer) {
                within |= 1 << index;
                if let Some(found) = self.found.get_mut(index) {
                    *found = None;
                }
            }
        }
        within
    }

    /// Passes a string and answers what is between its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.eat(b'"')?;
        let from = self.at;
        loop {
            let rest = self.bytes.get(self.at..)?;
            self.at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
            match self.peek()? {
                b'"' => {
                    let inside = self.bytes.get(from..self.at)?;
                    self.at += 1;
                    return Some(inside);
                }
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        self.at += 1;
        match self.peek()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                let digits = self.bytes.get(self.at + 1..self.at + 5)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                self.at += 5;
            }
            _ => return None,
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.eat(b'-'); // may be there
        if self.eat(b'0').is_none() {
            self.digits()?;
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        (count > 0).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests;
