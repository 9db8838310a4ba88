//! Names as lists of trackers have them, as many as are asked for and always the same. For tests, and for benches of
//! large lists.

/// The first `count` names of an endless list without doubles: two to five labels, 23 bytes on average.
pub(crate) fn names(count: usize) -> Vec<String> {
    const TOPS: [&str; 8] = ["com", "net", "org", "io", "co.uk", "example", "test", "info"];
    const WORDS: [&str; 16] = [
        "ads",
        "track",
        "pixel",
        "metrics",
        "cdn",
        "static",
        "click",
        "tag",
        "beacon",
        "log",
        "stat",
        "count",
        "banner",
        "affiliate",
        "promo",
        "media",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        // xorshift64*: good enough to spread names, and the same everywhere.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap_or_default()
    };
    let of =
        |list: &[&'static str], chance: usize| list.get(chance % list.len()).copied().unwrap_or_default();
    (0..count)
        .map(|number| {
            let (top, word, other) = (of(&TOPS, next()), of(&WORDS, next()), of(&WORDS, next()));
            match next() % 4 {
                0 => format!("{word}{number}.{top}"),
                1 => format!("{word}.site-{number}.{top}"),
                2 => format!("{word}-{number}.{other}.{top}"),
                _ => format!("{word}.n{number}.{other}.{top}"),
            }
        })
        .collect()
}

/// Plugin configuration with one list of these names, as a feed has them: each with what is below it.
pub(crate) fn configuration(names: &[String]) -> String {
    let mut json = String::from(r#"{"version":1,"lists":[{"name":"feed","entries":["#);
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str("\".");
        json.push_str(name);
        json.push('"');
    }
    json.push_str(
        "]}],\"reply\":{\"blocked_by_uri\":\"https://example.com/policy\"},\"max_entries\":2000000}",
    );
    json
}
