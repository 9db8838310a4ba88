//! What Envoy is given for a module that is not there, for how long, and what brings the module.

use std::path::PathBuf;
use std::sync::Arc;

use meshloom_agent::ecds::{Folder, LastGood, OnFetchFailure, Options};
use meshloom_agent::status::{Serving, Standing};
use meshloom_agent::{Reason, Unavailable};

use envoy_types::pb::envoy::extensions::wasm::v3::FailurePolicy;

use crate::library::{FakeLibrary, held, unreachable};
use crate::messages::*;
use crate::stage::*;

fn with_policy(on_fetch_failure: OnFetchFailure) -> Options {
    Options { on_fetch_failure, ..options() }
}

/// A stream on which Envoy has taken module `one` as `a`.
fn serving_one(protocol: meshloom_agent::ecds::Protocol, options: Options) -> Stage {
    let mut stage = Stage::with(protocol, &["a", "b"], options);
    stage.library.has(&url("one"), held("one"));
    stage.push("1", &[wants("a", "one")]);
    stage.accept("1");
    stage
}

#[test]
fn a_failed_upgrade_leaves_what_was_good() {
    for protocol in BOTH {
        let mut stage = serving_one(protocol, options());
        let mut upgrade = plugin(&url("two"));
        upgrade.root_id = "new configuration".into();
        stage.push("2", &[http("a", upgrade)]);
        stage.ends("two", Err(unreachable()));
        assert_eq!(stage.last().nonce, "2");
        assert_eq!(stage.serves("a"), Some(module("one")));
        // With the configuration that goes with it.
        assert!(!String::from_utf8_lossy(&stage.last().bytes).contains("new configuration"));
        let standing = stage.standing("a");
        assert_eq!((standing.serving, standing.standing), (Serving::LastGood, Standing::Waiting));
        assert_eq!(standing.last_error, Some((Reason::Unreachable, "connection refused".into())));
        assert!(standing.next_attempt.is_some());
        stage.advance(seconds(2.0));
        stage.ends("two", Ok(held("two")));
        assert_eq!(stage.serves("a"), Some(module("two")));
        stage.accept_last();
        assert_eq!(stage.standing("a").serving, Serving::Wanted);
    }
}

#[test]
fn without_anything_good_the_failure_policy_decides() {
    for protocol in BOTH {
        for (policy, expected) in
            [(FailurePolicy::FailOpen, What::Allow), (FailurePolicy::FailClosed, What::Deny)]
        {
            let mut stage = Stage::new(protocol, &["a"]);
            let mut plugin = plugin(&url("one"));
            plugin.failure_policy = policy.into();
            stage.push("1", &[http("a", plugin)]);
            stage.ends("one", Err(unreachable()));
            assert_eq!(stage.serves("a"), Some(expected));
            assert_eq!(stage.last().nonce, "1");
        }
    }
}

#[test]
fn open_and_close_do_so_whatever_was_good() {
    for protocol in BOTH {
        for (policy, expected, serving) in [
            (OnFetchFailure::Open, What::Allow, Serving::Allow),
            (OnFetchFailure::Close, What::Deny, Serving::Deny),
        ] {
            let mut stage = serving_one(protocol, with_policy(policy));
            stage.push("2", &[wants("a", "two")]);
            stage.ends("two", Err(unreachable()));
            assert_eq!(stage.serves("a"), Some(expected));
            assert_eq!(stage.standing("a").serving, serving);
        }
    }
}

#[test]
fn wait_sends_nothing_until_the_module_is_there() {
    for protocol in BOTH {
        let mut stage = serving_one(protocol, with_policy(OnFetchFailure::Wait));
        stage.push("2", &[wants("a", "two")]);
        stage.ends("two", Err(unreachable()));
        stage.advance(seconds(1.5));
        assert_eq!(stage.to_envoy.len(), 1);
        stage.ends("two", Ok(held("two")));
        assert_eq!((&stage.last().nonce[..], stage.serves("a")), ("2", Some(module("two"))));
    }
}

