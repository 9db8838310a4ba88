//! Tokens, as registries' token servers give them: <https://distribution.github.io/distribution/spec/auth/token/>.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use reqwest::Url;
use serde::Deserialize;
use tokio::time::Instant;
use url::Host;
use zeroize::Zeroizing;

use super::challenge::{Challenge, is_listed, realm};
use super::session::Session;
use crate::Reason;
use crate::fetch::address::{is_localhost, is_loopback};
use crate::fetch::credentials::{self, Credential};
use crate::fetch::failure::Failure;
use crate::fetch::guard::{Reach, is_private_host};
use crate::fetch::request::Ask;
use crate::shown::url as shown;

/// Bytes that a token server may answer.
const LARGEST: usize = 256 << 10;
/// How long a token is good for if its server does not say, by the specification.
const LIFE: Duration = Duration::from_secs(60);
/// How much of its life a token is not used any more: it has to arrive, and clocks differ.
const MARGIN: Duration = Duration::from_secs(5);

/// What is sent along with each request.
pub(super) enum Authorization {
    None,
    Sent { header: HeaderValue, until: Option<Instant> },
}

impl Authorization {
    /// What to send now.
    pub(super) fn header(&self) -> Option<&HeaderValue> {
        match self {
            Self::Sent { header, .. } if !self.is_over() => Some(header),
            _ => None,
        }
    }

    /// Whether it was good once, and is no more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Sent { until: Some(until), .. } if *until <= Instant::now())
    }
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    expires_in: Option<u64>,
}

impl Session<'_> {
    /// Does what the registry asks for: of several ways, the first that there is something for.
    pub(super) async fn authorize(&mut self, challenges: &[Challenge]) -> Result<Authorization, Failure> {
        let denied = |message: String| Failure::lasting(Reason::Denied, message);
        // All are looked at before any is called: a registry that tries one bad address is not trusted with another.
        for challenge in challenges.iter().filter(|challenge| challenge.scheme == "bearer") {
            let checked = realm(challenge, &self.base, self.token_servers());
            checked.map_err(|problem| Failure::lasting(Reason::Blocked, problem))?;
        }
        for challenge in challenges {
            match (challenge.scheme.as_str(), &self.found.credential) {
                ("basic", Credential::Basic { username, password }) => {
                    let header = credentials::basic(username, password);
                    return self.sent(header, None);
                }
                ("bearer", Credential::Registry(token)) => {
                    return self.sent(credentials::header("Bearer", token.reveal()), None);
                }
                ("bearer", _) => {
                    return self.token(challenge).await;
                }
                _ => {}
            }
        }
        let schemes: Vec<&str> = challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
        Err(denied(format!(
            "{} wants credentials ({}), and there are none for it in {}",
            self.place.host(),
            if schemes.is_empty() { "it does not say which".to_owned() } else { schemes.join(", ") },
            self.found.origin
        )))
    }

    fn sent(&self, header: Option<HeaderValue>, until: Option<Instant>) -> Result<Authorization, Failure> {
        let header = header.ok_or_else(|| {
            let message = format!(
                "the credentials from {} cannot be sent: they have control characters",
                self.found.origin
            );
            Failure::lasting(Reason::Denied, message)
        })?;
        Ok(Authorization::Sent { header, until })
    }

    async fn token(&self, challenge: &Challenge) -> Result<Authorization, Failure> {
        let blocked = |problem| Failure::lasting(Reason::Blocked, problem);
        let mut url = realm(challenge, &self.base, self.token_servers()).map_err(blocked)?;
        let is_anonymous = self.found.credential == Credential::Anonymous;
        if url.scheme() == "http" && !is_anonymous && !self.may_send_in_clear(&url) {
            return Err(blocked(format!(
                "the token server {} of {} would get credentials over plain HTTP (WASM_INSECURE_REGISTRIES would have to list it)",
                shown(&url),
                self.place.host()
            )));
        }
        // Only what the pull needs is asked for, whatever the registry proposes.
        let scope = format!("repository:{}:pull", self.place.repository());
        let service = challenge.parameter("service").unwrap_or_default().to_owned();
        let mut form = None;
        let mut header = None;
        match &self.found.credential {
            Credential::Identity(token) => {
                let mut pairs = url::form_urlencoded::Serializer::new(String::new());
                pairs.append_pair("grant_type", "refresh_token").append_pair("client_id", "meshloom-agent");
                pairs.append_pair("service", &service).append_pair("scope", &scope);
                pairs.append_pair("refresh_token", token.reveal());
                form = Some(Zeroizing::new(pairs.finish()));
            }
            credential => {
                if let Credential::Basic { username, password } = credential {
                    header = credentials::basic(username, password);
                }
                url.query_pairs_mut().append_pair("service", &service).append_pair("scope", &scope);
            }
        }
        let reach = self.reach_of(&url).await;
        let asked = Instant::now();
        let ask = Ask {
            authorization: header.as_ref(),
            form: form.as_ref().map(|form| form.as_str()),
            reach: if url.host() == self.base.host() { Reach::Private } else { reach },
            reach_beyond: reach,
            brisk: self.brisk,
            entry: self.entry.filter(|_| url.origin() == self.base.origin()),
            ..Ask::get(&url, self.deadline)
        };
        let answer = self.caller.send(ask).await?;
        if answer.status != StatusCode::OK {
            let (status, headers) = (answer.status, answer.headers().clone());
            let said = answer.said(self.deadline).await;
            let message = format!(
                "the token server {} answers {status} to credentials from {}{said}",
                shown(&url),
                self.found.origin
            );
            return Err(Failure::status(status, &headers, message));
        }
        let body = Zeroizing::new(answer.bytes(LARGEST, "the token server's answer", self.deadline).await?);
        // Its text is left out of the message: it is a token, or nearly one.
        let token: Token = serde_json::from_slice(&body).map_err(|_| {
            Failure::lasting(
                Reason::Denied,
                format!("the token server {} answers no token in JSON", shown(&url)),
            )
        })?;
        let life = token.expires_in.filter(|seconds| *seconds > 0).map_or(LIFE, Duration::from_secs);
        let (token, access_token) = (Zeroizing::new(token.token), Zeroizing::new(token.access_token));
        let token = if token.is_empty() { access_token } else { token };
        if token.is_empty() {
            let message = format!("the token server {} answers an empty token", shown(&url));
            return Err(Failure::lasting(Reason::Denied, message));
        }
        let until = asked.checked_add(life.saturating_sub(MARGIN.min(life / 2)));
        self.sent(credentials::header("Bearer", &token), until)
    }

    /// A registry in the internet does not send its clients into private networks, by whatever name and detour.
    async fn reach_of(&self, url: &Url) -> Reach {
        if is_listed(url, self.token_servers()) || is_private_host(&self.base).await {
            Reach::Private
        } else {
            Reach::Public
        }
    }

    fn may_send_in_clear(&self, url: &Url) -> bool {
        is_this_machine(url) || self.caller.clients.may_be_plain(url)
    }

    fn token_servers(&self) -> &[String] {
        match self.entry.and_then(|index| self.caller.clients.registries.get(index)) {
            Some(entry) => &entry.token_servers,
            None => &[],
        }
    }
}

/// Whether what is sent there does not leave this machine.
pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(address)) => is_loopback(address.into()),
        Some(Host::Ipv6(address)) => is_loopback(address.into()),
        None => false,
    }
}
