//! What the cases of a folder are asked, and what must then be seen of each: `bench.yaml`.
//!
//! ```yaml
//! path: /api/items?user=7                   # of every request; `/` unless given
//! request: { host: shop.example.com }       # headers of every request, beside `user-agent` and `accept`
//! response: { x-powered-by: it }            # headers of the answer before any filter has seen it
//! cases:
//!   ten-mixed:
//!     request: { x-new: "1", x-old: null }  # headers as the filters left them; null: not there
//!     response: { vary: origin }            # headers as the client got them
//!     counts: { wasm_x_total: 1 }           # by how much one request makes a counter of a module grow
//!     refuses: [listed.example.com]         # hosts that are answered 403 or 451
//!     lacks: [topsecret]                    # what must not be in the body
//! ```
//!
//! A configuration that is asked nothing it cares about costs nothing, and a filter that is broken less than that. So
//! no case is measured of which nothing is said here, and each variant of it, ours or not, has to show the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::cases::filled;
use crate::load::Question;

/// The name of the file.
pub const FILE: &str = "bench.yaml";

/// A folder's setting.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Setting {
    path: Option<String>,
    request: BTreeMap<String, String>,
    /// Headers of the answer.
    pub response: BTreeMap<String, String>,
    cases: BTreeMap<String, Seen>,
}

/// What must be seen of a case.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Seen {
    /// Headers of the request as the filters left it.
    pub request: BTreeMap<String, Option<String>>,
    /// Headers of the answer as the client got it.
    pub response: BTreeMap<String, Option<String>>,
    /// Counters of a module, and by how much one request makes them grow.
    pub counts: BTreeMap<String, u64>,
    /// Hosts that are refused.
    pub refuses: Vec<String>,
    /// What is not in the body.
    pub lacks: Vec<String>,
}

impl Setting {
    /// Reads that of a folder; the cases of it are `cases`.
    ///
    /// # Errors
    ///
    /// When there is none, or it says nothing of a case, or something of another.
    pub fn of(folder: &Path, cases: &BTreeSet<String>) -> anyhow::Result<Self> {
        let file = folder.join(FILE);
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("{}: it has to say what is seen of each case", file.display()))?;
        let read = || -> anyhow::Result<Self> {
            let setting: Self = serde_saphyr::from_str(&filled(&text)?)?;
            let said: BTreeSet<String> = setting.cases.keys().cloned().collect();
            let missing: Vec<&String> = cases.difference(&said).collect();
            ensure!(missing.is_empty(), "it does not say what is seen of {missing:?}");
            let other: Vec<&String> = said.difference(cases).collect();
            ensure!(other.is_empty(), "there are no cases {other:?}");
            for (case, seen) in &setting.cases {
                ensure!(*seen != Seen::default(), "nothing need be seen of {case:?}: then it may do nothing");
            }
            Ok(setting)
        };
        read().with_context(|| file.display().to_string())
    }

    /// What is asked; `path` where it says nothing of one.
    pub fn question(&self, path: &str) -> Question {
        let mut question = Question::plain(self.path.as_deref().unwrap_or(path));
        for (name, value) in &self.request {
            question.set(name, value);
        }
        question
    }

    /// What must be seen of a case.
    pub fn seen(&self, case: &str) -> Seen {
        self.cases.get(case).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Setting, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        Setting::of(folder.path(), &BTreeSet::from(["one".to_owned()])).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_setting_says_what_is_asked_and_what_is_seen() {
        let setting = read(
            "request: {host: '${names:1|a.b.|$}'}\ncases:\n  one: {request: {x-old: null, x-new: '1'}, counts: {wasm_x: 2}}\n",
        )
        .unwrap();
        let question = setting.question("/large");
        assert_eq!(question.path, "/large");
        assert!(question.headers.iter().any(|(name, value)| name == "host" && value.starts_with("a.b.h")));
        let seen = setting.seen("one");
        assert_eq!(seen.request.get("x-old"), Some(&None));
        assert_eq!(seen.request.get("x-new"), Some(&Some("1".to_owned())));
        assert_eq!(seen.counts.get("wasm_x"), Some(&2));
    }

    #[test]
    fn a_case_of_which_nothing_is_said_is_not_measured() {
        for (text, said) in [
            ("path: /\n", "does not say what is seen of [\"one\"]"),
            ("cases: {one: {}}\n", "then it may do nothing"),
            ("cases: {one: {lacks: [a]}, two: {lacks: [a]}}\n", "there are no cases [\"two\"]"),
            ("cases: {one: {lack: [a]}}\n", "lack"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
        let folder = tempfile::tempdir().unwrap();
        let refused = Setting::of(folder.path(), &BTreeSet::new()).unwrap_err();
        assert!(format!("{refused:#}").contains("bench.yaml"), "{refused:#}");
    }
}
