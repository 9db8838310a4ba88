//! Whatever comes in whatever order.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Request(u8),
    Answer(usize, u16),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..6).prop_map(Step::Request),
        3 => (0_usize..4, prop_oneof![Just(200), Just(404), Just(500), Just(503), Just(0)]).prop_map(|(call, status)| Step::Answer(call, status)),
        1 => (0_u64..12_000).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Whatever happens in whatever order, every stream is decided about exactly once, a key has one call, and no more
    /// calls are under way than may be.
    #[test]
    fn every_stream_is_decided_about_once(steps in proptest::collection::vec(step(), 0..60)) {
        let mut desk = Desk::cached(r#""negative_ttl": "1s", "stale_while_revalidate": "5s", "stale_if_error": "20s","#);
        let (mut streams, mut waiting, mut calls) = (0, std::collections::BTreeSet::new(), Vec::new());
        for step in steps {
            match step {
                Step::Request(number) => {
                    streams += 1;
                    let before = desk.tokens;
                    match desk.request(Key::numbered(number.into()), streams) {
                        Consulted::Decided(..) => {}
                        Consulted::Joined | Consulted::Ask => { waiting.insert(streams); }
                    }
                    if desk.tokens != before {
                        prop_assert!(!calls.iter().any(|(_, key)| *key == number), "one call for each key");
                        calls.push((desk.tokens, number));
                    }
                }
                Step::Answer(place, status) => {
                    if calls.is_empty() {
                        continue;
                    }
                    let place = place % calls.len();
                    let (token, number) = calls[place];
                    match desk.answer(token, status, &[("x-v", "v")], b"") {
                        Some(Next::Settled(settled)) => {
                            calls.remove(place);
                            for stream in settled.waiters {
                                prop_assert!(waiting.remove(&stream));
                            }
                        }
                        Some(Next::Again(_, flight)) => {
                            desk.tokens += 4;
                            desk.engine.sent_again(desk.tokens, flight, &mut desk.tally);
                            calls[place] = (desk.tokens, number);
                        }
                        None => prop_assert!(false, "it was asked"),
                    }
                }
                Step::Pass(time) => desk.now += time,
            }
            prop_assert!(calls.len() <= 3);
            prop_assert_eq!(desk.engine.gauges()[1], calls.len() as u64);
        }
        for (_, settled) in desk.engine.overdue(u64::MAX, &mut desk.tally) {
            for stream in settled.waiters {
                prop_assert!(waiting.remove(&stream));
            }
        }
        prop_assert!(waiting.is_empty());
    }
}
