//! How one registry is called.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use reqwest::{Certificate, Identity, Url};
use url::Host;

use super::fields::Fields;

/// Bytes that a file with certificates, or with a key, may have.
const LARGEST_PEM: u64 = 4 << 20;

/// How one registry, or one host, is called.
#[derive(Debug)]
pub(in crate::fetch) struct Entry {
    pub(in crate::fetch) prefix: String,
    pub(in crate::fetch) location: Option<String>,
    pub(in crate::fetch) mirrors: Vec<String>,
    pub(in crate::fetch) mirrors_only: bool,
    pub(in crate::fetch) authorities: Vec<Certificate>,
    pub(in crate::fetch) identity: Option<Identity>,
    pub(in crate::fetch) plain_http: bool,
    pub(in crate::fetch) skip_verify: bool,
    pub(in crate::fetch) auth: Option<Auth>,
    pub(in crate::fetch) token_servers: Vec<String>,
    pub(in crate::fetch) proxy: Option<ProxyChoice>,
    pub(in crate::fetch) requests_per_second: Option<f64>,
    pub(in crate::fetch) concurrent_downloads: Option<usize>,
    /// The files that it was read from besides the configuration's own.
    pub(in crate::fetch) files: Vec<PathBuf>,
}

/// Where the credentials of a registry are. Files are read anew for each pull: they are rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fetch) enum Auth {
    /// None are sent.
    Anonymous,
    /// A file such as Docker's config.json.
    DockerConfig(PathBuf),
    /// The program `docker-credential-NAME`.
    Helper(String),
    /// A user, and a file with nothing but the password.
    Password { username: String, file: PathBuf },
}

/// Whether a registry is called through a proxy, in spite of what the environment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fetch) enum ProxyChoice {
    Direct,
    Through(Url),
}

impl Entry {
    /// Nothing, if it could not be told which registry it is about.
    pub(super) fn read(mut fields: Fields<'_>) -> Option<Self> {
        let prefix = match fields.text("prefix") {
            Some(prefix) => location(&mut fields, "prefix", &prefix),
            None => {
                fields.problem("prefix", "missing: expected a host such as registry.example.com");
                None
            }
        };
        let rewritten = fields.text("location").and_then(|text| location(&mut fields, "location", &text));
        let mirrors = fields.texts("mirrors");
        let mirrors = mirrors.iter().enumerate();
        let mirrors: Vec<String> = mirrors
            .filter_map(|(index, text)| location(&mut fields, &format!("mirrors[{index}]"), text))
            .collect();
        let mirrors_only = fields.flag("mirrorsOnly");
        if mirrors_only && mirrors.is_empty() {
            fields.problem("mirrorsOnly", "there are no mirrors");
        }
        let mut files = Vec::new();
        let authorities = match fields.text("ca") {
            Some(path) => certificates(&mut fields, path, &mut files),
            None => Vec::new(),
        };
        let identity = identity(&mut fields, &mut files);
        let plain_http = fields.flag("plainHttp");
        let skip_verify = fields.flag("skipVerify");
        if plain_http && (skip_verify || !authorities.is_empty() || identity.is_some()) {
            fields.problem(
                "plainHttp",
                "certificates mean nothing without TLS: leave out ca, client* and skipVerify",
            );
        }
        let auth = auth(&mut fields);
        let token_servers = fields.texts("tokenServers");
        let token_servers = token_servers.iter().map(|host| host.to_ascii_lowercase()).collect();
        let proxy = proxy(&mut fields);
        let requests_per_second = fields.number("requestsPerSecond");
        let concurrent_downloads = fields.count("concurrentDownloads");
        fields.finish();
        Some(Self {
            prefix: prefix?,
            location: rewritten,
            mirrors,
            mirrors_only,
            authorities,
            identity,
            plain_http,
            skip_verify,
            auth,
            token_servers,
            proxy,
            requests_per_second,
            concurrent_downloads,
            files,
        })
    }
}

/// A host, a host and port, or either with the beginning of a path.
fn location(fields: &mut Fields<'_>, name: &str, text: &str) -> Option<String> {
    let url = match text.contains("://") {
        true => None,
        false => Url::parse(&format!("https://{text}")).ok(),
    };
    let plain = url.filter(|url| {
        let bare = url.username().is_empty() && url.password().is_none();
        bare && url.query().is_none() && url.fragment().is_none() && !url.path().contains("//")
    });
    let Some(plain) = plain else {
        fields.problem(name, &format!("{text:?}: expected a host, with or without port and path, such as registry.example.com:5000/team"));
        return None;
    };
    // Not from the URL's own text: that would leave out port 443, which references keep.
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    debug_assert!(plain.has_host());
    let host = if host.eq_ignore_ascii_case("index.docker.io") { "docker.io" } else { host };
    let path = path.trim_end_matches('/');
    // An address has many spellings, and URLs one.
    let host = match plain.host() {
        Some(Host::Ipv6(address)) => {
            format!("[{address}]{}", host.split_once(']').map_or("", |(_, port)| port))
        }
        _ => host.to_ascii_lowercase(),
    };
    Some(if path.is_empty() { host } else { format!("{host}/{path}") })
}

