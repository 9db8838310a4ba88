//! gRPC callouts: one message and its answer, or streams.

use crate::abi::{Callback, Status, pairs};
use crate::callout::{Callout, Cluster, Grpc, What};
use crate::guest::{Call, Effect, Guest, Outcome};
use crate::timer::Due;
use crate::world::Posted;

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
pub(super) fn call(
    call: &mut Call<'_>,
    upstream: u32,
    upstream_size: u32,
    service: u32,
    service_size: u32,
    method: u32,
    method_size: u32,
    metadata: u32,
    metadata_size: u32,
    message: u32,
    message_size: u32,
    timeout_ms: u32,
    call_id_to: u32,
) -> Outcome {
    call.note(|| format!("timeout {timeout_ms} ms"));
    let pieces = [
        (upstream, upstream_size),
        (service, service_size),
        (method, method_size),
        (metadata, metadata_size),
        (message, message_size),
    ];
    let id = call.with(&pieces, |texts, guest| {
        let [upstream, service, method, metadata, message, ..] = texts else {
            return Err(Status::BadArgument);
        };
        open(guest, upstream, service, method, metadata, Some(message), timeout_ms)
    })??;
    call.gave(|| id.to_string());
    call.write_u32(call_id_to, id)?;
    Ok(Status::Ok)
}

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
pub(super) fn stream(
    call: &mut Call<'_>,
    upstream: u32,
    upstream_size: u32,
    service: u32,
    service_size: u32,
    method: u32,
    method_size: u32,
    metadata: u32,
    metadata_size: u32,
    call_id_to: u32,
) -> Outcome {
    let pieces = [
        (upstream, upstream_size),
        (service, service_size),
        (method, method_size),
        (metadata, metadata_size),
    ];
    let opened = call.with(&pieces, |texts, guest| {
        let [upstream, service, method, metadata, ..] = texts else { return Err(Status::BadArgument) };
        open(guest, upstream, service, method, metadata, None, 0)
    })?;
    if opened == Err(Status::InternalFailure) {
        // Envoy calls back into the VM while it is in this very hostcall.
        let root = call.guest().root_id();
        let token = call.guest().ids.last_grpc_stream();
        call.reenter(Callback::GrpcReceiveInitialMetadata, &[root, token, 0])?;
        call.reenter(Callback::GrpcReceiveTrailingMetadata, &[root, token, 4])?;
    }
    let id = opened?;
    call.gave(|| id.to_string());
    call.write_u32(call_id_to, id)?;
    Ok(Status::Ok)
}

fn open(
    guest: &mut Guest,
    upstream: &[u8],
    service: &[u8],
    method: &[u8],
    metadata: &[u8],
    message: Option<&[u8]>,
    timeout_ms: u32,
) -> Result<u32, Status> {
    let cluster = cluster_name(upstream);
    let (vm, root, stream) =
        (guest.id, guest.root_id(), super::general::http(guest).map(|(stream, _)| stream));
    let behaviour = guest.world().clusters.get(&cluster).ok_or(Status::ParseFailure)?;
    let refuses = matches!(behaviour, Cluster::Refuses);
    let unhealthy = matches!(behaviour, Cluster::Unhealthy);
    let token = if message.is_some() { guest.ids.grpc_call() } else { guest.ids.grpc_stream() };
    let bytes = service.len() + method.len() + metadata.len() + message.map_or(0, <[u8]>::len);
    if unhealthy || guest.world().callouts.is_full(bytes) {
        guest.effects.push_back(Effect::CloseGrpc { root, token });
        return Err(Status::InternalFailure);
    }
    let text = |bytes: &[u8]| super::text(bytes).into_owned();
    let grpc = Grpc {
        unary: message.is_some(),
        service: text(service),
        method: text(method),
        metadata: pairs::decode(metadata).into_iter().collect(),
        sent: message.map(<[u8]>::to_vec).into_iter().collect(),
        half_closed: message.is_some(),
        local_closed: false,
        remote_closed: false,
        cancelled: false,
    };
    let world = guest.world();
    let sent_at = world.clock.monotonic();
    let what = What::Grpc(grpc);
    let call = world.callouts.add(Callout {
        vm,
        root,
        token,
        cluster,
        stream,
        what,
        sent_at,
        noticed: false,
        over: false,
        timeout_ms,
    });
    if timeout_ms > 0 {
        let at = world.clock.monotonic().saturating_add(u64::from(timeout_ms) * 1_000_000);
        world.timers.set(at, Due::CalloutTimeout { call });
    }
    if refuses {
        world.posted.push_back(Posted::Answer { call });
    }
    Ok(token)
}

