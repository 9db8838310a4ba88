//! What cannot be read, and what Envoy refuses.

use envoy_types::pb::google::rpc::Status;
use meshloom_agent::ecds::Protocol;
use meshloom_agent::status::{Serving, Standing};

use crate::library::{held, unreachable};
use crate::stage::*;

fn nonces(stage: &Stage) -> Vec<(&str, bool)> {
    stage.to_control_plane.iter().map(|request| (&request.nonce[..], request.error.is_some())).collect()
}

#[test]
fn one_that_cannot_be_read_does_not_sink_the_others() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.push("1", &[unreadable("a"), plain("b")]);
        assert_eq!(stage.last().resources.iter().map(|one| &one.name[..]).collect::<Vec<_>>(), ["b"]);
        let refusal = stage.to_control_plane[0].clone();
        assert_eq!(refusal.nonce, "1");
        let Status { code, message, .. } = refusal.error.unwrap();
        assert_eq!(code, 13);
        assert!(
            message.starts_with(r#""a": envoy.extensions.filters.http.wasm.v3.Wasm: field 12"#),
            "{message}"
        );
        // Envoy takes what it was sent; the control plane has its answer already.
        stage.accept("1");
        assert_eq!(nonces(&stage), [("1", true)]);
    }
}

#[test]
fn a_refusal_of_the_agents_own_says_what_was_accepted_and_asked_for() {
    let mut stage = Stage::new(Protocol::Sotw, &["a", "b"]);
    stage.push("1", &[plain("a")]);
    stage.accept("1");
    stage.push("2", &[unreadable("a"), unreadable("b")]);
    assert_eq!(stage.to_envoy.len(), 1);
    let refusal = &stage.to_control_plane[1];
    assert_eq!((&refusal.nonce[..], &refusal.version[..]), ("2", "v1"));
    assert_eq!(refusal.names, ["a", "b"]);
    let message = &refusal.error.as_ref().unwrap().message;
    assert!(message.contains(r#""a": "#) && message.contains(r#"; "b": "#), "{message}");
}

#[test]
fn a_response_that_cannot_be_read_at_all_is_refused_by_what_can_be_read() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        let mut bytes = response(protocol, "1", &[plain("a")], &[]);
        bytes.extend([0x0b, 0x0b]);
        stage.respond(bytes);
        assert!(stage.to_envoy.is_empty());
        assert_eq!(nonces(&stage), [("1", true)]);
        stage.respond(vec![0xff]);
        assert_eq!(nonces(&stage), [("1", true)]);
    }
}

#[test]
fn a_refusal_names_no_more_than_fits() {
    let names: Vec<String> = (0..1000).map(|index| format!("é{index}")).collect();
    let mut stage = Stage::new(Protocol::Delta, &["a"]);
    stage.push("1", &names.iter().map(|name| unreadable(name)).collect::<Vec<_>>());
    let message = &stage.to_control_plane[0].error.as_ref().unwrap().message;
    assert!((3000..=4096).contains(&message.len()), "{}", message.len());
}

#[test]
fn a_name_that_is_there_twice_is_refused_and_the_first_is_used() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.library.has(&url("one"), held("one"));
        stage.push("1", &[wants("a", "one"), wants("a", "two")]);
        assert_eq!(stage.serves("a"), Some(module("one")));
        assert!(stage.to_control_plane[0].error.as_ref().unwrap().message.contains("more than once"));
        assert!(stage.running.is_empty());
    }
}

#[test]
fn what_envoy_asks_for_after_a_refusal_of_the_agents_own_is_heard() {
    // The control plane's last nonce is one that Envoy has never seen.
    let mut stage = Stage::new(Protocol::Sotw, &["a"]);
    stage.push("1", &[plain("a")]);
    stage.accept("1");
    stage.push("2", &[unreadable("a")]);
    stage.subscribe(&["b"], &[], "1");
    let told = stage.to_control_plane.last().unwrap();
    assert_eq!((&told.nonce[..], &told.version[..]), ("2", "v1"));
    assert_eq!(told.names, ["a", "b"]);
    assert_eq!(told.error, None);
}

