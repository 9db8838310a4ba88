//! Holds back what is not decided.
//!
//! A body callback can let all of a buffer go, or none of it. What is held is held so that it can leave whenever the
//! body ends, be it with trailers, in whose callback a body can be written only if the one before was stopped:
//!
//! | a piece                          | what is done                                                                  |
//! |----------------------------------|-------------------------------------------------------------------------------|
//! | nothing undecided at its end     | it leaves                                                                     |
//! | something is, and nothing was held | it is stopped as a whole, and stays in the host's buffer                    |
//! | the same, and it is large        | what is decided leaves, and the undecided bytes wait here for the next piece  |
//! | something is, and something was held | what is decided is written to the buffer, and the stream is resumed: the buffer leaves after the callback, which itself stops again. The undecided bytes, a few KiB at most, come back with the next piece |
//!
//! So a stream is never later than by one piece, and no buffer grows. A large piece is not stopped since Envoy resets a
//! response that is stopped with more than its buffer may have, and a replacement may be longer than what it replaces. It
//! comes from an upstream of HTTP/1, whose trailers Envoy drops unless it is told otherwise: where one is followed by trailers
//! at once, what is undecided cannot be written any more, and the message is broken off.

mod inflated;

use filter_kit::mode::Failure;

use crate::config::{BodyMode, BodyPolicy, Otherwise};
use crate::eligibility::{Body, Coding};
use crate::inflate::Inflate;
use crate::rules::Rules;
use crate::scan::{Scanned, Scanner, Tally};
use crate::tokens::Tokens;

/// More bytes than the largest frame of HTTP/2 that Envoy lets an upstream send are a large piece.
const LARGE: usize = 16 << 10;

/// The host's buffer in a callback. It may refuse whatever it is asked.
pub trait Buffer {
    /// All of it.
    fn read(&mut self) -> Option<Vec<u8>>;
    /// Puts `bytes` in place of all of it; whether that was done.
    fn write(&mut self, bytes: &[u8]) -> bool;
    /// Adds `bytes` to its end; whether that was done.
    fn append(&mut self, bytes: &[u8]) -> bool;
    /// Has what is in the buffer leave after the callback; whether that was done.
    fn resume(&mut self) -> bool;
}

/// What becomes of the stream after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The buffer leaves.
    Continue,
    /// It stays.
    Pause,
    /// The message must not go on; what was in the buffer is out of it.
    Block,
    /// The message must not go on, and the host did not let its buffer be emptied.
    Broken,
}

/// What happened in a callback, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// How many plain bytes were looked into.
    pub scanned: u64,
    /// Whether this is the first change of the body.
    pub changed: bool,
    /// How many bytes are held back after it.
    pub held: u64,
    /// The body is larger than what is held as a whole.
    pub oversize: bool,
    /// The body could not be read.
    pub error: bool,
}

/// One body on its way.
pub struct Held {
    scanner: Scanner,
    inflate: Option<Inflate>,
    stage: Stage,
    policy: BodyPolicy,
    /// Nothing is changed, and nothing held back.
    reports: bool,
    /// How many bytes of the host's buffer are decided, at its beginning.
    front: usize,
    /// How many bytes behind those were looked into before.
    again: usize,
    /// What is not decided and not in the host's buffer.
    tail: Vec<u8>,
    changed: bool,
    /// Whether the callback before stopped the stream.
    stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// All of the body is collected in the host's buffer.
    Collecting,
    Streaming,
    /// The rest passes as it is; inflated, if it is that.
    Passing,
    /// Nothing more leaves.
    Dropping,
}

impl Held {
    /// At the beginning of a body. `reports`: nothing is changed.
    pub fn new(rules: &Rules, policy: BodyPolicy, body: Body, coding: Coding, reports: bool) -> Self {
        let inflate = (coding != Coding::Plain).then(|| Inflate::new(coding));
        let collects = policy.mode == BodyMode::Buffer && !reports;
        Self {
            scanner: Scanner::new(rules, body),
            inflate,
            stage: if collects { Stage::Collecting } else { Stage::Streaming },
            policy,
            reports,
            front: 0,
            again: 0,
            tail: Vec::new(),
            changed: false,
            stopped: false,
        }
    }

    /// A body of which nothing leaves.
    pub fn dropping(rules: &Rules, policy: BodyPolicy) -> Self {
        Self { stage: Stage::Dropping, ..Self::new(rules, policy, Body::Text, Coding::Plain, false) }
    }

    /// What was found so far.
    pub fn tally(&self) -> &Tally {
        self.scanner.tally()
    }

    /// The tokens that stand in place of matches, from now on kept here.
    pub fn tokens(&mut self) -> &mut Option<Tokens> {
        self.scanner.tokens()
    }

    /// A piece came; `size` is that of the buffer, with all that is held in it. `end`: the body ends with it.
    pub fn data(
        &mut self,
        rules: &Rules,
        buffer: &mut impl Buffer,
        size: usize,
        end: bool,
    ) -> (Flow, Events) {
        let mut events = Events::default();
        match self.stage {
            Stage::Passing if self.inflate.is_none() => return (Flow::Continue, events),
            Stage::Dropping => {
                let dropped = size == 0 || buffer.write(&[]);
                return (if dropped { Flow::Continue } else { Flow::Broken }, events);
            }
            Stage::Collecting if size > self.policy.max_body => {
                if let Some(flow) = self.oversize(buffer, &mut events) {
                    return (flow, events);
                }
            }
            Stage::Collecting if !end => {
                self.stopped = true;
                return (Flow::Pause, events);
            }
            Stage::Collecting | Stage::Streaming | Stage::Passing => {}
        }
        let flow = if size == 0 && !end && self.tail.is_empty() {
            if self.stopped { Flow::Pause } else { Flow::Continue }
        } else {
            self.scan(rules, buffer, (end, false), &mut events)
        };
        (flow, events)
    }

