use proptest::prelude::*;

use super::*;

/// A map as the ABI writes it down.
fn map(lines: &[(&str, &str)]) -> Vec<u8> {
    let mut all = Lines::default();
    lines.iter().for_each(|(name, value)| all.push(name.as_bytes(), Value::Borrowed(value.as_bytes())));
    all.to_map()
}

fn shown(lines: &Lines<'_>) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut shown = Vec::new();
    lines.edits(&mut |edit| {
        shown.push(match edit {
            Edit::Replace(name, value) => format!("{} = {}", text(name), text(value)),
            Edit::Add(name, value) => format!("{} + {}", text(name), text(value)),
            Edit::Remove(name) => format!("{} -", text(name)),
        });
    });
    shown
}

#[test]
fn what_ends_as_it_began_is_not_written() {
    let map = map(&[("a", "1"), ("b", "2"), ("a", "3")]);
    let mut lines = Lines::of(&map);
    assert!(lines.set(b"b", Value::Borrowed(b"5")) && lines.set(b"b", Value::Borrowed(b"2")));
    lines.push(b"c", Value::Borrowed(b"1"));
    assert!(lines.remove(b"c") && !lines.remove(b"d"));
    assert!(!lines.set(b"b", Value::Borrowed(b"2")));
    assert_eq!(shown(&lines), [""; 0]);
}

#[test]
fn the_fewest_edits_are_written() {
    let map = map(&[("a", "1"), ("a", "2"), ("b", "1"), ("c", "1"), (":path", "/")]);
    let mut lines = Lines::of(&map);
    lines.push(b"a", Value::Borrowed(b"3"));
    assert_eq!(shown(&lines), ["a + 3"]);
    lines.edit(b"a", &mut |value| if value == b"2" { Change::Become(b"x".to_vec()) } else { Change::Keep });
    assert_eq!(shown(&lines), ["a = 1", "a + x", "a + 3"]);
    lines.retain(b"a", &mut |value| value == b"x");
    lines.remove(b"b");
    lines.set(b":path", Value::Borrowed(b"/b"));
    assert_eq!(shown(&lines), ["a = x", "b -", ":path = /b"]);
    assert_eq!(lines.values(b"a").collect::<Vec<_>>(), [b"x"]);
}

#[test]
fn an_edited_value_keeps_its_place() {
    let map = map(&[("a", "1"), ("a", "2"), ("a", "3")]);
    let mut lines = Lines::of(&map);
    lines.edit(b"a", &mut |value| if value == b"1" { Change::Become(b"x".to_vec()) } else { Change::Keep });
    lines.edit(b"a", &mut |value| match value {
        b"x" => Change::Become(b"y".to_vec()),
        b"2" => Change::Remove,
        _ => Change::Keep,
    });
    assert_eq!(lines.values(b"a").collect::<Vec<_>>(), [b"y", b"3"]);
}

type Owned = Vec<(Vec<u8>, Vec<u8>)>;

/// What a proxy makes of the edits, and how many they are.
fn applied(before: &[(Vec<u8>, Vec<u8>)], now: &Lines<'_>) -> (Owned, usize) {
    let (mut lines, mut count) = (before.to_vec(), 0);
    now.edits(&mut |edit| {
        count += 1;
        match edit {
            Edit::Replace(name, value) => {
                lines.retain(|(other, _)| other != name);
                lines.push((name.to_vec(), value.to_vec()));
            }
            Edit::Add(name, value) => lines.push((name.to_vec(), value.to_vec())),
            Edit::Remove(name) => lines.retain(|(other, _)| other != name),
        }
    });
    (lines, count)
}

/// The lines of each name: their order among other names means nothing.
fn by_name(mut lines: Owned) -> Owned {
    lines.sort_by(|one, other| one.0.cmp(&other.0));
    lines
}

proptest! {
    #[test]
    fn what_is_written_makes_what_was_meant(
        before in proptest::collection::vec((0_usize..4, 0_u8..4), 0..8),
        steps in proptest::collection::vec((0_usize..4, 0_u8..5, 0_u8..4), 0..12),
    ) {
        const NAMES: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];
        let start: Owned =
            before.iter().map(|(name, value)| (NAMES[*name].to_vec(), vec![*value])).collect();
        let mut first = Lines::default();
        before.iter().for_each(|(name, value)| first.push(NAMES[*name], Value::Owned(vec![*value])));
        let map = first.to_map();
        let mut lines = Lines::of(&map);
        for (name, step, value) in steps {
            let name = NAMES[name];
            match step {
                0 => lines.push(name, Value::Owned(vec![value])),
                1 => { lines.set(name, Value::Owned(vec![value])); }
                2 => { lines.remove(name); }
                3 => { lines.retain(name, &mut |other| other != [value]); }
                _ => { lines.edit(name, &mut |other| if other == [value] { Change::Become(vec![9]) } else { Change::Keep }); }
            }
        }
        let meant: Vec<_> = lines.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        let (after, edits) = applied(&start, &lines);
        prop_assert_eq!(by_name(after), by_name(meant.clone()));
        prop_assert_eq!(by_name(start) == by_name(meant), edits == 0);
    }
}
