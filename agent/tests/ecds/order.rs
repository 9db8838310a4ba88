//! What Envoy is sent, in which order and under which nonce.

use envoy_types::pb::envoy::service::discovery::v3 as xds;
use envoy_types::pb::google::protobuf::{Any, Duration};
use meshloom_agent::ecds::{OnFetchFailure, Options, Protocol, TYPE_URL};
use meshloom_agent::status::Standing;
use prost::Message as _;

use crate::library::{held, unreachable};
use crate::messages::*;
use crate::stage::*;

fn sent(nonce: &str, resources: &[(&str, What)]) -> (String, Vec<(String, What)>) {
    let resources = resources.iter().map(|(name, what)| ((*name).to_owned(), what.clone()));
    (nonce.to_owned(), resources.collect())
}

#[test]
fn a_response_without_remote_code_passes_byte_for_byte() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        let mut bytes = response(protocol, "1", &[plain("a")], &[]);
        meshloom_agent::wire::put_bytes(&mut bytes, 900, b"of a newer control plane");
        stage.respond(bytes.clone());
        assert_eq!(stage.last().bytes, bytes);
        assert!(stage.running.is_empty());
    }
}

#[test]
fn a_module_at_hand_is_sent_at_once_under_the_nonce_of_the_control_plane() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.library.has(&url("one"), held("one"));
        stage.push("1", &[wants("a", "one"), plain("b")]);
        let other = What::Other("type.googleapis.com/example.Lua".into());
        assert_eq!(stage.sent(), [sent("1", &[("a", module("one")), ("b", other)])]);
        assert!(stage.running.is_empty());
        assert_eq!(stage.standing("a").standing, Standing::Sent);
        stage.accept("1");
        assert_eq!(stage.standing("a").standing, Standing::Accepted);
        assert_eq!(stage.standing("a").source, "https://example.com/one.wasm");
        assert_eq!(stage.to_control_plane.len(), 1);
        assert_eq!(stage.to_control_plane[0].nonce, "1");
    }
}

#[test]
fn a_response_of_which_nothing_is_ready_waits_for_the_first_that_is() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.push("1", &[wants("a", "one"), wants("b", "two")]);
        assert_eq!(stage.sent(), []);
        assert_eq!(stage.standing("a").standing, Standing::Fetching);
        stage.ends("two", Ok(held("two")));
        stage.ends("one", Ok(held("one")));
        assert_eq!(stage.sent(), [sent("1", &[("b", module("two"))]), sent("-", &[("a", module("one"))])]);
    }
}

#[test]
fn a_slow_resource_does_not_delay_the_others() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.library.has(&url("two"), held("two"));
        stage.push("1", &[wants("a", "one"), wants("b", "two")]);
        assert_eq!(stage.sent(), [sent("1", &[("b", module("two"))])]);
        stage.ends("one", Ok(held("one")));
        assert_eq!(stage.sent()[1], sent("-", &[("a", module("one"))]));
        assert!(is_own(&stage.last().nonce));
        if protocol == Protocol::Sotw {
            assert_eq!(stage.last().version, "v1");
        } else {
            assert_eq!(stage.last().resources[0].version, "v1");
        }
    }
}

#[test]
fn a_newer_response_supersedes_an_older_attempt() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.push("1", &[wants("a", "one")]);
        let old = *stage.running.keys().next().unwrap();
        stage.push("2", &[wants("a", "two")]);
        assert_eq!(stage.given_up, [old]);
        // It ends all the same, too late.
        stage.ticket_ends(old, Ok(held("one")));
        assert_eq!(stage.sent(), []);
        stage.ends("two", Ok(held("two")));
        assert_eq!(stage.sent(), [sent("2", &[("a", module("two"))])]);
    }
}

#[test]
fn a_newer_response_that_wants_the_same_module_takes_the_attempt_over() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.push("1", &[wants("a", "one")]);
        let mut changed = plugin(&url("one"));
        changed.root_id = "other".into();
        stage.push("2", &[http("a", changed)]);
        assert_eq!((stage.given_up.len(), stage.running.len()), (0, 1));
        stage.ends("one", Ok(held("one")));
        assert_eq!(stage.sent(), [sent("2", &[("a", module("one"))])]);
        assert!(String::from_utf8_lossy(&stage.last().bytes).contains("other"));
    }
}

