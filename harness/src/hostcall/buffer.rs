//! Buffers: bodies, connection data, answers of callouts, configurations.

use crate::abi::{BufferType, Status};
use crate::buffer::Buffer;
use crate::guest::{Call, Context, Guest, Outcome};
use crate::profile::Profile;
use crate::stream::{Body, Direction};

/// A buffer as a hostcall finds it (Envoy's `Context::getBuffer`).
enum Found<'a> {
    /// A body or connection data; it can be changed.
    Stream(&'a mut Buffer),
    /// It is there and empty, and there is nothing to change.
    Nothing,
    /// Read only.
    Bytes(&'a [u8]),
}

impl Found<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Stream(buffer) => buffer.len(),
            Self::Nothing => 0,
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// What it takes to find a place in it, in instructions' worth.
    fn work(&self) -> u64 {
        match self {
            Self::Stream(buffer) => u64::try_from(buffer.pieces()).unwrap_or(u64::MAX),
            _ => 0,
        }
    }

    fn copy(&self, start: usize, length: usize) -> Vec<u8> {
        match self {
            Self::Stream(buffer) => buffer.copy(start, length),
            Self::Nothing => Vec::new(),
            Self::Bytes(bytes) => bytes.iter().skip(start).take(length).copied().collect(),
        }
    }
}

fn find(guest: &mut Guest, buffer: BufferType) -> Option<Found<'_>> {
    let acting = guest.acting();
    let buffer = match buffer {
        // Envoy has one place for all of a context's buffers, and this type reads it as the last one left it.
        BufferType::ForeignFunctionArguments if guest.root().is_some_and(|root| root.resolved.is_some()) => {
            buffer
        }
        BufferType::ForeignFunctionArguments => match guest.last_buffers.get(&acting) {
            Some(last) => *last,
            None => return Some(Found::Nothing),
        },
        buffer => buffer,
    };
    if is_there(guest, buffer) {
        guest.last_buffers.insert(acting, buffer);
    }
    match buffer {
        BufferType::HttpRequestBody => Some(body(guest, Direction::Request)),
        BufferType::HttpResponseBody => Some(body(guest, Direction::Response)),
        BufferType::DownstreamData | BufferType::UpstreamData => {
            let Context::Tcp { connection, filter, .. } = guest.context() else {
                return Some(Found::Nothing);
            };
            let connection = guest.world().tcp.get_mut(connection).and_then(Option::as_mut);
            let Some(connection) = connection else { return Some(Found::Nothing) };
            let Some(filter) = connection.filters.get(filter) else { return Some(Found::Nothing) };
            Some(match buffer {
                BufferType::DownstreamData if filter.downstream_data => Found::Stream(&mut connection.read),
                BufferType::UpstreamData if filter.upstream_data => Found::Stream(&mut connection.write),
                _ => Found::Nothing,
            })
        }
        BufferType::HttpCallResponseBody => {
            guest.root()?.http_call.as_ref().map(|response| Found::Bytes(&response.body))
        }
        BufferType::GrpcCallMessage => {
            Some(match guest.root().and_then(|root| root.grpc_message.as_deref()) {
                Some(message) => Found::Bytes(message),
                None => Found::Nothing,
            })
        }
        BufferType::VmConfiguration => Some(Found::Bytes(&guest.config.configuration)),
        BufferType::PluginConfiguration => {
            let plugin = guest.root().filter(|root| root.configuring)?.plugin;
            guest.world().plugins.get(plugin).map(|plugin| Found::Bytes(&plugin.configuration))
        }
        BufferType::ForeignFunctionArguments => guest.root()?.resolved.as_deref().map(Found::Bytes),
    }
}

fn is_there(guest: &mut Guest, buffer: BufferType) -> bool {
    match buffer {
        BufferType::HttpCallResponseBody => guest.root().is_some_and(|root| root.http_call.is_some()),
        BufferType::PluginConfiguration => guest.root().is_some_and(|root| root.configuring),
        BufferType::ForeignFunctionArguments => false,
        _ => true,
    }
}

