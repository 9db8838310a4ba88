//! The plugins of a VM, and which of them the stream at hand is of.

use std::rc::Rc;

use super::abi::{self, Level};
use crate::config::Enrichment;
use crate::engine::Engine;
use crate::key::Secret;

/// A plugin in one configuration. A new configuration has a new one; the old one ends with its last stream.
pub(super) struct Root {
    pub(super) config: Rc<Enrichment>,
    pub(super) engine: Engine,
    /// What the keys of its cache are made with.
    pub(super) secret: Option<Secret>,
    /// What the host was told of the engine's gauges.
    pub(super) told: [u64; 3],
    pub(super) ticks: bool,
    /// When it was last said that calls cannot be made, in milliseconds.
    warned: Option<u64>,
}

impl Root {
    pub(super) fn new(config: Enrichment, secret: Option<Secret>) -> Self {
        let config = Rc::new(config);
        let engine = Engine::new(Rc::clone(&config));
        Self { config, engine, secret, told: [0; 3], ticks: false, warned: None }
    }

    /// Says that calls cannot even be made: at most once a minute of each plugin.
    pub(super) fn warn_of(&mut self, status: u32, now: u64) {
        const PAUSE_MS: u64 = 60_000;
        if !self.config.log_level.writes(filter_kit::level::Level::Warn) {
            return;
        }
        if self.warned.is_some_and(|last| now.saturating_sub(last) < PAUSE_MS) {
            return;
        }
        self.warned = Some(now);
        let reason = match status {
            2 => "BadArgument: is there a cluster of that name?".to_owned(),
            10 => "InternalFailure: has it a healthy host?".to_owned(),
            status => format!("status {status}"),
        };
        let cluster = &self.config.call.cluster;
        abi::log(
            Level::Warn,
            &format!("requests are not enriched: Envoy refuses calls to cluster {cluster:?} ({reason})"),
        );
    }
}

/// The plugins with a configuration, by the ids of their root contexts: few.
///
/// A module that is told of each new stream is told its plugin, and each stream pays for the call. Nearly always there is
/// but one plugin. Where there are several, Envoy knows which one the stream at hand is of: it keeps CEL expressions for
/// each root context, counted from 0, and evaluates for a stream those of its own (Envoy 1.36 to 1.40, `foreign.cc`).
/// The first of each root context is its own id.
pub(super) struct Roots {
    all: Vec<(u32, Root)>,
    /// Whether the host keeps expressions.
    are_numbered: bool,
}

impl Roots {
    pub(super) const fn new() -> Self {
        Self { all: Vec::new(), are_numbered: true }
    }

    /// Adds one that is being configured. Not if the host could not tell it from the others.
    pub(super) fn add(&mut self, id: u32, root: Root) -> bool {
        self.all.retain(|(other, _)| *other != id);
        self.are_numbered &= keep_number(id);
        if !self.are_numbered && !self.all.is_empty() {
            return false;
        }
        self.all.push((id, root));
        true
    }

    pub(super) fn get(&mut self, id: u32) -> Option<&mut Root> {
        self.all.iter_mut().find(|(other, _)| *other == id).map(|(_, root)| root)
    }

    /// The one whose stream Envoy speaks of.
    pub(super) fn at_hand(&mut self) -> Option<(u32, &mut Root)> {
        let id = match self.all.as_slice() {
            // The way of nearly every request.
            [(only, _)] => *only,
            _ => kept_number()?,
        };
        Some((id, self.get(id)?))
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Root> {
        let place = self.all.iter().position(|(other, _)| *other == id)?;
        Some(self.all.swap_remove(place).1)
    }
}

const FIRST: [u8; 4] = 0_u32.to_le_bytes();

/// Whether the root context that is being configured has `number` as its first expression from now on.
fn keep_number(number: u32) -> bool {
    match abi::foreign::<4>("expr_create", number.to_string().as_bytes()) {
        Some(FIRST) => true,
        // It was configured before, or the host counts otherwise.
        Some(other) => {
            abi::foreign::<0>("expr_delete", &other);
            kept_number() == Some(number)
        }
        None => false,
    }
}

fn kept_number() -> Option<u32> {
    let value = abi::foreign("expr_evaluate", &FIRST)?;
    u32::try_from(i64::from_le_bytes(value)).ok()
}
