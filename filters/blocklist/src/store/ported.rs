//! Entries for one port: few, so they are kept as they are.

use std::net::IpAddr;

use filter_kit::host::{Entry, Pattern};

use super::order::sort_by;
use super::{Suffix, bits, depth, reaches};

/// The entries of a list that have a port.
#[derive(Debug, Default)]
pub(super) struct Ported {
    /// In order: name, port, reach.
    names: Vec<(Box<str>, u16, u64)>,
    /// In order.
    addresses: Vec<(IpAddr, u16)>,
    depths: u128,
}

impl Ported {
    pub(super) fn new(entries: Vec<Entry<'static>>) -> Self {
        let mut ported = Self::default();
        for Entry { pattern, port } in entries {
            let Some(port) = port else { continue };
            match pattern {
                Pattern::Name(name, reach) => {
                    let labels = name.split('.').count();
                    ported.depths |= depth(u32::try_from(labels).unwrap_or(u32::MAX));
                    ported.names.push((name.into(), port, bits(reach)));
                }
                Pattern::Network(network) => ported.addresses.push((network.first(), port)),
            }
        }
        sort_by(&mut ported.names, |a, b| a < b);
        ported.names.dedup_by(|(name, port, reach), (kept, kept_port, kept_reach)| {
            let same = name == kept && port == kept_port;
            if same {
                *kept_reach |= *reach;
            }
            same
        });
        sort_by(&mut ported.addresses, |a, b| a < b);
        ported.addresses.dedup();
        ported
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.addresses.is_empty()
    }

    pub(super) fn depths(&self) -> u128 {
        self.depths
    }

    pub(super) fn find_name(&self, suffix: &Suffix<'_>, port: Option<u16>) -> bool {
        let Some(port) = port.filter(|_| self.depths & depth(suffix.labels) != 0) else { return false };
        let place =
            self.names.binary_search_by(|(name, other, _)| (&**name, *other).cmp(&(suffix.text, port)));
        let found = place.ok().and_then(|place| self.names.get(place));
        found.is_some_and(|(_, _, reach)| reaches(*reach, suffix))
    }

    /// The length of the address, in bits, if it is listed.
    pub(super) fn find_address(&self, address: IpAddr, port: Option<u16>) -> Option<u8> {
        self.addresses.binary_search(&(address, port?)).ok()?;
        Some(if address.is_ipv4() { 32 } else { 128 })
    }
}
