//! Holds back what is not decided.
//!
//! A body callback can let all of a buffer go, or none of it. What is held is held so that it can leave whenever the
//! body ends, be it with trailers, in whose callback a body can be written only if the one before was stopped:
//!
//! | a piece                          | what is done                                                                  |
//! |----------------------------------|-------------------------------------------------------------------------------|
//! | nothing undecided at its end     | it leaves                                                                     |
//! | something is, and nothing was held | it is stopped as a whole, and stays in the host's buffer                    |
//! | something is, and something was held | what is decided is written to the buffer, and the stream is resumed: the buffer leaves after the callback, which itself stops again. The undecided bytes, a few KiB at most, come back with the next piece |
//!
//! So a stream is never later than by one piece, and no buffer grows.

use crate::config::{BodyMode, BodyPolicy, Otherwise};
use crate::eligibility::{Body, Coding};
use crate::inflate::Inflate;
use crate::rules::Rules;
use crate::scan::{Scanned, Scanner, Tally};

/// The host's buffer in a callback.
pub trait Buffer {
    /// All of it.
    fn read(&mut self) -> Vec<u8>;
    /// Puts `bytes` in place of all of it.
    fn write(&mut self, bytes: &[u8]);
    /// Has what is in the buffer leave after the callback.
    fn resume(&mut self);
}

/// What becomes of the stream after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The buffer leaves.
    Continue,
    /// It stays.
    Pause,
    /// The message must not go on.
    Block,
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
    /// The rest passes as it is.
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
            Stage::Passing => return (Flow::Continue, events),
            Stage::Dropping => {
                if size > 0 {
                    buffer.write(&[]);
                }
                return (Flow::Continue, events);
            }
            Stage::Collecting if size > self.policy.max_body => {
                events.oversize = true;
                match self.policy.on_oversize {
                    Otherwise::Treat => self.stage = Stage::Streaming,
                    Otherwise::Skip => {
                        self.stage = Stage::Passing;
                        return (Flow::Continue, events);
                    }
                    Otherwise::Block => {
                        self.stage = Stage::Dropping;
                        buffer.write(&[]);
                        return (Flow::Block, events);
                    }
                }
            }
            Stage::Collecting if !end => {
                self.stopped = true;
                return (Flow::Pause, events);
            }
            Stage::Collecting | Stage::Streaming => {}
        }
        let flow = if size == 0 && !end && self.tail.is_empty() {
            if self.stopped { Flow::Pause } else { Flow::Continue }
        } else {
            self.scan(rules, buffer, (end, false), &mut events)
        };
        (flow, events)
    }

    /// Trailers came, and with them the end of the body.
    pub fn trailers(&mut self, rules: &Rules, buffer: &mut impl Buffer) -> (Flow, Events) {
        let mut events = Events::default();
        let flow = match self.stage {
            Stage::Passing | Stage::Dropping => Flow::Continue,
            // After a piece that left there is no buffer, and nothing undecided.
            Stage::Collecting | Stage::Streaming if !self.stopped && self.tail.is_empty() => Flow::Continue,
            Stage::Collecting | Stage::Streaming => self.scan(rules, buffer, (true, true), &mut events),
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
        let was_stopped = self.stopped;
        // Where nothing was stopped, the buffer of trailers cannot be read: what is not told of yet is here.
        let whole = if self.reports && trailers { Vec::new() } else { buffer.read() };
        let (front, new) = whole.split_at(self.front.min(whole.len()));
        let inflated;
        let new = match &mut self.inflate {
            None => new,
            Some(inflate) => match inflate.next(new, end) {
                Ok(plain) => {
                    inflated = plain;
                    inflated.as_slice()
                }
                Err(_) => {
                    events.error = true;
                    if self.reports {
                        self.stage = Stage::Passing;
                        return Flow::Continue;
                    }
                    return self.stop_all(buffer);
                }
            },
        };
        let joined;
        let piece = if self.tail.is_empty() {
            new
        } else {
            joined = [self.tail.as_slice(), new].concat();
            joined.as_slice()
        };
        let before = self.tail.len();
        let Scanned { consumed, put } = self.scanner.scan(rules, piece, end);
        events.scanned = u64::try_from(piece.len() - before.min(piece.len())).unwrap_or(u64::MAX);
        if self.scanner.tally().blocked {
            return self.stop_all(buffer);
        }
        if self.reports {
            self.tail = piece.get(consumed..).unwrap_or_default().to_vec();
            return Flow::Continue;
        }
        events.changed = put.is_some() && !self.changed;
        self.changed |= put.is_some();
        let (decided, undecided) = piece.split_at(consumed.min(piece.len()));
        let rewritten = put.is_some() || self.inflate.is_some();
        events.held = u64::try_from(undecided.len()).unwrap_or(u64::MAX);
        let put = put.as_deref().unwrap_or(decided);

        if undecided.is_empty() {
            if rewritten || !self.tail.is_empty() {
                write(buffer, front, put);
            }
            (self.front, self.stopped) = (0, false);
            self.tail = Vec::new();
            return Flow::Continue;
        }
        if !was_stopped && self.inflate.is_none() {
            // The first piece with something undecided stays where it is.
            self.front = put.len();
            if rewritten {
                write(buffer, put, undecided);
            }
        } else {
            let ready = front.len() + put.len();
            write(buffer, front, put);
            let undecided = undecided.to_vec();
            self.tail = undecided;
            if was_stopped && ready > 0 {
                buffer.resume();
                self.front = 0;
            } else {
                self.front = ready;
            }
        }
        self.stopped = true;
        Flow::Pause
    }

    /// Nothing of what is here leaves, nor of what comes.
    fn stop_all(&mut self, buffer: &mut impl Buffer) -> Flow {
        self.stage = Stage::Dropping;
        self.tail = Vec::new();
        self.front = 0;
        buffer.write(&[]);
        Flow::Block
    }
}

fn write(buffer: &mut impl Buffer, front: &[u8], rest: &[u8]) {
    if front.is_empty() {
        buffer.write(rest);
    } else {
        buffer.write(&[front, rest].concat());
    }
}
