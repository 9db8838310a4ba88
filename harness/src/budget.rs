//! What a case may cost, in a data file beside the filter that a reviewer sees change.
//!
//! ```toml
//! # Any comment; it stays when the numbers are written anew.
//! [cost.a_listed_host_is_answered]
//! fuel = 18_204
//! hostcalls = 9
//! allocations = 4
//! allocated_bytes = 120
//! memory_bytes = 1_114_112
//!
//! [cost.a_listed_host_is_answered.on_request_headers]
//! fuel = 12_000
//! ```
//!
//! A number that is left out is not held to anything. A table under a case holds a single callback.
//!
//! Fuel is what wasmtime counts, and so it depends on the versions of wasmtime and rustc a little: a twentieth more
//! than the budget is still within it. The other numbers are exact. A budget that is more than twice what is used says
//! nothing any more, and is refused as well.
//!
//! `PWH_UPDATE_BUDGETS=1 cargo test` writes the numbers of all cases that are asked for, in place. A case that is not
//! there is added with all of them.

use std::env;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::abi::Callback;
use crate::cost::{Cost, Costs};

/// Set, it has budgets written and not asserted.
const UPDATE: &str = "PWH_UPDATE_BUDGETS";
/// Fuel may be so much of the budget, in percent.
const FUEL_PERCENT: u64 = 105;

/// A number of a [`Cost`] and its key in the file.
type Kind = (&'static str, fn(&Cost) -> u64);

/// What can be held to a budget.
const KINDS: [Kind; 6] = [
    ("callbacks", |cost| cost.callbacks),
    ("fuel", |cost| cost.fuel),
    ("hostcalls", |cost| cost.hostcalls),
    ("allocations", |cost| cost.allocations),
    ("allocated_bytes", |cost| cost.allocated_bytes),
    ("memory_bytes", |cost| cost.memory_bytes),
];

/// The budget of that case in the `budget.toml` of the package whose test says so.
#[macro_export]
macro_rules! budget {
    ($case:expr) => {
        $crate::Budget::read(concat!(env!("CARGO_MANIFEST_DIR"), "/budget.toml"), $case)
    };
}

/// What one case may cost.
#[derive(Clone, Debug)]
#[must_use = "a budget holds nothing until it is asserted"]
pub struct Budget {
    path: PathBuf,
    case: String,
}

/// A number in the file.
struct Limit {
    /// The callback it holds; none for the whole case.
    callback: Option<Callback>,
    kind: Kind,
    budget: u64,
    /// Where it stands, in bytes.
    place: Range<usize>,
}

impl Limit {
    fn used(&self, used: &Costs) -> u64 {
        (self.kind.1)(&self.callback.map_or_else(|| used.total(), |callback| used.of(callback)))
    }
}

impl Budget {
    /// The budget of a case in a file. Nothing is read yet.
    pub fn read(path: impl Into<PathBuf>, case: &str) -> Self {
        Self { path: path.into(), case: case.to_owned() }
    }

    /// Holds what was used to the budget. The module of a test is the one that Cargo compiles: if `PWH_WASM_DIR` gives
    /// others, pruned and optimised ones, a budget is still what they may cost, and no longer too loose for them.
    ///
    /// # Panics
    ///
    /// If more was used, or much less; if there is no such case, or the file is none. Each number that does not fit
    /// has a line: file, line, case, used, budget.
    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation that is not met fails the test")]
    pub fn assert(&self, used: &Costs) {
        let prebuilt = env::var_os("PWH_WASM_DIR").is_some_and(|folder| !folder.is_empty());
        let update = env::var_os(UPDATE).is_some_and(|value| !value.is_empty() && value != "0");
        let result = if update && !prebuilt { self.update(used) } else { self.hold(used, !prebuilt) };
        if let Err(message) = result {
            panic!("{message}\n{used}");
        }
    }

    fn hold(&self, used: &Costs, loose_is_wrong: bool) -> Result<(), String> {
        let shown = shown(&self.path);
        let text = std::fs::read_to_string(&self.path).map_err(|error| format!("{shown}: {error}"))?;
        let limits = limits(&text, &self.case).map_err(|message| format!("{shown}: {message}"))?;
        if limits.is_empty() {
            return Err(format!("{shown}: there is no [cost.{}]: {UPDATE}=1 adds it", self.case));
        }
        let problems: Vec<String> = limits
            .iter()
            .filter_map(|limit| {
                let problem = self.problem(limit, limit.used(used), loose_is_wrong)?;
                let line = text.get(..limit.place.start).unwrap_or_default().matches('\n').count() + 1;
                Some(format!("{shown}:{line}: {problem}\n"))
            })
            .collect();
        if problems.is_empty() {
            return Ok(());
        }
        Err(format!("{}if that is on purpose, {UPDATE}=1 writes the numbers anew", problems.concat()))
    }

    fn problem(&self, limit: &Limit, used: u64, loose_is_wrong: bool) -> Option<String> {
        let (name, budget) = (limit.kind.0, limit.budget);
        let allowed = if name == "fuel" { percent(budget, FUEL_PERCENT) } else { budget };
        let loose = loose_is_wrong && used.saturating_mul(2) < budget;
        if used <= allowed && !loose {
            return None;
        }
        let words = name.replace('_', " ");
        let callback = limit.callback.map(|callback| format!(" in {}", callback.name())).unwrap_or_default();
        let loose = if loose { ": that holds nothing" } else { "" };
        Some(format!("{} used {used} {words}{callback}, budget {budget}{loose}", self.case))
    }

    /// Writes the numbers anew, in a file that other tests may be writing.
    fn update(&self, used: &Costs) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", shown(&self.path));
        let mut open = OpenOptions::new();
        let mut file =
            open.read(true).write(true).create(true).truncate(false).open(&self.path).map_err(failed)?;
        file.lock().map_err(failed)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let new = rewritten(&text, &self.case, used)
            .map_err(|message| format!("{}: {message}", shown(&self.path)))?;
        if new == text { Ok(()) } else { replace(&mut file, &new).map_err(failed) }
    }
}

