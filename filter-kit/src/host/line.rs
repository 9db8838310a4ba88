//! Lists of hosts as they are passed around: a line each, with comments.

/// The entries of one line: none if it is empty or a comment, several if it is one of a hosts file.
///
/// `#` and `!` begin a comment, as does ` #` behind an entry. A line that begins with an address that leads nowhere
/// (`0.0.0.0`, `127.0.0.1`, `::`, `::1`) and has names behind it is one of a hosts file; `localhost` and its like are
/// no entries there.
///
/// ```
/// use filter_kit::host::listed;
///
/// assert_eq!(listed("0.0.0.0 ads.test pixel.test # two").collect::<Vec<_>>(), ["ads.test", "pixel.test"]);
/// assert_eq!(listed(" .example.com ").collect::<Vec<_>>(), [".example.com"]);
/// assert_eq!(listed("! a comment").count(), 0);
/// ```
pub fn listed(line: &str) -> impl Iterator<Item = &str> {
    let line = line.trim_ascii();
    let line = if line.starts_with(['#', '!']) { "" } else { line };
    let end = line.find(" #").or_else(|| line.find("\t#")).unwrap_or(line.len());
    let line = line.get(..end).unwrap_or_default().trim_ascii_end();
    let names = match line.split_once([' ', '\t']) {
        Some(("0.0.0.0" | "127.0.0.1" | "::" | "::1", names)) => Some(names),
        _ => None,
    };
    // Else the line as a whole, so that white space in it is refused and not read as two entries.
    let whole = names.is_none().then_some(line).filter(|line| !line.is_empty());
    let of_machine = ["localhost", "localhost.localdomain", "local", "broadcasthost", "0.0.0.0"];
    names
        .unwrap_or_default()
        .split_ascii_whitespace()
        .filter(move |name| !of_machine.contains(name))
        .chain(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_sort_of_list_are_told_apart() {
        for (line, entries) in [
            ("", &[][..]),
            ("  \t", &[]),
            ("# ads.test", &[]),
            ("! ads.test", &[]),
            ("ads.test", &["ads.test"]),
            ("\tads.test\r", &["ads.test"]),
            ("ads.test # why", &["ads.test"]),
            ("||ads.test^", &["||ads.test^"]),
            ("0.0.0.0 ads.test", &["ads.test"]),
            ("127.0.0.1\tads.test  b.test", &["ads.test", "b.test"]),
            ("127.0.0.1 localhost", &[]),
            ("::1 localhost", &[]),
            ("127.0.0.1", &["127.0.0.1"]),
            ("10.0.0.1 ads.test", &["10.0.0.1 ads.test"]),
            ("a b", &["a b"]),
        ] {
            assert_eq!(listed(line).collect::<Vec<_>>(), entries, "{line:?}");
        }
    }
}
