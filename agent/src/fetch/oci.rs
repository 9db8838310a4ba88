//! Modules in OCI registries.
//!
//! The types are those of `oci-client`; its client is not used. It takes no resolver of ours, so that nothing would
//! look at the addresses that a registry sends it to; it reads manifests and tokens without a bound; and it sends
//! credentials wherever a registry says. So the pull is made here, of four requests: what authentication is wanted
//! (if there are credentials), a token, the manifest, the blob.

mod auth;
mod challenge;
mod place;
mod session;
mod signature;
mod tour;

use std::net::Ipv6Addr;

use bytes::Bytes;
use http::{StatusCode, header};
use oci_client::Reference;

use self::place::Place;
use self::session::Session;
use self::tour::Tour;
use super::failure::Failure;
use super::manifest::{self, Manifest};
use super::network::{Budget, Network};
use super::receive::Expected;
use super::{Downloaded, Progress, Resolved};
use crate::trust::Signature;
use crate::{Reason, Sha256, Unavailable, Wanted};

/// Indexes within one another.
const DEPTH: usize = 3;

/// The reference of an `oci` URL. A query is left out, as in Istio's agent.
pub(super) fn reference(url: &str) -> Result<Reference, Unavailable> {
    let (_, text) = url.split_once("://").unwrap_or(("", url));
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let unusable = |problem: String| {
        let shown: String = text.chars().take(300).collect();
        Unavailable::new(
            Reason::Unusable,
            format!("could not parse url in image reference {shown:?}: {problem}"),
        )
    };
    // It would be taken for a part of the path, and be shown.
    if text.split('/').next().is_some_and(|host| host.contains('@') && text.contains('/')) {
        return Err(Unavailable::new(
            Reason::Unusable,
            "could not parse url in image reference: credentials do not belong there",
        ));
    }
    let reference = match text.strip_prefix('[') {
        Some(rest) => by_address(rest).map_err(unusable)?,
        None => Reference::try_from(text).map_err(|error| unusable(error.to_string()))?,
    };
    if reference.digest().is_some_and(|digest| !digest.starts_with("sha256:")) {
        return Err(unusable("expected a digest of sha256".to_owned()));
    }
    Ok(reference)
}

/// The reference of an image at an IPv6 address, without the bracket before it. The grammar of references has none.
fn by_address(text: &str) -> Result<Reference, String> {
    /// Stands for the address while the rest is read.
    const STAND_IN: &str = "address.invalid";
    let (address, rest) = text.split_once(']').ok_or("expected ] after the address")?;
    let address: Ipv6Addr = address.parse().map_err(|_| format!("{address:?} is no IPv6 address"))?;
    let read = Reference::try_from(format!("{STAND_IN}{rest}")).map_err(|error| error.to_string())?;
    let port = read.registry().strip_prefix(STAND_IN).filter(|port| port.is_empty() || port.starts_with(':'));
    let port = port.ok_or("expected a port or a path after the address")?;
    let registry = format!("[{address}]{port}");
    let repository = read.repository().to_owned();
    Ok(match (read.tag().map(str::to_owned), read.digest().map(str::to_owned)) {
        (Some(tag), Some(digest)) => Reference::with_tag_and_digest(registry, repository, tag, digest),
        (None, Some(digest)) => Reference::with_digest(registry, repository, digest),
        (tag, None) => Reference::with_tag(registry, repository, tag.unwrap_or_else(|| "latest".to_owned())),
    })
}

impl Network {
    /// Finds the manifest: of the first place that has it.
    pub(super) async fn oci_resolve(&self, wanted: &Wanted, budget: Budget) -> Result<Resolved, Unavailable> {
        let reference = reference(&wanted.url)?;
        let mut tour = Tour::new(self, wanted, &reference, budget)?;
        while let Some(place) = tour.place() {
            match self.resolve_at(&tour, place).await {
                Ok(resolved) => return Ok(resolved),
                Err(failure) => tour.failed(failure).await,
            }
        }
        Err(tour.summary("could not fetch manifest: "))
    }