#[test]
fn no_first_answer_takes_longer_than_the_budget() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.push("1", &[wants("a", "one"), wants("b", "two")]);
        stage.advance(seconds(4.999));
        assert!(stage.to_envoy.is_empty());
        stage.advance(seconds(0.001));
        assert_eq!((stage.to_envoy.len(), stage.last().resources.len()), (1, 2));
        assert_eq!((stage.serves("a"), stage.serves("b")), (Some(What::Deny), Some(What::Deny)));
        assert_eq!(stage.standing("a").standing, Standing::Fetching);
        assert_eq!(stage.standing("a").serving, Serving::Deny);
        // The attempts go on.
        assert_eq!((stage.running.len(), stage.given_up.len()), (2, 0));
        stage.ends("one", Ok(held("one")));
        assert_eq!(stage.serves("a"), Some(module("one")));
        assert!(is_own(&stage.last().nonce));
    }
}

#[test]
fn what_cannot_even_be_asked_for_is_replaced_at_once_and_not_tried() {
    for protocol in BOTH {
        let mut no_uri = plugin("");
        remote(&mut no_uri).http_uri = None;
        let mut no_secret = plugin(&url("one"));
        vm(&mut no_secret).environment_variables = environment(&[("ISTIO_META_WASM_IMAGE_PULL_SECRET", "")]);
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.push("1", &[http("a", no_uri), http("b", no_secret)]);
        assert_eq!((stage.serves("a"), stage.serves("b")), (Some(What::Deny), Some(What::Deny)));
        assert_eq!(stage.last().nonce, "1");
        stage.advance(seconds(100.0));
        assert!(stage.running.is_empty());
        assert_eq!(stage.to_envoy.len(), 1);
        let (reason, message) = stage.standing("b").last_error.unwrap();
        assert_eq!(reason, Reason::Unusable);
        assert!(
            message.contains("missing image pulling secret") && !message.contains("password"),
            "{message}"
        );
    }
}

#[test]
fn what_failed_is_tried_until_it_succeeds_without_a_word_of_the_control_plane() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.push("1", &[wants("a", "one")]);
        for _ in 0..10 {
            stage.ends("one", Err(unreachable()));
            assert!(stage.running.is_empty());
            stage.advance(seconds(1.5));
            assert_eq!(stage.running.len(), 1);
        }
        assert_eq!(stage.to_envoy.len(), 1);
        assert_eq!(stage.standing("a").attempts, 10);
        stage.ends("one", Ok(held("one")));
        assert_eq!(stage.serves("a"), Some(module("one")));
        stage.advance(seconds(1000.0));
        assert!(stage.running.is_empty());
    }
}

#[test]
fn what_can_never_succeed_is_tried_again_when_the_control_plane_sends_it_again() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.push("1", &[wants("a", "one")]);
        stage.ends("one", Err(Unavailable::new(Reason::Unusable, "no such scheme")));
        stage.advance(seconds(1000.0));
        assert!(stage.running.is_empty());
        assert_eq!(stage.standing("a").next_attempt, None);
        stage.push("2", &[wants("a", "one")]);
        assert_eq!(stage.running.len(), 1);
    }
}

#[test]
fn a_source_that_asks_for_patience_is_given_it() {
    let mut stage = Stage::new(BOTH[0], &["a"]);
    stage.push("1", &[wants("a", "one")]);
    let patience = Unavailable { retry_after: Some(seconds(60.0)), ..unreachable() };
    stage.ends("one", Err(patience));
    stage.advance(seconds(59.9));
    assert!(stage.running.is_empty());
    stage.advance(seconds(12.1));
    assert_eq!(stage.running.len(), 1);
}

#[test]
fn what_failed_a_moment_ago_is_not_waited_for_when_it_is_sent_again() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.push("1", &[wants("a", "one")]);
        stage.ends("one", Err(unreachable()));
        stage.push("2", &[wants("a", "one")]);
        assert_eq!(stage.last().nonce, "2");
        assert_eq!(stage.serves("a"), Some(What::Deny));
        // And a control plane that sends it all the time does not make the agent try it all the time.
        assert!(stage.running.is_empty());
        stage.advance(seconds(1.5));
        assert_eq!(stage.running.len(), 1);
    }
}

#[test]
fn a_module_that_is_there_ends_the_waiting_of_all_that_want_it() {
    let mut stage = Stage::new(BOTH[1], &["a", "b"]);
    stage.push("1", &[wants("a", "one")]);
    stage.ends("one", Err(Unavailable { retry_after: Some(seconds(300.0)), ..unreachable() }));
    stage.push("2", &[wants("b", "one")]);
    stage.ends("one", Ok(held("one")));
    assert_eq!(stage.running.len(), 1);
    stage.ends("one", Ok(held("one")));
    assert_eq!(stage.serves("a"), Some(module("one")));
}

