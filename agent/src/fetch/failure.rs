//! What can go wrong with a request, and whether it is worth another.

use std::error::Error;
use std::io;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use reqwest::Url;

use super::guard::Blocked;
use crate::shown::url as shown;
use crate::{Reason, Unavailable};

/// A request that did not give what was wanted.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) cause: Unavailable,
    /// Whether the same request may succeed in a moment.
    pub(crate) again: bool,
    /// The other side does not speak TLS.
    pub(crate) not_tls: bool,
}

impl Failure {
    /// One that no further request would change.
    pub(crate) fn lasting(reason: Reason, message: impl Into<String>) -> Self {
        Self { cause: Unavailable::new(reason, message), again: false, not_tls: false }
    }

    /// The address or the name is one that is never called.
    pub(super) fn blocked(url: &Url, blocked: &Blocked) -> Self {
        Self::lasting(Reason::Blocked, format!("Get {:?}: {blocked}", shown(url)))
    }

    /// The time is over.
    pub(super) fn timed_out(url: &Url) -> Self {
        Self::lasting(Reason::TimedOut, format!("Get {:?}: context deadline exceeded", shown(url)))
    }

    /// The disk refused.
    pub(super) fn disk(error: &io::Error) -> Self {
        Self::lasting(Reason::Disk, format!("writing what is downloaded: {error}"))
    }

    /// The request did not reach the other side, or its answer did not come whole.
    pub(super) fn transport(url: &Url, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let kinds = Kinds::of(&error);
        if let Some(blocked) = kinds.blocked {
            return Self::blocked(url, &blocked);
        }
        let mut text = chain(&error);
        if kinds.unknown_issuer {
            text.push_str(": x509: certificate signed by unknown authority");
        }
        let reason = if error.is_timeout() { Reason::TimedOut } else { Reason::Unreachable };
        Self {
            // What a certificate says does not change from one second to the next.
            again: !kinds.certificate,
            not_tls: kinds.not_tls,
            ..Self::lasting(reason, format!("Get {:?}: {text}", shown(url)))
        }
    }

    /// The answer has a status that is not the wanted one.
    pub(super) fn status(status: StatusCode, headers: &HeaderMap, message: impl Into<String>) -> Self {
        let reason = match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Reason::NotFound,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Reason::Denied,
            StatusCode::TOO_MANY_REQUESTS => Reason::Throttled,
            StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => Reason::TimedOut,
            _ => Reason::Unreachable,
        };
        let mut failure = Self { again: is_passing(status), ..Self::lasting(reason, message) };
        failure.cause.retry_after = retry_after(headers, SystemTime::now());
        failure
    }
}

/// Istio's list (5xx, but not what says that the request is not understood), and those that ask for patience.
fn is_passing(status: StatusCode) -> bool {
    match status.as_u16() {
        408 | 425 | 429 => true,
        501 | 505 | 511 => false,
        other => other >= 500,
    }
}

/// `Retry-After`: seconds or a date (RFC 9110 section 10.2.3), but no more than a day.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(Duration::from_secs(24 * 3600)))
}

/// What an error and its causes say, each once.
fn chain(error: &dyn Error) -> String {
    let mut texts = Vec::<String>::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

/// What is found among an error's causes.
#[derive(Default)]
struct Kinds {
    blocked: Option<Blocked>,
    certificate: bool,
    unknown_issuer: bool,
    not_tls: bool,
}

impl Kinds {
    fn of(error: &(dyn Error + 'static)) -> Self {
        let mut kinds = Self::default();
        let mut next = Some(error);
        while let Some(error) = next {
            kinds.look(error);
            // An I/O error names as its source what its inner error has as source, not the inner error.
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            next = match inner {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        kinds
    }

    fn look(&mut self, error: &(dyn Error + 'static)) {
        if let Some(blocked) = error.downcast_ref::<Blocked>() {
            self.blocked = Some(blocked.clone());
        }
        match error.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidCertificate(problem)) => {
                self.certificate = true;
                self.unknown_issuer = matches!(problem, rustls::CertificateError::UnknownIssuer);
            }
            Some(rustls::Error::InvalidMessage(_)) => self.not_tls = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_patience_is_asked_again_and_what_is_not_understood_is_not() {
        for status in [408, 425, 429, 500, 502, 503, 504, 520] {
            assert!(is_passing(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [400, 401, 403, 404, 410, 451, 501, 505, 511] {
            assert!(!is_passing(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sat, 21 Nov 2026 10:00:00 GMT").unwrap();
        let of = |text: &str| {
            let headers = [(header::RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(of("7"), Some(7));
        assert_eq!(of("Sat, 21 Nov 2026 10:01:00 GMT"), Some(60));
        assert_eq!(of("Sat, 21 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!(of("99999999999"), Some(86_400));
        assert_eq!((of("soon"), of("-1")), (None, None));
    }
}
