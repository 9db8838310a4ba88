//! What there is of each plugin.

use std::rc::Rc;

use filter_abi::system;
use filter_kit::level::Level;

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
        if !self.config.log_level.writes(Level::Warn) {
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
        system::log(
            Level::Warn,
            &format!("requests are not enriched: Envoy refuses calls to cluster {cluster:?} ({reason})"),
        );
    }
}
