//! Operations that need no copy of the headers: each is a call to the proxy or two.
//!
//! To read all of the headers costs more than to ask for one or two of them. A change to a request has the proxy route it
//! anew, so nothing is written there without a look. In a response nothing is lost by a `set` that changes nothing but the
//! call, and a look costs as much.

use filter_kit::template::Source;

use crate::host::{Held, Side, View};
use crate::operation::{Operation, Outcome, Place};
use crate::value::{Kind, Value};

/// How many headers may be asked for one by one before reading all of them is the cheaper way.
pub(crate) const MOST_READS: usize = 2;

impl Operation {
    /// How many headers it would ask for; `None` if it needs all of them.
    pub(crate) fn reads(&self, side: Side) -> Option<usize> {
        match self {
            Self::Set(field, value) if field.kind == Kind::Line => {
                reads_of(value, side).map(|reads| reads + usize::from(side == Side::Request))
            }
            Self::Append(field, value) if field.kind == Kind::Line => reads_of(value, side),
            Self::SetIfPresent(field, value) | Self::AddIfAbsent(field, value)
                if field.kind == Kind::Line =>
            {
                reads_of(value, side).map(|reads| reads + 1)
            }
            Self::Remove(_) => Some(1),
            _ => None,
        }
    }

    /// Makes this one change in the proxy, for an operation that has a number of reads. `None` if the proxy did not do
    /// it.
    pub(crate) fn apply_direct(&self, place: &Place<'_>) -> Option<Outcome> {
        let (host, side) = (place.host, place.side);
        let has = |name: &[u8]| match (side.map(), std::str::from_utf8(name)) {
            (Some(map), Ok(name)) => host.header(map, name, &mut |_| true),
            _ => false,
        };
        let (field, value) = match self {
            Self::AddIfAbsent(field, value) if !has(&field.name) => (field, value),
            Self::Set(field, value) | Self::SetIfPresent(field, value) | Self::Append(field, value) => {
                (field, value)
            }
            Self::Remove(field) if has(&field.name) => {
                return host.remove(side, &field.name).then_some(Outcome::Changed);
            }
            _ => return Some(Outcome::Same),
        };
        let view = View { side, lines: None, request: place.request, host };
        let value = match value.get(&view, field.kind, place.judge) {
            Ok(value) => value,
            Err(_) if matches!(self, Self::SetIfPresent(..)) && !has(&field.name) => {
                return Some(Outcome::Same);
            }
            Err(undone) => return Some(Outcome::Undone(undone)),
        };
        let is_in_force = match self {
            Self::Set(..) if side == Side::Request => host.held(side, &field.name, &value) == Held::Same,
            Self::SetIfPresent(..) => host.held(side, &field.name, &value) != Held::Other,
            _ => false,
        };
        if is_in_force {
            return Some(Outcome::Same);
        }
        let done = match self {
            Self::Append(..) | Self::AddIfAbsent(..) => host.add(side, &field.name, &value),
            _ => host.replace(side, &field.name, &value),
        };
        done.then_some(Outcome::Changed)
    }
}

fn reads_of(value: &Value, side: Side) -> Option<usize> {
    let Some(template) = value.template() else { return Some(0) };
    let mut reads = 0;
    for source in template.sources() {
        let own = match side {
            Side::Request => source.needs_request(),
            Side::Response => source.needs_response(),
            Side::RequestTrailers | Side::ResponseTrailers => false,
        };
        match source {
            // Of a repeated header the proxy answers one value, so for these all of them are read.
            Source::Headers(_) | Source::ResponseHeaders(_) | Source::Cookie(_) if own => return None,
            _ => reads += usize::from(own),
        }
    }
    Some(reads)
}
