//! HTTP callouts.

use bytes::Bytes;

use crate::abi::{Status, pairs};
use crate::callout::{Callout, Cluster, What};
use crate::guest::{Call, Guest, Outcome};
use crate::header::HeaderMap;
use crate::message::Request;
use crate::timer::Due;
use crate::world::Posted;

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
pub(super) fn http_call(
    call: &mut Call<'_>,
    upstream: u32,
    upstream_size: u32,
    headers: u32,
    headers_size: u32,
    body: u32,
    body_size: u32,
    trailers: u32,
    trailers_size: u32,
    timeout_ms: u32,
    call_id_to: u32,
) -> Outcome {
    call.note(|| format!("timeout {timeout_ms} ms"));
    let pieces =
        [(upstream, upstream_size), (headers, headers_size), (body, body_size), (trailers, trailers_size)];
    // The id's place is written first, so that nothing is sent whose id cannot be told.
    call.with(&pieces, |_, _| ())?;
    call.note(|| format!("timeout {timeout_ms} ms"));
    call.write_u32(call_id_to, 0)?;
    let id = call.with(&pieces, |texts, guest| {
        let [upstream, headers, body, _trailers, ..] = texts else { return Err(Status::BadArgument) };
        send(guest, upstream, headers, body, timeout_ms)
    })??;
    call.gave(|| id.to_string());
    call.write_u32(call_id_to, id)?;
    Ok(Status::Ok)
}

fn send(
    guest: &mut Guest,
    upstream: &[u8],
    headers: &[u8],
    body: &[u8],
    timeout_ms: u32,
) -> Result<u32, Status> {
    // Envoy reads it as a signed number.
    if i32::try_from(timeout_ms).is_err() {
        return Err(Status::BadArgument);
    }
    let cluster = super::text(upstream).into_owned();
    let (vm, root, stream) =
        (guest.id, guest.root_id(), super::general::http(guest).map(|(stream, _)| stream));
    let found = guest.world().clusters.get(&cluster);
    let behaviour = found.ok_or(Status::BadArgument)?;
    let (answers_itself, unhealthy) =
        (!matches!(behaviour, Cluster::Asked), matches!(behaviour, Cluster::Unhealthy));
    let mut headers: HeaderMap = pairs::decode(headers).into_iter().collect();
    if [":path", ":method", ":authority"].iter().any(|name| headers.get(name).is_none()) {
        return Err(Status::BadArgument);
    }
    if !body.is_empty() {
        headers.set("content-length", body.len().to_string());
    }
    let token = guest.ids.http_call();
    if unhealthy || guest.world().callouts.is_full(headers.byte_size() + body.len()) {
        // The 503 comes before the call has returned, and is dropped with it.
        return Err(Status::InternalFailure);
    }
    let world = guest.world();
    // Envoy takes trailers and does not send them.
    if headers.get(":scheme").is_none() {
        headers.add(":scheme", "http");
    }
    headers.set("x-envoy-internal", "true");
    if timeout_ms > 0 {
        headers.set("x-envoy-expected-rq-timeout-ms", timeout_ms.to_string());
    }
    let sent_at = world.clock.monotonic();
    let request = Request { headers, body: Bytes::copy_from_slice(body), trailers: None };
    let what = What::Http(request);
    let callout =
        Callout { vm, root, token, cluster, stream, what, sent_at, noticed: false, over: false, timeout_ms };
    let call = world.callouts.add(callout);
    if timeout_ms > 0 {
        let at = world.clock.monotonic().saturating_add(u64::from(timeout_ms) * 1_000_000);
        world.timers.set(at, Due::CalloutTimeout { call });
    }
    if answers_itself {
        world.posted.push_back(Posted::Answer { call });
    }
    Ok(token)
}