fn body(guest: &mut Guest, direction: Direction) -> Found<'_> {
    let Context::Http { stream, filter, .. } = guest.context() else { return Found::Nothing };
    let Some(http) = guest.world().http.get_mut(stream).and_then(Option::as_mut) else {
        return Found::Nothing;
    };
    let Some(side) = http.filters.get_mut(filter).map(|filter| filter.side(direction)) else {
        return Found::Nothing;
    };
    let (kept, from) = (side.buffering, side.body);
    let path = http.path(direction);
    match from {
        // What is being collected is read where it is collected.
        _ if kept => path.buffered.as_mut().map_or(Found::Nothing, Found::Stream),
        Body::Buffered => path.buffered.as_mut().map_or(Found::Nothing, Found::Stream),
        Body::Flight => Found::Stream(&mut path.flight),
        Body::None => Found::Nothing,
    }
}

/// Reads the buffer's number.
macro_rules! buffer_type {
    ($call:ident, $buffer:ident) => {{
        let Some(buffer) = BufferType::from_number($buffer) else {
            $call.note(|| $buffer.to_string());
            return Ok(Status::BadArgument);
        };
        $call.note(|| format!("{buffer:?}"));
        buffer
    }};
}

pub(super) fn get(
    call: &mut Call<'_>,
    buffer: u32,
    start: u32,
    max_size: u32,
    data_to: u32,
    size_to: u32,
) -> Outcome {
    let buffer = buffer_type!(call, buffer);
    call.note(|| format!("{buffer:?}, {start}, {max_size}"));
    let Some(found) = find(call.guest(), buffer) else { return Ok(Status::NotFound) };
    let work = found.work();
    call.spend(work)?;
    let Some(found) = find(call.guest(), buffer) else { return Ok(Status::NotFound) };
    let (start, max_size) = (widen(start), widen(max_size));
    let length = max_size.min(found.len().saturating_sub(start));
    let bytes = found.copy(start, length);
    call.give(&bytes, data_to, size_to)
}

fn widen(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

pub(super) fn status(call: &mut Call<'_>, buffer: u32, length_to: u32, flags_to: u32) -> Outcome {
    let buffer = buffer_type!(call, buffer);
    let Some(length) = find(call.guest(), buffer).map(|found| found.len()) else {
        return Ok(Status::NotFound);
    };
    call.gave(|| length.to_string());
    call.write_u32(length_to, u32::try_from(length).unwrap_or(u32::MAX))?;
    call.write_u32(flags_to, 0)?;
    Ok(Status::Ok)
}

pub(super) fn set(
    call: &mut Call<'_>,
    buffer: u32,
    start: u32,
    size: u32,
    data: u32,
    data_size: u32,
) -> Outcome {
    let buffer = buffer_type!(call, buffer);
    call.note(|| format!("{buffer:?}, {start}, {size}"));
    let Some(length) = find(call.guest(), buffer).map(|found| found.len()) else {
        return Ok(Status::NotFound);
    };
    // The specification's way of writing moves all of it.
    if call.guest().world().profile == Profile::Spec {
        call.spend(u64::try_from(length).unwrap_or(u64::MAX))?;
    }
    let status = call.with(&[(data, data_size)], |texts, guest| {
        let data = texts.first().copied().unwrap_or_default();
        let by_spec = guest.world().profile == Profile::Spec;
        let status = match find(guest, buffer) {
            Some(Found::Stream(body)) if by_spec => {
                body.splice(widen(start), widen(size), data);
                Status::Ok
            }
            Some(Found::Stream(body)) => match body.set(widen(start), widen(size), data) {
                Ok(()) => Status::Ok,
                Err(status) => status,
            },
            Some(Found::Nothing | Found::Bytes(_)) => Status::BadArgument,
            None => Status::NotFound,
        };
        if status == Status::Ok {
            changed(guest, buffer);
        }
        status
    })?;
    Ok(status)
}

fn changed(guest: &mut Guest, buffer: BufferType) {
    let Context::Http { stream, .. } = guest.context() else { return };
    let Some(http) = guest.world().http.get_mut(stream).and_then(Option::as_mut) else { return };
    match buffer {
        BufferType::HttpRequestBody => http.request.body_changed = true,
        BufferType::HttpResponseBody => http.response.body_changed = true,
        _ => {}
    }
}
