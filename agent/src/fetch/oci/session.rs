//! The requests of one pull from one registry.

use http::StatusCode;
use reqwest::Url;
use serde::Deserialize;
use tokio::time::Instant;

use super::auth::{Authorization, is_this_machine};
use super::challenge::Challenge;
use super::place::Place;
use super::tour::Tour;
use crate::fetch::credentials::{Credential, Found};
use crate::fetch::failure::Failure;
use crate::fetch::request::{Answer, Ask, Caller};
use crate::shown::url as shown;
use crate::{Reason, Wanted};

/// One pull: tokens live no longer than it.
pub(super) struct Session<'a> {
    pub(super) caller: &'a Caller,
    pub(super) wanted: &'a Wanted,
    pub(super) place: Place,
    pub(super) base: Url,
    /// Of the registry configuration.
    pub(super) entry: Option<usize>,
    pub(super) found: Found,
    /// Answers have to begin by then.
    pub(super) deadline: Instant,
    /// Whether connections have to be there at once.
    pub(super) brisk: bool,
    authorization: Authorization,
    /// What the registry wanted when it was asked last, for a new token when the old one is over.
    challenges: Vec<Challenge>,
}

impl<'a> Session<'a> {
    pub(super) async fn new(tour: &'a Tour<'_>, place: Place) -> Result<Self, Failure> {
        let (network, wanted, caller) = (tour.network, tour.wanted, &*tour.caller);
        let deadline = tour.deadline();
        let unusable = |cause| Failure { cause, again: false, not_tls: false };
        let known = caller.clients.registries.find(place.host(), place.repository());
        let entry = known.map(|(_, entry)| entry);
        let scheme = if entry.is_some_and(|entry| entry.plain_http) { "http" } else { "https" };
        let base = place.base(scheme).map_err(unusable)?;
        if deadline <= Instant::now() {
            return Err(Failure::timed_out(&base));
        }
        let found = network.places.find(wanted, entry, place.host(), place.repository());
        let found = match tokio::time::timeout_at(deadline, found).await {
            Ok(found) => found.map_err(|problem| {
                Failure::lasting(Reason::Denied, format!("the credentials for {}: {problem}", place.host()))
            })?,
            Err(_) => {
                let message = format!("the credentials for {}: context deadline exceeded", place.host());
                return Err(Failure::lasting(Reason::TimedOut, message));
            }
        };
        let mut session = Self {
            caller,
            wanted,
            place,
            base,
            entry: known.map(|(index, _)| index),
            found,
            deadline,
            brisk: tour.is_brisk(),
            authorization: Authorization::None,
            challenges: Vec::new(),
        };
        if session.found.credential != Credential::Anonymous {
            // Some registries show what is public to whoever asks without credentials, and hide the rest.
            let answer = session.once("").await?;
            if answer.status == StatusCode::UNAUTHORIZED {
                session.challenges = Challenge::all(answer.headers());
                drop(answer);
                session.authorize_again().await?;
            }
        }
        Ok(session)
    }

    async fn authorize_again(&mut self) -> Result<(), Failure> {
        let challenges = std::mem::take(&mut self.challenges);
        self.authorization = self.authorize(&challenges).await?;
        self.challenges = challenges;
        Ok(())
    }

    /// What is under that path of the repository, whatever the status; authorised if the registry wants it.
    pub(super) async fn get(&mut self, path: &str, accept: Option<&str>) -> Result<Answer, Failure> {
        if self.authorization.is_over() {
            self.authorize_again().await?;
        }
        let path = format!("{}/{path}", self.place.repository());
        let answer = self.ask(&path, accept).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let refused = self.authorization.header().is_some();
        self.challenges = Challenge::all(answer.headers());
        let is_token = self.challenges.iter().any(|challenge| challenge.scheme == "bearer");
        // A token may be over before its time, or be for something else; a password does not get better.
        if refused && !is_token {
            return Ok(answer);
        }
        drop(answer);
        self.authorize_again().await?;
        self.ask(&path, accept).await
    }

    /// Asks for a path, and once more in clear if the registry does not speak TLS and may be called so.
    async fn ask(&mut self, path: &str, accept: Option<&str>) -> Result<Answer, Failure> {
        match self.once_accepting(path, accept).await {
            Err(failure) if failure.not_tls && self.may_be_plain() => {
                if self.base.set_scheme("http").is_err() {
                    return Err(failure);
                }
                self.once_accepting(path, accept).await
            }
            other => other,
        }
    }

    async fn once(&mut self, path: &str) -> Result<Answer, Failure> {
        self.ask(path, None).await
    }

    async fn once_accepting(&self, path: &str, accept: Option<&str>) -> Result<Answer, Failure> {
        let url = self.base.join(path).map_err(|error| {
            Failure::lasting(Reason::Unusable, format!("{path:?} is no path of {}: {error}", self.base))
        })?;
        let (authorization, entry) = (self.authorization.header(), self.entry);
        let ask = Ask { accept, authorization, entry, brisk: self.brisk, ..Ask::get(&url, self.deadline) };
        self.caller.send(ask).await
    }

    /// A registry that does not speak TLS is called in clear if a configuration lists it, or if it is on this
    /// machine, which nothing sent there leaves.
    fn may_be_plain(&self) -> bool {
        self.base.scheme() == "https"
            && (self.caller.clients.may_be_plain(&self.base) || is_this_machine(&self.base))
    }

    /// What an answer that is not the wanted one means.
    pub(super) async fn refusal(&self, answer: Answer) -> Failure {
        let (status, headers, url) = (answer.status, answer.headers().clone(), answer.url.clone());
        let said = answer.said(self.deadline).await;
        let who = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => match self.found.credential {
                Credential::Anonymous => {
                    format!(" without credentials (there are none for it in {})", self.found.origin)
                }
                _ => format!(" to the credentials from {}", self.found.origin),
            },
            _ => String::new(),
        };
        Failure::status(status, &headers, format!("Get {:?}: {status}{who}{}", shown(&url), codes(&said)))
    }
}

/// The codes of a registry's error, or its text as it is.
fn codes(said: &str) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Code>,
    }
    #[derive(Deserialize)]
    struct Code {
        code: String,
    }
    let text: Option<String> = said.strip_prefix(": ").and_then(|said| serde_json::from_str(said).ok());
    let errors = text.and_then(|text| serde_json::from_str::<Errors>(&text).ok());
    match errors {
        Some(Errors { errors }) if !errors.is_empty() => {
            let codes: Vec<String> = errors.iter().map(|error| format!("{:?}", error.code)).collect();
            format!(": {}", codes.join(", "))
        }
        _ => said.to_owned(),
    }
}
