use proptest::prelude::*;

use super::*;

fn covers(pattern: &str, text: &str) -> bool {
    Regex::new(pattern, false)
        .unwrap_or_else(|expected| panic!("{pattern}: expected {expected}"))
        .covers(text.as_bytes())
}

#[test]
fn expressions_are_read_as_others_read_them() {
    for (pattern, yes, no) in [
        ("ACC-[0-9]{8}", &["ACC-12345678"][..], &["ACC-1234567", "ACC-123456789", "acc-12345678"][..]),
        ("a|bc|d", &["a", "bc", "d"], &["ab", "b", ""]),
        ("(ab)+c?", &["ab", "ababc"], &["abb", "c"]),
        ("a{2,3}b*", &["aa", "aaabbb"], &["a", "aaaa"]),
        ("[^a-c]x", &["dx", "-x"], &["ax", "x"]),
        (r"\d\D\w\W\s\S", &["1a_- x"], &["11_- x"]),
        (r"[\d.-]+", &["1.2-3"], &["1,2"]),
        (r"[]a]", &[], &[]),
        (r"\x41\.\\", &[r"A.\"], &[r"Ab\"]),
        ("(?:a(b|)){2}", &["aa", "aba", "abab"], &["a", "abb"]),
        ("caf\u{e9}.", &["caf\u{e9}s"], &["cafes"]),
        ("(a?)*b", &["b", "aab"], &["a"]),
    ] {
        if yes.is_empty() {
            assert!(Regex::new(pattern, false).is_err(), "{pattern}");
        }
        yes.iter().for_each(|text| assert!(covers(pattern, text), "{pattern} should match {text}"));
        no.iter()
            .filter(|_| !yes.is_empty())
            .for_each(|text| assert!(!covers(pattern, text), "{pattern} matches {text}"));
    }
    let any = Regex::new("acc-[a-f]", true).unwrap();
    assert!(any.covers(b"ACC-F") && any.covers(b"aCc-b") && !any.covers(b"acc-G"));
}

#[test]
fn what_cannot_be_matched_in_even_time_is_refused_with_what_would_be_right() {
    for (pattern, expected) in [
        ("^a", "no anchors"),
        (r"\bword\b", "no anchors"),
        ("(?=a)b", "no groups but"),
        ("(?<n>a)", "no groups but"),
        (r"(a)\1", "one of d, D"),
        ("a+?", "no repetition that is lazy"),
        ("a{2}{3}", "no repetition that is lazy"),
        ("*a", "something before"),
        ("(a", "a `)` for each"),
        ("a)", "a `(` for each"),
        ("[z-a]", "classes such as"),
        ("[a", "classes such as"),
        ("a{9999}", "of at most 1024"),
        ("a*", "no empty text"),
        ("(a|b{0})", "no empty text"),
        ("(a{1000}){1000}", "fewer repetitions"),
        ("(a|b)*a(a|b){20}", "less ambiguous"),
        (&"a".repeat(513), "at most 512"),
        (&"(".repeat(40), "nested at most"),
    ] {
        let found = Regex::new(pattern, false).err().unwrap_or_default();
        assert!(found.contains(expected), "{pattern}: {found}");
    }
}

#[test]
fn the_longest_match_is_known_where_there_is_one() {
    for (pattern, longest) in
        [("ab|c{2,5}", Some(5)), ("a+", None), ("(ab?){3}", Some(6)), ("x(b{0})*", Some(1))]
    {
        assert_eq!(Regex::new(pattern, false).unwrap().longest(), longest, "{pattern}");
    }
}

/// Expressions of all kinds, over few letters so that they often match.
fn pattern() -> impl Strategy<Value = String> {
    let leaf = proptest::sample::select(&["a", "b", "c", "[ab]", "[^a]", ".", r"\d", "1"][..])
        .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}{b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(?:{a}|{b})")),
            inner.clone().prop_map(|a| format!("(?:{a})*")),
            inner.clone().prop_map(|a| format!("(?:{a})+")),
            inner.clone().prop_map(|a| format!("(?:{a})?")),
            (inner, 0_u32..3, 0_u32..3)
                .prop_map(|(a, least, more)| format!("(?:{a}){{{least},{}}}", least + more)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_same_texts_are_matched_as_by_another_engine(pattern in pattern(), text in "[abc1]{0,8}") {
        let Ok(regex) = Regex::new(&pattern, false) else { return Ok(()) };
        let other = regex_lite::Regex::new(&format!("^(?:{pattern})$")).unwrap();
        prop_assert_eq!(regex.covers(text.as_bytes()), other.is_match(&text), "{} and {}", pattern, text);
    }
}