    /// The body is larger than what is held as a whole; answers what becomes of it, if that is decided.
    fn oversize(&mut self, buffer: &mut impl Buffer, events: &mut Events) -> Option<Flow> {
        events.oversize = true;
        match self.policy.on_oversize {
            Otherwise::Treat => {
                self.stage = Stage::Streaming;
                None
            }
            Otherwise::Skip => {
                self.stage = Stage::Passing;
                self.inflate.is_none().then_some(Flow::Continue)
            }
            Otherwise::Block => Some(self.stop_all(buffer)),
        }
    }

    /// Trailers came, and with them the end of the body.
    pub fn trailers(&mut self, rules: &Rules, buffer: &mut impl Buffer) -> (Flow, Events) {
        let mut events = Events::default();
        let flow = match self.stage {
            Stage::Dropping => Flow::Continue,
            // After a piece that left there is no buffer, and nothing undecided.
            _ if !self.stopped && self.tail.is_empty() => Flow::Continue,
            Stage::Passing if self.inflate.is_none() => Flow::Continue,
            _ => self.scan(rules, buffer, (true, true), &mut events),
        };
        (flow, events)
    }

    fn scan(
        &mut self,
        rules: &Rules,
        buffer: &mut impl Buffer,
        (end, trailers): (bool, bool),
        events: &mut Events,
    ) -> Flow {
        // Where nothing was stopped, the buffer of trailers cannot be read: what is not told of yet is here.
        let whole = if self.reports && trailers { Some(Vec::new()) } else { buffer.read() };
        let Some(whole) = whole else { return self.refused(buffer, events) };
        if self.inflate.is_some() {
            return self.scan_inflated(rules, buffer, &whole, end, events);
        }
        let (front, new) = whole.split_at(self.front.min(whole.len()));
        let joined;
        let piece = if self.tail.is_empty() {
            new
        } else {
            joined = [self.tail.as_slice(), new].concat();
            joined.as_slice()
        };
        let again = std::mem::take(&mut self.again);
        events.scanned = length(new.get(again..).unwrap_or_default());
        let Scanned { consumed, put } = self.scanner.scan(rules, piece, end);
        let (decided, undecided) = piece.split_at(consumed.min(piece.len()));
        if self.reports {
            self.tail = undecided.to_vec();
            return Flow::Continue;
        }
        if self.scanner.tally().blocked {
            return self.stop_all(buffer);
        }
        events.changed = put.is_some() && !self.changed;
        self.changed |= put.is_some();
        events.held = length(undecided);
        let rewritten = put.is_some();
        let put = put.as_deref().unwrap_or(decided);

        if undecided.is_empty() {
            let written = !rewritten && self.tail.is_empty() || write(buffer, front, put);
            if !written {
                return self.refused(buffer, events);
            }
            (self.front, self.stopped) = (0, false);
            self.tail = Vec::new();
            return Flow::Continue;
        }
        if !self.stopped && piece.len() > LARGE {
            if !write(buffer, front, put) {
                return self.refused(buffer, events);
            }
            self.front = 0;
            self.tail = undecided.to_vec();
            return Flow::Continue;
        }
        if !self.stopped {
            // The first piece with something undecided stays where it is.
            (self.front, self.again) = (put.len(), undecided.len());
            self.stopped = true;
            let written = !rewritten || write(buffer, put, undecided);
            return if written { Flow::Pause } else { self.refused(buffer, events) };
        }
        if !write(buffer, front, put) {
            return self.refused(buffer, events);
        }
        let ready = front.len() + put.len();
        self.tail = undecided.to_vec();
        if self.let_go(buffer, ready) { Flow::Pause } else { self.refused(buffer, events) }
    }

    /// Has so many bytes leave that are decided and in the buffer, as soon as they can; whether the host does as it is
    /// told.
    fn let_go(&mut self, buffer: &mut impl Buffer, ready: usize) -> bool {
        let leaves = self.stopped && ready > 0;
        self.front = if leaves { 0 } else { ready };
        self.stopped = true;
        !leaves || buffer.resume()
    }

    /// The host does not let the body be read or written. Bytes that are here and not in its buffer would be missing from
    /// what passes, and nobody could tell: then nothing does.
    fn refused(&mut self, buffer: &mut impl Buffer, events: &mut Events) -> Flow {
        events.error = true;
        if self.reports || (self.policy.fail == Failure::Open && self.tail.is_empty()) {
            self.stage = Stage::Passing;
            self.inflate = None;
            return Flow::Continue;
        }
        match self.stop_all(buffer) {
            Flow::Block => Flow::Block,
            _ => Flow::Broken,
        }
    }

    /// Nothing of what is here leaves, nor of what comes.
    fn stop_all(&mut self, buffer: &mut impl Buffer) -> Flow {
        self.stage = Stage::Dropping;
        self.tail = Vec::new();
        self.front = 0;
        if buffer.write(&[]) { Flow::Block } else { Flow::Broken }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn write(buffer: &mut impl Buffer, front: &[u8], rest: &[u8]) -> bool {
    if front.is_empty() { buffer.write(rest) } else { buffer.write(&[front, rest].concat()) }
}
