//! When a list is fetched, and what becomes of an answer.

use crate::config::Remote;

/// The fetches of one list. Time is counted in ticks of a second: no clock can step back under it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// Ticks until the next fetch.
    wait: u32,
    /// The call that is under way.
    call: Option<u32>,
    /// How many fetches failed since one succeeded.
    failures: u32,
    /// What the list that is in force was called.
    etag: Option<Vec<u8>>,
    /// Ticks since it was last known to be current.
    age: Option<u32>,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'a> {
    /// Value of `:status`; none if there was no answer.
    pub status: Option<&'a [u8]>,
    /// Value of `etag`.
    pub etag: Option<&'a [u8]>,
    /// Value of `content-length`.
    pub length: Option<&'a [u8]>,
}

/// What is to be done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: it is none of this list.
    Unknown,
    /// The body is to be read.
    Read,
    /// The list that is in force is the current one.
    Unchanged,
    /// It was no list.
    Failed(&'static str),
}

/// The longest etag that is kept, in bytes.
const MAX_ETAG: usize = 1024;

impl Feed {
    /// Fetches of a list that begin after a time by chance: workers that start at once do not ask at once.
    pub fn new(remote: &Remote, random: u32) -> Self {
        Self { wait: 1 + random % (1 + (remote.interval_s / 10).min(5)), ..Self::default() }
    }

    /// Goes on with a list that was fetched before, for another configuration of the same VM.
    pub fn resume(self, etag: Option<Vec<u8>>) -> Self {
        Self { etag, age: Some(0), ..self }
    }

    /// A second has passed. Answers whether the list is to be fetched now.
    pub fn tick(&mut self) -> bool {
        self.age = self.age.map(|age| age.saturating_add(1));
        self.wait = self.wait.saturating_sub(1);
        self.wait == 0 && self.call.is_none()
    }

    /// Seconds since the list was last known to be current.
    pub fn age(&self) -> Option<u32> {
        self.age
    }

    /// Whether the last fetch succeeded, or there was none yet.
    pub fn is_well(&self) -> bool {
        self.failures == 0
    }

    /// What the list that is in force was called.
    pub fn etag(&self) -> Option<&[u8]> {
        self.etag.as_deref()
    }

    /// It was asked for.
    pub fn sent(&mut self, call: u32) {
        self.call = Some(call);
    }

    /// An answer came.
    pub fn answered(&mut self, call: u32, head: Head<'_>, size: usize) -> Answer {
        if self.call != Some(call) {
            return Answer::Unknown;
        }
        self.call = None;
        match head.status {
            Some(b"200") => {
                let length =
                    head.length.and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
                match length {
                    Some(length) if length != size => Answer::Failed("the answer is cut off"),
                    _ => Answer::Read,
                }
            }
            // Only what was asked for by its etag can be unchanged.
            Some(b"304") if self.etag.is_some() => Answer::Unchanged,
            Some(_) => Answer::Failed("the answer's status is not 200"),
            None => Answer::Failed("there was no answer"),
        }
    }

    /// The list that is in force is the current one; `etag` is what a new one is called.
    pub fn succeeded(&mut self, remote: &Remote, etag: Option<&[u8]>, random: u32) {
        if let Some(etag) = etag {
            self.etag = Some(etag.to_vec()).filter(|etag| (1..=MAX_ETAG).contains(&etag.len()));
        }
        self.failures = 0;
        self.age = Some(0);
        self.wait = remote.interval_s + random % (1 + remote.interval_s / 10);
    }

    /// The fetch failed. The next is tried the later the more failed, and no later than it would be anyway.
    pub fn failed(&mut self, remote: &Remote, random: u32) {
        self.call = None;
        let wait = 1_u32.checked_shl(self.failures.min(16)).unwrap_or(u32::MAX).min(remote.interval_s);
        self.wait = wait + random % (1 + wait / 10);
        self.failures = self.failures.saturating_add(1);
    }

    /// A list was taken that has no etag.
    pub fn forget_etag(&mut self) {
        self.etag = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Checksum;

    fn remote(interval_s: u32) -> Remote {
        Remote {
            cluster: "lists".into(),
            authority: "lists.test".into(),
            path: "/".into(),
            interval_s,
            timeout_ms: 1000,
            max_bytes: 1000,
            max_entries: 1000,
            max_bad_lines: 0,
            checksum: Checksum::IfPresent,
            passes_before: false,
        }
    }

    fn ticks_until_due(feed: &mut Feed) -> u32 {
        (1..10_000).find(|_| feed.tick()).unwrap()
    }

    #[test]
    fn the_first_fetch_is_soon_and_not_at_once_everywhere() {
        let first = |random| ticks_until_due(&mut Feed::new(&remote(300), random));
        let spread: std::collections::BTreeSet<u32> = (0..100).map(first).collect();
        assert_eq!(spread.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(ticks_until_due(&mut Feed::new(&remote(1), 77)), 1);
    }

    #[test]
    fn nothing_is_fetched_while_a_fetch_is_under_way() {
        let mut feed = Feed::new(&remote(1), 0);
        assert!(feed.tick());
        feed.sent(7);
        assert!((0..100).all(|_| !feed.tick()));
        assert_eq!(feed.answered(8, Head::default(), 0), Answer::Unknown);
        assert_eq!(feed.answered(7, Head { status: Some(b"200"), ..Head::default() }, 3), Answer::Read);
        feed.succeeded(&remote(1), None, 0);
        assert!(feed.tick());
    }

    #[test]
    fn failures_are_tried_again_later_and_later() {
        let mut feed = Feed::new(&remote(60), 0);
        let waits: Vec<u32> = (0..9)
            .map(|_| {
                feed.failed(&remote(60), 0);
                ticks_until_due(&mut feed)
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        feed.succeeded(&remote(60), Some(b"\"a\""), 6);
        assert_eq!((ticks_until_due(&mut feed), feed.age()), (66, Some(66)));
    }

    #[test]
    fn answers_are_told_apart() {
        let answer = |etag: Option<&[u8]>, status: Option<&[u8]>, length: Option<&[u8]>| {
            let mut feed = Feed::new(&remote(60), 0);
            feed.succeeded(&remote(60), etag, 0);
            feed.sent(1);
            feed.answered(1, Head { status, etag: None, length }, 10)
        };
        assert_eq!(answer(None, Some(b"200"), Some(b"10")), Answer::Read);
        assert_eq!(answer(None, Some(b"200"), None), Answer::Read);
        assert_eq!(answer(Some(b"\"a\""), Some(b"304"), None), Answer::Unchanged);
        for (etag, status, length) in [
            (None, Some(&b"304"[..]), None),
            (None, Some(b"200"), Some(&b"11"[..])),
            (None, Some(b"500"), None),
            (None, Some(b"206"), None),
            (None, Some(b""), None),
            (None, None, None),
        ] {
            assert!(matches!(answer(etag, status, length), Answer::Failed(_)), "{status:?}");
        }
    }

    #[test]
    fn an_etag_that_nobody_would_send_again_is_not_kept() {
        let mut feed = Feed::new(&remote(60), 0);
        feed.succeeded(&remote(60), Some(&[b'a'; 1025]), 0);
        assert_eq!(feed.etag(), None);
    }
}
