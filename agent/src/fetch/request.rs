//! One request, with the hops that it is sent along.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::{Response, Url};
use tokio::time::{Instant, timeout_at};

use super::client::{Clients, Connection, host};
use super::connecting::beside;
use super::failure::Failure;
use super::guard::Reach;
use super::pace::Paces;
use crate::Reason;
use crate::shown::url as shown;

/// How many redirects are followed, as in Go's client.
const HOPS: usize = 10;
/// Bytes of an error's body that are read for the message.
const SAID: usize = 1024;

/// What is asked for.
pub(super) struct Ask<'a> {
    pub(super) url: &'a Url,
    pub(super) accept: Option<&'a str>,
    /// Goes to the URL's own host only, whatever is redirected.
    pub(super) authorization: Option<&'a HeaderValue>,
    /// A form to be posted, instead of a GET. Not sent along redirects.
    pub(super) form: Option<&'a str>,
    pub(super) reach: Reach,
    /// The same where it is redirected to another host.
    pub(super) reach_beyond: Reach,
    /// The entry of the registry configuration for the URL's own host, if it is known. A registry's may be for a part
    /// of its repositories, which not every path tells.
    pub(super) entry: Option<usize>,
    /// Whether a connection has to be there at once.
    pub(super) brisk: bool,
    /// The answer has to begin by then.
    pub(super) deadline: Instant,
}

impl<'a> Ask<'a> {
    pub(super) fn get(url: &'a Url, deadline: Instant) -> Self {
        Self {
            url,
            accept: None,
            authorization: None,
            form: None,
            reach: Reach::Private,
            reach_beyond: Reach::Private,
            entry: None,
            brisk: false,
            deadline,
        }
    }
}

/// An answer, and who gave it in the end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) url: Url,
    pub(super) response: Response,
    /// The body is read by the same deadline or a later one, with no more time for each piece.
    pub(super) status: StatusCode,
}

impl Answer {
    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The body, which may have so many bytes.
    pub(super) async fn bytes(
        mut self,
        limit: usize,
        what: &str,
        deadline: Instant,
    ) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        let too_large = || Failure::lasting(Reason::TooLarge, format!("{what} has more than {limit} bytes"));
        if self.response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        loop {
            let chunk = timeout_at(deadline, self.response.chunk()).await;
            let chunk = chunk.map_err(|_| Failure::timed_out(&self.url))?;
            let Some(chunk) = chunk.map_err(|error| Failure::transport(&self.url, error))? else { break };
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// What an error's body says, as far as it is worth a line.
    pub(super) async fn said(mut self, deadline: Instant) -> String {
        let mut body = Vec::new();
        while body.len() < SAID
            && let Ok(Ok(Some(chunk))) = timeout_at(deadline, self.response.chunk()).await
        {
            body.extend(chunk.iter().take(SAID - body.len()));
        }
        let text = String::from_utf8_lossy(&body);
        let text: String = text.trim().chars().take(300).collect();
        if text.is_empty() { String::new() } else { format!(": {text:?}") }
    }
}

/// Makes requests.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) clients: Clients,
    pub(super) paces: Paces,
    pub(super) request_timeout: std::time::Duration,
}

impl Caller {
    /// The answer, whatever its status; redirects are followed.
    pub(super) async fn send(&self, ask: Ask<'_>) -> Result<Answer, Failure> {
        let mut url = ask.url.clone();
        for _ in 0..=HOPS {
            let response = self.hop(&ask, &url).await?;
            let status = response.status();
            let location = response.headers().get(header::LOCATION);
            let (true, Some(location)) = (is_redirect(status), location) else {
                return Ok(Answer { url, response, status });
            };
            if ask.form.is_some() {
                let message =
                    format!("Post {:?}: redirected, which is not followed with credentials", shown(&url));
                return Err(Failure::lasting(Reason::Unreachable, message));
            }
            url = self.next(&url, location)?;
        }
        let message = format!("Get {:?}: stopped after {HOPS} redirects", shown(ask.url));
        Err(Failure::lasting(Reason::Unreachable, message))
    }

    async fn hop(&self, ask: &Ask<'_>, url: &Url) -> Result<Response, Failure> {
        let connection = self.connection(ask, url, ask.brisk)?;
        connection.guard.check(url).map_err(|blocked| Failure::blocked(url, &blocked))?;
        let deadline = ask.deadline.min(Instant::now() + self.request_timeout);
        // Nothing is sent that nobody has time for.
        if deadline <= Instant::now() {
            return Err(Failure::timed_out(url));
        }
        let exchange = async {
            self.paces.turn(connection.entry).await;
            if ask.brisk {
                return exchange(ask, url, &connection).await;
            }
            let another = || async { exchange(ask, url, &self.connection(ask, url, true)?).await };
            beside(exchange(ask, url, &connection), another).await
        };
        match timeout_at(deadline, exchange).await {
            Ok(response) => response,
            // One request may be slow and the next not, as long as there is time.
            Err(_) => Err(Failure { again: deadline < ask.deadline, ..Failure::timed_out(url) }),
        }
    }

    fn connection(&self, ask: &Ask<'_>, url: &Url, brisk: bool) -> Result<Connection<'_>, Failure> {
        let is_own = url.origin() == ask.url.origin();
        let reach = if is_own { ask.reach } else { ask.reach_beyond };
        self.clients.connection(url, reach, ask.entry.filter(|_| is_own), brisk)
    }

    /// Where a redirect leads, if it may be followed there.
    fn next(&self, from: &Url, location: &HeaderValue) -> Result<Url, Failure> {
        let refused = |what: &str| {
            Failure::lasting(Reason::Unusable, format!("Get {:?}: redirected {what}", shown(from)))
        };
        let text = str::from_utf8(location.as_bytes()).map_err(|_| refused("to what is no URL"))?;
        let mut to = from.join(text).map_err(|_| refused("to what is no URL"))?;
        if !matches!(to.scheme(), "http" | "https") {
            return Err(refused(&format!("to the scheme {:?}", to.scheme())));
        }
        if from.scheme() == "https" && to.scheme() == "http" && !self.clients.may_be_plain(&to) {
            return Err(refused(&format!(
                "from https to http at {} (WASM_INSECURE_REGISTRIES would have to list it)",
                host(&to)
            )));
        }
        // A redirect does not give credentials to send.
        let _ = to.set_username("");
        let _ = to.set_password(None);
        Ok(to)
    }
}

/// One request to one host.
async fn exchange(ask: &Ask<'_>, url: &Url, connection: &Connection<'_>) -> Result<Response, Failure> {
    if connection.proxied {
        let resolved = connection.guard.check_resolved(url).await;
        resolved.map_err(|blocked| Failure::blocked(url, &blocked))?;
    }
    let mut request = match ask.form {
        None => connection.client.get(url.clone()),
        Some(form) => connection
            .client
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.to_owned()),
    };
    if let Some(accept) = ask.accept {
        request = request.header(header::ACCEPT, accept);
    }
    let is_own = url.origin() == ask.url.origin();
    if let Some(authorization) = ask.authorization.filter(|_| is_own) {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    request.send().await.map_err(|error| Failure::transport(url, error))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
