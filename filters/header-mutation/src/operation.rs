//! One change to the headers of a message.

use filter_kit::when::Matcher;

use crate::cookie::{self, Attributes};
use crate::host::{Host, Side, View};
use crate::lines::{Change, Lines, Value as Bytes};
use crate::name::{Field, Spared};
use crate::query;
#[cfg(feature = "regex")]
use crate::rewrite::Rewrite;
use crate::table::Table;
use crate::value::{Judge, Kind, OnInvalid, Undone, Value};

/// One change to the headers of a message.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Set(Field, Value),
    SetIfPresent(Field, Value),
    AddIfAbsent(Field, Value),
    Append(Field, Value),
    AppendCsv(Field, Value),
    Remove(Field),
    RemoveMatch(Selector),
    Rename(Field, Field),
    Copy(Box<[u8]>, Field),
    Dedupe(Field, Keep),
    #[cfg(feature = "regex")]
    Rewrite(Field, Rewrite),
    Map(Field, Table),
    SetCookie(Box<[u8]>, Value, Attributes),
    RemoveCookie(Box<[u8]>),
    CookieAttributes(Option<Box<[u8]>>, Attributes),
    QuerySet(Box<[u8]>, Value),
    QueryRemove(Box<[u8]>),
    QueryRename(Box<[u8]>, Box<[u8]>),
}

/// Headers by a part of their name.
#[derive(Clone, Debug)]
pub(crate) struct Selector {
    /// What the name is compared with.
    pub(crate) matcher: Matcher,
    /// Those that stay.
    pub(crate) except: Vec<Box<[u8]>>,
    /// Those that nobody may remove.
    pub(crate) spared: Spared,
}

/// Which of several lines stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The first.
    First,
    /// The last.
    Last,
    /// The first of each value.
    Unique,
}

impl Keep {
    /// The words for it in a configuration.
    pub(crate) const WORDS: [(&str, Self); 3] =
        [("first", Self::First), ("last", Self::Last), ("unique", Self::Unique)];
}

/// What an operation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It changed something.
    Changed,
    /// There was nothing to change.
    Same,
    /// It was left undone, at least in part.
    Undone(Undone),
}

/// Where an operation is carried out.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p> {
    pub(crate) side: Side,
    /// The request as it was sent on, written as a map, if that was kept.
    pub(crate) request: Option<&'p [u8]>,
    pub(crate) host: &'p dyn Host,
    pub(crate) judge: Judge,
}

impl Operation {
    /// Makes this one change in `lines`.
    pub(crate) fn apply<'a>(&'a self, lines: &mut Lines<'a>, place: &Place<'_>) -> Outcome {
        self.change(lines, place).unwrap_or_else(Outcome::Undone)
    }

    fn change<'a>(&'a self, lines: &mut Lines<'a>, place: &Place<'_>) -> Result<Outcome, Undone> {
        let get = |lines: &Lines<'a>, value: &'a Value, kind| {
            let view =
                View { side: place.side, lines: Some(lines), request: place.request, host: place.host };
            value.get(&view, kind, place.judge)
        };
        let changed = match self {
            Self::Set(field, value) => {
                field.may_be_set(lines)?;
                let value = get(lines, value, field.kind)?;
                lines.set(&field.name, value)
            }
            Self::SetIfPresent(field, value) => {
                if !lines.has(&field.name) {
                    return Ok(Outcome::Same);
                }
                field.may_be_set(lines)?;
                let value = get(lines, value, field.kind)?;
                lines.set(&field.name, value)
            }
            Self::AddIfAbsent(field, value) => {
                if lines.has(&field.name) {
                    return Ok(Outcome::Same);
                }
                let value = get(lines, value, field.kind)?;
                lines.push(&field.name, value);
                true
            }
            Self::Append(field, value) => {
                let value = get(lines, value, field.kind)?;
                lines.push(&field.name, value);
                true
            }
            Self::AppendCsv(field, value) => {
                let value = get(lines, value, field.kind)?;
                let mut all: Vec<&[u8]> = lines.values(&field.name).filter(|line| !line.is_empty()).collect();
                all.push(&value);
                let joined = all.join(&b", "[..]);
                // Each part may be sent, so only their length is in question.
                if joined.len() > place.judge.most {
                    return Err(Undone::Invalid);
                }
                lines.set(&field.name, Bytes::Owned(joined))
            }
            Self::Remove(field) => lines.remove(&field.name),
            Self::RemoveMatch(selector) => lines.remove_names(&|name| selector.takes(name)),
            Self::Rename(from, to) => {
                if !lines.has(&from.name) {
                    return Ok(Outcome::Same);
                }
                let values = lines.take(&from.name);
                lines.remove(&to.name);
                values.into_iter().for_each(|value| lines.push(&to.name, value));
                true
            }
            Self::Copy(from, to) => return copy(lines, from, to, place.judge),
            Self::Dedupe(field, keep) => keep.apply(lines, &field.name),
            #[cfg(feature = "regex")]
            Self::Rewrite(field, rewrite) => {
                return edit(lines, field, place.judge, &|value| rewrite.of(value));
            }
            Self::Map(field, table) => {
                return edit(lines, field, place.judge, &|value| table.of(value).map(<[u8]>::to_vec));
            }
            Self::SetCookie(name, value, attributes) => {
                let value = get(lines, value, Kind::Cookie)?;
                if place.side == Side::Request {
                    cookie::set_of_request(lines, name, &value)
                } else {
                    cookie::set_of_response(lines, name, &value, attributes)
                }
            }
            Self::RemoveCookie(name) if place.side == Side::Request => cookie::remove_of_request(lines, name),
            Self::RemoveCookie(name) => cookie::remove_of_response(lines, name),
            Self::CookieAttributes(name, attributes) => {
                cookie::give_attributes(lines, name.as_deref(), attributes)
            }
            Self::QuerySet(name, value) => {
                let value = get(lines, value, Kind::Parameter)?;
                return path(lines, place.judge, &|path| query::set(path, name, &value));
            }
            Self::QueryRemove(name) => return path(lines, place.judge, &|path| query::remove(path, name)),
            Self::QueryRename(name, to) => {
                return path(lines, place.judge, &|path| query::rename(path, name, to));
            }
        };
        Ok(if changed { Outcome::Changed } else { Outcome::Same })
    }

    /// The value that it puts somewhere, if it has one.
    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Self::Set(_, value)
            | Self::SetIfPresent(_, value)
            | Self::AddIfAbsent(_, value)
            | Self::Append(_, value)
            | Self::AppendCsv(_, value)
            | Self::SetCookie(_, value, _)
            | Self::QuerySet(_, value) => Some(value),
            _ => None,
        }
    }
}