#[test]
fn a_newer_response_that_needs_no_module_ends_the_attempt() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.push("1", &[wants("a", "one")]);
        stage.push("2", &[plain("a")]);
        assert_eq!((stage.given_up.len(), stage.running.len()), (1, 0));
        assert_eq!(stage.sent().len(), 1);
        assert_eq!(stage.last().nonce, "2");
        assert!(stage.board.all().is_empty());
    }
}

#[test]
fn an_older_response_follows_under_a_nonce_of_the_agents_own() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.library.has(&url("two"), held("two"));
        stage.push("1", &[wants("a", "one")]);
        stage.push("2", &[wants("b", "two")]);
        stage.ends("one", Ok(held("one")));
        assert_eq!(stage.sent(), [sent("2", &[("b", module("two"))]), sent("-", &[("a", module("one"))])]);
        // State of the world: with the version that Envoy has, not with the older one.
        assert_eq!(stage.last().version, if protocol == Protocol::Sotw { "v2" } else { "" });
    }
}

#[test]
fn responses_that_wait_go_out_in_order_when_they_become_ready_in_order() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.push("1", &[wants("a", "one")]);
        stage.push("2", &[wants("b", "two")]);
        stage.ends("one", Ok(held("one")));
        stage.ends("two", Ok(held("two")));
        assert_eq!(stage.sent(), [sent("1", &[("a", module("one"))]), sent("2", &[("b", module("two"))])]);
    }
}

#[test]
fn an_empty_response_passes() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.push("1", &[]);
        assert_eq!(stage.sent(), [sent("1", &[])]);
    }
}

#[test]
fn what_is_removed_is_told_at_once_and_its_attempt_given_up() {
    let mut stage = Stage::new(Protocol::Delta, &["a", "b"]);
    stage.push("1", &[wants("a", "one")]);
    stage.push_with("2", &[wants("b", "two")], &["a"]);
    assert_eq!(stage.last().removed, ["a"]);
    assert_eq!(stage.sent(), [sent("2", &[])]);
    assert_eq!((stage.given_up.len(), stage.running.len()), (1, 1));
    stage.ends("two", Ok(held("two")));
    assert_eq!(stage.sent()[1], sent("-", &[("b", module("two"))]));
    assert!(stage.board.all().iter().all(|state| state.name == "b"));
}

#[test]
fn an_answer_to_the_agents_own_response_is_not_the_control_planes() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.push("1", &[plain("b"), wants("a", "one")]);
        stage.accept("1");
        stage.ends("one", Ok(held("one")));
        stage.accept_last();
        assert_eq!(
            stage.to_control_plane.iter().map(|request| &request.nonce[..]).collect::<Vec<_>>(),
            ["1"]
        );
        assert_eq!(stage.standing("a").standing, Standing::Accepted);
    }
}

#[test]
fn a_heartbeat_passes_once_envoy_has_what_it_is_about() {
    let heartbeat = |nonce: &str| {
        let resource = xds::Resource {
            name: "a".into(),
            version: "v1".into(),
            aliases: vec!["alias".into()],
            ttl: Some(Duration { seconds: 60, nanos: 0 }),
            ..Default::default()
        };
        xds::DeltaDiscoveryResponse {
            resources: vec![resource],
            type_url: TYPE_URL.into(),
            nonce: nonce.into(),
            ..Default::default()
        }
        .encode_to_vec()
    };
    let mut stage = Stage::new(Protocol::Delta, &["a"]);
    stage.push("1", &[wants("a", "one")]);
    stage.respond(heartbeat("2"));
    assert_eq!(stage.sent(), [sent("2", &[])]);
    stage.ends("one", Ok(held("one")));
    stage.respond(heartbeat("3"));
    assert_eq!(stage.sent()[2], sent("3", &[("a", What::Heartbeat)]));
}