/// The cluster that is meant: the name itself, or what a serialised `GrpcService` says in
/// `envoy_grpc.cluster_name`.
fn cluster_name(upstream: &[u8]) -> String {
    let inner = field(upstream, 1).and_then(|envoy_grpc| field(envoy_grpc, 1));
    super::text(inner.unwrap_or(upstream)).into_owned()
}

/// The bytes of a length-delimited protobuf field, if the message is nothing but such fields and it is among them.
fn field(message: &[u8], number: u8) -> Option<&[u8]> {
    let mut rest = message;
    let mut found = None;
    while let Some((tag, after)) = rest.split_first() {
        let (length, after) = varint(after)?;
        let (content, after) = after.split_at_checked(length)?;
        if tag & 7 != 2 {
            return None;
        }
        if tag >> 3 == number {
            found = Some(content);
        }
        rest = after;
    }
    found
}

fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0usize;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

/// The kinds of callout by the low two bits of their ids.
const KIND: u32 = 3;
const CALL: u32 = 1;
const STREAM: u32 = 2;

fn find(guest: &mut Guest, id: u32) -> Result<&mut Callout, Status> {
    let vm = guest.id;
    guest.world().callouts.grpc_mut(vm, id).ok_or(Status::NotFound)
}

pub(super) fn send(call: &mut Call<'_>, id: u32, message: u32, size: u32, end_of_stream: u32) -> Outcome {
    call.note(|| format!("{id}, end_of_stream {}", end_of_stream != 0));
    call.with(&[(message, size)], |texts, guest| {
        if id & KIND != STREAM {
            return Err(Status::BadArgument);
        }
        let message = texts.first().copied().unwrap_or_default();
        find(guest, id)?;
        if guest.world().callouts.is_full(message.len()) {
            return Err(Status::InternalFailure);
        }
        let callout = find(guest, id)?;
        if let What::Grpc(grpc) = &mut callout.what
            && !grpc.remote_closed
            && !grpc.half_closed
        {
            grpc.sent.push(message.to_vec());
            grpc.half_closed |= end_of_stream != 0;
        }
        Ok(())
    })??;
    Ok(Status::Ok)
}

pub(super) fn cancel(call: &mut Call<'_>, id: u32) -> Outcome {
    call.note(|| id.to_string());
    if id & KIND != CALL && id & KIND != STREAM {
        return Ok(Status::BadArgument);
    }
    let callout = find(call.guest(), id)?;
    callout.over = true;
    if let What::Grpc(grpc) = &mut callout.what {
        grpc.cancelled = true;
    }
    Ok(Status::Ok)
}

pub(super) fn close(call: &mut Call<'_>, id: u32) -> Outcome {
    call.note(|| id.to_string());
    if id & KIND != CALL && id & KIND != STREAM {
        return Ok(Status::BadArgument);
    }
    let callout = find(call.guest(), id)?;
    if let What::Grpc(grpc) = &mut callout.what {
        // Closing a call cancels it; a stream lives on until the other side closes it too.
        callout.over = grpc.unary || grpc.remote_closed;
        grpc.cancelled |= grpc.unary;
        grpc.half_closed = true;
        grpc.local_closed = true;
    }
    Ok(Status::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_named_plainly_or_in_a_grpc_service() {
        assert_eq!(cluster_name(b"ratelimit"), "ratelimit");
        let service = b"\x0a\x0b\x0a\x09ratelimit";
        assert_eq!(cluster_name(service), "ratelimit");
    }
}
