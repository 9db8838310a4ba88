//! A library that has what a test says, when a test says so.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use meshloom_agent::{Held, Library, Pin, Reason, Sha256, Unavailable, Wanted};
use tokio::sync::Notify;

/// Modules by URL. A clone is the same library.
#[derive(Clone, Default)]
pub(crate) struct FakeLibrary(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    at_hand: HashMap<String, Held>,
    answers: HashMap<String, Result<Held, Unavailable>>,
    asked: Vec<Wanted>,
    given_up: usize,
}

/// A module as if it were on disk at `/modules/<what>.wasm`.
pub(crate) fn held(what: &str) -> Held {
    held_by(what, Pin::default())
}

/// The same, with something that lives as long as it is held.
pub(crate) fn held_by(what: &str, pin: Pin) -> Held {
    let sha256 = Sha256::of(what.as_bytes());
    Held { path: PathBuf::from(format!("/modules/{what}.wasm")), sha256, checksum: sha256, size: 8, pin }
}

/// A failure that may pass.
pub(crate) fn unreachable() -> Unavailable {
    Unavailable::new(Reason::Unreachable, "connection refused")
}

impl FakeLibrary {
    /// Is at hand from now on.
    pub(crate) fn has(&self, url: &str, held: Held) {
        self.0.state.lock().unwrap().at_hand.insert(url.to_owned(), held);
    }

    /// Is at hand no longer.
    pub(crate) fn loses(&self, url: &str) {
        self.0.state.lock().unwrap().at_hand.remove(url);
    }

    /// Every attempt for that URL ends so from now on, those that wait too. A module is at hand thereafter.
    pub(crate) fn answers(&self, url: &str, answer: Result<Held, Unavailable>) {
        self.0.state.lock().unwrap().answers.insert(url.to_owned(), answer);
        self.0.changed.notify_waiters();
    }

    /// All that has been asked for, in order.
    pub(crate) fn asked(&self) -> Vec<Wanted> {
        self.0.state.lock().unwrap().asked.clone()
    }

    /// How many attempts were dropped before they had ended.
    pub(crate) fn given_up(&self) -> usize {
        self.0.state.lock().unwrap().given_up
    }
}

/// Counts an attempt that is dropped while it waits.
struct Waiting {
    library: FakeLibrary,
    ended: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.ended {
            self.library.0.state.lock().unwrap().given_up += 1;
        }
    }
}

impl Library for FakeLibrary {
    /// By URL; and by checksum and URL for one that is pinned: another module under the same URL is not the one.
    fn at_hand(&self, wanted: &Wanted) -> Option<Held> {
        let held = self.0.state.lock().unwrap().at_hand.get(&wanted.url).cloned()?;
        wanted.checksum.is_none_or(|checksum| checksum == held.checksum).then_some(held)
    }

    fn obtain(&self, wanted: Wanted) -> BoxFuture<'static, Result<Held, Unavailable>> {
        let library = self.clone();
        library.0.state.lock().unwrap().asked.push(wanted.clone());
        async move {
            let mut waiting = Waiting { library: library.clone(), ended: false };
            loop {
                let changed = library.0.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                let answer = library.0.state.lock().unwrap().answers.get(&wanted.url).cloned();
                if let Some(answer) = answer {
                    if let Ok(held) = &answer {
                        library.has(&wanted.url, held.clone());
                    }
                    waiting.ended = true;
                    return answer;
                }
                changed.await;
            }
        }
        .boxed()
    }
}
