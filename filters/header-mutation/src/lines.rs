//! The headers of one message while operations change them: read once, changed in memory, written back where they
//! differ.

use filter_kit::reads::{pairs, written};

/// Header lines in order, and which of them the message had.
#[derive(Debug, Default)]
pub(crate) struct Lines<'a> {
    /// The glance of each line's name. By themselves, for they are what is looked through.
    glances: Vec<u32>,
    /// A bit for each glance, which other glances share: most names that are asked for are not there.
    seen: u64,
    lines: Vec<Line<'a>>,
    /// How many lines the message had.
    had: usize,
    /// The names that an operation has changed something of, and whether a line that the message had is gone.
    touched: Vec<(Name<'a>, bool)>,
}

#[derive(Debug)]
struct Line<'a> {
    name: Name<'a>,
    value: Value<'a>,
    state: State,
}

/// A name, and what tells it from most others at a glance: lines are looked through often, and names are alike.
#[derive(Clone, Copy, Debug)]
struct Name<'a> {
    glance: u32,
    bytes: &'a [u8],
}

impl<'a> Name<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        // Its length, a byte of its middle and the last: many begin alike.
        let byte = |byte: Option<&u8>| byte.copied().unwrap_or_default();
        let glance = [bytes.len().to_le_bytes()[0], byte(bytes.get(bytes.len() / 2)), byte(bytes.last()), 0];
        Self { glance: u32::from_le_bytes(glance), bytes }
    }

    fn bit(self) -> u64 {
        // The bytes that tell names from each other best are the length and the last.
        let [length, middle, last, _] = self.glance.to_le_bytes();
        1 << ((u32::from(length) * 5 + u32::from(middle) * 7 + u32::from(last)) % 64)
    }

    fn is(&self, other: Name<'_>) -> bool {
        self.glance == other.glance && self.bytes == other.bytes
    }
}

/// The bytes of a value: of the message, of the configuration, or made for this message.
pub(crate) type Value<'a> = std::borrow::Cow<'a, [u8]>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The message had it, and has it.
    Kept,
    /// The message had it.
    Gone,
    /// An operation made it.
    New,
}

/// What is to be done to the proxy's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit<'a> {
    /// One line in place of all that have the name.
    Replace(&'a [u8], &'a [u8]),
    /// One more line.
    Add(&'a [u8], &'a [u8]),
    /// No line.
    Remove(&'a [u8]),
}

impl<'a> Lines<'a> {
    /// The lines of a map as the ABI writes it down.
    pub(crate) fn of(map: &'a [u8]) -> Self {
        // Room for what most messages have, and for what is added: growing copies.
        let mut lines = Self {
            glances: Vec::with_capacity(32),
            seen: 0,
            lines: Vec::with_capacity(32),
            had: 0,
            touched: Vec::new(),
        };
        for (name, value) in pairs(map) {
            let name = Name::new(name);
            lines.seen |= name.bit();
            lines.glances.push(name.glance);
            lines.lines.push(Line { name, value: Value::Borrowed(value), state: State::Kept });
        }
        lines.had = lines.lines.len();
        lines
    }

    fn may_have(&self, name: Name<'_>) -> bool {
        self.seen & name.bit() != 0
    }

    /// The lines of that name, also those that are gone.
    fn all(&self, name: Name<'_>) -> impl Iterator<Item = &Line<'a>> {
        let glances = if self.may_have(name) { self.glances.as_slice() } else { &[] };
        let alike = glances.iter().zip(&self.lines).filter(move |(glance, _)| **glance == name.glance);
        alike.map(|(_, line)| line).filter(move |line| line.name.bytes == name.bytes)
    }

    /// Name and value of each line.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.lines.iter().filter(|line| line.state != State::Gone).map(|line| (line.name.bytes, &*line.value))
    }

    /// The values of that name.
    pub(crate) fn values(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.all(Name::new(name)).filter(|line| line.state != State::Gone).map(|line| &*line.value)
    }

    /// Whether there is a line of that name.
    #[inline(never)]
    pub(crate) fn has(&self, name: &[u8]) -> bool {
        self.values(name).next().is_some()
    }

    /// Adds a line after all others.
    #[inline(never)]
    pub(crate) fn push(&mut self, name: &'a [u8], value: Value<'a>) {
        let name = Name::new(name);
        self.touch(name, false);
        self.seen |= name.bit();
        self.glances.push(name.glance);
        self.lines.push(Line { name, value, state: State::New });
    }

    /// Puts one line in place of all that have the name. Whether that is a change.
    #[inline(never)]
    pub(crate) fn set(&mut self, name: &'a [u8], value: Value<'a>) -> bool {
        let mut values = self.values(name);
        let first = values.next().map(|first| *first == *value);
        let is_only = values.next().is_none();
        drop(values);
        if first == Some(true) && is_only {
            return false;
        }
        if first.is_some() {
            self.remove(name);
        }
        self.push(name, value);
        true
    }

