//! What is counted.

use filter_shell::metric::{self, Counter, Gauge};

use crate::config::{Blocklist, List};

const FILTER: &str = "blocklist";

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
        let counter = |what: &str| metric::counter_of(FILTER, &[what, "_total"].concat());
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
        let counter = |before: &str| metric::counter_of(FILTER, &name(before, "_total"));
        let gauge = |before: &str, after: &str| metric::gauge_of(FILTER, &name(before, after));
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
