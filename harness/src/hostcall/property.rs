//! Properties: Envoy's attributes of the stream, what filters wrote, and what a test gave.

use crate::abi::Status;
use crate::guest::{Call, Context, Guest, Outcome};
use crate::property::Value;

mod attribute;

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
/// `NOT_FOUND`; `SERIALIZATION_FAILURE` for an empty path.
pub(crate) fn find(guest: &mut Guest, path: &[u8]) -> Result<Value, Status> {
    if path.is_empty() {
        return Err(Status::SerializationFailure);
    }
    let path = path.strip_suffix(&[0]).unwrap_or(path);
    let mut segments = path.split(|byte| *byte == 0);
    let first = segments.next().unwrap_or_default();
    let rest: Vec<&[u8]> = segments.by_ref().take(DEEPEST).collect();
    if segments.next().is_some() {
        return Err(Status::NotFound);
    }
    let mut value = attribute::find(guest, first, &rest).ok_or(Status::NotFound)?;
    for segment in rest {
        value = value.child(segment).ok_or(Status::NotFound)?;
    }
    Ok(value)
}

pub(super) fn set(call: &mut Call<'_>, path: u32, path_size: u32, value: u32, value_size: u32) -> Outcome {
    let status = call.with(&[(path, path_size), (value, value_size)], |texts, guest| {
        let [path, value, ..] = texts else { return Status::NotFound };
        let read_only =
            guest.root().and_then(|root| root.declared.get(*path)).is_some_and(|declared| declared.read_only);
        let context = guest.context();
        let world = guest.world();
        let state = match context {
            Context::Http { stream, .. } => {
                world.http.get_mut(stream).and_then(Option::as_mut).map(|http| &mut http.filter_state)
            }
            Context::Tcp { connection, .. } => world
                .tcp
                .get_mut(connection)
                .and_then(Option::as_mut)
                .map(|connection| &mut connection.filter_state),
            _ => None,
        };
        let Some(state) = state else { return Status::NotFound };
        if read_only && state.contains_key(*path) {
            return Status::BadArgument;
        }
        state.insert(path.to_vec(), value.to_vec());
        Status::Ok
    })?;
    Ok(status)
}
