//! Networks: an array in order for each family, searched once for each length of prefix that there is.

use std::net::IpAddr;

use filter_kit::host::Network;

use super::order::sort_by;

/// The networks of a list.
#[derive(Debug, Default)]
pub(super) struct Networks {
    v4: Family<u32>,
    v6: Family<u128>,
}

#[derive(Debug, Default)]
struct Family<T> {
    /// The lengths of prefixes that there are, the longest first, with the mask of each.
    lengths: Vec<(u8, T)>,
    /// Length of the prefix and first address.
    networks: Vec<(u8, T)>,
}

impl Networks {
    pub(super) fn new(networks: Vec<Network>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                Network::V4(first, bits) => v4.push((bits, first.to_bits())),
                Network::V6(first, bits) => v6.push((bits, first.to_bits())),
            }
        }
        Self {
            v4: Family::new(v4, |bits| !u32::MAX.checked_shr(bits.into()).unwrap_or(0)),
            v6: Family::new(v6, |bits| !u128::MAX.checked_shr(bits.into()).unwrap_or(0)),
        }
    }

    /// The length of the longest prefix that an address has.
    pub(super) fn find(&self, address: IpAddr) -> Option<u8> {
        match address {
            IpAddr::V4(address) => self.v4.find(|mask| address.to_bits() & mask),
            IpAddr::V6(address) => self.v6.find(|mask| address.to_bits() & mask),
        }
    }
}

impl<T: Copy + Ord> Family<T> {
    fn new(mut networks: Vec<(u8, T)>, mask: impl Fn(u8) -> T) -> Self {
        sort_by(&mut networks, |a, b| a < b);
        networks.dedup();
        networks.shrink_to_fit();
        let mut lengths: Vec<(u8, T)> = networks.iter().map(|(bits, _)| (*bits, mask(*bits))).collect();
        lengths.dedup_by_key(|(bits, _)| *bits);
        lengths.reverse();
        lengths.shrink_to_fit();
        Self { lengths, networks }
    }

    fn find(&self, masked: impl Fn(T) -> T) -> Option<u8> {
        let found = |(bits, mask): &&(u8, T)| self.networks.binary_search(&(*bits, masked(*mask))).is_ok();
        self.lengths.iter().find(found).map(|(bits, _)| *bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        let (first, bits) = text.split_once('/').unwrap();
        Network::new(first.parse().unwrap(), bits.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_longest_prefix_is_found() {
        let list =
            ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "::/0", "fd00::/8", "fd00::1/128"];
        let networks = Networks::new(list.map(network).into());
        for (address, bits) in [
            ("10.1.2.3", 32),
            ("10.1.2.4", 16),
            ("10.2.0.0", 8),
            ("11.0.0.0", 0),
            ("fd00::1", 128),
            ("fd00::2", 8),
            ("::", 0),
        ] {
            assert_eq!(networks.find(address.parse().unwrap()), Some(bits), "{address}");
        }
        assert_eq!(Networks::default().find("10.0.0.1".parse().unwrap()), None);
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_looking_at_each_finds(
            four in proptest::collection::vec((0_u32..16, 0_u8..=32), 0..12),
            six in proptest::collection::vec((0_u128..16, 0_u8..=128), 0..12),
            address in 0_u32..16,
        ) {
            let four = four.into_iter().map(|(first, bits)| {
                let mask = !u32::MAX.checked_shr(bits.into()).unwrap_or(0);
                Network::V4(((first << 28 | first) & mask).into(), bits)
            });
            let six = six.into_iter().map(|(first, bits)| {
                let mask = !u128::MAX.checked_shr(bits.into()).unwrap_or(0);
                Network::V6(((first << 124 | first) & mask).into(), bits)
            });
            let all: Vec<Network> = four.chain(six).collect();
            let networks = Networks::new(all.clone());
            let four = IpAddr::V4((address << 28 | address).into());
            let six = IpAddr::V6((u128::from(address) << 124 | u128::from(address)).into());
            for address in [four, six] {
                let slow = all.iter().filter(|network| network.contains(address)).map(|network| network.bits()).max();
                prop_assert_eq!(networks.find(address), slow);
            }
        }
    }
}
