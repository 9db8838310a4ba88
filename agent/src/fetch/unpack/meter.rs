//! Counts what comes out of boxes.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};

use super::{Fault, Limits};

/// What all boxes have given together, and what stopped it.
pub(super) struct Meter<'a> {
    limits: Limits,
    packed: u64,
    spent: Cell<u64>,
    entries: Cell<u64>,
    /// Readers can only fail with an I/O error, which decoders wrap as they like. The cause is kept here meanwhile.
    stopped: RefCell<Option<Fault>>,
    cancelled: &'a dyn Fn() -> bool,
}

impl<'a> Meter<'a> {
    pub(super) fn new(limits: &Limits, packed: u64, cancelled: &'a dyn Fn() -> bool) -> Self {
        Self {
            limits: *limits,
            packed,
            spent: Cell::new(0),
            entries: Cell::new(0),
            stopped: RefCell::new(None),
            cancelled,
        }
    }

    /// What that error of a reader means.
    pub(super) fn fault(&self, error: &io::Error) -> Fault {
        self.stopped
            .take()
            .unwrap_or_else(|| Fault::NotAModule(format!("broken archive or compression: {error}")))
    }

    /// One more entry of an archive.
    pub(super) fn entry(&self) -> Result<(), Fault> {
        let entries = self.entries.get() + 1;
        self.entries.set(entries);
        if entries > self.limits.entries {
            return Err(Fault::TooLarge(format!("more than {} entries in the archive", self.limits.entries)));
        }
        if (self.cancelled)() { Err(Fault::Cancelled) } else { Ok(()) }
    }

    fn spend(&self, bytes: usize) -> Result<(), Fault> {
        let spent = self.spent.get().saturating_add(bytes as u64);
        self.spent.set(spent);
        let Limits { unpacked, ratio, floor, .. } = self.limits;
        if spent > unpacked {
            return Err(Fault::TooLarge(format!(
                "more than {unpacked} bytes come out of it (MESHLOOM_WASM_MAX_UNPACKED_SIZE_BYTES raises the limit)"
            )));
        }
        if spent > floor && spent > self.packed.saturating_mul(ratio) {
            return Err(Fault::TooLarge(format!(
                "its {} bytes become more than {ratio} times as many: a decompression bomb?",
                self.packed
            )));
        }
        if (self.cancelled)() { Err(Fault::Cancelled) } else { Ok(()) }
    }
}

/// A reader that is counted.
pub(super) struct Metered<'a, R> {
    inner: R,
    meter: &'a Meter<'a>,
}

impl<'a, R> Metered<'a, R> {
    pub(super) fn new(inner: R, meter: &'a Meter<'a>) -> Self {
        Self { inner, meter }
    }
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.meter.spend(read).map_err(|fault| {
            let error = io::Error::other(fault.to_string());
            self.meter.stopped.replace(Some(fault));
            error
        })?;
        Ok(read)
    }
}
