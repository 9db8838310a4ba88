//! Compressed bodies, made plain as they come: gzip (RFC 1952), zlib (RFC 1950) and deflate (RFC 1951).

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use crate::eligibility::Coding;

/// How many times larger than what it was made of a body may be.
const RATIO: usize = 100;

/// Bodies up to this size may be larger than that, in bytes.
const SMALL: usize = 1 << 20;

/// How much of a body is made plain at a time, in bytes; no more is ever there at once than this and a window.
const PIECE: usize = 64 << 10;

/// Makes a body plain. It holds a window of 32 KiB and tables, some 43 KiB together.
pub struct Inflate {
    stage: Stage,
    state: Box<InflateState>,
    taken: usize,
    given: usize,
}

enum Stage {
    /// The header of a gzip member, as far as it has come.
    GzipHeader(Vec<u8>),
    /// Whether zlib or deflate comes, the first byte tells with the second.
    Deflate(Vec<u8>),
    Data {
        gzip: bool,
    },
    /// So many bytes of a member's trailer are to come.
    Trailer(usize),
    /// Behind the end.
    Done,
}

/// Why a body cannot be made plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not what its header says.
    Corrupt,
    /// It becomes too large for what it is made of.
    Bomb,
    /// It ends before its end.
    Truncated,
}

/// The longest header of a gzip member, in bytes: names and comments have no bound of their own.
const LONGEST_HEADER: usize = 1024;

impl Inflate {
    /// At the beginning of a body.
    pub fn new(coding: Coding) -> Self {
        let (stage, format) = match coding {
            Coding::Gzip => (Stage::GzipHeader(Vec::new()), DataFormat::Raw),
            _ => (Stage::Deflate(Vec::new()), DataFormat::Raw),
        };
        Self { stage, state: InflateState::new_boxed(format), taken: 0, given: 0 }
    }

    /// Adds to `plain` what a piece holds, up to some 100 KiB. Answers what is left of it.
    ///
    /// # Errors
    ///
    /// Why nothing more can be said of the body, and from where on.
    pub fn next<'a>(
        &mut self,
        piece: &'a [u8],
        plain: &mut Vec<u8>,
    ) -> Result<&'a [u8], (Unreadable, &'a [u8])> {
        let mut rest = piece;
        while !rest.is_empty() && plain.len() < PIECE {
            rest = self.step(rest, plain).map_err(|why| (why, rest))?;
        }
        Ok(rest)
    }

    /// Whether a body may end here.
    pub fn may_end(&self) -> bool {
        match &self.stage {
            Stage::Done => true,
            Stage::GzipHeader(header) => header.is_empty(),
            _ => false,
        }
    }

    /// How many plain bytes there were so far.
    pub fn given(&self) -> usize {
        self.given
    }

    /// What was taken of a body and not understood.
    pub fn not_understood(&self) -> &[u8] {
        match &self.stage {
            Stage::GzipHeader(first) | Stage::Deflate(first) => first,
            _ => &[],
        }
    }

    /// Takes some bytes; answers those behind them.
    fn step<'a>(&mut self, piece: &'a [u8], plain: &mut Vec<u8>) -> Result<&'a [u8], Unreadable> {
        match &mut self.stage {
            Stage::Done => Ok(&[]),
            Stage::GzipHeader(header) => {
                let before = header.len();
                // One byte more than the longest shows that it is longer.
                header.extend(piece.iter().take(LONGEST_HEADER + 1 - before.min(LONGEST_HEADER)));
                match gzip_header(header).inspect_err(|_| header.truncate(before))? {
                    Some(length) => {
                        self.stage = Stage::Data { gzip: true };
                        Ok(piece.get(length.saturating_sub(before)..).unwrap_or_default())
                    }
                    None if header.len() > LONGEST_HEADER => {
                        header.truncate(before);
                        Err(Unreadable::Corrupt)
                    }
                    None => Ok(&[]),
                }
            }
            Stage::Deflate(first) => {
                let taken = piece.len().min(2 - first.len().min(2));
                first.extend(piece.iter().take(taken));
                let [method, flags, ..] = first.as_slice() else { return Ok(&[]) };
                let zlib =
                    method & 15 == 8 && (u16::from(*method) * 256 + u16::from(*flags)).is_multiple_of(31);
                let first = std::mem::take(first);
                if zlib {
                    self.state = InflateState::new_boxed(DataFormat::Zlib);
                }
                self.stage = Stage::Data { gzip: false };
                let mut rest = first.as_slice();
                while !rest.is_empty() {
                    rest = self.step(rest, plain)?;
                }
                Ok(piece.get(taken..).unwrap_or_default())
            }
            Stage::Trailer(left) => {
                let taken = (*left).min(piece.len());
                *left -= taken;
                if *left == 0 {
                    // Another member may follow (RFC 1952, section 2.2).
                    self.state = InflateState::new_boxed(DataFormat::Raw);
                    self.stage = Stage::GzipHeader(Vec::new());
                }
                Ok(piece.get(taken..).unwrap_or_default())
            }
            Stage::Data { gzip } => {
                let gzip = *gzip;
                let mut room = [0; 4096];
                let result = inflate(&mut self.state, piece, &mut room, MZFlush::None);
                plain.extend_from_slice(room.get(..result.bytes_written).unwrap_or_default());
                self.taken += result.bytes_consumed;
                self.given += result.bytes_written;
                if self.given > SMALL && self.given / RATIO > self.taken {
                    return Err(Unreadable::Bomb);
                }
                let rest = piece.get(result.bytes_consumed..).unwrap_or_default();
                match result.status {
                    Ok(MZStatus::StreamEnd) => {
                        self.stage = if gzip { Stage::Trailer(8) } else { Stage::Done };
                        Ok(rest)
                    }
                    Ok(_) | Err(MZError::Buf) if rest.is_empty() => {
                        self.drain(plain)?;
                        Ok(rest)
                    }
                    Ok(_) => Ok(rest),
                    Err(_) => Err(Unreadable::Corrupt),
                }
            }
        }
    }

    /// Takes what was decoded and had no room.
    fn drain(&mut self, plain: &mut Vec<u8>) -> Result<(), Unreadable> {
        loop {
            let mut room = [0; 4096];
            let result = inflate(&mut self.state, &[], &mut room, MZFlush::None);
            plain.extend_from_slice(room.get(..result.bytes_written).unwrap_or_default());
            self.given += result.bytes_written;
            if self.given > SMALL && self.given / RATIO > self.taken {
                return Err(Unreadable::Bomb);
            }
            match result.status {
                Ok(MZStatus::StreamEnd) => {
                    let gzip = matches!(self.stage, Stage::Data { gzip: true });
                    self.stage = if gzip { Stage::Trailer(8) } else { Stage::Done };
                    return Ok(());
                }
                _ if result.bytes_written == 0 => return Ok(()),
                Ok(_) | Err(MZError::Buf) => {}
                Err(_) => return Err(Unreadable::Corrupt),
            }
        }
    }
}