#[test]
fn a_resource_with_a_time_to_live_is_converted_in_its_envelope() {
    let mut stage = Stage::new(Protocol::Sotw, &["a"]);
    stage.library.has(&url("one"), held("one"));
    let envelope = xds::Resource {
        ttl: Some(Duration { seconds: 60, nanos: 0 }),
        ..in_envelope(&wants("a", "one"), "7")
    };
    let wrapped = Any {
        type_url: "type.googleapis.com/envoy.service.discovery.v3.Resource".into(),
        value: envelope.encode_to_vec(),
    };
    stage.push("1", &[wrapped]);
    let sent = xds::DiscoveryResponse::decode(&stage.last().bytes[..]).unwrap();
    let sent = xds::Resource::decode(&sent.resources[0].value[..]).unwrap();
    assert_eq!(sent.ttl, Some(Duration { seconds: 60, nanos: 0 }));
    assert_eq!(stage.serves("a"), Some(module("one")));
}

#[test]
fn the_envelope_of_a_resource_stays_as_it_is_through_every_stand_in() {
    let mut stage = Stage::new(Protocol::Delta, &["a"]);
    let mut resource = in_envelope(&wants("a", "one"), "7");
    resource.ttl = Some(Duration { seconds: 60, nanos: 0 });
    let response = xds::DeltaDiscoveryResponse {
        resources: vec![resource.clone()],
        type_url: TYPE_URL.into(),
        nonce: "1".into(),
        ..Default::default()
    };
    stage.respond(response.encode_to_vec());
    stage.ends("one", Err(unreachable()));
    stage.advance(seconds(2.0));
    stage.ends("one", Ok(held("one")));
    assert_eq!(stage.to_envoy.len(), 2);
    for sent in &stage.to_envoy {
        let sent = xds::DeltaDiscoveryResponse::decode(&sent.bytes[..]).unwrap();
        let sent = xds::Resource { resource: resource.resource.clone(), ..sent.resources[0].clone() };
        assert_eq!(sent, resource);
    }
}

#[test]
fn without_conversion_responses_and_requests_pass_but_for_what_the_agent_is_told() {
    for protocol in BOTH {
        let mut stage = Stage::with(protocol, &["a"], Options { convert: false, ..options() });
        let mut local = plugin("unused");
        vm(&mut local).code = crate::messages::local("/local.wasm");
        // What is sent is looked through for such variables.
        stage.push("1", &[http("a", local), unreadable_but_no_matter("b")]);
        assert_eq!(stage.sent()[0].1.len(), 2);
        stage.accept("1");
        assert_eq!(stage.to_control_plane.len(), 1);
        assert!(stage.running.is_empty());
    }
}

fn unreadable_but_no_matter(name: &str) -> Any {
    extension(name, Any { type_url: NETWORK_WASM.into(), value: b"abc".to_vec() })
}

#[test]
fn a_thousand_resources_are_one_response_when_their_modules_are_there() {
    let names: Vec<String> = (0..1000).map(|index| format!("name{index}")).collect();
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &names.iter().map(String::as_str).collect::<Vec<_>>());
        stage.library.has(&url("one"), held("one"));
        let resources: Vec<_> = names.iter().map(|name| wants(name, "one")).collect();
        stage.push("1", &resources);
        assert_eq!(stage.to_envoy.len(), 1);
        assert_eq!(stage.last().resources.len(), 1000);
    }
}

#[test]
fn while_the_policy_is_to_wait_other_responses_pass() {
    for protocol in BOTH {
        let wait = Options { on_fetch_failure: OnFetchFailure::Wait, ..options() };
        let mut stage = Stage::with(protocol, &["a", "b"], wait);
        stage.push("1", &[wants("a", "one")]);
        stage.ends("one", Err(unreachable()));
        stage.push("2", &[plain("b")]);
        assert_eq!(stage.to_envoy.len(), 1);
        stage.advance(seconds(10.0));
        stage.ends("one", Ok(held("one")));
        assert_eq!(stage.serves("a"), Some(module("one")));
    }
}

#[test]
fn an_answer_to_something_older_says_nothing_about_what_was_sent_since() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.push("1", &[wants("a", "one")]);
        stage.advance(seconds(5.0));
        stage.library.has(&url("two"), held("two"));
        stage.push("2", &[wants("a", "two")]);
        stage.accept("1");
        assert_eq!(stage.standing("a").standing, Standing::Sent);
        stage.subscribe(&[], &["a"], "2");
        assert!(stage.board.all().is_empty());
    }
}