#[test]
fn what_was_good_survives_the_stream_and_the_agent() {
    for protocol in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let open = || Arc::new(LastGood::remembered_by(Folder::open(folder.path()).unwrap()));
        let library = FakeLibrary::default();
        library.has(&url("one"), held("one"));
        let last_good = open();
        let mut stage = Stage::with_library(protocol, options(), Arc::clone(&last_good), library.clone());
        stage.subscribe(&["a"], &[], "");
        stage.push("1", &[wants("a", "one")]);
        stage.accept("1");
        drop(stage);

        let mut stage = Stage::with_library(protocol, options(), last_good, library.clone());
        stage.subscribe(&["a"], &[], "");
        stage.push("1", &[wants("a", "two")]);
        stage.ends("two", Err(unreachable()));
        assert_eq!(stage.serves("a"), Some(module("one")));
        drop(stage);

        let mut stage = Stage::with_library(protocol, options(), open(), library.clone());
        stage.subscribe(&["a"], &[], "");
        stage.push("1", &[wants("a", "two")]);
        stage.advance(seconds(5.0));
        assert_eq!(stage.serves("a"), Some(module("one")));
        assert_eq!(stage.standing("a").serving, Serving::LastGood);
        drop(stage);

        // A module that is gone is of no use.
        library.loses(&url("one"));
        let mut stage = Stage::with_library(protocol, options(), open(), library.clone());
        stage.subscribe(&["a"], &[], "");
        stage.push("1", &[wants("a", "two")]);
        stage.ends("two", Err(unreachable()));
        assert_eq!(stage.serves("a"), Some(What::Deny));
        drop(stage);

        // Nor is one that is elsewhere now.
        let mut elsewhere = held("one");
        elsewhere.path = PathBuf::from("/elsewhere/one.wasm");
        library.has(&url("one"), elsewhere);
        let mut stage = Stage::with_library(protocol, options(), open(), library.clone());
        stage.subscribe(&["a"], &[], "");
        stage.push("1", &[wants("a", "two")]);
        stage.ends("two", Err(unreachable()));
        assert_eq!(stage.serves("a"), Some(What::Deny));
    }
}

#[test]
fn a_resource_without_a_module_is_good_too() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.push("1", &[plain("a")]);
        stage.accept("1");
        stage.push("2", &[wants("a", "one")]);
        stage.ends("one", Err(unreachable()));
        assert_eq!(stage.serves("a"), Some(What::Other("type.googleapis.com/example.Lua".into())));
    }
}

#[test]
fn what_envoy_has_been_sent_and_not_answered_stands_in_for_what_comes_after_it() {
    for protocol in BOTH {
        let mut stage = serving_one(protocol, options());
        stage.library.has(&url("two"), held("two"));
        stage.push("2", &[wants("a", "two")]);
        stage.push("3", &[wants("a", "three")]);
        stage.ends("three", Err(unreachable()));
        // Not the older one, though only that is known to be good.
        assert_eq!(stage.serves("a"), Some(module("two")));
    }
}

#[test]
fn what_was_removed_is_not_good_any_more() {
    let mut stage = serving_one(meshloom_agent::ecds::Protocol::Delta, options());
    stage.push_with("2", &[], &["a"]);
    stage.push("3", &[wants("a", "two")]);
    stage.ends("two", Err(unreachable()));
    assert_eq!(stage.serves("a"), Some(What::Deny));
}

#[test]
fn a_failure_does_not_touch_the_others_and_is_no_refusal() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b"]);
        stage.push("1", &[wants("a", "one"), wants("b", "two")]);
        stage.ends("one", Err(unreachable()));
        stage.ends("two", Ok(held("two")));
        assert_eq!((stage.serves("a"), stage.serves("b")), (Some(What::Deny), Some(module("two"))));
        assert!(stage.to_control_plane.is_empty());
        stage.accept("1");
        stage.accept_last();
        assert_eq!(stage.to_control_plane.len(), 1);
        assert_eq!(stage.standing("a").standing, Standing::Waiting);
        assert_eq!(stage.standing("b").standing, Standing::Accepted);
    }
}
