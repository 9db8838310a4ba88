//! Finds the module in what was downloaded: gzip, zstd and tar, and their nestings, within limits.
//!
//! What comes in is hostile. It is read once and as a stream; what is kept in memory does not grow with it; every
//! byte that comes out of a box is counted, whether it is kept or not; and nothing is ever written under a name from
//! an archive, since there is but one output.
//!
//! | found                        | what is taken                                                            |
//! |------------------------------|--------------------------------------------------------------------------|
//! | `\0asm`                      | all of it                                                                |
//! | gzip (all members), zstd     | what is in it                                                            |
//! | tar                          | the first file named `plugin.wasm`; else the first that is a module; else the first box with a module in it |
//! | anything else                | nothing: the error says what it looks like                               |

mod archive;
mod meter;
mod sniff;

use std::io::{self, BufReader, Cursor, Read, Seek, Write};

use sha2::Digest as _;

use self::meter::{Meter, Metered};
pub(super) use self::sniff::HEAD;
pub use self::sniff::{Kind, sniff};
use crate::{Reason, Sha256, Unavailable};

/// A window that zstd's decoders have to support (RFC 8878 section 3.1.1.1.2): 8 MiB. It is memory.
const ZSTD_WINDOW_LOG: u32 = 23;
/// How much is copied at a time, in bytes.
const CHUNK: usize = 32 << 10;

/// How much may come out.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the module.
    pub module: u64,
    /// Bytes out of all boxes together.
    pub unpacked: u64,
    /// How many bytes may come out for each that is packed...
    pub ratio: u64,
    /// ...once more than this has come out, in bytes.
    pub floor: u64,
    /// Entries of archives, all together.
    pub entries: u64,
    /// Boxes within one another: `.tar.gz` is two.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { module: 256 << 20, unpacked: 1 << 30, ratio: 100, floor: 16 << 20, entries: 100_000, depth: 4 }
    }
}

/// Why there is no module.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// More than the limits allow.
    #[error("{0}")]
    TooLarge(String),
    /// There is no module in it, or it is broken.
    #[error("{0}")]
    NotAModule(String),
    /// The output could not be written.
    #[error("writing the module: {0}")]
    Disk(io::Error),
    /// Nobody waits for it any more.
    #[error("given up")]
    Cancelled,
}

impl From<Fault> for Unavailable {
    fn from(fault: Fault) -> Self {
        let reason = match fault {
            Fault::TooLarge(_) => Reason::TooLarge,
            Fault::NotAModule(_) => Reason::NotAModule,
            Fault::Disk(_) => Reason::Disk,
            Fault::Cancelled => Reason::TimedOut,
        };
        Self::new(reason, fault.to_string())
    }
}

/// Where the module goes.
pub trait Output: Write {
    /// Forgets what was written: a better module was found.
    ///
    /// # Errors
    ///
    /// If it cannot be forgotten.
    fn restart(&mut self) -> io::Result<()>;
}

impl Output for std::fs::File {
    fn restart(&mut self) -> io::Result<()> {
        self.set_len(0)?;
        self.rewind()
    }
}

impl Output for Vec<u8> {
    fn restart(&mut self) -> io::Result<()> {
        self.clear();
        Ok(())
    }
}

/// Writes the module that is in `source`, which has `packed` bytes, and answers its digest and its size in bytes.
/// `cancelled` is asked now and then whether to give up.
///
/// # Errors
///
/// If there is no module, if it is larger than the limits, or if it cannot be written. What was written by then is of
/// no use.
pub fn unpack(
    source: impl Read,
    packed: u64,
    limits: &Limits,
    cancelled: &dyn Fn() -> bool,
    output: &mut dyn Output,
) -> Result<(Sha256, u64), Fault> {
    let meter = Meter::new(limits, packed, cancelled);
    let mut search = Search { limits, meter: &meter, output, found: None };
    let mut source = BufReader::with_capacity(CHUNK, source);
    match search.look(&mut source, None, 0)? {
        Seen::Module => search.found.ok_or_else(|| Fault::NotAModule("there is no module in it".to_owned())),
        Seen::Other(what) => Err(Fault::NotAModule(what)),
    }
}

