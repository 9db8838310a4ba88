//! Connections: one pool for each way to connect.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, Url};

use super::address::Blocklist;
use super::connecting::Marks;
use super::failure::Failure;
use super::guard::{Guard, Reach};
use super::options::FetchOptions;
use super::proxy::Proxies;
use super::registries::{Entry, Registries};
use crate::Reason;

/// Bytes that the other side may send before they are read, by HTTP/2. hyper's HTTP/1 has a bound of its own, 400 KiB.
const WINDOW: u32 = 512 << 10;
/// Bytes of an answer's headers by HTTP/2. By HTTP/1 they are bounded by hyper's buffer.
const HEADERS: u32 = 64 << 10;

/// How long a connection may take for whoever is in a hurry, and for how long what was sent may stay unacknowledged.
pub(crate) const BRISK: Duration = Duration::from_secs(1);

/// What tells one way to connect from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Way {
    entry: Option<usize>,
    skip_verify: bool,
    reach: Reach,
    brisk: bool,
}

/// All that there is to connect by.
#[derive(Debug)]
pub(super) struct Clients {
    options: Arc<FetchOptions>,
    pub(super) registries: Registries,
    proxies: Proxies,
    blocklist: Arc<Blocklist>,
    made: Mutex<HashMap<Way, Client>>,
}

/// How one URL is called.
pub(super) struct Connection<'a> {
    pub(super) entry: Option<(usize, &'a Entry)>,
    pub(super) client: Client,
    pub(super) guard: Guard,
    pub(super) proxied: bool,
}

impl Clients {
    /// # Errors
    ///
    /// All that is wrong with the options.
    pub(super) fn new(options: Arc<FetchOptions>, registries: Registries) -> Result<Self, Vec<String>> {
        // Without one, the library would panic. Whoever was first stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (blocklist, wrong) = Blocklist::new(&options.blocked);
        for problem in wrong {
            tracing::warn!(problem, "a network of BLOCKED_CIDRS_IN_WASM_FETCH is left out");
        }
        let proxies = Proxies::new(&options)?;
        Ok(Self { options, registries, proxies, blocklist: Arc::new(blocklist), made: Mutex::default() })
    }

    /// The entry of the registry configuration for a URL.
    pub(super) fn entry(&self, url: &Url) -> Option<(usize, &Entry)> {
        // Of OCI's paths, the part that the repository's name begins at.
        let path = url.path().strip_prefix("/v2/").unwrap_or(url.path());
        let host = host(url);
        // `index.docker.io` is where `docker.io` is called.
        let known = if host == "index.docker.io" { "docker.io" } else { host.as_str() };
        self.registries.find(known, path)
    }

    /// Whether plain HTTP may be used where TLS was expected: where a configuration lists the host. This machine is
    /// for those who call to decide.
    pub(super) fn may_be_plain(&self, url: &Url) -> bool {
        let listed = self.entry(url).is_some_and(|(_, entry)| entry.plain_http);
        listed || self.options.is_insecure(&host(url))
    }

    /// How to call a URL: by that entry of the registry configuration, or by the one that fits the URL.
    pub(super) fn connection(
        &self,
        url: &Url,
        reach: Reach,
        entry: Option<usize>,
        brisk: bool,
    ) -> Result<Connection<'_>, Failure> {
        let entry = self.registries.by_number(entry).or_else(|| self.entry(url));
        let skip_verify =
            self.options.is_insecure(&host(url)) || entry.is_some_and(|(_, entry)| entry.skip_verify);
        // Hosts without certificates or a proxy of their own share one pool.
        let special = entry.filter(|(_, entry)| {
            entry.proxy.is_some() || entry.identity.is_some() || !entry.authorities.is_empty()
        });
        let guard = Guard::new(self.blocklist.clone(), reach);
        let choice = entry.and_then(|(_, entry)| entry.proxy.as_ref());
        let proxied = self.proxies.find(url, choice).is_some();
        // Then what is resolved for the connection is the proxy's name, and proxies are in private networks.
        let reach = if proxied { Reach::Private } else { reach };
        let way = Way { entry: special.map(|(index, _)| index), skip_verify, reach, brisk };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let client = match made.get(&way) {
            Some(client) => client.clone(),
            None => {
                let client = self.build(way)?;
                made.insert(way, client.clone());
                client
            }
        };
        Ok(Connection { entry, client, guard, proxied })
    }

    fn build(&self, way: Way) -> Result<Client, Failure> {
        let entry = way.entry.and_then(|index| self.registries.get(index));
        let (proxies, choice) = (self.proxies.clone(), entry.and_then(|entry| entry.proxy.clone()));
        let connect_timeout = match way.brisk {
            true => BRISK.min(self.options.connect_timeout),
            false => self.options.connect_timeout,
        };
        let mut builder = Client::builder()
            .user_agent(concat!("meshloom-agent/", env!("CARGO_PKG_VERSION")))
            // Each hop is looked at before it is made: see `request`.
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .dns_resolver(Arc::new(Guard::new(self.blocklist.clone(), way.reach)))
            // Replaces the library's own look at the environment.
            .no_proxy()
            .proxy(Proxy::custom(move |url| proxies.find(url, choice.as_ref())))
            .connect_timeout(connect_timeout)
            .connector_layer(Marks)
            .read_timeout(self.options.idle_timeout)
            .pool_max_idle_per_host(4)
            .http2_initial_stream_window_size(WINDOW)
            .http2_initial_connection_window_size(WINDOW)
            .http2_max_header_list_size(HEADERS);
        if way.brisk {
            // A request that was sent into an outage is not repeated by TCP as soon as the outage is over.
            builder = builder.tcp_user_timeout(BRISK);
        }
        if way.skip_verify {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if let Some(entry) = entry {
            builder = builder.tls_certs_merge(entry.authorities.iter().cloned());
            if let Some(identity) = &entry.identity {
                builder = builder.identity(identity.clone());
            }
        }
        builder.build().map_err(|error| {
            Failure::lasting(
                Reason::Unusable,
                format!("setting up TLS (are there certificate authorities?): {error:?}"),
            )
        })
    }
}

/// The host as URLs have it: with its port, unless that is the scheme's own.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
