//! Messages that are changed without being decoded, against a decoder.

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3 as xds;
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::google::rpc::Status;
use meshloom_agent::ecds::Protocol;
use meshloom_agent::wire::{self, Request, Response};
use proptest::prelude::any as arbitrary;
use proptest::prelude::*;
use prost::Message as _;

fn message() -> impl Strategy<Value = Any> {
    (".{0,20}", prop::collection::vec(arbitrary::<u8>(), 0..40))
        .prop_map(|(type_url, value)| Any { type_url, value })
}

fn status() -> impl Strategy<Value = Status> {
    (arbitrary::<i32>(), ".{0,20}", prop::collection::vec(message(), 0..2))
        .prop_map(|(code, message, details)| Status { code, message, details })
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(".{0,12}", 0..4)
}

/// Fields that no version of these messages has.
fn unknown() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((100_u32..200, prop::collection::vec(arbitrary::<u8>(), 0..20)), 0..3).prop_map(
        |fields| {
            let mut bytes = Vec::new();
            for (number, value) in fields {
                wire::put_bytes(&mut bytes, number, &value);
            }
            bytes
        },
    )
}

prop_compose! {
    fn sotw_request()(
        version_info in ".{0,10}",
        id in prop::option::of(".{0,10}"),
        resource_names in names(),
        type_url in ".{0,30}",
        response_nonce in ".{0,10}",
        error_detail in prop::option::of(status()),
    ) -> xds::DiscoveryRequest {
        let node = id.map(|id| Node { id, ..Default::default() });
        xds::DiscoveryRequest {
            version_info, node, resource_names, type_url, response_nonce, error_detail, ..Default::default()
        }
    }
}

prop_compose! {
    fn delta_request()(
        id in prop::option::of(".{0,10}"),
        type_url in ".{0,30}",
        resource_names_subscribe in names(),
        resource_names_unsubscribe in names(),
        initial_resource_versions in prop::collection::hash_map(".{0,8}", ".{0,8}", 0..3),
        response_nonce in ".{0,10}",
        error_detail in prop::option::of(status()),
    ) -> xds::DeltaDiscoveryRequest {
        let node = id.map(|id| Node { id, ..Default::default() });
        xds::DeltaDiscoveryRequest {
            node, type_url, resource_names_subscribe, resource_names_unsubscribe, initial_resource_versions,
            response_nonce, error_detail, ..Default::default()
        }
    }
}

prop_compose! {
    fn sotw_response()(
        version_info in ".{0,10}",
        resources in prop::collection::vec(message(), 0..4),
        canary in arbitrary::<bool>(),
        type_url in ".{0,30}",
        nonce in ".{0,10}",
    ) -> xds::DiscoveryResponse {
        xds::DiscoveryResponse { version_info, resources, canary, type_url, nonce, ..Default::default() }
    }
}

prop_compose! {
    fn delta_response()(
        system_version_info in ".{0,10}",
        resources in prop::collection::vec((".{0,8}", ".{0,8}", prop::option::of(message())), 0..4),
        type_url in ".{0,30}",
        removed_resources in names(),
        nonce in ".{0,10}",
    ) -> xds::DeltaDiscoveryResponse {
        let resources = resources
            .into_iter()
            .map(|(name, version, resource)| xds::Resource { name, version, resource, ..Default::default() })
            .collect();
        xds::DeltaDiscoveryResponse {
            system_version_info, resources, type_url, removed_resources, nonce, ..Default::default()
        }
    }
}

/// The fields of a message in any order that leaves fields of one number in theirs: all that a decoder accepts.
fn shuffled(message: &[u8], seed: u64) -> Vec<u8> {
    let mut fields: Vec<_> = wire::fields(message).map(Result::unwrap).collect();
    fields.sort_by_key(|field| (u64::from(field.number) + 1).wrapping_mul(seed | 1).rotate_left(17));
    fields.iter().flat_map(|field| field.raw.iter().copied()).collect()
}

