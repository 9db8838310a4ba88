//! What a registry says about who may ask: `WWW-Authenticate` (RFC 9110 section 11.6.1).

use http::{HeaderMap, header};
use reqwest::Url;
use url::Host;

use crate::fetch::address::{is_localhost, is_metadata_host, is_private};
use crate::fetch::client::host;

/// One way to authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    /// In lower case.
    pub(super) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All of an answer's challenges.
    pub(super) fn all(headers: &HeaderMap) -> Vec<Self> {
        let values = headers.get_all(header::WWW_AUTHENTICATE).into_iter();
        values.flat_map(|value| parse(&String::from_utf8_lossy(value.as_bytes()))).collect()
    }
}

/// A list of challenges, each a scheme and its parameters, all separated by commas.
fn parse(text: &str) -> Vec<Challenge> {
    let mut challenges = Vec::<Challenge>::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return challenges;
        }
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let spaced = after.trim_start_matches([' ', '\t']);
        match spaced.strip_prefix('=') {
            Some(value) => {
                let (value, after) = self::value(value.trim_start_matches([' ', '\t']));
                if let Some(challenge) = challenges.last_mut() {
                    challenge.parameters.push((word.to_ascii_lowercase(), value));
                }
                rest = after;
            }
            None if word.is_empty() => return challenges,
            None => {
                challenges.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: Vec::new() });
                rest = after;
            }
        }
    }
}

/// A token or a quoted string, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = text.split_at(text.find([',', ' ', '\t']).unwrap_or(text.len()));
        return (value.to_owned(), after);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return (value, quoted.get(place + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

/// The token server of a Bearer challenge, if a registry may send its clients there.
///
/// It may not be a metadata service, this machine, or an address of a private network, unless the registry is there
/// itself (same host, same port), or the registry configuration lists it. What its name resolves to is looked at when
/// it is called. Other schemes have realms too, but theirs are names for people.
pub(super) fn realm(challenge: &Challenge, registry: &Url, listed: &[String]) -> Result<Url, String> {
    let text = challenge.parameter("realm").unwrap_or_default();
    let unsafe_realm = |why: &str| {
        let shown: String = text.chars().take(200).collect();
        format!("rejected unsafe bearer realm {shown:?}: {why}")
    };
    let url = Url::parse(text).map_err(|_| unsafe_realm("expected a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unsafe_realm("expected http or https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unsafe_realm("credentials do not belong there"));
    }
    let is_same =
        url.host() == registry.host() && url.port_or_known_default() == registry.port_or_known_default();
    if is_metadata_host(url.host_str().unwrap_or_default()) {
        return Err(unsafe_realm("a metadata service"));
    }
    if is_same || is_listed(&url, listed) {
        return Ok(url);
    }
    let refused = match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(address)) => is_private(address.into()),
        Some(Host::Ipv6(address)) => is_private(address.into()),
        None => true,
    };
    if refused {
        return Err(unsafe_realm(
            "it is on this machine or in a private network, and not the registry itself (tokenServers could list it)",
        ));
    }
    Ok(url)
}

