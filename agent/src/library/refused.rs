//! Images whose module was downloaded and is of no use.
//!
//! A manifest's digest says what its layer is. As long as a tag means the same manifest, what comes is the same, and is
//! not downloaded again to see the same once more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::Source;
use crate::{Reason, Unavailable};

/// How many are remembered.
const MOST: usize = 1_000;
/// A layer that is not what its manifest says may be put right without another manifest. It is looked at again after that.
const MISMATCH: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(super) struct Refused(Mutex<HashMap<Source, (Unavailable, Option<Instant>)>>);

impl Refused {
    /// Why that image is of no use, if it is known.
    pub(super) fn get(&self, image: &Source) -> Option<Unavailable> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (why, until) = known.get(image)?;
        until.is_none_or(|until| Instant::now() < until).then(|| why.clone())
    }

    /// It was looked at. Remembered if it would be the same another time.
    pub(super) fn note(&self, image: Source, why: &Unavailable) {
        let until = match why.reason {
            Reason::NotAModule | Reason::TooLarge => None,
            Reason::ChecksumMismatch => Some(Instant::now() + MISMATCH),
            _ => return,
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(&image) {
            // Whichever: it costs a download at most.
            let any = known.keys().next().copied();
            any.and_then(|any| known.remove(&any));
        }
        known.insert(image, (why.clone(), until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sha256;

    fn image(number: usize) -> Source {
        Source { name: Sha256::of(b"a"), checksum: Sha256::of(&number.to_le_bytes()) }
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_image_is_stays_so_and_what_came_in_its_place_may_not() {
        let refused = Refused::default();
        for (number, reason) in
            [Reason::NotAModule, Reason::TooLarge, Reason::ChecksumMismatch, Reason::Unreachable]
                .into_iter()
                .enumerate()
        {
            refused.note(image(number), &Unavailable::new(reason, "no"));
        }
        let known = || [0, 1, 2, 3].map(|number| refused.get(&image(number)).map(|why| why.reason));
        let (module, large) = (Some(Reason::NotAModule), Some(Reason::TooLarge));
        assert_eq!(known(), [module, large, Some(Reason::ChecksumMismatch), None]);
        tokio::time::sleep(MISMATCH).await;
        assert_eq!(known(), [module, large, None, None]);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let refused = Refused::default();
        for number in 0..MOST + 10 {
            refused.note(image(number), &Unavailable::new(Reason::NotAModule, "no"));
        }
        assert_eq!(refused.0.lock().unwrap().len(), MOST);
        assert!(refused.get(&image(MOST + 9)).is_some());
    }
}
