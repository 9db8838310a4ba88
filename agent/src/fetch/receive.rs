//! Takes a download in: to disk, hashed and measured on the way, and unpacked.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use sha2::Digest as _;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout_at};

use super::failure::Failure;
use super::place::Place;
use super::request::Answer;
use super::unpack::{self, HEAD, Kind, Limits, sniff};
use super::{Downloaded, Progress};
use crate::shown::url as shown;
use crate::{Reason, Sha256, Unavailable};

/// Bytes that are on their way to the disk.
const BUFFER: usize = 128 << 10;

/// What is known of a download before it comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Of the bytes as they come, not of the module in them.
    pub(super) sha256: Sha256,
    pub(super) size: u64,
}

impl Expected {
    fn exceeded(self) -> Failure {
        mismatch(format!("is longer than the {} bytes of its manifest", self.size))
    }
}

/// Where a download goes, and how much of it.
pub(super) struct Receiver<'a> {
    pub(super) folder: &'a Path,
    pub(super) limits: &'a Limits,
    /// Bytes of what is packed.
    pub(super) largest_archive: u64,
    pub(super) progress: &'a dyn Progress,
    pub(super) deadline: Instant,
    pub(super) place: Place<'a>,
}

/// What comes, and what is known of it.
struct Body {
    answer: Answer,
    /// What of it was read already.
    head: Vec<Bytes>,
    /// Its length in bytes, by the answer's word.
    told: Option<u64>,
    bound: Bound,
    expected: Option<Expected>,
}

/// How many bytes may come.
#[derive(Clone, Copy)]
enum Bound {
    Module(u64),
    Archive(u64),
}

impl Bound {
    fn check(self, bytes: u64) -> Result<(), Failure> {
        match self {
            Self::Module(limit) if bytes > limit => Err(unpack::too_large(limit).into()),
            Self::Archive(limit) if bytes > limit => Err(Failure::lasting(
                Reason::TooLarge,
                format!(
                    "the archive is larger than {limit} bytes (MESHLOOM_WASM_MAX_ARCHIVE_SIZE_BYTES raises the limit)"
                ),
            )),
            _ => Ok(()),
        }
    }
}

