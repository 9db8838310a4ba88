//! Which modules have to go, and how.

use std::fs::{self, File};
use std::io;
use std::time::SystemTime;

use super::folder::{remove, sync};
use super::journal::Record;
use super::open::{Writer, sweep};
use super::{Step, Store, disk, lock, micros};
use crate::{Sha256, Unavailable};

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Modules.
    pub modules: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that nobody knew.
    pub orphans: u64,
}

/// A module that may have to go.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    sha256: Sha256,
    size: u64,
    used: u64,
}

impl Store {
    /// Removes what no agent uses: what was not asked for since the expiry, then, as long as there are more bytes than
    /// there may be, what was not asked for longest. Also files that nobody knows, once they are as old as that.
    ///
    /// # Errors
    ///
    /// [`crate::Reason::Disk`], if the store cannot be locked or its journal not be written.
    pub fn gc(&self, now: SystemTime) -> Result<Collected, Unavailable> {
        let mut writer = self.writer();
        let _lock = self.locked(&writer)?;
        self.catch_up(&mut writer)?;
        sweep(self.files.folder());
        // A change that failed half-way may have left what is not known.
        self.scan().map_err(|error| disk(self.files.folder().root(), "cannot look through", &error))?;
        let expired = micros(now).saturating_sub(u64::try_from(self.expiry.as_micros()).unwrap_or(u64::MAX));
        let mut collected = self.evict_all(&mut writer, None, 0, expired)?;
        collected.orphans = self.remove_orphans(expired);
        self.compact(&mut writer)?;
        Ok(collected)
    }

    /// Removes what was not asked for longest until a module of so many bytes has room, or no more can be removed.
    pub(super) fn make_room(
        &self,
        writer: &mut Writer,
        incoming: &Sha256,
        size: u64,
    ) -> Result<(), Unavailable> {
        self.evict_all(writer, Some(incoming), size, 0).map(drop)
    }

    fn evict_all(
        &self,
        writer: &mut Writer,
        incoming: Option<&Sha256>,
        size: u64,
        expired: u64,
    ) -> Result<Collected, Unavailable> {
        let candidates = {
            let state = self.files.state();
            state
                .modules()
                .filter(|(sha256, _)| Some(sha256) != incoming)
                .map(|(sha256, module)| Candidate { sha256, size: module.size, used: module.used })
                .collect()
        };
        let mut collected = Collected::default();
        let mut gone = Vec::new();
        let mut in_use = Vec::new();
        choose(candidates, self.bytes, size, expired, |candidate| match self.evict(&candidate.sha256) {
            Ok(true) => {
                collected.modules += 1;
                collected.bytes = collected.bytes.saturating_add(candidate.size);
                gone.push(Record::Forget { sha256: candidate.sha256 });
                true
            }
            Ok(false) => {
                in_use.push(candidate.sha256);
                false
            }
            Err(error) => {
                tracing::warn!(sha256 = %candidate.sha256, %error, "a module cannot be removed from the store");
                false
            }
        });
        // Or it would have expired on the very day on which it is no longer used.
        in_use.iter().for_each(|sha256| self.files.state().touch(sha256));
        self.write(writer, &gone)?;
        Ok(collected)
    }

    /// Removes the module's files unless any agent uses it.
    fn evict(&self, sha256: &Sha256) -> io::Result<bool> {
        let blob = self.files.folder().blob(sha256);
        let _alone = match File::open(&blob) {
            Ok(file) if lock::try_exclusive(&file)? => Some(file),
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        self.remove_files(sha256)?;
        Ok(true)
    }

    fn remove_files(&self, sha256: &Sha256) -> io::Result<()> {
        let folder = self.files.folder();
        let sources: Vec<_> = self.files.state().sources_of(sha256).collect();
        for source in sources {
            remove(&folder.path(&source))?;
            // Other modules of that name may be there.
            let _ = fs::remove_dir(folder.folder_of(&source));
        }
        self.step(Step::Unlinked)?;
        remove(&folder.blob(sha256))?;
        self.step(Step::BlobRemoved)?;
        sync(&folder.blobs())
    }

    /// Removes a module that is not what it was, whoever uses it.
    pub(super) fn forget(&self, sha256: Sha256) -> Result<(), Unavailable> {
        let mut writer = self.writer();
        let _lock = self.locked(&writer)?;
        self.catch_up(&mut writer)?;
        self.remove_files(&sha256)
            .map_err(|error| disk(&self.files.folder().blob(&sha256), "cannot remove", &error))?;
        self.write(&mut writer, &[Record::Forget { sha256 }])
    }

    /// Files with names of ours that are no module of ours, such as another agent's before this one.
    fn remove_orphans(&self, expired: u64) -> u64 {
        let folder = self.files.folder();
        let mut removed = 0;
        for source in folder.sources().unwrap_or_default() {
            let path = folder.path(&source);
            let old = fs::symlink_metadata(&path)
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|modified| micros(modified) < expired);
            if self.files.knows(&source) || !old {
                continue;
            }
            match remove(&path) {
                Ok(()) => removed += 1,
                Err(error) => tracing::warn!(path = %path.display(), %error, "an old file cannot be removed"),
            }
            let _ = fs::remove_dir(folder.folder_of(&source));
        }
        removed
    }
}

/// Tries those to be removed, those first that were not asked for longest: the expired, and others while there are more
/// bytes than there may be. `evict` says whether it could be.
fn choose(
    mut candidates: Vec<Candidate>,
    most: u64,
    incoming: u64,
    expired: u64,
    mut evict: impl FnMut(&Candidate) -> bool,
) {
    candidates.sort_by_key(|candidate| (candidate.used, candidate.sha256));
    let mut bytes = candidates.iter().fold(incoming, |sum, candidate| sum.saturating_add(candidate.size));
    for candidate in candidates {
        if (candidate.used < expired || bytes > most) && evict(&candidate) {
            bytes = bytes.saturating_sub(candidate.size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Modules by size, in the order of their last use: microsecond 0, 1, …
    fn chosen(sizes: &[u64], most: u64, incoming: u64, expired: u64, pinned: &[u64]) -> Vec<u64> {
        let of = |used: usize, size: &u64| Candidate {
            sha256: Sha256::of(&used.to_le_bytes()),
            size: *size,
            used: used as u64,
        };
        let candidates = sizes.iter().enumerate().map(|(used, size)| of(used, size)).rev().collect();
        let mut chosen = Vec::new();
        choose(candidates, most, incoming, expired, |candidate| {
            let free = !pinned.contains(&candidate.used);
            chosen.extend(free.then_some(candidate.used));
            free
        });
        chosen
    }

    #[test]
    fn nothing_goes_while_there_is_room() {
        assert_eq!(chosen(&[10, 10, 10], 40, 10, 0, &[]), [0_u64; 0]);
    }

    #[test]
    fn what_was_not_asked_for_longest_goes_first_and_no_more_than_must() {
        assert_eq!(chosen(&[10, 10, 10], 40, 11, 0, &[]), [0]);
        assert_eq!(chosen(&[10, 10, 10], 30, 15, 0, &[]), [0, 1]);
    }

    #[test]
    fn what_is_in_use_stays_even_above_the_bound() {
        assert_eq!(chosen(&[10, 10, 10], 5, 10, 0, &[0, 2]), [1]);
        assert_eq!(chosen(&[10, 10, 10], 5, 10, 9, &[0, 1, 2]), [0_u64; 0]);
    }

    #[test]
    fn what_has_expired_goes_though_there_is_room() {
        assert_eq!(chosen(&[10, 10, 10], 1000, 0, 2, &[]), [0, 1]);
    }
}
