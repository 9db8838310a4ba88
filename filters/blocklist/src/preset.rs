//! Networks that have a name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use filter_kit::host::Network;

/// A set of networks that need not be listed one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Addresses that are reached from inside alone, the metadata services of clouds among them.
    PrivateIps,
    /// Every host that is an address and no name.
    IpLiterals,
}

impl Preset {
    /// The words for it in a configuration.
    pub(crate) const WORDS: [(&str, Self); 2] =
        [("private_ips", Self::PrivateIps), ("ip_literals", Self::IpLiterals)];

    /// What is in it.
    pub fn networks(self) -> Vec<Network> {
        let v4 = |a, b, c, bits| Network::new(IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), bits);
        let v6 = |first, bits| Network::new(IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0)), bits);
        let networks = match self {
            // The entries of the IANA registries for special purposes (RFC 6890) that are not globally reachable and
            // may lead somewhere; and the addresses of IPv6 that have those of IPv4 in them.
            Self::PrivateIps => vec![
                v4(0, 0, 0, 8),      // "this network": 0.0.0.0 is the local machine on many systems
                v4(10, 0, 0, 8),     // RFC 1918
                v4(100, 64, 0, 10),  // RFC 6598: carrier-grade NAT
                v4(127, 0, 0, 8),    // loopback
                v4(169, 254, 0, 16), // link-local, with 169.254.169.254
                v4(172, 16, 0, 12),  // RFC 1918
                v4(192, 168, 0, 16), // RFC 1918
                Network::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 128),
                Network::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
                Network::new(IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0)), 96), // RFC 6052: NAT64
                v6(0xfc00, 7),  // RFC 4193: unique local
                v6(0xfe80, 10), // link-local
            ],
            Self::IpLiterals => vec![v4(0, 0, 0, 0), v6(0, 0)],
        };
        networks.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_what_their_names_say() {
        let is_in = |preset: Preset, address: &str| {
            preset.networks().iter().any(|network| network.contains(address.parse().unwrap()))
        };
        for private in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "::",
            "::1",
            "fd00:ec2::254",
            "fc00::1",
            "fe80::1",
            "64:ff9b::a00:1",
        ] {
            assert!(is_in(Preset::PrivateIps, private), "{private}");
            assert!(is_in(Preset::IpLiterals, private), "{private}");
        }
        for public in ["192.0.2.1", "172.32.0.0", "100.128.0.0", "8.8.8.8", "2001:db8::1", "ff02::1"] {
            assert!(!is_in(Preset::PrivateIps, public), "{public}");
            assert!(is_in(Preset::IpLiterals, public), "{public}");
        }
        assert_eq!(Preset::PrivateIps.networks().len(), 12);
        assert_eq!(Preset::IpLiterals.networks().len(), 2);
    }
}