fn replace(file: &mut File, text: &str) -> std::io::Result<()> {
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(text.as_bytes())
}

/// The text with the numbers of that case in place of those that are there.
fn rewritten(text: &str, case: &str, used: &Costs) -> Result<String, String> {
    let limits = limits(text, case)?;
    let mut new = text.to_owned();
    if limits.is_empty() {
        if !new.is_empty() {
            new.push_str(if new.ends_with('\n') { "\n" } else { "\n\n" });
        }
        let _ = writeln!(new, "[cost.{case}]");
        let total = used.total();
        // How often the guest is called depends on what it exports, and says nothing about its code.
        for (name, of) in KINDS.iter().skip(1) {
            let _ = writeln!(new, "{name} = {}", grouped(of(&total)));
        }
        return Ok(new);
    }
    // From the last to the first, so that the places of the others stay.
    for limit in limits.into_iter().rev() {
        let number = grouped(limit.used(used));
        new.replace_range(limit.place, &number);
    }
    Ok(new)
}

/// Every number of a case; none if there is no such case.
fn limits<'a>(text: &'a str, case: &str) -> Result<Vec<Limit>, String> {
    let whole = DeTable::parse(text).map_err(|error| error.message().to_owned())?;
    let find = |table: &DeTable<'a>, key: &str| table.get(key).map(|value| value.get_ref().clone());
    let Some(cases) = find(whole.get_ref(), "cost") else { return Ok(Vec::new()) };
    let cases = cases.as_table().ok_or("cost is no table")?;
    let Some(numbers) = find(cases, case) else { return Ok(Vec::new()) };
    let numbers = numbers.as_table().ok_or_else(|| format!("cost.{case} is no table"))?;
    let mut limits = Vec::new();
    for (key, value) in numbers {
        let key = key.get_ref();
        let Some(of_callback) = value.get_ref().as_table() else {
            limits.push(limit(None, key, value)?);
            continue;
        };
        let callback = Callback::ALL.iter().find(|callback| callback.name() == key);
        let callback = *callback.ok_or_else(|| format!("cost.{case}: there is no callback {key}"))?;
        for (key, value) in of_callback {
            limits.push(limit(Some(callback), key.get_ref(), value)?);
        }
    }
    if limits.is_empty() {
        return Err(format!("cost.{case} has no number"));
    }
    limits.sort_by_key(|limit| limit.place.start);
    Ok(limits)
}

