//! What is counted.

use std::cell::{Cell, RefCell};

use filter_abi::metric::{self, Kind};
use filter_kit::metric::{Defined, TagStyle, name};

use super::LEVEL;
use crate::config::{Blocklist, List};

const FILTER: &str = "blocklist";

thread_local! {
    /// A configuration change makes a new root context in the same VM, which must not define again.
    static DEFINED: RefCell<Defined> = const { RefCell::new(Defined::new()) };
    /// How metrics are named: the last configuration counts.
    static STYLE: Cell<TagStyle> = const { Cell::new(TagStyle::Flat) };
}

/// A number that only goes up.
#[derive(Clone, Copy)]
pub(super) struct Counter(Option<u32>);

/// A number that is set.
#[derive(Clone, Copy)]
pub(super) struct Gauge(Option<u32>);

impl Counter {
    pub(super) fn increment(self) {
        self.add(1);
    }

    pub(super) fn add(self, count: u64) {
        if let (Some(id), Ok(count)) = (self.0, i64::try_from(count)) {
            metric::add(id, count);
        }
    }
}

impl Gauge {
    /// Every worker thread's VM writes the same gauge: the last one wins.
    pub(super) fn set(self, value: u64) {
        if let Some(id) = self.0 {
            metric::record(id, value);
        }
    }
}

fn define(kind: Kind, what: &str) -> Option<u32> {
    let name = STYLE.get().name(FILTER, &name(FILTER, what));
    DEFINED.with_borrow_mut(|defined| metric::once(defined, LEVEL.get(), kind, &name))
}

fn counter(what: &str) -> Counter {
    Counter(define(Kind::Counter, what))
}

/// Counts a configuration: one that was read has a style of names. Every VM reads each: the one that tries it first, and one
/// for each worker.
pub(super) fn configured(read: Option<TagStyle>) {
    STYLE.set(read.unwrap_or(STYLE.get()));
    // All are there from the start, so that a rate of any can be asked for.
    let [loads, rejects, _] = ["config_loads_total", "config_rejects_total", "errors_total"].map(counter);
    if read.is_some() { loads.increment() } else { rejects.increment() }
}

/// Metrics of a configuration.
pub(super) struct Metrics {
    pub(super) checked: Counter,
    pub(super) denied: Counter,
    pub(super) reported: Counter,
    pub(super) excepted: Counter,
    pub(super) malformed: Counter,
    pub(super) missing: Counter,
    pub(super) misdirected: Counter,
    pub(super) errors: Counter,
    /// By the list's place.
    lists: Vec<OfList>,
}

/// Metrics of a list.
#[derive(Clone, Copy)]
pub(super) struct OfList {
    pub(super) denied: Counter,
    pub(super) reported: Counter,
    pub(super) excepted: Counter,
    pub(super) entries: Gauge,
    pub(super) refresh: Option<Refresh>,
}

/// Metrics of a list that is fetched.
#[derive(Clone, Copy)]
pub(super) struct Refresh {
    pub(super) done: Counter,
    pub(super) errors: Counter,
    pub(super) bad_lines: Gauge,
    pub(super) age: Gauge,
}

impl Metrics {
    pub(super) fn of(blocklist: &Blocklist) -> Self {
        let counter = |what: &str| counter(&[what, "_total"].concat());
        Self {
            checked: counter("checked"),
            denied: counter("denied"),
            reported: counter("reported"),
            excepted: counter("allowed_by_exception"),
            malformed: counter("malformed_host"),
            missing: counter("missing_host"),
            misdirected: counter("sni_mismatch"),
            errors: counter("errors"),
            lists: blocklist.lists.iter().map(OfList::of).collect(),
        }
    }

    pub(super) fn list(&self, place: usize) -> Option<&OfList> {
        self.lists.get(place)
    }
}

impl OfList {
    fn of(list: &List) -> Self {
        let name = |before: &str, after: &str| [before, "_", &list.name, after].concat();
        let counter = |before: &str| counter(&name(before, "_total"));
        let gauge = |before: &str, after: &str| Gauge(define(Kind::Gauge, &name(before, after)));
        Self {
            denied: counter("denied"),
            reported: counter("reported"),
            excepted: counter("allowed_by_exception"),
            entries: gauge("entries", ""),
            refresh: list.remote.as_ref().map(|_| Refresh {
                done: counter("refreshes"),
                errors: counter("refresh_errors"),
                bad_lines: gauge("bad_lines", ""),
                age: gauge("age", "_seconds"),
            }),
        }
    }
}