pub(super) fn is_listed(url: &Url, listed: &[String]) -> bool {
    listed.contains(&host(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realms(headers: &[&str], registry: &str) -> Vec<Result<Url, String>> {
        let headers = headers.iter().map(|text| (header::WWW_AUTHENTICATE, text.parse().unwrap())).collect();
        let registry = Url::parse(registry).unwrap();
        let challenges = Challenge::all(&headers);
        let bearer = challenges.iter().filter(|challenge| challenge.scheme == "bearer");
        bearer
            .filter(|challenge| challenge.parameter("realm").is_some())
            .map(|challenge| realm(challenge, &registry, &[]))
            .collect()
    }

    fn rejects(headers: &[&str]) -> bool {
        realms(headers, "https://registry.test/v2/").iter().any(Result::is_err)
    }

    #[test]
    fn challenges_are_read_with_quotes_and_commas() {
        let of = |text: &str| {
            let challenges = parse(text).into_iter();
            challenges.map(|challenge| (challenge.scheme, challenge.parameters)).collect::<Vec<_>>()
        };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            of(r#"Bearer realm="https://a.test/t?x=1,2", Service = b ,scope="a\"b""#),
            [(
                "bearer".to_owned(),
                vec![pair("realm", "https://a.test/t?x=1,2"), pair("service", "b"), pair("scope", "a\"b")]
            )]
        );
        assert_eq!(
            of(r#"Negotiate, Basic realm="Registry Realm", Bearer realm="r""#),
            [
                ("negotiate".to_owned(), vec![]),
                ("basic".to_owned(), vec![pair("realm", "Registry Realm")]),
                ("bearer".to_owned(), vec![pair("realm", "r")]),
            ]
        );
        assert_eq!(of(r#"Bearer realm="unclosed"#), [("bearer".to_owned(), vec![pair("realm", "unclosed")])]);
        for odd in ["", "=", ",,,", "=a", "\"", "a=b", "Bearer =", "é=\\"] {
            let _ = of(odd);
        }
    }

    #[test]
    fn a_token_server_in_the_internet_is_called() {
        for headers in [
            &[r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#][..],
            &[r#"Bearer realm="http://auth.example.com/token""#],
            &[r#"Bearer service="registry.example.com""#],
            &["Basic"],
            &[r#"Basic realm="Registry Realm""#],
            &[r#"Bearer realm="https://a.example.com/t", Bearer realm="https://b.example.com/t""#],
        ] {
            assert!(!rejects(headers), "{headers:?}");
        }
    }

    #[test]
    fn a_token_server_where_no_registry_has_one_is_refused() {
        for realm in [
            "http://169.254.169.254/latest/meta-data",
            "http://169.254.1.1/",
            "http://metadata.google.internal/computeMetadata/v1/",
            "http://metadata.google.internal./",
            "http://localhost:8080/token",
            "http://localhost./token",
            "http://127.0.0.1/token",
            "http://127.0.0.5/token",
            "file:///etc/passwd",
            "gopher://example.com/",
            "dict://example.com/",
            "http://10.0.0.1/token",
            "http://192.168.1.1/token",
            "http://172.16.0.1/token",
            "http://[::1]/token",
            "http://[fe80::1]/token",
            "http://[fd00:ec2::254]/latest",
            "http://[fc00::1]/token",
            "http://0.0.0.0/token",
            "http://[::ffff:10.0.0.1]/token",
            "http://0x7f.1/token",
            "https://user:word@example.com/",
            "Registry Realm",
        ] {
            assert!(rejects(&[&format!("Bearer realm=\"{realm}\"")]), "{realm}");
        }
        let (safe, malicious) =
            (r#"Bearer realm="https://auth.example.com/t""#, r#"Bearer realm="http://10.0.0.1/t""#);
        assert!(rejects(&[safe, malicious]) && rejects(&[malicious, safe]));
        assert!(rejects(&[&format!("{safe}, {malicious}")]));
    }

    #[test]
    fn a_private_registry_may_be_its_own_token_server() {
        let own = [r#"Bearer realm="https://10.0.0.7:5000/token""#];
        assert!(realms(&own, "https://10.0.0.7:5000/v2/")[0].is_ok());
        assert!(realms(&own, "https://10.0.0.7:5001/v2/")[0].is_err());
        assert!(realms(&own, "https://10.0.0.8:5000/v2/")[0].is_err());
        let challenge = &parse(own[0])[0];
        let registry = Url::parse("https://registry.test/v2/").unwrap();
        assert!(realm(challenge, &registry, &["10.0.0.7:5000".to_owned()]).is_ok());
        let metadata = &parse(r#"Bearer realm="http://metadata.google.internal/""#)[0];
        assert!(realm(metadata, &registry, &["metadata.google.internal".to_owned()]).is_err());
    }
}
