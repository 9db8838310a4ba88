//! Which requests go through a proxy, by the rules of Go's programs: <https://pkg.go.dev/golang.org/x/net/http/httpproxy>.

use std::net::IpAddr;

use reqwest::Url;
use url::Host;

use super::address::{Cidr, is_localhost, is_loopback};
use super::options::FetchOptions;
use super::registries::ProxyChoice;

/// The proxies of the environment.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    exempt: Vec<Exempt>,
}

/// What is called without a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exempt {
    All,
    Network(Cidr),
    Address {
        address: IpAddr,
        port: Option<u16>,
    },
    /// Subdomains, and the domain itself unless it was written with a dot before it.
    Domain {
        name: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl Proxies {
    /// # Errors
    ///
    /// What is wrong with each, without the text itself, which may hold a password.
    pub(super) fn new(options: &FetchOptions) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut read = |name: &str, text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.is_empty())?;
            let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
            let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            if url.is_none() {
                problems.push(format!("{name}: expected a URL such as http://proxy.example.com:3128"));
            }
            url
        };
        let http = read("HTTP_PROXY", &options.http_proxy);
        let https = read("HTTPS_PROXY", &options.https_proxy);
        let exempt = options.no_proxy.iter().filter_map(|text| Exempt::read(text)).collect();
        if problems.is_empty() { Ok(Self { http, https, exempt }) } else { Err(problems) }
    }

    /// The proxy for a URL. This machine is never called through one, unless the registry configuration says so.
    pub(super) fn find(&self, url: &Url, choice: Option<&ProxyChoice>) -> Option<Url> {
        match choice {
            Some(ProxyChoice::Direct) => return None,
            Some(ProxyChoice::Through(proxy)) => return Some(proxy.clone()),
            None => {}
        }
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        proxy.clone().filter(|_| !self.is_exempt(url))
    }

    fn is_exempt(&self, url: &Url) -> bool {
        let port = url.port_or_known_default();
        match url.host() {
            None => true,
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                is_localhost(name) || self.exempt.iter().any(|exempt| exempt.has_name(name, port))
            }
            Some(Host::Ipv4(address)) => self.is_exempt_address(address.into(), port),
            Some(Host::Ipv6(address)) => self.is_exempt_address(address.into(), port),
        }
    }

    fn is_exempt_address(&self, address: IpAddr, port: Option<u16>) -> bool {
        is_loopback(address) || self.exempt.iter().any(|exempt| exempt.has_address(address, port))
    }
}

impl Exempt {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Some(Self::All);
        }
        if let Ok(network) = text.parse() {
            return Some(Self::Network(network));
        }
        let bare = |text: &str| text.trim_start_matches('[').trim_end_matches(']').parse().ok();
        if let Some(address) = bare(&text) {
            return Some(Self::Address { address, port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text.as_str(), None),
        };
        if let Some(address) = bare(host) {
            return Some(Self::Address { address, port });
        }
        let name = host.strip_prefix('*').unwrap_or(host);
        let (name, itself) = match name.strip_prefix('.') {
            Some(name) => (name, false),
            None => (name, true),
        };
        (!name.is_empty()).then(|| Self::Domain { name: name.to_owned(), itself, port })
    }

    fn has_name(&self, host: &str, port: Option<u16>) -> bool {
        match self {
            Self::All => true,
            Self::Domain { name, itself, port: listed } => {
                let fits = match host.strip_suffix(name.as_str()) {
                    Some("") => *itself,
                    Some(rest) => rest.ends_with('.'),
                    None => false,
                };
                fits && (listed.is_none() || *listed == port)
            }
            Self::Network(_) | Self::Address { .. } => false,
        }
    }

    fn has_address(&self, found: IpAddr, port: Option<u16>) -> bool {
        match self {
            Self::All => true,
            Self::Network(network) => network.contains(found),
            Self::Address { address, port: listed } => {
                *address == found && (listed.is_none() || *listed == port)
            }
            Self::Domain { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(no_proxy: &str) -> Proxies {
        let options = FetchOptions {
            http_proxy: Some("http://plain.test:1".to_owned()),
            https_proxy: Some("tls.test:2".to_owned()),
            no_proxy: no_proxy.split(',').map(str::to_owned).collect(),
            ..FetchOptions::default()
        };
        Proxies::new(&options).unwrap()
    }

    fn of(no_proxy: &str, url: &str) -> Option<String> {
        proxies(no_proxy).find(&Url::parse(url).unwrap(), None).map(String::from)
    }

    #[test]
    fn each_scheme_has_its_proxy_and_this_machine_has_none() {
        assert_eq!(of("", "http://example.com/").as_deref(), Some("http://plain.test:1/"));
        assert_eq!(of("", "https://example.com/").as_deref(), Some("http://tls.test:2/"));
        for url in ["http://localhost:8080/", "https://127.0.0.5/", "https://[::1]/"] {
            assert_eq!(of("", url), None, "{url}");
        }
    }

    #[test]
    fn hosts_domains_addresses_and_networks_are_exempt() {
        for (no_proxy, url) in [
            ("*", "https://example.com"),
            ("other.test, Example.com", "https://example.com"),
            ("example.com", "https://a.example.com"),
            (".example.com", "https://a.example.com"),
            ("*.example.com", "https://a.example.com"),
            ("example.com:8443", "https://example.com:8443"),
            ("10.0.0.0/8", "https://10.1.2.3"),
            ("10.1.2.3", "https://10.1.2.3"),
            ("10.1.2.3:443", "https://10.1.2.3"),
            ("fd00::/8", "https://[fd00::1]"),
            ("[fd00::1]", "https://[fd00::1]"),
        ] {
            assert_eq!(of(no_proxy, url), None, "{no_proxy} {url}");
        }
        for (no_proxy, url) in [
            (".example.com", "https://example.com"),
            ("example.com", "https://anexample.com"),
            ("example.com:8443", "https://example.com"),
            ("10.0.0.0/8", "https://11.1.2.3"),
            ("10.1.2.3:80", "https://10.1.2.3"),
            ("nonsense:port", "https://nonsense"),
        ] {
            assert!(of(no_proxy, url).is_some(), "{no_proxy} {url}");
        }
    }

    #[test]
    fn the_registry_configuration_goes_before_the_environment() {
        let url = Url::parse("https://127.0.0.1").unwrap();
        let other = Url::parse("http://other.test").unwrap();
        let through = ProxyChoice::Through(other.clone());
        assert_eq!(proxies("*").find(&url, Some(&through)), Some(other));
        let url = Url::parse("https://example.com").unwrap();
        assert_eq!(proxies("").find(&url, Some(&ProxyChoice::Direct)), None);
    }

    #[test]
    fn a_proxy_that_is_no_url_is_refused_without_its_password() {
        let options = FetchOptions {
            https_proxy: Some("socks5://user:hunter2@proxy.test".to_owned()),
            ..FetchOptions::default()
        };
        let problems = Proxies::new(&options).unwrap_err();
        assert!(problems[0].starts_with("HTTPS_PROXY: expected") && !problems[0].contains("hunter2"));
    }
}