impl Receiver<'_> {
    /// The module in an answer's body.
    pub(super) async fn module(
        mut self,
        mut answer: Answer,
        expected: Option<Expected>,
    ) -> Result<Downloaded, Failure> {
        let url = answer.url.clone();
        // Once it is read, this is what is left of it.
        let told = answer.response.content_length();
        let head = self.head(&mut answer).await?;
        let flat: Vec<u8> = head.iter().flatten().copied().take(HEAD).collect();
        let (bound, other) = match sniff(&flat) {
            // Whether this is what the manifest says, or only what somebody says on the way, is seen at its end.
            Kind::Other(what) if expected.is_some() => (Bound::Archive(self.largest_archive), Some(what)),
            Kind::Other(what) => return Err(Failure::lasting(Reason::NotAModule, what)),
            Kind::Module => (Bound::Module(self.limits.module), None),
            _ => (Bound::Archive(self.largest_archive), None),
        };
        if let Some(expected) = expected.filter(|expected| told.is_some_and(|told| told > expected.size)) {
            return Err(expected.exceeded());
        }
        bound.check(told.unwrap_or_default())?;
        let body = Body { answer, head, told, bound, expected };
        if matches!(bound, Bound::Module(_)) {
            let file = NamedTempFile::new_in(self.folder).map_err(|error| Failure::disk(&error))?;
            let sink = file.reopen().map_err(|error| Failure::disk(&error))?;
            let (sha256, size) = self.write(body, sink).await?;
            return Ok(Downloaded { file, sha256, size });
        }
        // It has no name, so that nothing is left of it whatever happens.
        let packed = tempfile::tempfile_in(self.folder).map_err(|error| Failure::disk(&error))?;
        let sink = packed.try_clone().map_err(|error| Failure::disk(&error))?;
        let (_, size) = self.write(body, sink).await?;
        if let Some(what) = other {
            return Err(Failure::lasting(Reason::NotAModule, what));
        }
        match timeout_at(self.deadline, self.unpack(packed, size)).await {
            Ok(unpacked) => unpacked,
            Err(_) => {
                let message = format!("Get {:?}: unpacking: context deadline exceeded", shown(&url));
                Err(Failure::lasting(Reason::TimedOut, message))
            }
        }
    }

    /// The next piece of the body.
    async fn chunk(&mut self, answer: &mut Answer) -> Result<Option<Bytes>, Failure> {
        loop {
            self.place.judge();
            let until = self.place.judged().map_or(self.deadline, |judged| judged.min(self.deadline));
            match timeout_at(until, answer.response.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    self.place.received(chunk.len());
                    return Ok(Some(chunk));
                }
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) => return Err(Failure::transport(&answer.url, error)),
                Err(_) if until < self.deadline => {}
                Err(_) => return Err(Failure::timed_out(&answer.url)),
            }
        }
    }

    /// As many pieces as are needed to see what it is.
    async fn head(&mut self, answer: &mut Answer) -> Result<Vec<Bytes>, Failure> {
        let mut head = Vec::new();
        let mut size = 0;
        while size < HEAD {
            let Some(chunk) = self.chunk(answer).await? else { break };
            if chunk.is_empty() {
                continue;
            }
            size += chunk.len();
            head.push(chunk);
        }
        Ok(head)
    }

    async fn write(&mut self, body: Body, sink: File) -> Result<(Sha256, u64), Failure> {
        let Body { mut answer, head, told, bound, expected } = body;
        let mut sink = tokio::fs::File::from_std(sink);
        sink.set_max_buf_size(BUFFER);
        let mut hasher = sha2::Sha256::new();
        let mut size = 0_u64;
        let mut head = head.into_iter();
        loop {
            let chunk = match head.next() {
                Some(chunk) => chunk,
                None => match self.chunk(&mut answer).await? {
                    Some(chunk) => chunk,
                    None => break,
                },
            };
            size += chunk.len() as u64;
            bound.check(size)?;
            if let Some(expected) = expected.filter(|expected| size > expected.size) {
                return Err(expected.exceeded());
            }
            hasher.update(&chunk);
            sink.write_all(&chunk).await.map_err(|error| Failure::disk(&error))?;
            self.progress.received(size, told.or(expected.map(|expected| expected.size)));
        }
        sink.flush().await.map_err(|error| Failure::disk(&error))?;
        let sha256 = Sha256::from_hasher(hasher);
        if let Some(expected) = expected {
            if size < expected.size {
                let message = format!("ends after {size} of the {} bytes of its manifest", expected.size);
                return Err(Failure { again: true, ..mismatch(message) });
            }
            if sha256 != expected.sha256 {
                let message =
                    format!("has the digest sha256:{sha256}, not sha256:{} of its manifest", expected.sha256);
                return Err(mismatch(message));
            }
        }
        Ok((sha256, size))
    }

    /// Away from the threads that serve connections, and until nobody waits any more.
    async fn unpack(&self, mut packed: File, size: u64) -> Result<Downloaded, Failure> {
        let file = NamedTempFile::new_in(self.folder).map_err(|error| Failure::disk(&error))?;
        let mut output = file.reopen().map_err(|error| Failure::disk(&error))?;
        let limits = *self.limits;
        let stop = Stop::default();
        let stopped = stop.0.clone();
        let work = tokio::task::spawn_blocking(move || {
            packed.seek(SeekFrom::Start(0)).map_err(unpack::Fault::Disk)?;
            unpack::unpack(packed, size, &limits, &|| stopped.load(Ordering::Relaxed), &mut output)
        });
        match work.await {
            Ok(Ok((sha256, size))) => Ok(Downloaded { file, sha256, size }),
            Ok(Err(fault)) => Err(fault.into()),
            Err(error) => Err(Failure::lasting(Reason::NotAModule, format!("unpacking: {error}"))),
        }
    }
}

fn mismatch(message: String) -> Failure {
    Failure::lasting(Reason::ChecksumMismatch, message)
}

impl From<unpack::Fault> for Failure {
    fn from(fault: unpack::Fault) -> Self {
        Self { cause: Unavailable::from(fault), again: false, not_tls: false }
    }
}

/// Tells the work to stop once nobody waits for it.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