#[test]
fn what_envoy_asks_for_while_a_response_waits_is_heard() {
    let mut stage = Stage::new(Protocol::Sotw, &["a"]);
    stage.push("1", &[plain("a")]);
    stage.accept("1");
    stage.push("2", &[wants("a", "one")]);
    stage.subscribe(&["b"], &[], "1");
    // Envoy is shown the nonce, with nothing in it, and answers with all names.
    assert_eq!(stage.last().nonce, "2");
    assert!(stage.last().resources.is_empty());
    stage.accept("2");
    let told = stage.to_control_plane.last().unwrap();
    assert_eq!((&told.nonce[..], told.names.len()), ("2", 2));
    stage.ends("one", Ok(held("one")));
    assert!(is_own(&stage.last().nonce));
    assert_eq!(stage.serves("a"), Some(module("one")));
}

#[test]
fn an_answer_that_changes_the_subscription_is_told_under_a_nonce_that_is_known() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.push("1", &[plain("b"), wants("a", "one")]);
        stage.accept("1");
        stage.ends("one", Ok(held("one")));
        let own = stage.last().nonce.clone();
        stage.subscribe(&["c"], &[], &own);
        let told = stage.to_control_plane.last().unwrap();
        match protocol {
            Protocol::Sotw => {
                assert_eq!((&told.nonce[..], &told.version[..]), ("1", "v1"));
                assert_eq!(told.names, ["a", "b", "c"]);
            }
            Protocol::Delta => {
                assert_eq!(told.nonce, "");
                assert_eq!(told.subscribe, ["c"]);
            }
        }
        assert_eq!(told.error, None);
        // It was an answer all the same.
        assert_eq!(stage.standing("a").standing, Standing::Accepted);
    }
}

#[test]
fn an_answer_to_what_the_agent_refused_is_told_if_it_changes_the_subscription() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.push("1", &[plain("b"), unreadable("a")]);
        stage.subscribe(&["c"], &["b"], "1");
        assert_eq!(stage.to_control_plane.len(), 2);
        let told = &stage.to_control_plane[1];
        assert_eq!(told.error, None);
        match protocol {
            Protocol::Sotw => assert_eq!((&told.nonce[..], told.names.len()), ("1", 2)),
            Protocol::Delta => assert_eq!((&told.nonce[..], told.unsubscribe.len()), ("", 1)),
        }
    }
}

#[test]
fn envoys_refusal_of_the_agents_own_response_is_one_of_the_control_planes_last() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.push("1", &[plain("b"), wants("a", "one")]);
        stage.push("2", &[plain("b")]);
        stage.accept("1");
        stage.accept("2");
        stage.ends("one", Ok(held("one")));
        let own = stage.last().nonce.clone();
        stage.refuse(&own);
        let told = stage.to_control_plane.last().unwrap();
        assert_eq!(told.nonce, "2");
        assert_eq!(told.error.as_ref().unwrap().message, "no plugin");
        let standing = stage.standing("a");
        assert_eq!((standing.standing, standing.serving), (Standing::Refused, Serving::Nothing));
        assert!(standing.last_error.unwrap().1.contains("no plugin"));
    }
}

#[test]
fn after_a_refused_upgrade_what_was_good_goes_on_serving() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.library.has(&url("one"), held("one"));
        stage.library.has(&url("two"), held("two"));
        stage.push("1", &[wants("a", "one")]);
        stage.accept("1");
        stage.push("2", &[wants("a", "two")]);
        stage.refuse("2");
        let standing = stage.standing("a");
        assert_eq!((standing.standing, standing.serving), (Standing::Refused, Serving::LastGood));
        assert!(standing.module.unwrap().1.contains("one"));
        assert_eq!(nonces(&stage), [("1", false), ("2", true)]);
        // And what was refused is not taken for good.
        stage.push("3", &[wants("a", "three")]);
        stage.ends("three", Err(unreachable()));
        assert_eq!(stage.serves("a"), Some(module("one")));
    }
}

#[test]
fn a_resource_that_becomes_unreadable_leaves_what_was_wanted_before() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.push("1", &[wants("a", "one")]);
        stage.push("2", &[unreadable("a")]);
        assert_eq!(stage.standing("a").standing, Standing::Malformed);
        assert_eq!(stage.running.len(), 1);
        stage.ends("one", Ok(held("one")));
        assert_eq!(stage.serves("a"), Some(module("one")));
        assert_eq!(stage.last().nonce, "1");
    }
}
