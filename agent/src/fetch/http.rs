//! Modules by http and https.

use http::{HeaderMap, StatusCode, header};
use reqwest::Url;

use super::failure::Failure;
use super::network::{Budget, Network};
use super::request::Ask;
use super::{Downloaded, Progress};
use crate::shown::url as shown;
use crate::{Reason, Sha256, Unavailable, Wanted};

impl Network {
    pub(super) async fn http(
        &self,
        wanted: &Wanted,
        url: &Url,
        folder: &std::path::Path,
        progress: &dyn Progress,
        budget: Budget,
    ) -> Result<Downloaded, Unavailable> {
        let mut attempts = self.attempts(wanted.effort, budget.start);
        loop {
            let failure =
                match self.http_once(wanted, url, folder, progress, budget, attempts.are_brisk()).await {
                    Ok(downloaded) => return Ok(downloaded),
                    Err(failure) => failure,
                };
            tracing::debug!(
                source = shown(url),
                resource = wanted.resource,
                attempt = attempts.made(),
                cause = failure.cause.message,
                "a download failed"
            );
            if !attempts.next(&failure).await {
                return Err(in_istios_words(url, attempts.made(), failure));
            }
        }
    }

    async fn http_once(
        &self,
        wanted: &Wanted,
        url: &Url,
        folder: &std::path::Path,
        progress: &dyn Progress,
        budget: Budget,
        brisk: bool,
    ) -> Result<Downloaded, Failure> {
        let caller = self.caller();
        let ask = Ask { brisk, ..Ask::get(url, budget.start) };
        let answer = caller.send(ask).await?;
        if answer.status != StatusCode::OK {
            let message =
                format!("wasm module download request failed: status code {}", answer.status.as_u16());
            return Err(Failure::status(answer.status, answer.headers(), message));
        }
        known_encoding(answer.headers())?;
        let receiver = self.receiver(&caller, caller.clients.entry(url), folder, progress, budget).await;
        let downloaded = receiver.module(answer, None).await?;
        pinned(wanted, downloaded.sha256)?;
        Ok(downloaded)
    }
}

/// None is asked for. What comes all the same is unpacked by what it is, whatever it is called, if it can be.
fn known_encoding(headers: &HeaderMap) -> Result<(), Failure> {
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for coding in value.as_bytes().split(|byte| *byte == b',') {
            let coding = String::from_utf8_lossy(coding.trim_ascii()).to_ascii_lowercase();
            if !matches!(coding.as_str(), "" | "identity" | "gzip" | "x-gzip" | "zstd") {
                let message =
                    format!("the answer has the content-encoding {coding:?}, expected gzip, zstd or none");
                return Err(Failure::lasting(Reason::NotAModule, message));
            }
        }
    }
    Ok(())
}

/// What the resource says the module is.
fn pinned(wanted: &Wanted, found: Sha256) -> Result<(), Failure> {
    match wanted.checksum {
        Some(checksum) if checksum != found => {
            Err(Failure::lasting(Reason::ChecksumMismatch, super::network::mismatch(wanted, found, checksum)))
        }
        _ => Ok(()),
    }
}

/// What was tried is said where it was tried more than once, or where Istio's agent says it.
fn in_istios_words(url: &Url, attempts: u32, failure: Failure) -> Unavailable {
    let mut cause = failure.cause;
    cause.message = match cause.reason {
        Reason::NotAModule => {
            format!("fetched Wasm binary from {} is invalid: {}", shown(url), cause.message)
        }
        Reason::TooLarge => format!("Get {:?}: {}", shown(url), cause.message),
        Reason::ChecksumMismatch | Reason::Disk => cause.message,
        _ => format!("wasm module download failed after {attempts} attempts, last error: {}", cause.message),
    };
    cause
}
