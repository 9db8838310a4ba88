//! The way through what is plain: nearly all of JSON has nothing in it that matters, and is passed here without a stop.

use super::token::number;
use super::{Ahead, Json, LONGEST_NAME, LONGEST_SCALAR, State};
use crate::rules::Rules;
use crate::scan::stack::DEEPEST;

impl Json {
    /// Passes as many whole tokens from `at` on as have nothing to be looked into; answers where the next one begins.
    /// Whatever is here has been decided the same way as token by token.
    pub(super) fn pass_plain(&mut self, rules: &Rules, bytes: &[u8], mut at: usize) -> usize {
        let between = matches!(self.state, State::Value { .. } | State::Name { .. } | State::Comma);
        if self.target.is_some() || !between {
            return at;
        }
        let mut state = self.state;
        let mut ahead = self.ahead;
        // Where the name of the member at hand stands.
        let mut name = None;
        // In the order in which they follow each other, so that one turn is one member.
        loop {
            if let State::Value { or_end } = state {
                match bytes.get(at) {
                    Some(b'"') => {
                        let Some(next) = ahead.plain_string(rules, bytes, at) else { break };
                        at = next;
                        state = State::Comma;
                    }
                    Some(b'{') if self.stack.depth() < DEEPEST => {
                        self.open(true);
                        name = None;
                        at += 1;
                        state = State::Name { or_end: true };
                    }
                    Some(b'[') if self.stack.depth() < DEEPEST => {
                        self.open(false);
                        name = None;
                        at += 1;
                        state = State::Value { or_end: true };
                        if self.leads_to_a_target(rules) {
                            break;
                        }
                    }
                    Some(b'-' | b'0'..=b'9') => {
                        let Some(next) = ahead.plain_number(rules, bytes, at) else { break };
                        at = next;
                        state = State::Comma;
                    }
                    Some(b't' | b'f' | b'n') => {
                        let Some(next) = plain_word(bytes, at) else { break };
                        at = next;
                        state = State::Comma;
                    }
                    Some(b']') if or_end => {
                        if !self.close(false) {
                            break;
                        }
                        at += 1;
                        state = State::Comma;
                    }
                    Some(b' ' | b'\n' | b'\r' | b'\t') => at = after_blanks(bytes, at),
                    _ => break,
                }
            }
            if state == State::Comma {
                match bytes.get(at) {
                    Some(b',') if !self.stack.is_empty() => {
                        at += 1;
                        if self.stack.is_in_object() {
                            state = State::Name { or_end: false };
                        } else {
                            state = State::Value { or_end: false };
                            if self.leads_to_a_target(rules) {
                                break;
                            }
                        }
                    }
                    Some(byte @ (b'}' | b']')) => {
                        if !self.close(*byte == b'}') {
                            break;
                        }
                        at += 1;
                    }
                    Some(b' ' | b'\n' | b'\r' | b'\t') => at = after_blanks(bytes, at),
                    _ => break,
                }
            }
            if let State::Name { or_end } = state {
                match bytes.get(at) {
                    Some(b'"') => {
                        let Some(close) = self.plain_name(&mut ahead, rules, bytes, at) else { break };
                        name = Some((at + 1, close));
                        at = close + 2;
                        state = State::Value { or_end: false };
                    }
                    Some(b'}') if or_end => {
                        if !self.close(true) {
                            break;
                        }
                        at += 1;
                        state = State::Comma;
                    }
                    Some(b' ' | b'\n' | b'\r' | b'\t') => at = after_blanks(bytes, at),
                    _ => break,
                }
            }
        }
        if let Some((start, end)) = name {
            self.note_name(rules, bytes.get(start..end).unwrap_or_default());
        }
        (self.state, self.ahead) = (state, ahead);
        at
    }

    fn open(&mut self, is_object: bool) {
        self.stack.push(is_object);
        self.name.clear();
    }

    /// Closes the innermost object or list, if it is of that kind.
    fn close(&mut self, is_object: bool) -> bool {
        !self.stack.is_empty() && self.stack.is_in_object() == is_object && self.stack.pop(is_object)
    }

    /// Whether the next item of a list goes as a whole.
    fn leads_to_a_target(&mut self, rules: &Rules) -> bool {
        if self.stack.is_led_into() {
            self.next_item(rules);
        }
        self.target.is_some()
    }

    /// Where the name at `at` ends, if a colon follows and it is no name of a value that goes as a whole.
    #[inline]
    fn plain_name(&mut self, ahead: &mut Ahead, rules: &Rules, bytes: &[u8], at: usize) -> Option<usize> {
        let close = ahead.marks.next(bytes, at + 1);
        let name = bytes.get(at + 1..close)?;
        if bytes.get(close) != Some(&b'"') || bytes.get(close + 1) != Some(&b':') || name.len() > LONGEST_NAME
        {
            return None;
        }
        let has_target = rules.keyed(name).is_some() || self.stack.member(&rules.pointers, name).is_some();
        let plain = !has_target && (!rules.scans_names || ahead.is_nothing_in(rules, bytes, at + 1, close));
        plain.then_some(close)
    }
}

impl Ahead {
    /// Where the string at `at` ends, if nothing in it is escaped or worth a look.
    #[inline]
    fn plain_string(&mut self, rules: &Rules, bytes: &[u8], at: usize) -> Option<usize> {
        let close = self.marks.next(bytes, at + 1);
        let plain = bytes.get(close) == Some(&b'"') && self.is_nothing_in(rules, bytes, at + 1, close);
        plain.then_some(close + 1)
    }

    /// Where the number at `at` ends, if it has come whole and nothing in it is worth a look.
    #[inline]
    fn plain_number(&mut self, rules: &Rules, bytes: &[u8], at: usize) -> Option<usize> {
        let length = number(bytes.get(at..)?);
        let stop = at + length;
        let plain = stop < bytes.len()
            && (length < rules.shortest_number
                || (length <= LONGEST_SCALAR && self.is_nothing_in(rules, bytes, at, stop)));
        plain.then_some(stop)
    }

    /// Whether no place from `from` to `to` is worth a look.
    #[inline]
    fn is_nothing_in(&mut self, rules: &Rules, bytes: &[u8], from: usize, to: usize) -> bool {
        if self.hit < from {
            self.hit = rules.finder.next_in_json(bytes, from);
        }
        self.hit >= to && bytes.get(from) != Some(&b':')
    }
}

/// Where the word at `at` ends, if it is one of JSON's and has come whole.
fn plain_word(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let word = [&b"true"[..], b"false", b"null"].into_iter().find(|word| rest.starts_with(word))?;
    rest.get(word.len()).filter(|after| !after.is_ascii_lowercase())?;
    Some(at + word.len())
}

#[inline]
fn after_blanks(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    at + rest.iter().position(|byte| !blank(byte)).unwrap_or(rest.len())
}
