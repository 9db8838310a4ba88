//! How a module that is not on disk is obtained.

use std::sync::Arc;

use super::address::{Address, Scheme};
use super::obtaining::{Key, Landed, blocking};
use super::patience::Told;
use super::shelf::Inner;
use super::{Reason, Unavailable};
use crate::fetch::{Downloaded, Progress as _, Resolved, Stage};
use crate::status::FetchResult;
use crate::store::Source;
use crate::store::bundle::Entry;
use crate::trust::{Policy, Rule, Signature};
use crate::{Sha256, Wanted};

/// Fetches, checks and stores.
pub(super) async fn fetch(
    inner: Arc<Inner>,
    wanted: Wanted,
    address: Address,
    key: Key,
    told: Told,
) -> Result<Landed, Unavailable> {
    if let Some(entry) = inner.bundle.as_ref().and_then(|bundle| bundle.find(&wanted.url, address.pinned)) {
        let entry = entry.clone();
        return blocking(move || unpack(&inner, &entry, &wanted, &address)).await;
    }
    if inner.offline {
        let message = format!("{} is not in the store, and the agent works without network", address.shown);
        return Err(Unavailable::new(Reason::Offline, message));
    }
    // Other agents of this store may be at it.
    let lock = inner.store.flight(&key.digest()).await?;
    let known = {
        let (inner, wanted, address) = (inner.clone(), wanted.clone(), address.clone());
        blocking(move || {
            inner.store.refresh()?;
            inner.find_on_disk(&wanted, &address)
        })
        .await?
    };
    let landed = match known {
        Some(landed) => landed,
        None => from_network(&inner, &wanted, &address, &told).await?,
    };
    drop(lock);
    Ok(landed)
}

async fn from_network(
    inner: &Arc<Inner>,
    wanted: &Wanted,
    address: &Address,
    told: &Told,
) -> Result<Landed, Unavailable> {
    let resolved =
        inner.fetcher.resolve(wanted).await.inspect_err(|error| inner.count_failure(error, address, true))?;
    let digests: Vec<Sha256> = resolved.checksum.iter().chain(&resolved.also).copied().collect();
    if let (Some(pinned), Some(found)) = (address.pinned, resolved.checksum)
        && !digests.contains(&pinned)
    {
        inner.metrics.fetch(FetchResult::ChecksumMismatched);
        return Err(mismatch(address, &found, &pinned));
    }
    let signers = signers(inner, wanted, address, &resolved).await?;
    let checksum = address.pinned.or(resolved.checksum);
    // The same manifest may be there by another tag, or for somebody else.
    if address.scheme == Scheme::Oci
        && let Some(checksum) = checksum
    {
        let (inner, wanted, address) = (inner.clone(), wanted.clone(), address.clone());
        let (digests, signers) = (digests.clone(), signers.clone());
        let there = blocking(move || there(&inner, &wanted, &address, checksum, &digests, &signers)).await?;
        if let Some(landed) = there {
            return Ok(landed);
        }
    }
    let image = resolved.checksum.map(|digest| address.source(digest));
    if let Some(why) = image.and_then(|image| inner.refused.get(&image)) {
        return Err(why);
    }
    let landed = downloaded(inner, wanted, address, &resolved, digests, &signers, told).await;
    if let (Some(image), Err(why)) = (image, &landed) {
        inner.refused.note(image, why);
    }
    landed
}

async fn downloaded(
    inner: &Arc<Inner>,
    wanted: &Wanted,
    address: &Address,
    resolved: &Resolved,
    digests: Vec<Sha256>,
    signers: &[Sha256],
    told: &Told,
) -> Result<Landed, Unavailable> {
    let folder = inner.store.download_folder();
    let downloaded = inner
        .fetcher
        .download(wanted, resolved, &folder, told)
        .await
        .inspect_err(|error| inner.count_failure(error, address, false))?;
    told.reached(Stage::Landed);
    let (inner, wanted, address, signers) =
        (inner.clone(), wanted.clone(), address.clone(), signers.to_vec());
    blocking(move || accept(&inner, &wanted, &address, digests, downloaded, &signers)).await
}

/// The module if the store has it by any of those digests. Blocks.
fn there(
    inner: &Inner,
    wanted: &Wanted,
    address: &Address,
    checksum: Sha256,
    digests: &[Sha256],
    signers: &[Sha256],
) -> Result<Option<Landed>, Unavailable> {
    for digest in std::iter::once(&checksum).chain(digests) {
        let Some(held) = inner.on_disk(&address.source(*digest))? else { continue };
        let source = address.source(checksum);
        if *digest != checksum {
            inner.store.add_source(source, held.sha256)?;
        }
        let Some(held) = inner.on_disk(&source)? else { continue };
        inner.admit(&held.sha256, &held.path, &address.shown)?;
        note(inner, wanted, address, &source, signers);
        return Ok(Some(Landed { held, source }));
    }
    Ok(None)
}

