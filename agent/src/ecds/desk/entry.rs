//! What is known of one name on one stream.

use std::time::{Instant, SystemTime};

use super::super::envelope::Envelope;
use super::super::last_good::Record;
use super::super::remote::Remote;
use super::super::schedule::Schedule;
use super::Ticket;
use super::timing::Timing;
use crate::status::{Board, ResourceState, Serving, Standing};
use crate::{Held, Reason, Unavailable, Wanted};

/// A name that has, or had, remote code.
#[derive(Debug)]
pub(super) struct Entry {
    /// What is still to be sent, if anything is.
    pub(super) straggler: Option<Straggler>,
    /// What Envoy last accepted on this stream.
    pub(super) accepted: Serving,
    /// The module of that.
    pub(super) has: Option<Held>,
    /// A module that Envoy refused, but may have taken all the same: the answer is to the whole response.
    pub(super) doubtful: Option<Held>,
    /// Whether it is on the board: a resource without remote code is not.
    pub(super) listed: bool,
    state: ResourceState,
    next_attempt: Option<Instant>,
}

/// A resource whose module is not there yet.
#[derive(Debug)]
pub(super) struct Straggler {
    pub(super) remote: Box<Remote>,
    pub(super) envelope: Envelope,
    /// The number of the response that it came in.
    pub(super) response: u64,
    pub(super) attempt: Attempt,
    pub(super) schedule: Schedule,
    /// Until the first attempt has ended.
    pub(super) timing: Option<Timing>,
    /// Why the last attempt failed.
    pub(super) failure: Option<Unavailable>,
    /// Whether Envoy was sent something for it: what stands in for the module.
    pub(super) answered: bool,
    /// When something has to be sent for it.
    pub(super) budget: Option<Instant>,
}

/// How far an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It goes on.
    Running(Ticket),
    /// The next is due then.
    Waiting(Instant),
    /// There will be none until the control plane sends the resource anew.
    Ended,
}

/// Something that Envoy was sent and has not answered.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) name: String,
    pub(super) serving: Serving,
    /// What is remembered if Envoy accepts it. Nothing for what stands in for something else.
    pub(super) record: Option<Record>,
    pub(super) held: Option<Held>,
}

impl Entry {
    pub(super) fn new(stream: u64, name: &str) -> Self {
        Self {
            straggler: None,
            accepted: Serving::Nothing,
            has: None,
            doubtful: None,
            listed: true,
            state: ResourceState {
                stream,
                name: name.to_owned(),
                source: String::new(),
                serving: Serving::Nothing,
                standing: Standing::Fetching,
                module: None,
                attempts: 0,
                last_error: None,
                next_attempt: None,
                changed: SystemTime::now(),
            },
            next_attempt: None,
        }
    }

    /// When something of it is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let straggler = self.straggler.as_ref()?;
        let budget = straggler.budget.filter(|_| !straggler.answered);
        match straggler.attempt {
            Attempt::Waiting(at) => Some(budget.map_or(at, |budget| budget.min(at))),
            Attempt::Running(_) | Attempt::Ended => budget,
        }
    }

    /// The attempt that goes on for it.
    pub(super) fn running(&self) -> Option<Ticket> {
        match self.straggler.as_ref()?.attempt {
            Attempt::Running(ticket) => Some(ticket),
            _ => None,
        }
    }

    /// The files that Envoy has or may have.
    pub(super) fn into_held(self) -> Vec<Held> {
        self.has.into_iter().chain(self.doubtful).collect()
    }

    /// The control plane sent the resource: what is known of attempts is of an earlier one.
    pub(super) fn arrived(&mut self, remote: &Remote) {
        if let Ok(wanted) = &remote.wanted {
            self.state.source = crate::shown::text(&wanted.url);
        }
        self.listed = true;
        self.state.attempts = 0;
        self.state.last_error = None;
        self.next_attempt = None;
    }

    pub(super) fn fetching(&mut self) {
        self.state.standing = Standing::Fetching;
        self.next_attempt = None;
    }

    /// Attempts since the control plane last sent the resource.
    pub(super) fn attempts(&self) -> u32 {
        self.state.attempts
    }

    /// An attempt failed, and the next is due then.
    pub(super) fn failed(&mut self, failure: &Unavailable, next: Option<Instant>) {
        self.state.attempts = self.state.attempts.saturating_add(1);
        self.waits(failure, next);
    }

    pub(super) fn waits(&mut self, failure: &Unavailable, next: Option<Instant>) {
        self.state.standing = Standing::Waiting;
        self.error(failure.reason, failure.message.clone());
        self.next_attempt = next;
    }

    pub(super) fn error(&mut self, reason: Reason, message: String) {
        self.state.last_error = Some((reason, message));
    }

    pub(super) fn stands(&mut self, standing: Standing) {
        self.state.standing = standing;
    }

    /// Envoy was sent that.
    pub(super) fn sent(&mut self, sent: &Sent) {
        self.serves(sent.serving, sent.held.as_ref());
        if self.straggler.is_none() {
            self.state.standing = Standing::Sent;
            self.next_attempt = None;
            self.state.last_error = None;
        }
    }

    pub(super) fn serves(&mut self, serving: Serving, held: Option<&Held>) {
        self.state.serving = serving;
        self.state.module = held.map(|held| (held.sha256, held.path.to_string_lossy().into_owned()));
    }

    /// Writes down how it stands. The board's clock is the wall's.
    pub(super) fn show(&mut self, board: &Board, now: Instant) {
        if !self.listed {
            return;
        }
        let wall = SystemTime::now();
        self.state.changed = wall;
        self.state.next_attempt = self.next_attempt.map(|at| wall + at.saturating_duration_since(now));
        board.put(self.state.clone());
    }
}

impl Straggler {
    /// Whether a resource that came later wants the same: then the attempt is for both.
    pub(super) fn wants(&self, wanted: &Wanted) -> bool {
        self.remote.wanted.as_ref().is_ok_and(|mine| mine == wanted)
    }
}
