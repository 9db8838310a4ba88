//! The guard against requests to where no module is: metadata services, link-local networks, what the operator
//! blocks.
//!
//! It looks three times: at the host of every URL before it is called, redirects and token servers included; at
//! every address that the name resolves to, within the connection's own resolver, so that nothing can change between
//! the check and the call; and, with a proxy, which resolves names itself, at what the name resolves to here. A name
//! that does not resolve here is left to the proxy then.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

use super::address::{Blocklist, is_localhost, is_metadata_host, is_private};

/// How far a request may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reach {
    /// Anywhere that is not blocked.
    Private,
    /// No private networks, and not this machine. For where a registry in the internet sends its clients.
    Public,
}

/// A host or an address that may not be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Blocked {
    #[error("{0} is a host that is never called (a metadata service?)")]
    Host(String),
    #[error(
        "{host} is at {address}, an address that is never called (link-local, metadata service or blocked network)"
    )]
    Address { host: String, address: IpAddr },
    #[error("{host} is in a private network or on this machine, and the registry that names it is not")]
    Private { host: String },
}

/// Decides which addresses may be called.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    list: Arc<Blocklist>,
    reach: Reach,
}

impl Guard {
    pub(super) fn new(list: Arc<Blocklist>, reach: Reach) -> Self {
        Self { list, reach }
    }

    /// Looks at the host as the URL has it. A name is looked at again when it is resolved.
    pub(super) fn check(&self, url: &Url) -> Result<(), Blocked> {
        match url.host() {
            None => Err(Blocked::Host(String::new())),
            Some(Host::Domain(name)) if is_metadata_host(name) => Err(Blocked::Host(name.to_owned())),
            Some(Host::Domain(name)) if is_localhost(name) && self.reach == Reach::Public => {
                Err(Blocked::Private { host: name.to_owned() })
            }
            Some(Host::Domain(_)) => Ok(()),
            Some(Host::Ipv4(address)) => self.admit(&address.to_string(), address.into()),
            Some(Host::Ipv6(address)) => self.admit(&address.to_string(), address.into()),
        }
    }

    fn admit(&self, host: &str, address: IpAddr) -> Result<(), Blocked> {
        if self.list.blocks(address) {
            return Err(Blocked::Address { host: host.to_owned(), address });
        }
        if self.reach == Reach::Public && is_private(address) {
            return Err(Blocked::Private { host: host.to_owned() });
        }
        Ok(())
    }

    /// Looks at what the URL's name resolves to here. For requests that a proxy will make.
    pub(super) async fn check_resolved(&self, url: &Url) -> Result<(), Blocked> {
        self.check(url)?;
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        let Ok(found) = tokio::net::lookup_host((name, 0)).await else { return Ok(()) };
        found.into_iter().try_for_each(|found| self.admit(name, found.ip()))
    }

    /// Those of the addresses that may be called, or why none of them may.
    fn filter(
        &self,
        host: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Blocked> {
        let mut refusal = None;
        let mut admitted = Vec::new();
        for found in found {
            match self.admit(host, found.ip()) {
                Ok(()) => admitted.push(found),
                Err(blocked) => refusal = Some(blocked),
            }
        }
        match refusal {
            Some(refusal) if admitted.is_empty() => Err(refusal),
            _ => Ok(admitted),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted = guard.filter(name.as_str(), found)?;
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// Whether that host is, as far as can be told here, in a private network or on this machine.
pub(super) async fn is_private_host(url: &Url) -> bool {
    match url.host() {
        None => false,
        Some(Host::Ipv4(address)) => is_private(address.into()),
        Some(Host::Ipv6(address)) => is_private(address.into()),
        Some(Host::Domain(name)) => match tokio::net::lookup_host((name, 0)).await {
            Ok(mut found) => found.any(|found| is_private(found.ip())),
            Err(_) => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(reach: Reach) -> Guard {
        Guard::new(Arc::default(), reach)
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn an_address_is_found_in_every_way_to_write_it() {
        for host in [
            "169.254.169.254",
            "0xa9fea9fe",
            "2852039166",
            "[::ffff:169.254.169.254]",
            "metadata.google.internal.",
        ] {
            assert!(guard(Reach::Private).check(&url(&format!("http://{host}/"))).is_err(), "{host}");
        }
        assert!(guard(Reach::Private).check(&url("http://127.0.0.1/")).is_ok());
        assert!(guard(Reach::Public).check(&url("http://127.0.0.1/")).is_err());
        assert!(guard(Reach::Public).check(&url("http://localhost./")).is_err());
    }

    #[test]
    fn of_several_addresses_those_that_are_blocked_are_left_out() {
        let found = |addresses: &[&str]| {
            let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<_>>();
            guard(Reach::Private).filter("example.com", addresses.into_iter())
        };
        assert_eq!(found(&["169.254.169.254:0", "10.0.0.1:0"]), Ok(vec!["10.0.0.1:0".parse().unwrap()]));
        let refusal = found(&["169.254.169.254:0", "[fe80::1]:0"]).unwrap_err();
        assert!(
            refusal.to_string().starts_with("example.com is at fe80::1, an address that is never called")
        );
        assert_eq!(found(&[]), Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_to_what_must_be_public() {
        assert!(guard(Reach::Public).resolve("localhost".parse().unwrap()).await.is_err());
        assert!(guard(Reach::Private).resolve("localhost".parse().unwrap()).await.is_ok());
        assert!(is_private_host(&url("http://localhost/")).await);
        assert!(!is_private_host(&url("http://8.8.8.8/")).await);
    }
}
