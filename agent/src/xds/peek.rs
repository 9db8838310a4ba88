//! What has to be known of a message to pass it on: its type, and whose it is.
//!
//! Field numbers are those of `envoy/service/discovery/v3/discovery.proto`.

use crate::ecds::Protocol;

/// `Node.id` within `node`.
const NODE_ID: u64 = 1;

/// The bytes are no Protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a Protobuf message")]
pub(super) struct Malformed;

/// The type that a request is about. Empty if it is not told.
pub(super) fn type_url_of_request(protocol: Protocol, request: &[u8]) -> Result<&str, Malformed> {
    match protocol {
        Protocol::Sotw => text(request, 4),
        Protocol::Delta => text(request, 2),
    }
}

/// The type that a response is about. Empty if it is not told.
pub(super) fn type_url_of_response(_: Protocol, response: &[u8]) -> Result<&str, Malformed> {
    text(response, 4)
}

/// The identity of whoever sends a request, if the request tells it.
pub(super) fn node_id(protocol: Protocol, request: &[u8]) -> Option<&str> {
    let node = match protocol {
        Protocol::Sotw => 2,
        Protocol::Delta => 1,
    };
    std::str::from_utf8(last(last(request, node).ok()??, NODE_ID).ok()??).ok()
}

fn text(message: &[u8], number: u64) -> Result<&str, Malformed> {
    std::str::from_utf8(last(message, number)?.unwrap_or_default()).map_err(|_| Malformed)
}

/// The field of that number, of which the last counts. Walks all fields, or what follows could be another type.
fn last(mut message: &[u8], wanted: u64) -> Result<Option<&[u8]>, Malformed> {
    let mut found = None;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match tag & 7 {
            0 => _ = varint(&mut message)?,
            1 => _ = bytes(&mut message, 8)?,
            2 => {
                let length = varint(&mut message)?;
                let field = bytes(&mut message, length)?;
                if tag >> 3 == wanted {
                    found = Some(field);
                }
            }
            5 => _ = bytes(&mut message, 4)?,
            _ => return Err(Malformed),
        }
    }
    Ok(found)
}

fn varint(message: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first().ok_or(Malformed)?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

fn bytes<'a>(message: &mut &'a [u8], length: u64) -> Result<&'a [u8], Malformed> {
    let length = usize::try_from(length).map_err(|_| Malformed)?;
    let (field, rest) = message.split_at_checked(length).ok_or(Malformed)?;
    *message = rest;
    Ok(field)
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3::Node;
    use envoy_types::pb::envoy::service::discovery::v3::{
        DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    };
    use prost::Message as _;

    use super::*;

    #[test]
    fn the_type_and_the_node_of_a_request_are_found_in_both_protocols() {
        let node = Some(Node { id: "sidecar~10.0.0.1~a.b~b.svc".into(), ..Default::default() });
        let sotw = DiscoveryRequest {
            node: node.clone(),
            resource_names: vec!["one".into()],
            type_url: "t".into(),
            ..Default::default()
        };
        let delta = DeltaDiscoveryRequest { node, type_url: "t".into(), ..Default::default() };
        for (protocol, message) in
            [(Protocol::Sotw, sotw.encode_to_vec()), (Protocol::Delta, delta.encode_to_vec())]
        {
            assert_eq!(type_url_of_request(protocol, &message), Ok("t"));
            assert_eq!(node_id(protocol, &message), Some("sidecar~10.0.0.1~a.b~b.svc"));
        }
        assert_eq!(node_id(Protocol::Sotw, &[]), None);
        assert_eq!(type_url_of_request(Protocol::Delta, &[]), Ok(""));
    }

    #[test]
    fn the_type_of_a_response_is_found_in_both_protocols() {
        let sotw = DiscoveryResponse { type_url: "t".into(), nonce: "n".into(), ..Default::default() };
        let delta = DeltaDiscoveryResponse { type_url: "t".into(), nonce: "n".into(), ..Default::default() };
        assert_eq!(type_url_of_response(Protocol::Sotw, &sotw.encode_to_vec()), Ok("t"));
        assert_eq!(type_url_of_response(Protocol::Delta, &delta.encode_to_vec()), Ok("t"));
    }

    #[test]
    fn of_two_types_the_last_counts_as_it_does_for_any_reader() {
        assert_eq!(text(b"\x22\x01a\x22\x01b", 4), Ok("b"));
    }

    #[test]
    fn what_ends_early_or_has_a_group_or_no_utf_8_is_malformed() {
        for message in [
            &b"\x22"[..],
            b"\x22\x05a",
            b"\x0b",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x22\x01\xff",
        ] {
            assert_eq!(text(message, 4), Err(Malformed), "{message:?}");
        }
        let longer_than_the_memory = b"\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(text(longer_than_the_memory, 4), Err(Malformed));
    }
}
