//! The way through what is plain: nearly all of JSON has nothing in it that matters, and is passed here without a stop.

use super::token::number;
use super::{Json, LONGEST_NAME, State};
use crate::rules::Rules;
use crate::scan::quote::quote_or_escape;
use crate::scan::stack::DEEPEST;

impl Json {
    /// Passes as many whole tokens from `at` on as have nothing to be looked into; answers where the next one begins.
    /// Whatever is here has been decided the same way as token by token.
    pub(super) fn pass_plain(&mut self, rules: &Rules, bytes: &[u8], mut at: usize) -> usize {
        let mut state = self.state;
        if self.target.is_some() || !matches!(state, State::Value { .. } | State::Name { .. } | State::Comma)
        {
            return at;
        }
        while let Some(byte) = bytes.get(at) {
            match (state, byte) {
                (_, b' ' | b'\n' | b'\r' | b'\t') => at += 1,
                (State::Name { .. }, b'"') => {
                    let close = quote_or_escape(bytes, at + 1);
                    if bytes.get(close) != Some(&b'"') || close - at > LONGEST_NAME {
                        break;
                    }
                    let name = bytes.get(at + 1..close).unwrap_or_default();
                    if bytes.get(close + 1) != Some(&b':') || rules.keyed(name).is_some() {
                        break;
                    }
                    at = close + 2;
                    state = State::Value { or_end: false };
                }
                (State::Value { .. }, b'"') => {
                    let close = quote_or_escape(bytes, at + 1);
                    if bytes.get(close) != Some(&b'"') {
                        break;
                    }
                    if self.hit <= at {
                        self.hit = rules.finder.next_in_json(bytes, at + 1);
                    }
                    if self.hit < close {
                        break;
                    }
                    at = close + 1;
                    state = State::Comma;
                }
                (State::Comma, b',') if !self.stack.is_empty() => {
                    state = if self.stack.is_in_object() {
                        State::Name { or_end: false }
                    } else {
                        State::Value { or_end: false }
                    };
                    at += 1;
                }
                (State::Value { .. }, b'-' | b'0'..=b'9') => {
                    let length = number(bytes.get(at..).unwrap_or_default());
                    if at + length >= bytes.len() || length >= rules.shortest_number {
                        break;
                    }
                    at += length;
                    state = State::Comma;
                }
                (State::Value { .. }, b't' | b'f' | b'n') => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let word =
                        [&b"true"[..], b"false", b"null"].into_iter().find(|word| rest.starts_with(word));
                    let Some(word) = word else { break };
                    if !rest.get(word.len()).is_some_and(|after| matches!(after, b',' | b'}' | b']')) {
                        break;
                    }
                    at += word.len();
                    state = State::Comma;
                }
                (State::Value { .. }, b'{' | b'[') if self.stack.depth() < DEEPEST => {
                    self.stack.push(*byte == b'{');
                    state = if *byte == b'{' {
                        State::Name { or_end: true }
                    } else {
                        State::Value { or_end: true }
                    };
                    at += 1;
                }
                (
                    State::Comma | State::Name { or_end: true } | State::Value { or_end: true },
                    b'}' | b']',
                ) => {
                    if self.stack.is_empty() || self.stack.is_in_object() != (*byte == b'}') {
                        break;
                    }
                    self.stack.pop(*byte == b'}');
                    state = State::Comma;
                    at += 1;
                }
                _ => break,
            }
        }
        self.state = state;
        at
    }
}
