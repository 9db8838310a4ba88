//! Networks of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address;

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Network {
    /// Of IPv4: the first address and the number of bits, 0 to 32.
    V4(Ipv4Addr, u8),
    /// Of IPv6: the first address and the number of bits, 0 to 128.
    V6(Ipv6Addr, u8),
}

impl Network {
    /// The network of one address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address, 32),
            IpAddr::V6(address) => Self::V6(address, 128),
        }
    }

    /// The network that begins with `first` and has `bits`; `None` if there are not so many, or if `first` is not the
    /// first address of such a network. A network of IPv4 addresses in the form of IPv6 ones is what it maps.
    pub fn new(first: IpAddr, bits: u8) -> Option<Self> {
        match first {
            IpAddr::V4(first) => {
                let rest = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
                (bits <= 32 && first.to_bits() & rest == 0).then_some(Self::V4(first, bits))
            }
            IpAddr::V6(first) => {
                let rest = u128::MAX.checked_shr(bits.into()).unwrap_or(0);
                if bits > 128 || first.to_bits() & rest != 0 {
                    return None;
                }
                match (address::plain(first), bits.checked_sub(96)) {
                    (IpAddr::V4(mapped), Some(bits)) => Some(Self::V4(mapped, bits)),
                    _ => Some(Self::V6(first, bits)),
                }
            }
        }
    }

    /// Whether `address` is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4(first, bits), IpAddr::V4(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.checked_shr(32 - u32::from(bits.min(32))).unwrap_or(0) == 0
            }
            (Self::V6(first, bits), IpAddr::V6(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.checked_shr(128 - u32::from(bits.min(128))).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// The number of bits that its addresses have in common.
    pub fn bits(self) -> u8 {
        match self {
            Self::V4(_, bits) | Self::V6(_, bits) => bits,
        }
    }

    /// Its first address.
    pub fn first(self) -> IpAddr {
        match self {
            Self::V4(first, _) => IpAddr::V4(first),
            Self::V6(first, _) => IpAddr::V6(first),
        }
    }

    /// The address, if it is of only one.
    pub fn single(self) -> Option<IpAddr> {
        (self == Self::of(self.first())).then(|| self.first())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(first: &str, bits: u8) -> Option<Network> {
        Network::new(first.parse().unwrap(), bits)
    }

    #[test]
    fn a_network_has_the_addresses_from_its_first_to_its_last() {
        for (first, bits, inside, outside) in [
            ("10.0.0.0", 8, ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
            ("192.0.2.1", 32, ["192.0.2.1", "192.0.2.1"], ["192.0.2.0", "::1"]),
            ("0.0.0.0", 0, ["0.0.0.0", "255.255.255.255"], ["::", "ff::"]),
            ("fd00::", 8, ["fd00::", "fdff:ffff::1"], ["fc00::", "10.0.0.1"]),
            ("::", 0, ["::", "ffff::"], ["0.0.0.0", "10.0.0.1"]),
        ] {
            let network = network(first, bits).unwrap();
            let contains = |address: &str| network.contains(address.parse().unwrap());
            assert!(inside.iter().all(|address| contains(address)), "{first}/{bits}");
            assert!(!outside.iter().any(|address| contains(address)), "{first}/{bits}");
        }
    }

    #[test]
    fn a_network_begins_with_its_first_address() {
        assert_eq!(network("10.0.0.1", 8), None);
        assert_eq!(network("10.0.0.0", 33), None);
        assert_eq!(network("::1", 127), None);
        assert_eq!(network("::", 129), None);
    }

    #[test]
    fn mapped_networks_are_what_they_map() {
        assert_eq!(network("::ffff:10.0.0.0", 104), network("10.0.0.0", 8));
        assert_eq!(network("::ffff:10.0.0.1", 128).unwrap().single(), Some("10.0.0.1".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn an_address_is_in_the_network_of_its_first_bits(bits: u32, count in 0_u8..=32, other: u32) {
            let rest = u32::MAX.checked_shr(count.into()).unwrap_or(0);
            let network = Network::new(Ipv4Addr::from_bits(bits & !rest).into(), count).unwrap();
            prop_assert!(network.contains(Ipv4Addr::from_bits(bits).into()));
            let same = (bits ^ other) & !rest == 0;
            prop_assert_eq!(network.contains(Ipv4Addr::from_bits(other).into()), same);
        }
    }
}