/// The length of the header that these bytes begin with (RFC 1952, section 2.3); `None` if it has not come whole.
fn gzip_header(bytes: &[u8]) -> Result<Option<usize>, Unreadable> {
    let magic = b"\x1f\x8b\x08";
    if !bytes.iter().zip(magic).all(|(byte, magic)| byte == magic) {
        return Err(Unreadable::Corrupt);
    }
    let Some(flags) = bytes.get(3) else { return Ok(None) };
    let mut length = 10;
    if flags & 4 != 0 {
        let Some([low, high]) = bytes.get(length..length + 2) else { return Ok(None) };
        length += 2 + usize::from(*low) + 256 * usize::from(*high);
    }
    // A name and a comment, each ended by a zero byte.
    for flag in [8, 16] {
        if flags & flag != 0 {
            let text = bytes.get(length..).unwrap_or_default();
            let Some(end) = text.iter().position(|byte| *byte == 0) else { return Ok(None) };
            length += end + 1;
        }
    }
    if flags & 2 != 0 {
        length += 2;
    }
    Ok((bytes.len() >= length).then_some(length))
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        // With a name, and without the checksum that nobody checks here.
        [b"\x1f\x8b\x08\x08\0\0\0\0\0\0name\0", &compress_to_vec(text, 6)[..], &[0; 8]].concat()
    }

    fn plain(coding: Coding, body: &[u8], size: usize) -> Result<Vec<u8>, Unreadable> {
        let mut inflate = Inflate::new(coding);
        let mut all = Vec::new();
        for mut piece in body.chunks(size) {
            while !piece.is_empty() {
                let mut plain = Vec::new();
                piece = inflate.next(piece, &mut plain).map_err(|(why, _)| why)?;
                assert!(plain.len() <= PIECE + (64 << 10), "{} bytes at once", plain.len());
                all.extend(plain);
            }
        }
        if inflate.may_end() { Ok(all) } else { Err(Unreadable::Truncated) }
    }

    #[test]
    fn a_body_becomes_what_it_was_however_it_is_cut() {
        let text: Vec<u8> =
            (0..200_000_u32).flat_map(|number| (number.wrapping_mul(number) / 7).to_le_bytes()).collect();
        for (coding, body) in [
            (Coding::Gzip, gzip(&text)),
            (Coding::Gzip, [gzip(&text[..100]), gzip(&text[100..])].concat()),
            (Coding::Deflate, compress_to_vec_zlib(&text, 6)),
            (Coding::Deflate, compress_to_vec(&text, 6)),
            (Coding::Gzip, gzip(b"")),
        ] {
            let whole = plain(coding, &body, usize::MAX).unwrap();
            assert!(whole == text || whole.is_empty());
            for size in [1000, 65_536] {
                assert!(plain(coding, &body, size).unwrap() == whole);
            }
        }
        let short = gzip(b"hello, hello, hello");
        assert_eq!(plain(Coding::Gzip, &short, 1).unwrap(), b"hello, hello, hello");
    }

    #[test]
    fn what_is_broken_cut_off_or_too_large_is_told() {
        let body = gzip(b"hello, hello, hello");
        assert_eq!(plain(Coding::Gzip, &body[..body.len() - 12], 5), Err(Unreadable::Truncated));
        assert_eq!(plain(Coding::Gzip, b"plain text", 5), Err(Unreadable::Corrupt));
        assert_eq!(plain(Coding::Gzip, &gzip(&vec![b'a'; 20 << 20]), 1000), Err(Unreadable::Bomb));
        assert!(plain(Coding::Gzip, &gzip(&vec![b'a'; 60 << 10]), 1000).is_ok());
    }
}