fn limit(callback: Option<Callback>, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Limit, String> {
    let kind = KINDS.iter().find(|(name, _)| *name == key).ok_or_else(|| {
        let known: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        format!("{key} is none of {}", known.join(", "))
    })?;
    let number = value.get_ref().as_integer().filter(|number| number.radix() == 10);
    let budget = number.and_then(|number| number.as_str().replace('_', "").parse().ok());
    let budget = budget.ok_or_else(|| format!("{key} is no whole number"))?;
    Ok(Limit { callback, kind: *kind, budget, place: value.span() })
}

fn percent(number: u64, percent: u64) -> u64 {
    u64::try_from(u128::from(number) * u128::from(percent) / 100).unwrap_or(u64::MAX)
}

/// `1234567` as `1_234_567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// The file as seen from the top of its workspace, where the lock file is.
fn shown(path: &Path) -> String {
    let top = path.ancestors().skip(1).find(|above| above.join("Cargo.lock").is_file());
    let short = top.and_then(|top| path.strip_prefix(top).ok()).unwrap_or(path);
    short.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
module_bytes = 130_000 # what ship reads

[cost.listed]
# why it is so
fuel = 1_000 # tolerant
hostcalls = 9

[cost.listed.on_request_headers]
allocations = 4

[cost.other]
fuel = 1
";

    fn used(fuel: u64, hostcalls: u64, allocations: u64) -> Costs {
        let mut costs = Costs::default();
        let cost = Cost { callbacks: 1, fuel, hostcalls, allocations, ..Cost::default() };
        costs.add(Callback::RequestHeaders, &cost);
        costs
    }

    fn file(text: &str) -> (tempfile::TempDir, Budget) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Cargo.lock"), "").unwrap();
        let path = folder.path().join("budget.toml");
        std::fs::write(&path, text).unwrap();
        let budget = Budget::read(path, "listed");
        (folder, budget)
    }

    #[test]
    fn what_is_used_is_held_to_each_number() {
        let (_folder, budget) = file(TEXT);
        for within in [used(1000, 9, 4), used(1050, 9, 4), used(500, 5, 2)] {
            assert_eq!(budget.hold(&within, true), Ok(()));
        }
        let message = budget.hold(&used(1051, 10, 5), true).unwrap_err();
        assert_eq!(
            message.lines().collect::<Vec<_>>(),
            [
                "budget.toml:5: listed used 1051 fuel, budget 1000",
                "budget.toml:6: listed used 10 hostcalls, budget 9",
                "budget.toml:9: listed used 5 allocations in on_request_headers, budget 4",
                "if that is on purpose, PWH_UPDATE_BUDGETS=1 writes the numbers anew",
            ]
        );
    }

    #[test]
    fn a_budget_of_more_than_twice_the_cost_is_none() {
        let (_folder, budget) = file(TEXT);
        let message = budget.hold(&used(499, 9, 4), true).unwrap_err();
        assert!(message.starts_with("budget.toml:5: listed used 499 fuel, budget 1000: that holds nothing"));
        assert_eq!(budget.hold(&used(499, 1, 0), false), Ok(()), "another module than the budget is of");
    }

    #[test]
    fn numbers_are_written_in_place_and_all_else_stays() {
        let (_folder, budget) = file(TEXT);
        budget.update(&used(1_234_567, 8, 3)).unwrap();
        let expected = TEXT
            .replace("1_000 #", "1_234_567 #")
            .replace("hostcalls = 9", "hostcalls = 8")
            .replace("allocations = 4", "allocations = 3");
        assert_eq!(std::fs::read_to_string(&budget.path).unwrap(), expected);
    }

    #[test]
    fn a_case_that_is_not_there_is_named_and_can_be_added() {
        let (_folder, budget) = file("module_bytes = 1\n");
        let message = budget.hold(&used(1, 1, 1), true).unwrap_err();
        assert_eq!(message, "budget.toml: there is no [cost.listed]: PWH_UPDATE_BUDGETS=1 adds it");
        budget.update(&used(1000, 2, 1)).unwrap();
        let text = std::fs::read_to_string(&budget.path).unwrap();
        let numbers = "fuel = 1_000\nhostcalls = 2\nallocations = 1\nallocated_bytes = 0\nmemory_bytes = 0\n";
        assert_eq!(text, format!("module_bytes = 1\n\n[cost.listed]\n{numbers}"));
        assert_eq!(budget.hold(&used(1000, 2, 1), true), Ok(()));
    }

    #[test]
    fn what_is_no_budget_is_refused() {
        for (text, problem) in [
            ("[cost.listed]", "cost.listed has no number"),
            ("[cost]\nlisted = 1", "cost.listed is no table"),
            ("cost = 1", "cost is no table"),
            ("[cost.listed]\nfule = 1", "fule is none of callbacks, fuel, "),
            ("[cost.listed]\nfuel = \"1\"", "fuel is no whole number"),
            ("[cost.listed]\nfuel = -1", "fuel is no whole number"),
            ("[cost.listed.on_nothing]\nfuel = 1", "cost.listed: there is no callback on_nothing"),
            ("[cost", "unclosed table"),
        ] {
            let (_folder, budget) = file(text);
            let message = budget.hold(&used(1, 1, 1), true).unwrap_err();
            assert!(message.starts_with(&format!("budget.toml: {problem}")), "{text}: {message}");
        }
    }
}
