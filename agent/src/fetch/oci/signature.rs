//! Signatures as cosign keeps them: beside the image, under a tag that is made of its digest.
//! <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>

use bytes::Bytes;
use http::StatusCode;

use super::session::Session;
use crate::fetch::Resolved;
use crate::fetch::failure::Failure;
use crate::fetch::manifest::Manifest;
use crate::trust::Signature;
use crate::{Reason, Sha256};

const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const ANNOTATION: &str = "dev.cosignproject.cosign/signature";
/// Signatures of one image that are looked at.
const MOST: usize = 32;
/// Bytes of what is signed.
const LARGEST: usize = 64 << 10;

impl Session<'_> {
    /// Those of the image, and those of the indexes that it was found by.
    pub(super) async fn signatures(&mut self, resolved: &Resolved) -> Result<Vec<Signature>, Failure> {
        let mut signatures = Vec::new();
        for digest in resolved.checksum.iter().chain(&resolved.also) {
            self.signatures_of(*digest, &mut signatures).await?;
        }
        Ok(signatures)
    }

    async fn signatures_of(
        &mut self,
        digest: Sha256,
        signatures: &mut Vec<Signature>,
    ) -> Result<(), Failure> {
        let tag = format!("sha256-{digest}.sig");
        let manifest = match self.manifest(&tag).await {
            Ok((bytes, content_type)) => Manifest::read(&bytes, content_type.as_deref()),
            // Not signed.
            Err(failure) if failure.cause.reason == Reason::NotFound => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let unusable = |problem: String| Failure::lasting(Reason::Manifest, format!("{tag}: {problem}"));
        let Manifest::Image(image) = manifest.map_err(unusable)? else {
            return Err(unusable("an index, expected a manifest".to_owned()));
        };
        for layer in image.layers.iter().filter(|layer| layer.media_type == PAYLOAD) {
            if signatures.len() >= MOST {
                tracing::warn!(
                    place = self.place.host(),
                    tag,
                    "more than {MOST} signatures: the rest is left out"
                );
                return Ok(());
            }
            let signature = layer.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION));
            let digest =
                layer.digest.strip_prefix("sha256:").and_then(|digits| digits.parse::<Sha256>().ok());
            // What is no signature may still be beside one that is.
            let (Some(signature), Some(digest)) = (signature, digest) else { continue };
            signatures.push(Signature {
                payload: self.payload(digest).await?,
                signature: signature.clone(),
                place: format!("{}/{}:{tag}", self.place.host(), self.place.repository()),
            });
        }
        Ok(())
    }

    async fn payload(&mut self, digest: Sha256) -> Result<Bytes, Failure> {
        let answer = self.get(&format!("blobs/sha256:{digest}"), None).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refusal(answer).await);
        }
        let payload = answer.bytes(LARGEST, "a signature's payload", self.deadline).await?;
        let found = Sha256::of(&payload);
        if found != digest {
            let message = format!(
                "a signature's payload has the digest sha256:{found}, not sha256:{digest} of its manifest"
            );
            return Err(Failure::lasting(Reason::ChecksumMismatch, message));
        }
        Ok(payload.into())
    }
}
