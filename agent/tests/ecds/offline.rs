//! One resource made ready for Envoy without a stream.

use bytes::Bytes;
use envoy_types::pb::envoy::extensions::wasm::v3::FailurePolicy;
use meshloom_agent::ecds::{Filter, Finished, OnFetchFailure, finish};
use prost::Message as _;

use crate::library::{FakeLibrary, held, unreachable};
use crate::messages::*;
use crate::stage::{plain, unreadable, url, wants};

async fn finished(
    any: &envoy_types::pb::google::protobuf::Any,
    policy: OnFetchFailure,
) -> Result<Finished, String> {
    let library = FakeLibrary::default();
    library.answers(&url("there"), Ok(held("there")));
    library.answers(&url("gone"), Err(unreachable()));
    finish(Bytes::from(any.encode_to_vec()), &library, policy).await
}

#[tokio::test]
async fn a_module_is_obtained_and_named() {
    let finished = finished(&wants("a", "there"), OnFetchFailure::LastGood).await.unwrap();
    assert_eq!(filename(&mut plugin_of(&finished.resource)), "/modules/there.wasm");
    assert!(finished.module.unwrap().is(&held("there")));
    assert!(finished.stand_in.is_none());
}

#[tokio::test]
async fn a_module_that_is_not_there_is_replaced_as_the_policy_says() {
    let mut open = plugin(&url("gone"));
    open.failure_policy = FailurePolicy::FailOpen.into();
    for (policy, expected) in [
        (OnFetchFailure::LastGood, Filter::Allow),
        (OnFetchFailure::Open, Filter::Allow),
        (OnFetchFailure::Close, Filter::Deny),
    ] {
        let finished = finished(&http("a", open.clone()), policy).await.unwrap();
        assert_eq!(opened(&finished.resource).1.type_url, HTTP_RBAC);
        let (filter, why) = finished.stand_in.unwrap();
        assert_eq!((filter, &why.message[..]), (expected, "connection refused"));
    }
    assert_eq!(finished(&http("a", open), OnFetchFailure::Wait).await.unwrap_err(), "connection refused");
}

#[tokio::test]
async fn what_needs_no_module_is_ready_and_what_cannot_be_read_is_an_error() {
    let ready = finished(&plain("a"), OnFetchFailure::LastGood).await.unwrap();
    assert_eq!(ready.resource, plain("a").encode_to_vec());
    let mut local_plugin = plugin("x");
    vm(&mut local_plugin).code = local("/x.wasm");
    let stripped = finished(&http("a", local_plugin), OnFetchFailure::LastGood).await.unwrap();
    assert_eq!(vm(&mut plugin_of(&stripped.resource)).environment_variables, None);
    assert!(finished(&unreadable("a"), OnFetchFailure::LastGood).await.unwrap_err().contains("field 12"));
}