    /// Takes every line of that name away, and answers their values.
    #[inline(never)]
    pub(crate) fn take(&mut self, name: &'a [u8]) -> Vec<Value<'a>> {
        let values = self.copies(name);
        self.remove(name);
        values
    }

    /// The values of that name; what the message had is not copied.
    #[inline(never)]
    pub(crate) fn copies(&self, name: &[u8]) -> Vec<Value<'a>> {
        let lines = self.all(Name::new(name)).filter(|line| line.state != State::Gone);
        lines.map(|line| line.value.clone()).collect()
    }

    /// Removes every line of that name. Whether there was one.
    #[inline(never)]
    pub(crate) fn remove(&mut self, name: &'a [u8]) -> bool {
        self.retain(name, &mut |_| false)
    }

    /// Removes the lines of that name of which `keep` says so. Whether there was one.
    #[inline(never)]
    pub(crate) fn retain(&mut self, name: &'a [u8], keep: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.edit(name, &mut |value| if keep(value) { Change::Keep } else { Change::Remove })
    }

    /// Removes every line whose name `takes` takes. Whether there was one.
    #[inline(never)]
    pub(crate) fn remove_names(&mut self, takes: &dyn Fn(&[u8]) -> bool) -> bool {
        let mut names: Vec<&'a [u8]> = Vec::new();
        for line in &self.lines {
            let name = line.name.bytes;
            if line.state != State::Gone && !names.contains(&name) && takes(name) {
                names.push(name);
            }
        }
        names.iter().for_each(|name| {
            self.remove(name);
        });
        !names.is_empty()
    }

    /// Has `change` say of each value of that name what becomes of it. Whether anything did.
    #[inline(never)]
    pub(crate) fn edit(&mut self, name: &'a [u8], change: &mut dyn FnMut(&[u8]) -> Change) -> bool {
        let name = Name::new(name);
        let first = || self.glances.iter().position(|glance| *glance == name.glance);
        let Some(mut at) = self.may_have(name).then(first).flatten() else { return false };
        let (mut changed, mut is_gone) = (false, false);
        while let Some(line) = self.lines.get_mut(at) {
            at += 1;
            if !line.name.is(name) || line.state == State::Gone {
                continue;
            }
            let value = match change(&line.value) {
                Change::Keep => continue,
                Change::Remove => None,
                Change::Become(value) if *value == *line.value => continue,
                Change::Become(value) => Some(Value::Owned(value)),
            };
            changed = true;
            match (line.state, value) {
                // What the message had stays known, so that what is written can be as little as possible.
                (State::Kept, value) => {
                    line.state = State::Gone;
                    is_gone = true;
                    if let Some(value) = value {
                        self.glances.insert(at, name.glance);
                        self.lines.insert(at, Line { name, value, state: State::New });
                        at += 1;
                    }
                }
                (_, Some(value)) => line.value = value,
                (_, None) => {
                    at -= 1;
                    self.glances.remove(at);
                    self.lines.remove(at);
                }
            }
        }
        if changed {
            self.touch(name, is_gone);
        }
        changed
    }

    fn touch(&mut self, name: Name<'a>, is_gone: bool) {
        match self.touched.iter_mut().find(|(other, _)| other.is(name)) {
            Some((_, was_gone)) => *was_gone |= is_gone,
            None => self.touched.push((name, is_gone)),
        }
    }

    /// Hands to `each` the fewest edits that make the proxy's headers what these lines are; none for what is as it was.
    #[inline(never)]
    pub(crate) fn edits(&self, each: &mut dyn FnMut(Edit<'_>)) {
        let mut of_name: Vec<&Line<'a>> = Vec::new();
        for (touched, is_gone) in &self.touched {
            let is_pseudo = touched.bytes.first() == Some(&b':');
            if !is_gone && !is_pseudo {
                // Nothing but lines behind those that the message had.
                let behind = self.lines.get(self.had..).unwrap_or_default().iter();
                let new = behind.filter(|line| line.state == State::New && line.name.is(*touched));
                new.for_each(|line| each(Edit::Add(line.name.bytes, &line.value)));
                continue;
            }
            of_name.clear();
            of_name.extend(self.all(*touched));
            let now = || of_name.iter().filter(|line| line.state != State::Gone).map(|line| &*line.value);
            let before = || of_name.iter().filter(|line| line.state != State::New).map(|line| &*line.value);
            let (name, had) = (touched.bytes, before().count());
            let mut values = now();
            // Lines can be added behind those that are there; for anything else all of them are made anew. A pseudo-header
            // has one line, which is never added to.
            if values.by_ref().take(had).eq(before()) && !is_pseudo {
                values.for_each(|value| each(Edit::Add(name, value)));
                continue;
            }
            let mut values = now();
            match values.next() {
                None => each(Edit::Remove(name)),
                Some(first) => {
                    if had == 1 && now().eq(before()) {
                        continue;
                    }
                    each(Edit::Replace(name, first));
                    values.for_each(|value| each(Edit::Add(name, value)));
                }
            }
        }
    }

    /// The lines as the ABI writes a map down.
    pub(crate) fn to_map(&self) -> Vec<u8> {
        written(self.iter())
    }
}

/// What becomes of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It stays as it is.
    Keep,
    /// Its line goes.
    Remove,
    /// It becomes this.
    Become(Vec<u8>),
}

#[cfg(test)]
mod tests;
