//! What a list covers, in as little memory as it takes: names, networks, and the few entries with a port.

mod fingerprint;
mod names;
mod networks;
mod order;
mod ported;

use std::net::IpAddr;

use filter_kit::host::{Entry, Network, Pattern, Reach};

pub use fingerprint::{Key, Suffix, suffixes};
use names::Names;
pub use names::Precision;
use networks::Networks;
use ported::Ported;

/// How narrowly an entry covers a host: the longer its name or prefix, the more. An entry with a port is narrower than
/// one without of the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strength {
    /// Bytes of a name, or bits of a network.
    pub length: u8,
    /// Whether it is for one port.
    pub port: bool,
}

/// The entries of one list, ready to be looked up.
#[derive(Debug, Default)]
pub struct Entries {
    names: Names,
    networks: Networks,
    ported: Ported,
    count: usize,
}

impl Entries {
    /// How many entries there are; those that say the same as another are counted too.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether an entry is for one port only.
    pub fn has_ports(&self) -> bool {
        !self.ported.is_empty()
    }

    /// Names of which numbers of labels are listed: bit n for n labels, the last for that many and more.
    pub fn depths(&self) -> u128 {
        self.names.depths() | self.ported.depths()
    }

    /// How narrowly the name at the end of a host is listed, if it is, and covers the host.
    pub fn find_name(&self, suffix: &Suffix<'_>, port: Option<u16>) -> Option<Strength> {
        let length = u8::try_from(suffix.text.len()).unwrap_or(u8::MAX);
        if self.ported.find_name(suffix, port) {
            return Some(Strength { length, port: true });
        }
        self.names.covers(suffix).then_some(Strength { length, port: false })
    }

    /// How narrowly an address is listed, if it is.
    pub fn find_address(&self, address: IpAddr, port: Option<u16>) -> Option<Strength> {
        if let Some(length) = self.ported.find_address(address, port) {
            return Some(Strength { length, port: true });
        }
        self.networks.find(address).map(|length| Strength { length, port: false })
    }
}

/// Collects the entries of one list.
#[derive(Debug)]
pub struct Builder {
    key: Key,
    names: names::Builder,
    networks: Vec<Network>,
    ported: Vec<Entry<'static>>,
    count: usize,
    kept: bool,
}

impl Builder {
    /// For about so many entries.
    pub fn new(key: Key, precision: Precision, capacity: usize) -> Self {
        let names = names::Builder::new(precision, capacity);
        Self { key, names, networks: Vec::new(), ported: Vec::new(), count: 0, kept: true }
    }

    /// For a list that is looked at and not kept.
    pub fn checking(key: Key) -> Self {
        Self { kept: false, ..Self::new(key, Precision::Fingerprints, 0) }
    }

    /// How many entries were added.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds an entry as an operator typed it.
    ///
    /// # Errors
    ///
    /// What a right entry would be, to follow "expected".
    pub fn add(&mut self, typed: &str) -> Result<(), &'static str> {
        let entry = Entry::parse(typed)?;
        self.count += 1;
        if !self.kept {
            return Ok(());
        }
        match entry {
            Entry { port: Some(_), .. } => self.ported.push(entry.into_owned()),
            Entry { pattern: Pattern::Network(network), .. } => self.networks.push(network),
            Entry { pattern: Pattern::Name(name, reach), .. } => self.names.add(self.key, &name, reach),
        }
        Ok(())
    }

    /// Whether what was collected is enough for a list that allows, or for one that is not off.
    pub fn suits(&self, allows: bool, off: bool) -> bool {
        off || (self.kept && (!allows || self.names.precision() == Precision::Names))
    }

    /// Adds networks that are no entries of the operator's.
    pub fn add_networks(&mut self, networks: impl IntoIterator<Item = Network>) {
        if self.kept {
            self.networks.extend(networks);
        }
    }

    /// The entries, ready to be looked up.
    pub fn build(self) -> Entries {
        Entries {
            names: self.names.build(),
            networks: Networks::new(self.networks),
            ported: Ported::new(self.ported),
            count: self.count,
        }
    }
}

/// A reach as two bits.
fn bits(reach: Reach) -> u64 {
    u64::from(reach.itself) | u64::from(reach.below) << 1
}

/// Whether a reach's bits cover the host that a suffix is of.
fn reaches(bits: u64, suffix: &Suffix<'_>) -> bool {
    bits & if suffix.whole { 1 } else { 2 } != 0
}

/// The bit for names of that many labels.
fn depth(labels: u32) -> u128 {
    1 << labels.min(127)
}
