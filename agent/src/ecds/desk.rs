//! What becomes of one stream's ECDS: which message goes where, which module is wanted, what is tried again and when.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::status::{Board, Metrics};
use crate::{Held, Library, Unavailable, Wanted};

/// Decides for one stream between Envoy and the control plane. Does nothing by itself: it is told of messages, modules
/// and time, and says what is to be done, in order.
pub struct Desk {
    _stream: u64,
    _protocol: Protocol,
    _library: Arc<dyn Library>,
    _board: Arc<Board>,
    _metrics: Arc<Metrics>,
}

/// The variant of the xDS protocol that a stream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// State of the world: `StreamAggregatedResources`.
    Sotw,
    /// Incremental: `DeltaAggregatedResources`.
    Delta,
}

/// An attempt to obtain a module. Never used again on the same desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this response to Envoy.
    ToEnvoy(Bytes),
    /// Send this request to the control plane.
    ToControlPlane(Bytes),
    /// Obtain this module, and tell the desk by [`Desk::obtained`].
    Obtain(Ticket, Wanted),
    /// Nobody waits for that attempt any more.
    GiveUp(Ticket),
}

impl Desk {
    /// The desk of one stream.
    #[must_use]
    pub fn new(
        stream: u64,
        protocol: Protocol,
        library: Arc<dyn Library>,
        board: Arc<Board>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { _stream: stream, _protocol: protocol, _library: library, _board: board, _metrics: metrics }
    }

    /// The control plane sent an ECDS response.
    pub fn response(&mut self, message: Bytes, _now: Instant, effects: &mut Vec<Effect>) {
        effects.push(Effect::ToEnvoy(message));
    }

    /// Envoy sent an ECDS request.
    pub fn request(&mut self, message: Bytes, _now: Instant, effects: &mut Vec<Effect>) {
        effects.push(Effect::ToControlPlane(message));
    }

    /// An attempt has ended.
    pub fn obtained(
        &mut self,
        _ticket: Ticket,
        _outcome: Result<Held, Unavailable>,
        _now: Instant,
        _effects: &mut Vec<Effect>,
    ) {
    }

    /// Time has passed.
    pub fn due(&mut self, _now: Instant, _effects: &mut Vec<Effect>) {}

    /// When [`due`](Self::due) has to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }
}
