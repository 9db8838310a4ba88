//! What Envoy asks for bounds what is fetched, kept and shown.

use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3 as xds;
use meshloom_agent::Pin;
use meshloom_agent::ecds::{Protocol, TYPE_URL};
use prost::Message as _;

use crate::library::{held, held_by};
use crate::stage::*;

/// A library's module whose file is held as long as something else has it.
fn pinned(stage: &Stage, what: &str) -> Arc<()> {
    let file = Arc::new(());
    stage.library.has(&url(what), held_by(what, Pin::new(Arc::clone(&file))));
    file
}

/// Whether anybody still holds the file once the library does not.
fn kept(stage: &Stage, what: &str, file: &Arc<()>) -> bool {
    stage.library.loses(&url(what));
    Arc::strong_count(file) > 1
}

#[test]
fn a_file_stays_while_envoy_has_it_and_a_while_longer() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        let file = pinned(&stage, "one");
        stage.push("1", &[wants("a", "one")]);
        stage.accept("1");
        assert!(kept(&stage, "one", &file));
        stage.subscribe(&[], &["a"], "1");
        assert!(stage.board.all().is_empty());
        stage.advance(seconds(59.0));
        assert!(kept(&stage, "one", &file));
        stage.advance(seconds(1.0));
        assert!(!kept(&stage, "one", &file));
    }
}

#[test]
fn the_file_before_stays_until_envoy_has_taken_the_one_after() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        let (one, two) = (pinned(&stage, "one"), pinned(&stage, "two"));
        stage.push("1", &[wants("a", "one")]);
        stage.accept("1");
        stage.push("2", &[wants("a", "two")]);
        assert!(kept(&stage, "one", &one) && kept(&stage, "two", &two));
        stage.accept("2");
        assert!(!kept(&stage, "one", &one) && kept(&stage, "two", &two));
    }
}

#[test]
fn a_refused_file_leaves_the_one_before() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        let one = pinned(&stage, "one");
        stage.library.has(&url("two"), held("two"));
        stage.push("1", &[wants("a", "one")]);
        stage.accept("1");
        stage.push("2", &[wants("a", "two")]);
        stage.refuse("2");
        stage.advance(seconds(1000.0));
        assert!(kept(&stage, "one", &one));
    }
}

#[test]
fn files_outlive_the_stream_by_as_long_as_envoy_takes_to_come_back() {
    for protocol in BOTH {
        let last_good = Arc::default();
        let mut stage = Stage::silent(protocol, options(), Arc::clone(&last_good));
        stage.subscribe(&["a"], &[], "");
        let file = pinned(&stage, "one");
        stage.push("1", &[wants("a", "one")]);
        stage.accept("1");
        let (board, library, now) = (Arc::clone(&stage.board), stage.library.clone(), stage.now);
        drop(stage);
        assert!(board.all().is_empty());
        library.loses(&url("one"));
        assert_eq!(Arc::strong_count(&file), 2);
        let mut next = Stage::with_library(protocol, options(), last_good, library);
        next.now = now + seconds(60.0);
        next.push("1", &[]);
        assert_eq!(Arc::strong_count(&file), 1);
    }
}

#[test]
fn what_is_no_longer_asked_for_is_not_fetched_any_more() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.push("1", &[plain("b")]);
        stage.accept("1");
        stage.push("2", &[wants("a", "one")]);
        stage.subscribe(&[], &["a"], "1");
        assert_eq!((stage.running.len(), stage.given_up.len()), (0, 1));
        // The response is owed an answer, and Envoy gives it.
        assert_eq!(stage.last().nonce, "2");
        assert!(stage.last().resources.is_empty());
        stage.accept("2");
        assert_eq!(stage.to_control_plane.last().unwrap().nonce, "2");
    }
}

#[test]
fn what_nobody_asked_for_is_converted_but_not_fetched() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.library.has(&url("one"), held("one"));
        stage.push("1", &[wants("x", "one"), wants("y", "two"), plain("z")]);
        assert_eq!((stage.serves("x"), stage.serves("y")), (Some(module("one")), Some(What::Deny)));
        assert!(stage.running.is_empty() && stage.board.all().is_empty());
        stage.advance(seconds(1000.0));
        assert_eq!(stage.to_envoy.len(), 1);
    }
}

#[test]
fn an_envoy_that_asks_for_everything_gets_everything() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &[]);
        stage.push("1", &[wants("a", "one")]);
        stage.ends("one", Ok(held("one")));
        assert_eq!(stage.serves("a"), Some(module("one")));
    }
}

#[test]
fn names_without_end_are_not_remembered_without_end() {
    let mut stage = Stage::new(Protocol::Delta, &["*"]);
    for response in 0..11 {
        let resources: Vec<_> = (0..1000).map(|index| wants(&format!("{response}-{index}"), "one")).collect();
        stage.push(&response.to_string(), &resources);
    }
    assert_eq!(stage.running.len(), 10_000);
    assert_eq!(stage.board.all().len(), 10_000);
}

#[test]
fn what_envoy_has_of_an_earlier_stream_is_not_told() {
    let mut stage = Stage::silent(Protocol::Sotw, options(), Arc::default());
    let request = xds::DiscoveryRequest {
        version_info: "v7".into(),
        resource_names: vec!["a".into()],
        type_url: TYPE_URL.into(),
        ..Default::default()
    };
    stage.request(request.encode_to_vec());
    assert_eq!(stage.to_control_plane[0].version, "");
    assert_eq!(stage.to_control_plane[0].names, ["a"]);

    let mut stage = Stage::silent(Protocol::Delta, options(), Arc::default());
    let request = xds::DeltaDiscoveryRequest {
        resource_names_subscribe: vec!["a".into()],
        initial_resource_versions: [("a".into(), "v7".into())].into(),
        type_url: TYPE_URL.into(),
        ..Default::default()
    };
    stage.request(request.encode_to_vec());
    assert_eq!(stage.to_control_plane[0].initial_versions, 0);
    assert_eq!(stage.to_control_plane[0].subscribe, ["a"]);
}

#[test]
fn a_request_that_cannot_be_read_is_passed_on() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        // A group, which decoders skip where they do not know it.
        stage.request(vec![0xa3, 0x06, 0xa4, 0x06]);
        assert_eq!(stage.to_control_plane.len(), 1);
    }
}
