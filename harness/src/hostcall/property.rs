//! Properties: Envoy's attributes of the stream, what filters wrote, and what a test gave.

use crate::abi::Status;
use crate::guest::{Call, Context, Guest, Outcome};
use crate::property::Value;
use crate::property::group::Found;

mod connection;
mod request;
mod response;
mod upstream;
pub(super) mod view;
mod xds;

use view::View;

pub(super) fn get(call: &mut Call<'_>, path: u32, path_size: u32, value_to: u32, size_to: u32) -> Outcome {
    let value = call.with(&[(path, path_size)], |texts, guest| {
        let path = texts.first().copied().unwrap_or_default();
        find(guest, path)?.to_bytes()
    })??;
    call.give(&value, value_to, size_to)
}

/// No attribute lies deeper; a path may be as long as the guest's memory.
const DEEPEST: usize = 64;

/// Follows a path whose segments are joined by zero bytes (`Context::getProperty`).
///
/// # Errors
///
/// `NOT_FOUND`; `SERIALIZATION_FAILURE` for what has no bytes, and for an empty path.
fn find(guest: &Guest, path: &[u8]) -> Result<Value, Status> {
    if path.is_empty() {
        return Err(Status::SerializationFailure);
    }
    let path = path.strip_suffix(&[0]).unwrap_or(path);
    let mut segments = path.split(|byte| *byte == 0).peekable();
    let first = segments.next().unwrap_or_default();
    let view = View::of(guest, guest.acting());
    let mut value = match view.top(first, segments.peek().is_none()).ok_or(Status::NotFound)? {
        Found::Value(value) => value,
        Found::Group(group) => {
            let member = segments.next().ok_or(Status::SerializationFailure)?;
            view.member(group, member).ok_or(Status::NotFound)?
        }
    };
    for (depth, segment) in segments.enumerate() {
        if depth >= DEEPEST {
            return Err(Status::NotFound);
        }
        value = value.child(segment).ok_or(Status::NotFound)?;
    }
    Ok(value)
}

pub(super) fn set(call: &mut Call<'_>, path: u32, path_size: u32, value: u32, value_size: u32) -> Outcome {
    let result = call.with(&[(path, path_size), (value, value_size)], |texts, guest| {
        let [path, value, ..] = texts else { return Err(Status::NotFound) };
        let declared = guest.root().and_then(|root| root.declared.get(*path)).copied();
        let context = guest.context();
        let state = state(guest, context).ok_or(Status::NotFound)?;
        state.set_property(path, value, declared)
    })?;
    Ok(result.err().unwrap_or(Status::Ok))
}

/// The filter state of the stream or connection that a context is of.
pub(super) fn state(guest: &mut Guest, context: Context) -> Option<&mut crate::foreign::state::FilterState> {
    let world = guest.world();
    match context {
        Context::Http { stream, .. } => Some(&mut world.http.get_mut(stream)?.as_mut()?.filter_state),
        Context::Tcp { connection, .. } => Some(&mut world.tcp.get_mut(connection)?.as_mut()?.filter_state),
        _ => None,
    }
}