fn certificates(fields: &mut Fields<'_>, path: String, files: &mut Vec<PathBuf>) -> Vec<Certificate> {
    files.push(PathBuf::from(&path));
    let read = read_file(Path::new(&path), LARGEST_PEM).and_then(|pem| {
        Certificate::from_pem_bundle(&pem)
            .map_err(|error| format!("is no file of certificates in PEM: {error}"))
    });
    match read {
        Ok(certificates) if certificates.is_empty() => {
            fields.problem("ca", &format!("{path} has no certificate"))
        }
        Ok(certificates) => return certificates,
        Err(problem) => fields.problem("ca", &format!("{path}: {problem}")),
    }
    Vec::new()
}

fn identity(fields: &mut Fields<'_>, files: &mut Vec<PathBuf>) -> Option<Identity> {
    let (certificate, key) = (fields.text("clientCertificate"), fields.text("clientKey"));
    let (certificate, key) = match (certificate, key) {
        (None, None) => return None,
        (Some(_), None) => {
            fields.problem("clientKey", "missing: clientCertificate needs it");
            return None;
        }
        (None, Some(_)) => {
            fields.problem("clientCertificate", "missing: clientKey needs it");
            return None;
        }
        (Some(certificate), Some(key)) => (certificate, key),
    };
    files.extend([PathBuf::from(&certificate), PathBuf::from(&key)]);
    let mut pem = zeroize::Zeroizing::new(Vec::new());
    for (name, path) in [("clientKey", key), ("clientCertificate", certificate)] {
        match read_file(Path::new(&path), LARGEST_PEM) {
            Ok(read) => pem.extend_from_slice(&zeroize::Zeroizing::new(read)),
            Err(problem) => {
                fields.problem(name, &format!("{path}: {problem}"));
                return None;
            }
        }
        pem.push(b'\n');
    }
    // The error's text is left out: who knows what it has of the key.
    match Identity::from_pem(&pem) {
        Ok(identity) => Some(identity),
        Err(_) => {
            fields.problem("clientCertificate", "with clientKey it is no certificate and private key in PEM");
            None
        }
    }
}

fn auth(fields: &mut Fields<'_>) -> Option<Auth> {
    let value = fields.take("auth")?;
    if value.as_str() == Some("anonymous") {
        return Some(Auth::Anonymous);
    }
    let place = fields.place("auth");
    let mut inner = Fields::of(value, &place, fields.problems)?;
    let config = inner.text("dockerConfig").map(|path| Auth::DockerConfig(path.into()));
    let helper = inner.text("credentialHelper");
    if helper.as_deref().is_some_and(|name| !is_helper_name(name)) {
        inner.problem(
            "credentialHelper",
            "expected what follows docker-credential- in the program's name, such as ecr-login",
        );
    }
    let (username, password) = (inner.text("username"), inner.text("passwordFile"));
    let password = match (username, password) {
        (Some(username), Some(file)) => Some(Auth::Password { username, file: file.into() }),
        (None, None) => None,
        _ => {
            inner.problem("", "username and passwordFile belong together");
            None
        }
    };
    let mut given: Vec<Auth> = config.into_iter().chain(helper.map(Auth::Helper)).chain(password).collect();
    if given.len() != 1 {
        inner.problem(
            "",
            "expected anonymous, or one of dockerConfig, credentialHelper, and username with passwordFile",
        );
    }
    inner.finish();
    given.pop()
}

/// Whether that can be part of a program's name: nothing that leads to another folder.
pub(in crate::fetch) fn is_helper_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=100).contains(&name.len()) && name.chars().all(plain)
}

fn proxy(fields: &mut Fields<'_>) -> Option<ProxyChoice> {
    let text = fields.text("proxy")?;
    if text == "direct" {
        return Some(ProxyChoice::Direct);
    }
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Some(ProxyChoice::Through(url)),
        // Not the text itself: it may hold a password.
        _ => {
            fields.problem("proxy", "expected direct, or a URL such as http://proxy.example.com:3128");
            None
        }
    }
}

/// A file of at most so many bytes.
pub(in crate::fetch) fn read_file(path: &Path, largest: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    file.take(largest + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > largest { Err(format!("has more than {largest} bytes")) } else { Ok(bytes) }
}
