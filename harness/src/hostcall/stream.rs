//! Resuming, closing and answering streams. All of it happens only after the callback.

use crate::abi::{Status, StreamType, pairs};
use crate::guest::{Call, Context, Effect, Outcome, Reply};
use crate::header::HeaderMap;
use crate::stream::Body;

pub(super) fn continue_request(call: &mut Call<'_>) -> Outcome {
    continue_stream(call, StreamType::HttpRequest.number())
}

pub(super) fn continue_response(call: &mut Call<'_>) -> Outcome {
    continue_stream(call, StreamType::HttpResponse.number())
}

pub(super) fn clear_route_cache(_: &mut Call<'_>) -> Outcome {
    // Routes are the test's business: there is no cache.
    Ok(Status::Ok)
}

pub(super) fn continue_stream(call: &mut Call<'_>, stream_type: u32) -> Outcome {
    let Some(stream_type) = StreamType::from_number(stream_type) else {
        call.note(|| stream_type.to_string());
        return Ok(Status::BadArgument);
    };
    call.note(|| format!("{stream_type:?}"));
    let guest = call.guest();
    match (stream_type, guest.context()) {
        (StreamType::Upstream, _) => return Ok(Status::Unimplemented),
        (StreamType::Downstream, Context::Tcp { connection, filter, .. }) => {
            guest.effects.push_back(Effect::ContinueReading { connection, filter });
        }
        (StreamType::HttpRequest | StreamType::HttpResponse, Context::Http { stream, filter, .. }) => {
            let response = stream_type == StreamType::HttpResponse;
            guest.effects.push_back(Effect::Continue { stream, filter, response });
            // Envoy forgets the request's maps whichever direction is resumed.
            let http = guest.world().http.get_mut(stream).and_then(Option::as_mut);
            if let Some(filter) = http.and_then(|http| http.filters.get_mut(filter)) {
                filter.request.headers = false;
                filter.request.body = Body::None;
                filter.request.trailers = false;
            }
        }
        _ => {}
    }
    Ok(Status::Ok)
}

pub(super) fn close_stream(call: &mut Call<'_>, stream_type: u32) -> Outcome {
    let Some(stream_type) = StreamType::from_number(stream_type) else {
        call.note(|| stream_type.to_string());
        return Ok(Status::BadArgument);
    };
    call.note(|| format!("{stream_type:?}"));
    let guest = call.guest();
    match (stream_type, guest.context()) {
        (StreamType::HttpRequest | StreamType::HttpResponse, Context::Http { stream, .. }) => {
            guest.effects.push_back(Effect::Close { stream });
            let http = guest.world().http.get_mut(stream).and_then(Option::as_mut);
            if let Some(http) = http {
                http.details.get_or_insert_with(|| "wasm_close_stream".to_owned());
            }
        }
        (StreamType::Downstream | StreamType::Upstream, Context::Tcp { connection, .. }) => {
            guest.effects.push_back(Effect::CloseConnection { connection });
        }
        _ => {}
    }
    Ok(Status::Ok)
}

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
pub(super) fn send_local_response(
    call: &mut Call<'_>,
    status: u32,
    details: u32,
    details_size: u32,
    body: u32,
    body_size: u32,
    headers: u32,
    headers_size: u32,
    grpc_status: u32,
) -> Outcome {
    call.note(|| status.to_string());
    let pieces = [(details, details_size), (body, body_size), (headers, headers_size)];
    call.with(&pieces, |texts, guest| {
        let [details, body, headers, ..] = texts else { return };
        if let Context::Http { stream, .. } = guest.context() {
            let headers: HeaderMap = pairs::decode(headers).into_iter().collect();
            // Log formats split at spaces (`StringUtil::replaceAllEmptySpace`).
            let details = super::text(details).replace(char::is_whitespace, "_");
            // -1 and everything else that is no status of gRPC means none.
            let grpc_status = (grpc_status <= 16).then_some(grpc_status);
            let reply = Reply { status, details, body: body.to_vec(), headers, grpc_status };
            guest.effects.push_back(Effect::Reply { stream, reply });
        }
        guest.stopped = true;
    })?;
    Ok(Status::Ok)
}