impl Field {
    /// A pseudo-header is changed where it is and never made: a CONNECT has no path, and keeps its method.
    fn may_be_set(&self, lines: &Lines<'_>) -> Result<(), Undone> {
        if !matches!(self.kind, Kind::Path | Kind::Method | Kind::Status) {
            return Ok(());
        }
        let old = lines.values(&self.name).next();
        match (self.kind, old) {
            (Kind::Path | Kind::Method | Kind::Status, None) | (Kind::Method, Some(b"CONNECT")) => {
                Err(Undone::Missing)
            }
            _ => Ok(()),
        }
    }
}

impl Selector {
    fn takes(&self, name: &[u8]) -> bool {
        self.matcher.matches(name)
            && !self.spared.has(name)
            && !self.except.iter().any(|other| **other == *name)
    }
}

impl Keep {
    fn apply<'a>(self, lines: &mut Lines<'a>, name: &'a [u8]) -> bool {
        let count = lines.values(name).count();
        if count < 2 {
            return false;
        }
        let (mut seen, mut place): (Vec<Vec<u8>>, usize) = (Vec::new(), 0);
        lines.retain(name, &mut |value| {
            place += 1;
            match self {
                Self::First => place == 1,
                Self::Last => place == count,
                Self::Unique => {
                    let is_new = !seen.iter().any(|other| other == value);
                    if is_new {
                        seen.push(value.to_vec());
                    }
                    is_new
                }
            }
        })
    }
}

/// The lines of one name under another, in place of any there.
fn copy<'a>(lines: &mut Lines<'a>, from: &[u8], to: &'a Field, judge: Judge) -> Result<Outcome, Undone> {
    let mut values = lines.copies(from);
    if values.is_empty() {
        return Ok(Outcome::Same);
    }
    if to.kind != Kind::Line {
        // The first, if it may stand there at all.
        to.may_be_set(lines)?;
        let value = judge.pass(to.kind, values.swap_remove(0).into_owned())?;
        return Ok(if lines.set(&to.name, Bytes::Owned(value)) { Outcome::Changed } else { Outcome::Same });
    }
    if lines.values(&to.name).eq(values.iter().map(|value| &**value)) {
        return Ok(Outcome::Same);
    }
    lines.remove(&to.name);
    values.into_iter().for_each(|value| lines.push(&to.name, value));
    Ok(Outcome::Changed)
}

/// Has `become` say what each value of a header becomes. One that may not be sent then stays as it was.
fn edit<'a>(
    lines: &mut Lines<'a>,
    field: &'a Field,
    judge: Judge,
    becomes: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<Outcome, Undone> {
    if lines.has(&field.name) {
        field.may_be_set(lines)?;
    }
    let mut undone = None;
    let changed = lines.edit(&field.name, &mut |value| {
        // Matching takes time that is linear in the value, at a few megabytes a second: long ones are left alone.
        if value.len() > judge.most {
            undone = Some(Undone::Invalid);
            return Change::Keep;
        }
        match becomes(value).map(|value| judge.pass(field.kind, value)) {
            None => Change::Keep,
            Some(Ok(value)) => Change::Become(value),
            Some(Err(reason)) => {
                undone = Some(reason);
                Change::Keep
            }
        }
    });
    match (undone, changed) {
        (Some(reason), _) => Err(reason),
        (None, true) => Ok(Outcome::Changed),
        (None, false) => Ok(Outcome::Same),
    }
}

/// Has `change` say what becomes of the path; `None` if it stays.
fn path(
    lines: &mut Lines<'_>,
    judge: Judge,
    change: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<Outcome, Undone> {
    let Some(old) = lines.values(b":path").next() else { return Err(Undone::Missing) };
    let Some(new) = change(old) else { return Ok(Outcome::Same) };
    if new.len() > judge.most.max(old.len()) {
        return Err(Undone::Invalid);
    }
    Ok(if lines.set(b":path", Bytes::Owned(new)) { Outcome::Changed } else { Outcome::Same })
}

impl Judge {
    /// Whether a request is refused for it.
    pub(crate) fn denies(self, outcome: Outcome) -> bool {
        self.on_invalid == OnInvalid::Deny && outcome == Outcome::Undone(Undone::Invalid)
    }
}

#[cfg(test)]
mod tests;
