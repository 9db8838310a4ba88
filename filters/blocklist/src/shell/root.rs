//! The root context: it reads the configuration, and fetches lists.

use std::cell::{OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use filter_shell::buffer;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use super::stream::Stream;
use super::{Metrics, Ready};
use crate::config::{Action, Blocklist, Remote};
use crate::feed::{Answer, Feed, Head};
use crate::store::{Entries, Key, Precision};
use crate::text::{self, Refused};

/// How often lists are looked after, and requests counted.
const TICK: Duration = Duration::from_secs(1);

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

#[derive(Default)]
pub(super) struct Root {
    ready: Option<Rc<Ready>>,
    /// With the places of their lists.
    feeds: Vec<(usize, Feed)>,
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, _: usize, body_size: usize, _: usize) {
        let Some(ready) = &self.ready else { return };
        for (place, feed) in &mut self.feeds {
            if answered(ready, *place, feed, token, body_size) {
                return;
            }
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let key = KEY.with(|key| *key.get_or_init(|| Key::new(filter_shell::random())));
        let read = Blocklist::from_reader(|| buffer::plugin_configuration(size), key);
        if let Ok(blocklist) = &read {
            filter_shell::log_from(blocklist.log_level);
            filter_shell::metric::set_style(blocklist.tag_style);
        }
        filter_shell::configured("blocklist", read.is_ok());
        let blocklist = match read {
            Ok(blocklist) => blocklist,
            Err(refusal) => {
                for problem in refusal.problems() {
                    log::error!("{problem}");
                }
                return false;
            }
        };
        for warning in blocklist.warnings() {
            log::warn!("{warning}");
        }
        self.feeds = feeds(&blocklist);
        let ready = Ready { metrics: Metrics::of(&blocklist), blocklist, checked: 0.into() };
        for (place, list) in ready.blocklist.lists.iter().enumerate() {
            if let Some(metrics) = ready.metrics.list(place) {
                metrics.entries.set(list.count() as u64);
            }
        }
        self.ready = Some(Rc::new(ready));
        self.set_tick_period(TICK);
        true
    }

    fn on_tick(&mut self) {
        let Some(ready) = &self.ready else { return };
        ready.count_checked();
        for (place, feed) in &mut self.feeds {
            let due = feed.tick();
            let refresh = ready.metrics.list(*place).and_then(|metrics| metrics.refresh);
            if let (Some(refresh), Some(age)) = (refresh, feed.age()) {
                refresh.age.set(age.into());
            }
            let remote = ready.blocklist.lists.get(*place).and_then(|list| list.remote.as_ref());
            if let Some(remote) = remote.filter(|_| due) {
                let mut headers = vec![
                    (":method", "GET"),
                    (":path", remote.path.as_str()),
                    (":authority", remote.authority.as_str()),
                ];
                if let Some(etag) = feed.etag().and_then(|etag| std::str::from_utf8(etag).ok()) {
                    headers.push(("if-none-match", etag));
                }
                let timeout = Duration::from_millis(remote.timeout_ms.into());
                match proxy_wasm::hostcalls::dispatch_http_call(
                    &remote.cluster,
                    headers,
                    None,
                    vec![],
                    timeout,
                ) {
                    Ok(call) => feed.sent(call),
                    Err(_) => fail(ready, *place, feed, "its cluster cannot be called; is it configured?"),
                }
            }
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        self.ready.as_ref().map(|ready| Box::new(Stream::new(Rc::clone(ready))) as Box<dyn HttpContext>)
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

fn random() -> u32 {
    let [a, b, c, d, ..] = filter_shell::random();
    u32::from_le_bytes([a, b, c, d])
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
    let header = buffer::http_call_response_header;
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
            let open = || buffer::http_call_response_body(size);
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
        log::warn!("list {} is not refreshed from cluster {:?}: {why}", list.name, remote.cluster);
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