    /// Downloads the module that the manifest says.
    pub(super) async fn oci_download(
        &self,
        wanted: &Wanted,
        resolved: &Resolved,
        folder: &std::path::Path,
        progress: &dyn Progress,
        budget: Budget,
    ) -> Result<Downloaded, Unavailable> {
        let reference = reference(&wanted.url)?;
        let manifest = resolved.manifest.as_ref().ok_or_else(|| {
            Unavailable::new(Reason::Manifest, "could not fetch Wasm OCI image: it was not resolved")
        })?;
        // Whoever kept it meanwhile, it has to be the one that was resolved.
        let found = Sha256::of(manifest);
        if resolved.checksum != Some(found) && !resolved.also.contains(&found) {
            return Err(Unavailable::new(
                Reason::ChecksumMismatch,
                format!(
                    "the manifest of {reference} has the digest sha256:{found}, which is not what was resolved"
                ),
            ));
        }
        let problem = |problem| {
            Unavailable::new(Reason::Manifest, format!("could not fetch Wasm OCI image: {problem}"))
        };
        let image = match Manifest::read(manifest, None).map_err(problem)? {
            Manifest::Image(image) => image,
            Manifest::Index(_) => {
                return Err(problem("an index was resolved, not the image of it".to_owned()));
            }
        };
        let layer = manifest::layer(&image).map_err(|problem| {
            Unavailable::new(Reason::NotAModule, format!("could not fetch Wasm binary: {problem}"))
        })?;
        let expected = Expected { sha256: layer.digest, size: layer.size };
        if self.is_too_large(layer.size) {
            return Err(Failure::from(super::unpack::too_large(self.options.max_binary_size)).cause);
        }
        let mut tour = Tour::new(self, wanted, &reference, budget)?;
        while let Some(place) = tour.place() {
            match self.layer_at(&tour, place, expected, folder, progress).await {
                Ok(downloaded) => return Ok(downloaded),
                Err(failure) => tour.failed(failure).await,
            }
        }
        Err(tour.summary("could not fetch layer: "))
    }

    pub(super) async fn oci_signatures(
        &self,
        wanted: &Wanted,
        resolved: &Resolved,
        budget: Budget,
    ) -> Result<Vec<Signature>, Unavailable> {
        let reference = reference(&wanted.url)?;
        let mut tour = Tour::new(self, wanted, &reference, budget)?;
        while let Some(place) = tour.place() {
            match self.signatures_at(&tour, place, resolved).await {
                // A mirror may have the image and not what is beside it.
                Ok(signatures) if signatures.is_empty() && tour.next() => {}
                Ok(signatures) => return Ok(signatures),
                Err(failure) => tour.failed(failure).await,
            }
        }
        Err(tour.summary("could not fetch signatures: "))
    }

    async fn resolve_at(&self, tour: &Tour<'_>, place: Place) -> Result<Resolved, Failure> {
        Session::new(tour, place).await?.resolve().await
    }

    async fn layer_at(
        &self,
        tour: &Tour<'_>,
        place: Place,
        expected: Expected,
        folder: &std::path::Path,
        progress: &dyn Progress,
    ) -> Result<Downloaded, Failure> {
        let mut session = Session::new(tour, place).await?;
        let answer = session.blob(expected.sha256).await?;
        let entry = tour.caller.clients.registries.by_number(session.entry);
        let receiver = self.receiver(&tour.caller, entry, folder, progress, tour.budget).await;
        receiver.module(answer, Some(expected)).await
    }

    async fn signatures_at(
        &self,
        tour: &Tour<'_>,
        place: Place,
        resolved: &Resolved,
    ) -> Result<Vec<Signature>, Failure> {
        Session::new(tour, place).await?.signatures(resolved).await
    }
}

