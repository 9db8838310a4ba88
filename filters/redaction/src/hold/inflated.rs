//! Bodies that come compressed and leave plain: piece by piece, so that the VM never has much more than 100 KiB of one,
//! however much a piece holds.

use filter_kit::mode::Failure;

use super::{Buffer, Events, Flow, Held, LARGE, Stage, length};
use crate::config::BodyMode;
use crate::inflate::Unreadable;
use crate::rules::Rules;
use crate::scan::Scanned;

/// After how many bytes what is decided is given to the host.
const ENOUGH: usize = 64 << 10;

/// What is decided, on its way into the host's buffer.
struct Out {
    bytes: Vec<u8>,
    /// How many bytes the buffer has of it.
    written: usize,
    refused: bool,
}

impl Out {
    fn push(&mut self, buffer: &mut impl Buffer, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= ENOUGH {
            self.flush(buffer);
        }
    }

    fn flush(&mut self, buffer: &mut impl Buffer) {
        // What was compressed gives way to the first.
        let done = match self.written {
            0 => buffer.write(&self.bytes),
            _ => self.bytes.is_empty() || buffer.append(&self.bytes),
        };
        self.refused |= !done;
        self.written += self.bytes.len();
        self.bytes.clear();
    }
}

impl Held {
    pub(super) fn scan_inflated(
        &mut self,
        rules: &Rules,
        buffer: &mut impl Buffer,
        whole: &[u8],
        end: bool,
        events: &mut Events,
    ) -> Flow {
        let (front, mut rest) = whole.split_at(self.front.min(whole.len()));
        let mut out = Out { bytes: front.to_vec(), written: 0, refused: false };
        while let Some(inflate) = &mut self.inflate {
            let mut plain = Vec::new();
            let mut why = None;
            match inflate.next(rest, &mut plain) {
                Ok(after) => rest = after,
                Err((unreadable, after)) => (why, rest) = (Some(unreadable), after),
            }
            let last = rest.is_empty();
            if last && end && !inflate.may_end() {
                why = why.or(Some(Unreadable::Truncated));
            }
            let too_much = self.policy.mode == BodyMode::Buffer && inflate.given() > self.policy.max_body;
            if too_much
                && self.stage == Stage::Collecting
                && let Some(flow) = self.oversize(buffer, events)
            {
                return flow;
            }
            events.scanned += length(&plain);
            let whole_body = (last && end) || why.is_some();
            self.decide(rules, buffer, plain, whole_body, &mut out, events);
            if self.scanner.tally().blocked && !self.reports {
                return self.stop_all(buffer);
            }
            if let Some(why) = why {
                events.error = true;
                if self.reports {
                    self.stage = Stage::Passing;
                    self.inflate = None;
                    return Flow::Continue;
                }
                // What becomes too large is stopped whatever is said: that is no question of what is in it.
                if self.policy.fail == Failure::Closed || why == Unreadable::Bomb {
                    return self.stop_all(buffer);
                }
                if let Some(inflate) = self.inflate.take() {
                    out.push(buffer, inflate.not_understood());
                }
                out.push(buffer, rest);
                self.stage = Stage::Passing;
            }
            if last || why.is_some() {
                break;
            }
        }
        if self.reports {
            return Flow::Continue;
        }
        out.flush(buffer);
        if out.refused {
            return self.refused(buffer, events);
        }
        events.held = length(&self.tail);
        if self.tail.is_empty() {
            (self.front, self.stopped) = (0, false);
            return Flow::Continue;
        }
        if !self.stopped && out.written > LARGE {
            self.front = 0;
            return Flow::Continue;
        }
        if self.let_go(buffer, out.written) { Flow::Pause } else { self.refused(buffer, events) }
    }

    /// Looks into what came and was undecided before it.
    fn decide(
        &mut self,
        rules: &Rules,
        buffer: &mut impl Buffer,
        plain: Vec<u8>,
        end: bool,
        out: &mut Out,
        events: &mut Events,
    ) {
        let mut piece = std::mem::take(&mut self.tail);
        if piece.is_empty() {
            piece = plain;
        } else {
            piece.extend_from_slice(&plain);
        }
        if self.stage == Stage::Passing {
            out.push(buffer, &piece);
            return;
        }
        let Scanned { consumed, put } = self.scanner.scan(rules, &piece, end);
        let (decided, undecided) = piece.split_at(consumed.min(piece.len()));
        if !self.reports {
            events.changed |= put.is_some() && !self.changed;
            self.changed |= put.is_some();
            out.push(buffer, put.as_deref().unwrap_or(decided));
        }
        self.tail = undecided.to_vec();
    }
}
