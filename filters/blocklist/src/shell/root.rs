//! The root context: it reads the configuration, and fetches lists.

use std::cell::{OnceCell, RefCell};
use std::rc::{Rc, Weak};

use filter_abi::buffer::{Buffer, Reader};
use filter_abi::header::{self, Map};
use filter_abi::{call, plugin, system};
use filter_kit::level::Level;
use filter_kit::reads::written;

use super::{Metrics, Ready, log, metrics};
use crate::config::{Action, Blocklist, Remote};
use crate::feed::{Answer, Feed, Head};
use crate::store::{Entries, Key, Precision};
use crate::text::{self, Refused};

/// How often lists are looked after, and requests counted, in milliseconds.
const TICK: u32 = 1000;

thread_local! {
    /// Of all configurations of this VM, so that a list that was fetched for one is of use to the next.
    static KEY: OnceCell<Key> = const { OnceCell::new() };
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// A list that was fetched, for as long as a configuration has it.
struct Known {
    remote: Remote,
    precision: Precision,
    entries: Weak<Entries>,
    etag: Option<Vec<u8>>,
}

/// A plugin in one configuration.
pub(super) struct Root {
    pub(super) ready: Rc<Ready>,
    /// With the places of their lists.
    feeds: Vec<(usize, Feed)>,
}

impl Root {
    /// Reads the configuration; `None`, and why in the log, if it is refused.
    pub(super) fn read(size: usize) -> Option<Self> {
        let key = KEY.with(|key| *key.get_or_init(|| Key::new(system::random())));
        let read = Blocklist::from_reader(|| Reader::of(Buffer::PluginConfiguration, size), key);
        if let Ok(blocklist) = &read {
            super::LEVEL.set(blocklist.log_level);
        }
        metrics::configured(read.as_ref().ok().map(|blocklist| blocklist.tag_style));
        let blocklist = match read {
            Ok(blocklist) => blocklist,
            Err(refusal) => {
                plugin::log_refusal(&refusal);
                return None;
            }
        };
        for warning in blocklist.warnings() {
            log(Level::Warn, warning);
        }
        let feeds = feeds(&blocklist);
        let ready = Ready { metrics: Metrics::of(&blocklist), blocklist, checked: 0.into() };
        for (place, list) in ready.blocklist.lists.iter().enumerate() {
            if let Some(metrics) = ready.metrics.list(place) {
                metrics.entries.set(list.count() as u64);
            }
        }
        system::tick_every(TICK);
        Some(Self { ready: Rc::new(ready), feeds })
    }

    pub(super) fn on_http_call_response(&mut self, token: u32, body_size: usize) {
        for (place, feed) in &mut self.feeds {
            if answered(&self.ready, *place, feed, token, body_size) {
                return;
            }
        }
    }

    pub(super) fn on_tick(&mut self) {
        let ready = &self.ready;
        ready.count_checked();
        for (place, feed) in &mut self.feeds {
            let due = feed.tick();
            let refresh = ready.metrics.list(*place).and_then(|metrics| metrics.refresh);
            if let (Some(refresh), Some(age)) = (refresh, feed.age()) {
                refresh.age.set(age.into());
            }
            let remote = ready.blocklist.lists.get(*place).and_then(|list| list.remote.as_ref());
            if let Some(remote) = remote.filter(|_| due) {
                let etag = feed.etag().filter(|etag| std::str::from_utf8(etag).is_ok());
                let lines = [
                    (&b":method"[..], &b"GET"[..]),
                    (b":path", remote.path.as_bytes()),
                    (b":authority", remote.authority.as_bytes()),
                ];
                let etag = etag.map(|etag| (&b"if-none-match"[..], etag));
                let headers = written(lines.into_iter().chain(etag));
                match call::send(&remote.cluster, &headers, &[], remote.timeout_ms.into()) {
                    Ok(call) => feed.sent(call),
                    Err(_) => fail(ready, *place, feed, "its cluster cannot be called; is it configured?"),
                }
            }
        }
    }
}

fn random() -> u32 {
    u32::from_le_bytes(system::random())
}

fn precision(action: Action) -> Precision {
    if action == Action::Allow { Precision::Names } else { Precision::Fingerprints }
}

/// A feed for each list that is fetched; one that another configuration of this VM has fetched is taken over.
fn feeds(blocklist: &Blocklist) -> Vec<(usize, Feed)> {
    let mut feeds = Vec::new();
    for (place, list) in blocklist.lists.iter().enumerate() {
        let Some(remote) = list.remote.as_ref().filter(|_| list.is_looked_at()) else { continue };
        let mut feed = Feed::new(remote, random());
        KNOWN.with_borrow_mut(|known| {
            known.retain(|known| known.entries.strong_count() > 0);
            let same = |known: &&Known| known.remote == *remote && known.precision == precision(list.action);
            if let Some(known) = known.iter().find(same)
                && let Some(entries) = known.entries.upgrade()
            {
                list.replace(entries);
                feed = feed.clone().resume(known.etag.clone());
            }
        });
        feeds.push((place, feed));
    }
    feeds
}

/// Takes an answer; false if it is to a call of another feed.
fn answered(ready: &Ready, place: usize, feed: &mut Feed, call: u32, size: usize) -> bool {
    let Some(list) = ready.blocklist.lists.get(place) else { return false };
    let Some(remote) = &list.remote else { return false };
    let header = |name: &str| header::first(Map::CallResponse, name.as_bytes(), <[u8]>::to_vec);
    let (status, etag, length) = (header(":status"), header("etag"), header("content-length"));
    let head = Head { status: status.as_deref(), etag: etag.as_deref(), length: length.as_deref() };
    let refresh = ready.metrics.list(place).and_then(|metrics| metrics.refresh);
    match feed.answered(call, head, size) {
        Answer::Unknown => return false,
        Answer::Unchanged => {
            feed.succeeded(remote, None, random());
            if let Some(refresh) = refresh {
                refresh.done.increment();
            }
        }
        Answer::Failed(why) => fail(ready, place, feed, why),
        Answer::Read => {
            let precision = precision(list.action);
            let open = || Reader::of(Buffer::CallResponseBody, size);
            match text::read(open, size, remote, ready.blocklist.key, precision) {
                Err(refused) => fail(ready, place, feed, &told(&refused)),
                Ok(loaded) => {
                    let entries = Rc::new(loaded.entries);
                    list.replace(Rc::clone(&entries));
                    feed.forget_etag();
                    feed.succeeded(remote, head.etag, random());
                    if let Some(refresh) = refresh {
                        refresh.done.increment();
                        refresh.bad_lines.set(loaded.bad_lines as u64);
                        refresh.age.set(0);
                    }
                    if let Some(metrics) = ready.metrics.list(place) {
                        metrics.entries.set(list.count() as u64);
                    }
                    let known = Known {
                        remote: remote.clone(),
                        precision,
                        entries: Rc::downgrade(&entries),
                        etag: feed.etag().map(<[u8]>::to_vec),
                    };
                    KNOWN.with_borrow_mut(|all| {
                        all.retain(|other| {
                            other.entries.strong_count() > 0
                                && (other.remote != known.remote || other.precision != known.precision)
                        });
                        all.push(known);
                    });
                }
            }
        }
    }
    true
}

/// The list stays as it is. Said once until a fetch succeeds: a server that is gone must not fill the log.
fn fail(ready: &Ready, place: usize, feed: &mut Feed, why: &str) {
    let Some(list) = ready.blocklist.lists.get(place) else { return };
    let Some(remote) = &list.remote else { return };
    if feed.is_well() {
        log(
            Level::Warn,
            &format!("list {} is not refreshed from cluster {:?}: {why}", list.name, remote.cluster),
        );
    }
    feed.failed(remote, random());
    ready.metrics.errors.increment();
    if let Some(refresh) = ready.metrics.list(place).and_then(|metrics| metrics.refresh) {
        refresh.errors.increment();
    }
}

/// What is wrong with a list, without a byte of it.
fn told(refused: &Refused) -> String {
    match refused {
        Refused::TooLarge => "it has more bytes than `max_bytes`".to_owned(),
        Refused::TooMany => "it has more entries than `max_entries`".to_owned(),
        Refused::Empty => "it has no entry".to_owned(),
        Refused::NoChecksum => "its last line is no checksum".to_owned(),
        Refused::WrongChecksum => "its checksum is that of other bytes".to_owned(),
        Refused::Truncated => "the answer is cut off".to_owned(),
        Refused::BadLines(count, first) => {
            let lines: Vec<String> =
                first.iter().map(|(line, expected)| format!("line {line}: expected {expected}")).collect();
            format!("{count} lines are no entries: {}", lines.join("; "))
        }
    }
}