impl Session<'_> {
    /// The manifest of the image, by way of its indexes.
    async fn resolve(&mut self) -> Result<Resolved, Failure> {
        let mut next = self.place.reference().to_owned();
        let mut digests = Vec::new();
        for _ in 0..=DEPTH {
            let (bytes, content_type) = self.manifest(&next).await?;
            let digest = Sha256::of(&bytes);
            if let Some(told) = next.strip_prefix("sha256:")
                && told.parse() != Ok(digest)
            {
                let message = format!("the manifest {next} has the digest sha256:{digest}");
                return Err(Failure::lasting(Reason::ChecksumMismatch, message));
            }
            digests.push(digest);
            let unusable = |problem| Failure::lasting(Reason::Manifest, problem);
            match Manifest::read(&bytes, content_type.as_deref()).map_err(unusable)? {
                Manifest::Image(_) => {
                    let mut digests = digests.into_iter();
                    let checksum = digests.next();
                    let also: Vec<Sha256> = digests.collect();
                    if let (Some(pin), Some(found)) = (self.wanted.checksum, checksum)
                        && pin != found
                        && !also.contains(&pin)
                    {
                        let message = super::network::mismatch(self.wanted, found, pin);
                        return Err(Failure::lasting(Reason::ChecksumMismatch, message));
                    }
                    return Ok(Resolved { checksum, also, manifest: Some(bytes) });
                }
                Manifest::Index(index) => {
                    let digest = &manifest::child(&index).map_err(unusable)?.digest;
                    let told =
                        digest.strip_prefix("sha256:").and_then(|digits| digits.parse::<Sha256>().ok());
                    let told = told.ok_or_else(|| {
                        unusable("the index has a child without a digest of sha256".to_owned())
                    })?;
                    next = format!("sha256:{told}");
                }
            }
        }
        Err(Failure::lasting(Reason::Manifest, format!("more than {DEPTH} indexes within one another")))
    }

    async fn manifest(&mut self, reference: &str) -> Result<(Bytes, Option<String>), Failure> {
        let answer = self.get(&format!("manifests/{reference}"), Some(manifest::ACCEPT)).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refusal(answer).await);
        }
        let content_type = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.map(str::to_owned);
        let bytes = answer.bytes(manifest::LARGEST, "the manifest", self.deadline).await?;
        Ok((bytes.into(), content_type))
    }

    async fn blob(&mut self, digest: Sha256) -> Result<super::request::Answer, Failure> {
        let answer = self.get(&format!("blobs/sha256:{digest}"), None).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refusal(answer).await);
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_completed_as_dockers_are() {
        let of = |url: &str| reference(url).map(|reference| reference.whole());
        assert_eq!(of("oci://registry.test:5000/a/b:v1?x=y").unwrap(), "registry.test:5000/a/b:v1");
        assert_eq!(of("oci://module").unwrap(), "docker.io/library/module:latest");
        assert_eq!(of("oci://localhost/a").unwrap(), "localhost/a:latest");
        let digest = "a".repeat(64);
        let pinned = format!("oci://registry.test/a:v1@sha256:{digest}");
        assert_eq!(of(&pinned).unwrap(), pinned.strip_prefix("oci://").unwrap());
    }

    #[test]
    fn a_registry_may_be_an_ipv6_address() {
        let of = |url: &str| reference(url).map(|reference| reference.whole());
        let digest = format!("sha256:{}", "a".repeat(64));
        for (url, whole) in [
            ("oci://[::1]:5000/a/b:v1", "[::1]:5000/a/b:v1".to_owned()),
            ("oci://[2001:DB8:0::1]/a", "[2001:db8::1]/a:latest".to_owned()),
            (&format!("oci://[::1]/a:v1@{digest}"), format!("[::1]/a:v1@{digest}")),
            (&format!("oci://[::1]/a@{digest}"), format!("[::1]/a@{digest}")),
        ] {
            assert_eq!(of(url).unwrap(), whole, "{url}");
        }
    }

    #[test]
    fn what_is_no_reference_can_never_be_had() {
        for url in [
            "oci://",
            "oci://registry.test/UPPER",
            "oci://registry.test/a:b:c",
            "oci://[::1/a",
            "oci://[::1]",
            "oci://[::1]x/a",
            "oci://[127.0.0.1]/a",
            "oci://[]/a",
            "oci://user:hunter2@[::1]/a",
            "oci://user:hunter2@registry.test/a",
        ] {
            let unusable = reference(url).unwrap_err();
            assert_eq!(unusable.reason, Reason::Unusable, "{url}");
            assert!(!unusable.message.contains("hunter2"), "{unusable}");
        }
        let sha512 = format!("oci://registry.test/a@sha512:{}", "a".repeat(128));
        assert!(reference(&sha512).unwrap_err().message.contains("sha256"));
    }
}
