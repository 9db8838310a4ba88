//! Where Envoy finds the agent, and the agent the control plane.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use http::uri::Authority;

/// Where Envoy finds the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A UNIX socket at that path.
    Unix(PathBuf),
    /// A TCP port.
    Tcp(SocketAddr),
}

/// Where the agent finds the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// A UNIX socket at that path, without TLS.
    Unix(PathBuf),
    /// A host and a port.
    Tcp {
        /// The host, by name or address, and the port.
        authority: Authority,
        /// Whether TLS is spoken there, where the address says so (`http://`, `https://`).
        tls: Option<bool>,
    },
}

/// The text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no address: expected {expected}")]
pub struct NoAddress {
    found: String,
    expected: &'static str,
}

impl Listen {
    /// Why it may not be listened on, unless others may reach it.
    pub(super) fn refused(&self, anywhere: bool) -> Option<String> {
        match self {
            Self::Tcp(address) if !address.ip().is_loopback() && !anywhere => Some(format!(
                "{address} can be reached by others, and xDS is served without authentication: listen on 127.0.0.1, or \
                 set MESHLOOM_XDS_LISTEN_ANYWHERE"
            )),
            _ => None,
        }
    }
}

impl FromStr for Listen {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if let Some(path) = unix(text) {
            return Ok(Self::Unix(path));
        }
        text.parse().map(Self::Tcp).map_err(|_| NoAddress {
            found: text.to_owned(),
            expected: "unix:PATH, or an IP address and a port such as 127.0.0.1:15010",
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

impl FromStr for Discovery {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if let Some(path) = unix(text) {
            return Ok(Self::Unix(path));
        }
        let (tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (Some(false), rest),
            (_, Some(rest)) => (Some(true), rest),
            _ => (None, text),
        };
        let authority = rest.trim_end_matches('/').parse::<Authority>().ok();
        match authority
            .filter(|it| it.port_u16().is_some() && !it.host().is_empty() && !it.as_str().contains('@'))
        {
            Some(authority) => Ok(Self::Tcp { authority, tls }),
            None => Err(NoAddress {
                found: text.to_owned(),
                expected: "HOST:PORT, with http:// or https:// before it or without, or unix:PATH",
            }),
        }
    }
}

impl fmt::Display for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { authority, .. } => authority.fmt(f),
        }
    }
}

/// Both ways in which a path is written: `unix:path` and `unix:///path`.
fn unix(text: &str) -> Option<PathBuf> {
    let path = text.strip_prefix("unix:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (!path.is_empty()).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_what_they_write() {
        for text in ["unix:./etc/istio/proxy/XDS", "127.0.0.1:15010", "[::1]:1"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        for text in ["unix:/run/istiod", "istiod.istio-system.svc:15012", "[::1]:15012"] {
            assert_eq!(text.parse::<Discovery>().unwrap().to_string(), text);
        }
        assert_eq!("unix:///run/xds".parse(), Ok(Listen::Unix("/run/xds".into())));
    }

    #[test]
    fn a_scheme_says_whether_tls_is_spoken() {
        for (text, says) in [("http://a:1", Some(false)), ("https://a:1/", Some(true)), ("a:1", None)] {
            assert!(matches!(text.parse(), Ok(Discovery::Tcp { tls, .. }) if tls == says), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_what_was_found() {
        for text in ["", "localhost", ":15012", "https://istiod", "ftp://a:1", "user@a:1", "a:99999", "unix:"]
        {
            let refused = text.parse::<Discovery>().unwrap_err().to_string();
            assert!(refused.contains(&format!("{text:?}")), "{refused}");
        }
        for text in ["", "localhost:1", "15010", "unix:"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }
}
