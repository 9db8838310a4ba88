use proptest::prelude::*;

use super::*;

fn key(number: u8) -> Key {
    Key::numbered(number.into())
}

fn known(text: &str) -> Known {
    Known::Enriched(Rc::new(Enriched { values: Box::new([Some(text.as_bytes().into())]), invalid: 0 }))
}

fn until(fresh: u64) -> Lifetime {
    Lifetime { fresh, revalidate: fresh, on_error: fresh }
}

fn keys(cache: &mut Cache, now: u64) -> Vec<u8> {
    (0..=255).filter(|number| cache.get(now, &key(*number)).is_some()).collect()
}

#[test]
fn an_entry_ends_exactly_at_its_time() {
    let mut cache = Cache::new(10, 10_000);
    cache.put(100, key(1), known("a"), Lifetime { fresh: 110, revalidate: 120, on_error: 130 });
    for (now, age) in [
        (100, Some(Age::Fresh)),
        (109, Some(Age::Fresh)),
        (110, Some(Age::Revalidate)),
        (119, Some(Age::Revalidate)),
        (120, Some(Age::OnError)),
        (129, Some(Age::OnError)),
        (130, None),
    ] {
        assert_eq!(cache.get(now, &key(1)).map(|(_, age)| age), age, "{now}");
    }
    assert_eq!((cache.len(), cache.bytes()), (0, 0));
}

#[test]
fn a_clock_that_is_set_back_keeps_nothing_longer() {
    let mut cache = Cache::new(10, 10_000);
    cache.put(1000, key(1), known("a"), until(2000));
    assert_eq!(cache.get(999, &key(1)), None);
    assert_eq!(cache.get(1500, &key(1)), None);
}

#[test]
fn what_was_used_longest_ago_makes_room() {
    let mut cache = Cache::new(3, 10_000);
    for number in 1..=3 {
        assert_eq!(cache.put(0, key(number), known("a"), until(9)), 0);
    }
    assert!(cache.get(0, &key(1)).is_some());
    assert_eq!(cache.put(0, key(4), known("a"), until(9)), 1);
    assert_eq!(keys(&mut cache, 0), [1, 3, 4]);
    assert_eq!(cache.put(0, key(3), known("b"), until(9)), 0, "an entry that is there is replaced");
    assert_eq!(cache.get(0, &key(3)).unwrap().0, known("b"));
}

#[test]
fn a_large_entry_makes_room_for_itself_and_one_too_large_is_not_kept() {
    let room = 3 * (OVERHEAD + known("a").bytes());
    let mut cache = Cache::new(100, room);
    for number in 1..=3 {
        cache.put(0, key(number), known("a"), until(9));
    }
    assert_eq!(cache.bytes(), room);
    assert_eq!(cache.put(0, key(4), known(&"a".repeat(OVERHEAD + 10)), until(9)), 2);
    assert_eq!(keys(&mut cache, 0), [3, 4]);
    assert_eq!(cache.put(0, key(5), known(&"a".repeat(room)), until(9)), 0);
    assert_eq!(keys(&mut cache, 0), [3, 4]);
}

#[test]
fn what_is_over_already_is_not_kept_and_what_it_replaces_is_gone() {
    let mut cache = Cache::new(3, 10_000);
    cache.put(0, key(1), known("a"), until(100));
    cache.put(50, key(1), known("b"), until(50));
    assert!(cache.is_empty());
    cache.put(0, key(1), known("a"), until(100));
    cache.forget(&key(1));
    cache.forget(&key(2));
    assert!(cache.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Get(u8),
    Put(u8, usize, u64),
    Forget(u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u8..8).prop_map(Step::Get),
        (0_u8..8, 0_usize..300, 0_u64..20).prop_map(|(key, size, ttl)| Step::Put(key, size, ttl)),
        (0_u8..8).prop_map(Step::Forget),
        (0_u64..6).prop_map(Step::Pass),
    ]
}

proptest! {
    /// The cache does what a list does that is searched from end to end.
    #[test]
    fn it_is_a_list_from_new_to_old(steps in proptest::collection::vec(step(), 0..80), max in 1_usize..6, bytes in 200_usize..1500) {
        let mut cache = Cache::new(max, bytes);
        let mut model: Vec<(u8, Known, u64, usize)> = Vec::new();
        let mut now = 0;
        for step in steps {
            match step {
                Step::Get(number) => {
                    let found = model.iter().position(|(other, ..)| *other == number).map(|place| model.remove(place));
                    let found = found.filter(|(_, _, until, _)| now < *until);
                    prop_assert_eq!(cache.get(now, &key(number)).map(|(known, _)| known), found.clone().map(|(_, known, ..)| known));
                    if let Some(entry) = found {
                        model.insert(0, entry);
                    }
                }
                Step::Put(number, size, ttl) => {
                    let known = known(&"a".repeat(size));
                    let cost = OVERHEAD + known.bytes();
                    model.retain(|(other, ..)| *other != number);
                    let before = model.len();
                    if ttl > 0 && cost <= bytes {
                        while model.len() >= max || model.iter().map(|entry| entry.3).sum::<usize>() + cost > bytes {
                            model.pop();
                        }
                        let evicted = before - model.len();
                        model.insert(0, (number, known.clone(), now + ttl, cost));
                        prop_assert_eq!(cache.put(now, key(number), known, until(now + ttl)), evicted as u64);
                    } else {
                        prop_assert_eq!(cache.put(now, key(number), known, until(now + ttl)), 0);
                    }
                }
                Step::Forget(number) => {
                    model.retain(|(other, ..)| *other != number);
                    cache.forget(&key(number));
                }
                Step::Pass(time) => now += time,
            }
            prop_assert_eq!(cache.len(), model.len());
            prop_assert_eq!(cache.bytes(), model.iter().map(|entry| entry.3).sum::<usize>());
            prop_assert!(cache.slots.len() <= max && cache.bytes() <= bytes);
        }
    }
}