/// Checks a download, and puts it into the store. Blocks.
fn accept(
    inner: &Inner,
    wanted: &Wanted,
    address: &Address,
    digests: Vec<Sha256>,
    downloaded: Downloaded,
    signers: &[Sha256],
) -> Result<Landed, Unavailable> {
    // Of HTTP it is only known now.
    let digests = if digests.is_empty() { vec![downloaded.sha256] } else { digests };
    if let Some(pinned) = address.pinned.filter(|pinned| !digests.contains(pinned)) {
        inner.metrics.fetch(FetchResult::ChecksumMismatched);
        return Err(mismatch(address, &downloaded.sha256, &pinned));
    }
    let admitted = inner.admit(&downloaded.sha256, downloaded.file.path(), &address.shown);
    admitted.inspect_err(|_| inner.metrics.fetch(FetchResult::FetchFailure))?;
    let mut checksums: Vec<Sha256> = address.pinned.into_iter().collect();
    checksums.extend(digests.into_iter().filter(|digest| Some(*digest) != address.pinned));
    let sources: Vec<Source> = checksums.iter().map(|checksum| address.source(*checksum)).collect();
    let held = inner.store.put(downloaded, &sources)?;
    for source in &sources {
        note(inner, wanted, address, source, signers);
    }
    inner.metrics.fetch(FetchResult::Success);
    inner.count();
    let source = address.source(held.checksum);
    Ok(Landed { held, source })
}

/// Takes a module out of an offline set. Blocks.
fn unpack(inner: &Inner, entry: &Entry, wanted: &Wanted, address: &Address) -> Result<Landed, Unavailable> {
    let resolved = Resolved { checksum: Some(entry.checksum), ..Resolved::default() };
    let signers = judge(inner, wanted, address, &resolved, Ok(entry.signatures.clone()))?;
    let downloaded = entry.copy_to(&inner.store.download_folder())?;
    accept(inner, wanted, address, vec![entry.checksum], downloaded, &signers)
}

fn note(inner: &Inner, wanted: &Wanted, address: &Address, source: &Source, signers: &[Sha256]) {
    if address.scheme == Scheme::Oci {
        inner.store.granted(*source, &inner.credentials(wanted, address));
        inner.store.signed(*source, signers);
    }
}

/// Who has signed what was resolved, as far as anybody wants to know.
async fn signers(
    inner: &Inner,
    wanted: &Wanted,
    address: &Address,
    resolved: &Resolved,
) -> Result<Vec<Sha256>, Unavailable> {
    let found = match address.scheme {
        Scheme::Oci if !inner.rules(wanted, address).is_empty() => {
            inner.fetcher.signatures(wanted, resolved).await
        }
        _ => Ok(Vec::new()),
    };
    judge(inner, wanted, address, resolved, found)
}

/// Whether what was resolved may be used, by its signatures: the fingerprints of the keys that count.
fn judge(
    inner: &Inner,
    wanted: &Wanted,
    address: &Address,
    resolved: &Resolved,
    found: Result<Vec<Signature>, Unavailable>,
) -> Result<Vec<Sha256>, Unavailable> {
    let mut signers = Vec::new();
    for rule in inner.rules(wanted, address) {
        match judged(&rule, address, resolved, &found) {
            Err(error) if rule.policy() == Policy::Enforce => return Err(error),
            Err(error) => tracing::warn!("{error}"),
            Ok(keys) => signers.extend(keys),
        }
    }
    Ok(signers)
}

/// The same by one rule.
fn judged(
    rule: &Rule,
    address: &Address,
    resolved: &Resolved,
    found: &Result<Vec<Signature>, Unavailable>,
) -> Result<Vec<Sha256>, Unavailable> {
    let unsigned = |why: String| Unavailable::new(Reason::Unsigned, why);
    match (address.scheme, resolved.checksum) {
        (Scheme::Http, _) if address.pinned.is_some() => Ok(Vec::new()),
        (Scheme::Http, _) => Err(unsigned(format!(
            "{} has to be signed, which is not possible over HTTP: pin it by sha256",
            address.shown
        ))),
        (Scheme::Oci, None) => {
            Err(unsigned(format!("{} has no manifest that could be signed", address.shown)))
        }
        (Scheme::Oci, Some(digest)) => {
            let found = found.as_ref().map_err(Unavailable::clone)?;
            rule.check(found, &digest, &address.reference).map_err(unsigned)
        }
    }
}

fn mismatch(address: &Address, found: &Sha256, pinned: &Sha256) -> Unavailable {
    Unavailable::new(
        Reason::ChecksumMismatch,
        format!(
            "module downloaded from {} has checksum {found}, which does not match: {pinned}",
            address.shown
        ),
    )
}

impl Inner {
    fn count_failure(&self, error: &Unavailable, address: &Address, resolving: bool) {
        self.metrics.fetch(match error.reason {
            Reason::ChecksumMismatch => FetchResult::ChecksumMismatched,
            Reason::NotAModule => FetchResult::FetchFailure,
            Reason::Manifest => FetchResult::ManifestFailure,
            _ if resolving && address.scheme == Scheme::Oci => FetchResult::ManifestFailure,
            _ => FetchResult::DownloadFailure,
        });
    }
}
