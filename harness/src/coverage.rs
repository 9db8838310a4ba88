//! Which callbacks ran and which answers hostcalls gave.

use std::collections::BTreeMap;
use std::fmt;

use crate::abi::{Callback, Status};
use proxy_wasm_abi::Space;

use crate::hostcall::TABLE;

/// Answers beyond the known statuses are counted together.
const ANSWERS: usize = 14;

/// Counts, cheap enough to be always kept.
#[derive(Debug)]
pub(crate) struct Counts {
    callbacks: [u64; Callback::ALL.len()],
    hostcalls: Vec<[u64; ANSWERS]>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { callbacks: [0; Callback::ALL.len()], hostcalls: vec![[0; ANSWERS]; TABLE.len()] }
    }
}

impl Counts {
    pub(crate) fn callback(&mut self, callback: Callback) {
        if let Some(count) = self.callbacks.get_mut(callback as usize) {
            *count += 1;
        }
    }

    pub(crate) fn hostcall(&mut self, index: usize, answer: u32) {
        let answer = usize::try_from(answer).unwrap_or(usize::MAX).min(ANSWERS - 1);
        if let Some(count) = self.hostcalls.get_mut(index).and_then(|row| row.get_mut(answer)) {
            *count += 1;
        }
    }

    pub(crate) fn coverage(&self) -> Coverage {
        let mut coverage = Coverage::default();
        for (callback, count) in Callback::ALL.iter().zip(self.callbacks) {
            if count > 0 {
                coverage.callbacks.insert(callback.export(), count);
            }
        }
        for (entry, row) in TABLE.iter().zip(&self.hostcalls) {
            for (answer, count) in row.iter().enumerate().filter(|(_, count)| **count > 0) {
                let number = u32::try_from(answer).ok();
                let answer = match (entry.space, number.and_then(Status::from_number)) {
                    (Space::Env, Some(status)) => format!("{status:?}"),
                    (Space::Wasi, Some(_)) => answer.to_string(),
                    (_, None) => "other".to_owned(),
                };
                coverage.hostcalls.insert((entry.name, answer), *count);
            }
        }
        coverage
    }
}

/// What a run has touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How often each callback ran, by the name it is exported under.
    pub callbacks: BTreeMap<&'static str, u64>,
    /// How often each hostcall gave each answer, such as `("proxy_get_property", "NotFound")`.
    pub hostcalls: BTreeMap<(&'static str, String), u64>,
}

impl Coverage {
    /// Adds what another run touched.
    pub fn merge(&mut self, other: &Self) {
        for (callback, count) in &other.callbacks {
            *self.callbacks.entry(callback).or_default() += count;
        }
        for (key, count) in &other.hostcalls {
            *self.hostcalls.entry(key.clone()).or_default() += count;
        }
    }
}

/// One line for each callback and each answer.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (callback, count) in &self.callbacks {
            writeln!(f, "{callback:<56} {count}")?;
        }
        for ((name, answer), count) in &self.hostcalls {
            writeln!(f, "{:<56} {count}", format!("{name} -> {answer}"))?;
        }
        Ok(())
    }
}
