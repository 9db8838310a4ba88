//! Addresses and host names that are never called, whoever names them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    network: IpAddr,
    bits: u32,
}

impl Cidr {
    /// Whether the network has that address. An IPv4 network has no IPv6 address and the other way round.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let same = |one: u128, other: u128, width: u32| {
            let rest = width - self.bits;
            one.checked_shr(rest).unwrap_or(0) == other.checked_shr(rest).unwrap_or(0)
        };
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same(u32::from(network).into(), u32::from(address).into(), 32)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => same(network.into(), address.into(), 128),
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no network: expected such as 10.0.0.0/8 or fd00::/8");
        let (network, bits) = text.trim().split_once('/').ok_or_else(wrong)?;
        let network: IpAddr = network.parse().map_err(|_| wrong())?;
        let bits = bits.parse().map_err(|_| wrong())?;
        if bits > if network.is_ipv4() { 32 } else { 128 } {
            return Err(wrong());
        }
        Ok(Self { network, bits })
    }
}

/// Names of the metadata services of clouds. They are looked at by name too, since a proxy resolves names itself.
const METADATA_HOSTS: [&str; 5] =
    ["metadata.google.internal", "metadata.goog", "metadata", "instance-data", "instance-data.ec2.internal"];

/// What is never called: Istio's list, what evades it, and what the operator adds.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocklist {
    more: Vec<Cidr>,
}

impl Blocklist {
    /// With the networks of `BLOCKED_CIDRS_IN_WASM_FETCH`, and what of them is none. Like Istio's agent, what cannot
    /// be read is for the caller to warn of, and does not stop anything.
    pub(super) fn new(listed: &[String]) -> (Self, Vec<String>) {
        let mut wrong = Vec::new();
        let mut more = Vec::new();
        for text in listed.iter().filter(|text| !text.trim().is_empty()) {
            match text.parse() {
                Ok(network) => more.push(network),
                Err(problem) => wrong.push(problem),
            }
        }
        (Self { more }, wrong)
    }

    /// Whether that address is never called. Private and loopback addresses are: registries are there.
    pub(super) fn blocks(&self, address: IpAddr) -> bool {
        let inner = inner(address);
        let metadata = match inner {
            IpAddr::V4(v4) => {
                v4.is_link_local()
                    || v4.is_multicast()
                    || v4.is_broadcast()
                    // 0.0.0.0 reaches this very machine, as does the rest of its network on some systems.
                    || v4.octets().first() == Some(&0)
                    || v4 == Ipv4Addr::new(100, 100, 100, 200)
            }
            IpAddr::V6(v6) => {
                v6.is_unspecified()
                    || v6.is_multicast()
                    || v6.is_unicast_link_local()
                    // EC2's metadata service.
                    || matches!(v6.segments(), [0xfd00, 0x0ec2, ..])
            }
        };
        metadata || self.more.iter().any(|network| network.contains(inner) || network.contains(address))
    }
}

/// Whether that name is one of a metadata service.
pub(super) fn is_metadata_host(host: &str) -> bool {
    METADATA_HOSTS.contains(&plain_host(host).as_str())
}

/// Whether that name is this machine's.
pub(super) fn is_localhost(host: &str) -> bool {
    let host = plain_host(host);
    host == "localhost" || host.ends_with(".localhost")
}

/// In lower case and without the dot that ends an absolute name.
fn plain_host(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether the address is of this machine or of a private network.
pub(super) fn is_private(address: IpAddr) -> bool {
    match inner(address) {
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.octets().first() == Some(&0)
        }
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
    }
}

/// Whether the address is this machine's.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    inner(address).is_loopback()
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, NAT64 (RFC 6052, RFC 8215) or 6to4.
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let pair = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        _ if v6 == Ipv6Addr::LOCALHOST || v6 == Ipv6Addr::UNSPECIFIED => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => pair(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn metadata_services_and_link_local_addresses_are_blocked_in_every_disguise() {
        let list = Blocklist::default();
        for address in [
            "169.254.169.254",
            "169.254.1.1",
            "fe80::1",
            "100.100.100.200",
            "fd00:ec2::230",
            "fd00:ec2::254",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "::ffff:0.0.0.0",
            "::ffff:100.100.100.200",
        ] {
            assert!(list.blocks(ip(address)), "{address}");
        }
    }

    #[test]
    fn registries_in_private_networks_and_on_this_machine_may_be_called() {
        let list = Blocklist::default();
        for address in ["10.0.0.1", "127.0.0.1", "8.8.8.8", "::1", "fd12::1", "192.168.1.1", "2001:db8::1"] {
            assert!(!list.blocks(ip(address)), "{address}");
        }
    }

    #[test]
    fn networks_of_the_operator_are_blocked_and_what_is_none_is_told() {
        let listed = ["10.0.0.0/8", " fd12::/16 ", "", "10.0.0.0/33", "nonsense", "1.2.3.4"];
        let (list, wrong) = Blocklist::new(&listed.map(str::to_owned));
        assert!(
            list.blocks(ip("10.255.0.1")) && list.blocks(ip("fd12::1")) && list.blocks(ip("::ffff:10.0.0.1"))
        );
        assert!(!list.blocks(ip("11.0.0.1")) && !list.blocks(ip("fd13::1")));
        assert_eq!(wrong.len(), 3, "{wrong:?}");
    }

    #[test]
    fn a_network_of_no_bits_has_every_address_of_its_kind() {
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains(ip("255.255.255.255")));
        assert!("::/0".parse::<Cidr>().unwrap().contains(ip("ffff::")));
        assert!(!"::/0".parse::<Cidr>().unwrap().contains(ip("1.1.1.1")));
    }

    #[test]
    fn metadata_services_are_known_by_name_with_or_without_a_last_dot() {
        assert!(
            is_metadata_host("metadata.google.internal") && is_metadata_host("Metadata.Google.Internal.")
        );
        assert!(!is_metadata_host("metadata.example.com"));
        assert!(
            is_localhost("LOCALHOST.")
                && is_localhost("a.localhost")
                && !is_localhost("localhost.example.com")
        );
    }
}
