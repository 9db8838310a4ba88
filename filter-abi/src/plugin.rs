//! Plugins that are refused, and which of a VM the stream at hand is of.
//!
//! A module that is told of each new stream is told its plugin, and each stream pays for the call. Nearly always there is
//! but one plugin. Where there are several, Envoy knows which one the stream at hand is of: it keeps CEL expressions for
//! each root context, counted from 0, and evaluates for a stream those of its own (Envoy 1.36 to 1.40, `foreign.cc`). The
//! first of each is a number that the module has chosen. To evaluate it costs 3 µs.

use filter_kit::config::Refusal;
use filter_kit::level::Level;

use crate::system::{foreign, log};

/// Writes why a configuration is refused into Envoy's log, a line for each problem.
pub fn log_refusal(refusal: &Refusal) {
    for problem in refusal.problems() {
        log(Level::Error, &problem.to_string());
    }
}

const FIRST: [u8; 4] = 0_u32.to_le_bytes();

/// Whether the root context that is being configured has `number` as its first expression from now on.
pub fn keep_number(number: u32) -> bool {
    match foreign::<4>("expr_create", number.to_string().as_bytes()) {
        Some(FIRST) => true,
        // It was configured before, or the host counts otherwise.
        Some(other) => {
            foreign::<0>("expr_delete", &other);
            kept_number() == Some(number)
        }
        None => false,
    }
}

/// The number that the root context of the stream at hand has kept.
#[inline(never)]
pub fn kept_number() -> Option<u32> {
    let value = foreign("expr_evaluate", &FIRST)?;
    u32::try_from(i64::from_le_bytes(value)).ok()
}

/// Something of each plugin of a VM, in each of its configurations, by the ids of their root contexts: few. For a module
/// that is told by `proxy_on_delete` which of them are gone.
#[derive(Debug)]
pub struct Roots<T> {
    all: Vec<(u32, T)>,
    /// Whether the host keeps expressions.
    are_numbered: bool,
}

impl<T> Roots<T> {
    /// None yet.
    pub const fn new() -> Self {
        Self { all: Vec::new(), are_numbered: true }
    }

    /// Adds the one that is being configured. Not, and the log has why, if the host could not tell it from the others.
    pub fn add(&mut self, id: u32, root: T) -> bool {
        self.all.retain(|(other, _)| *other != id);
        self.are_numbered &= keep_number(id);
        if !self.are_numbered && !self.all.is_empty() {
            log(
                Level::Error,
                "config: this host cannot tell the plugins of one VM apart, expected a `vm_id` for each",
            );
            return false;
        }
        self.all.push((id, root));
        true
    }

    /// What there is of the root context `id`.
    pub fn get(&mut self, id: u32) -> Option<&mut T> {
        self.all.iter_mut().find(|(other, _)| *other == id).map(|(_, root)| root)
    }

    /// The one whose stream Envoy speaks of, if it is the only one.
    #[inline]
    pub fn only(&self) -> Option<&T> {
        match self.all.as_slice() {
            [(_, only)] => Some(only),
            _ => None,
        }
    }

    /// The one whose stream Envoy speaks of.
    pub fn at_hand(&mut self) -> Option<(u32, &mut T)> {
        let id = match self.all.as_slice() {
            // The way of nearly every request.
            [(only, _)] => *only,
            _ => kept_number()?,
        };
        Some((id, self.get(id)?))
    }

    /// The root context `id` is gone, if it was one.
    pub fn remove(&mut self, id: u32) -> Option<T> {
        let place = self.all.iter().position(|(other, _)| *other == id)?;
        Some(self.all.swap_remove(place).1)
    }
}

impl<T> Default for Roots<T> {
    fn default() -> Self {
        Self::new()
    }
}
