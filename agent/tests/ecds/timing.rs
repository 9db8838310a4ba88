//! How hard a module is tried for, and how long a conversion counts.

use meshloom_agent::status::Board;
use meshloom_agent::{Effort, Reason, Unavailable};

use crate::library::{held, unreachable};
use crate::stage::*;

/// How hard the attempt tries that goes on.
fn effort(stage: &Stage) -> Effort {
    stage.running.values().next().unwrap().effort
}

#[test]
fn the_first_attempt_tries_hard_and_those_after_it_often() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.push("1", &[wants("a", "one")]);
        assert_eq!(effort(&stage), Effort::Full);
        for _ in 0..20 {
            stage.ends("one", Err(unreachable()));
            stage.advance(seconds(1.6));
            assert_eq!(effort(&stage), Effort::Brisk);
        }
        stage.advance(seconds(60.0));
        stage.ends("one", Err(unreachable()));
        stage.advance(seconds(3.0));
        assert_eq!(effort(&stage), Effort::Once, "the outage is not young any more");
    }
}

#[test]
fn what_will_not_pass_by_itself_is_not_asked_for_again_at_once() {
    for protocol in BOTH {
        for reason in [Reason::Unsigned, Reason::ChecksumMismatch, Reason::Denied] {
            let mut stage = Stage::new(protocol, &["a"]);
            stage.push("1", &[wants("a", "one")]);
            stage.ends("one", Err(Unavailable::new(reason, "no")));
            stage.advance(seconds(9.9));
            assert!(stage.running.is_empty(), "{reason:?}");
            stage.advance(seconds(10.2));
            assert_eq!(effort(&stage), Effort::Once, "{reason:?}");
        }
    }
}

/// How many conversions have been timed.
fn timed(stage: &Stage) -> u64 {
    let text = stage.metrics.exposition(&Board::default(), 0);
    let count = "istio_agent_wasm_config_conversion_duration_count ";
    text.lines().find_map(|line| line.strip_prefix(count)).unwrap().parse().unwrap()
}

#[test]
fn a_conversion_is_timed_until_its_last_module_is_there_or_has_failed() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a", "b", "c"]);
        stage.push("1", &[plain("c")]);
        assert_eq!(timed(&stage), 1, "nothing to wait for");
        stage.push("2", &[wants("a", "one"), wants("b", "two"), plain("c")]);
        stage.advance(seconds(6.0));
        assert_eq!(timed(&stage), 1, "Envoy has its stand-ins, and the modules are on their way");
        stage.ends("one", Ok(held("one")));
        assert_eq!(timed(&stage), 1);
        stage.ends("two", Err(unreachable()));
        assert_eq!(timed(&stage), 2);
        stage.advance(seconds(2.0));
        stage.ends("two", Ok(held("two")));
        assert_eq!(timed(&stage), 2, "once for each response");
    }
}

#[test]
fn a_conversion_that_is_overtaken_is_timed_until_then() {
    for protocol in BOTH {
        let mut stage = Stage::new(protocol, &["a"]);
        stage.push("1", &[wants("a", "one")]);
        stage.push("2", &[wants("a", "two")]);
        assert_eq!(timed(&stage), 1);
        stage.ends("two", Ok(held("two")));
        assert_eq!(timed(&stage), 2);
    }
}