proptest! {
    #[test]
    fn a_request_says_what_the_decoder_reads(request in sotw_request(), seed: u64) {
        let bytes = shuffled(&request.encode_to_vec(), seed);
        prop_assert_eq!(wire::type_url_of_request(Protocol::Sotw, &bytes).unwrap(), &request.type_url);
        let read = Request::read(Protocol::Sotw, &bytes).unwrap();
        prop_assert_eq!(read.version, &request.version_info);
        prop_assert_eq!(read.nonce, &request.response_nonce);
        prop_assert_eq!(&read.names, &request.resource_names);
        prop_assert_eq!(read.error.is_some(), request.error_detail.is_some());
        prop_assert_eq!(read.error_message(), request.error_detail.map(|error| error.message).unwrap_or_default());
    }

    #[test]
    fn an_incremental_request_says_what_the_decoder_reads(request in delta_request(), seed: u64) {
        let bytes = shuffled(&request.encode_to_vec(), seed);
        prop_assert_eq!(wire::type_url_of_request(Protocol::Delta, &bytes).unwrap(), &request.type_url);
        let read = Request::read(Protocol::Delta, &bytes).unwrap();
        prop_assert_eq!(read.nonce, &request.response_nonce);
        prop_assert_eq!(&read.subscribe, &request.resource_names_subscribe);
        prop_assert_eq!(&read.unsubscribe, &request.resource_names_unsubscribe);
        prop_assert_eq!(read.has_initial_versions, !request.initial_resource_versions.is_empty());
    }

    #[test]
    fn what_is_changed_in_a_request_is_all_that_changes(
        mut request in sotw_request(), unknown in unknown(), nonce in ".{0,10}", version in ".{0,10}", seed: u64,
    ) {
        let mut bytes = shuffled(&request.encode_to_vec(), seed);
        bytes.extend(&unknown);
        let changed = Request::with_nonce(Protocol::Sotw, &bytes, &nonce).unwrap();
        let changed = Request::with_version(&changed, &version).unwrap();
        let changed = Request::without_error(Protocol::Sotw, &changed).unwrap();
        prop_assert!(changed.windows(unknown.len().max(1)).any(|window| window == unknown) || unknown.is_empty());
        request.response_nonce = nonce;
        request.version_info = version;
        request.error_detail = None;
        prop_assert_eq!(xds::DiscoveryRequest::decode(&changed[..]).unwrap(), request);
    }

    #[test]
    fn what_is_changed_in_an_incremental_request_is_all_that_changes(
        mut request in delta_request(), nonce in ".{0,10}", seed: u64,
    ) {
        let bytes = shuffled(&request.encode_to_vec(), seed);
        let changed = Request::with_nonce(Protocol::Delta, &bytes, &nonce).unwrap();
        let changed = Request::without_initial_versions(&changed).unwrap();
        let changed = Request::without_error(Protocol::Delta, &changed).unwrap();
        request.response_nonce = nonce;
        request.initial_resource_versions.clear();
        request.error_detail = None;
        prop_assert_eq!(xds::DeltaDiscoveryRequest::decode(&changed[..]).unwrap(), request);
    }

    #[test]
    fn a_nonce_that_is_replaced_by_itself_leaves_every_byte(request in sotw_request(), unknown in unknown()) {
        prop_assume!(!request.response_nonce.is_empty());
        let mut bytes = request.encode_to_vec();
        bytes.extend(&unknown);
        prop_assert_eq!(Request::with_nonce(Protocol::Sotw, &bytes, &request.response_nonce).unwrap(), bytes);
    }

    #[test]
    fn one_resource_is_replaced_one_left_out_and_the_rest_is_untouched(
        mut response in sotw_response(), unknown in unknown(), other in message(), at in 0_usize..4, gone in 0_usize..4,
        seed: u64,
    ) {
        let mut bytes = shuffled(&response.encode_to_vec(), seed);
        bytes.extend(&unknown);
        let read = Response::read(Protocol::Sotw, &bytes).unwrap();
        prop_assert_eq!(wire::type_url_of_response(Protocol::Sotw, &bytes).unwrap(), &response.type_url);
        prop_assert_eq!((read.nonce, read.version), (&response.nonce[..], &response.version_info[..]));
        let same = Response::with_resources(&bytes, |index| read.resources.get(index).copied()).unwrap();
        prop_assert_eq!(&same, &bytes);
        let encoded = other.encode_to_vec();
        let changed = Response::with_resources(&bytes, |index| match index {
            _ if index == gone => None,
            _ if index == at => Some(&encoded),
            _ => read.resources.get(index).copied(),
        });
        let changed = changed.unwrap();
        prop_assert!(changed.ends_with(&unknown));
        if let Some(resource) = response.resources.get_mut(at) {
            *resource = other;
        }
        if gone < response.resources.len() {
            response.resources.remove(gone);
        }
        prop_assert_eq!(xds::DiscoveryResponse::decode(&changed[..]).unwrap(), response);
    }

    #[test]
    fn an_incremental_response_says_what_the_decoder_reads(response in delta_response(), seed: u64) {
        let bytes = shuffled(&response.encode_to_vec(), seed);
        prop_assert_eq!(wire::type_url_of_response(Protocol::Delta, &bytes).unwrap(), &response.type_url);
        let read = Response::read(Protocol::Delta, &bytes).unwrap();
        prop_assert_eq!(read.nonce, &response.nonce);
        prop_assert_eq!(&read.removed, &response.removed_resources);
        prop_assert_eq!(read.resources.len(), response.resources.len());
        for (found, resource) in read.resources.iter().zip(&response.resources) {
            let found = wire::Resource::read(found).unwrap();
            prop_assert_eq!((found.name, found.version), (&resource.name[..], &resource.version[..]));
            prop_assert_eq!(found.resource.map(|any| any.into_owned()), resource.resource.as_ref().map(Any::encode_to_vec));
        }
    }

    #[test]
    fn what_the_agent_writes_is_what_the_decoder_reads(request in sotw_request(), delta in delta_request()) {
        let error = request.error_detail.as_ref().map(Status::encode_to_vec);
        let mine = Request {
            type_url: &request.type_url,
            nonce: &request.response_nonce,
            version: &request.version_info,
            names: request.resource_names.iter().map(String::as_str).collect(),
            error: error.as_deref(),
            ..Request::default()
        };
        let expected = xds::DiscoveryRequest { node: None, ..request.clone() };
        prop_assert_eq!(xds::DiscoveryRequest::decode(&mine.encode(Protocol::Sotw)[..]).unwrap(), expected);
        let mine = Request {
            type_url: &delta.type_url,
            nonce: &delta.response_nonce,
            subscribe: delta.resource_names_subscribe.iter().map(String::as_str).collect(),
            unsubscribe: delta.resource_names_unsubscribe.iter().map(String::as_str).collect(),
            ..Request::default()
        };
        let expected = xds::DeltaDiscoveryRequest {
            node: None, error_detail: None, initial_resource_versions: Default::default(), ..delta.clone()
        };
        prop_assert_eq!(xds::DeltaDiscoveryRequest::decode(&mine.encode(Protocol::Delta)[..]).unwrap(), expected);
    }

    #[test]
    fn no_bytes_make_it_panic_and_what_it_reads_it_copies(bytes in prop::collection::vec(arbitrary::<u8>(), 0..200)) {
        for protocol in [Protocol::Sotw, Protocol::Delta] {
            let _ = wire::type_url_of_request(protocol, &bytes);
            let _ = Request::read(protocol, &bytes);
            let _ = Response::read(protocol, &bytes);
            let _ = Response::read_partly(protocol, &bytes);
        }
        if let Ok(copy) = wire::without(&bytes, &[]) {
            prop_assert_eq!(copy, bytes);
        }
    }
}

#[test]
fn a_message_that_is_cut_off_is_named() {
    let response = xds::DiscoveryResponse { type_url: "type".into(), ..Default::default() }.encode_to_vec();
    let refused = wire::type_url_of_response(Protocol::Sotw, &response[..3]).unwrap_err();
    assert_eq!(refused.to_string(), "field 4 says that it is longer than the message that holds it");
}

#[test]
fn the_type_is_found_behind_the_resources_and_is_the_last_that_is_given() {
    let mut bytes = Vec::new();
    wire::put_bytes(&mut bytes, 4, b"first");
    wire::put_bytes(&mut bytes, 2, &[0xff; 1000]);
    wire::put_bytes(&mut bytes, 4, b"last");
    assert_eq!(wire::type_url_of_response(Protocol::Sotw, &bytes), Ok("last"));
    assert_eq!(xds::DiscoveryResponse::decode(&[0x22, 1, b'a', 0x22, 1, b'b'][..]).unwrap().type_url, "b");
}