/// What was found in a box.
enum Seen {
    /// A module, which was written.
    Module,
    /// What it is instead.
    Other(String),
}

struct Search<'a> {
    limits: &'a Limits,
    meter: &'a Meter<'a>,
    output: &'a mut dyn Output,
    found: Option<(Sha256, u64)>,
}

impl Search<'_> {
    /// Looks for a module in what the source gives. If its `size` is known, it has to have as many bytes.
    fn look(&mut self, source: &mut dyn Read, size: Option<u64>, depth: u32) -> Result<Seen, Fault> {
        let head = self.head(source)?;
        let kind = sniff(&head);
        let mut source = Cursor::new(head).chain(source);
        match kind {
            Kind::Module => self.write(&mut source, size).map(|()| Seen::Module),
            Kind::Other(what) => Ok(Seen::Other(what)),
            _ if depth >= self.limits.depth => Err(Fault::TooLarge(format!(
                "more than {} archives and compressions within one another",
                self.limits.depth
            ))),
            Kind::Gzip => {
                let source = BufReader::with_capacity(CHUNK, source);
                let mut inner = Metered::new(flate2::bufread::MultiGzDecoder::new(source), self.meter);
                self.inside("gzip", &mut inner, depth)
            }
            Kind::Zstd => {
                let source = BufReader::with_capacity(CHUNK, source);
                let broken = |error| Fault::NotAModule(format!("broken zstd: {error}"));
                let mut decoder = zstd::stream::read::Decoder::with_buffer(source).map_err(broken)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(broken)?;
                let mut inner = Metered::new(decoder, self.meter);
                self.inside("zstd", &mut inner, depth)
            }
            Kind::Tar => self.archive(&mut source, depth),
        }
    }

    fn inside(&mut self, name: &str, inner: &mut dyn Read, depth: u32) -> Result<Seen, Fault> {
        Ok(match self.look(inner, None, depth + 1)? {
            Seen::Module => Seen::Module,
            Seen::Other(what) => Seen::Other(format!("{name} with {what} in it")),
        })
    }

    /// As many bytes as are needed to see what it is.
    fn head(&self, source: &mut dyn Read) -> Result<Vec<u8>, Fault> {
        let mut head = Vec::with_capacity(HEAD);
        let read = source.take(HEAD as u64).read_to_end(&mut head);
        read.map_err(|error| self.meter.fault(&error))?;
        Ok(head)
    }

    fn write(&mut self, source: &mut dyn Read, expected: Option<u64>) -> Result<(), Fault> {
        self.found = None;
        self.output.restart().map_err(Fault::Disk)?;
        let mut hasher = sha2::Sha256::new();
        let mut size = 0_u64;
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.meter.fault(&error)),
            };
            size += read as u64;
            if size > self.limits.module {
                return Err(too_large(self.limits.module));
            }
            let bytes = chunk.get(..read).unwrap_or_default();
            hasher.update(bytes);
            self.output.write_all(bytes).map_err(Fault::Disk)?;
        }
        if let Some(expected) = expected.filter(|expected| *expected != size) {
            return Err(Fault::NotAModule(format!(
                "the archive ends early: its module has {expected} bytes by the archive's word, and {size} came"
            )));
        }
        self.found = Some((Sha256::from_hasher(hasher), size));
        Ok(())
    }
}

/// The module is larger than it may be.
pub(super) fn too_large(limit: u64) -> Fault {
    Fault::TooLarge(format!(
        "the module is larger than {limit} bytes (ISTIO_WASM_MAX_BINARY_SIZE_BYTES raises the limit)"
    ))
}

#[cfg(test)]
mod tests;
