use std::io::Cursor;

use filter_kit::host::{Authority, Host, Room};
use proptest::prelude::*;

use super::*;
use crate::store::suffixes;

fn key() -> Key {
    Key::new([3; 16])
}

fn remote() -> Remote {
    Remote {
        cluster: "lists".into(),
        authority: "lists.test".into(),
        path: "/".into(),
        interval_s: 60,
        timeout_ms: 1000,
        max_bytes: 1 << 20,
        max_entries: 1000,
        max_bad_lines: 0,
        checksum: Checksum::IfPresent,
        passes_before: false,
    }
}

fn load(text: &str, remote: &Remote) -> Result<Loaded, Refused> {
    read(|| Cursor::new(text.as_bytes().to_vec()), text.len(), remote, key(), Precision::Names)
}

fn covers(entries: &Entries, host: &str) -> bool {
    let mut room = Room::new();
    match Authority::parse(host.as_bytes(), &mut room).unwrap() {
        Authority { host: Host::Name(name), port } => {
            suffixes(key(), name).any(|suffix| entries.find_name(&suffix, port).is_some())
        }
        Authority { host: Host::Address(address), port } => entries.find_address(address, port).is_some(),
    }
}

#[test]
fn lists_of_every_sort_are_read() {
    let text = "! a comment\n# another\r\n\n||ads.test^\r\n*.b.test\n0.0.0.0 c.test d.test # two\n10.0.0.0/8\n::1\ne.test:8443";
    let loaded = load(text, &remote()).unwrap();
    assert_eq!((loaded.entries.count(), loaded.bad_lines), (7, 0));
    for host in ["ads.test", "x.ads.test", "x.b.test", "c.test", "d.test", "10.1.1.1", "[::1]", "e.test:8443"]
    {
        assert!(covers(&loaded.entries, host), "{host}");
    }
    for host in ["b.test", "x.c.test", "11.0.0.1", "e.test", "localhost"] {
        assert!(!covers(&loaded.entries, host), "{host}");
    }
}

#[test]
fn a_line_that_is_no_entry_refuses_the_list_unless_it_is_said() {
    let text = "a.test\nhttp://b.test/\nc.test\n@@||d.test^\n\u{e9}.test";
    let Err(Refused::BadLines(3, lines)) = load(text, &remote()) else { panic!("refused") };
    assert_eq!(lines.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 5]);
    let loaded = load(text, &Remote { max_bad_lines: 3, ..remote() }).unwrap();
    assert_eq!((loaded.entries.count(), loaded.bad_lines), (2, 3));
}

#[test]
fn what_is_too_large_or_is_no_list_is_refused() {
    let most = |max_bytes, max_entries| Remote { max_bytes, max_entries, max_bad_lines: 100, ..remote() };
    assert_eq!(load("a.test\nb.test", &most(12, 9)).unwrap_err(), Refused::TooLarge);
    assert!(load("a.test\nb.test", &most(13, 2)).is_ok());
    assert_eq!(load("a.test\nb.test", &most(13, 1)).unwrap_err(), Refused::TooMany);
    for text in ["", "\n\n", "# nothing", "<html>\n<body>no such list</body>\n</html>\n"] {
        assert_eq!(load(text, &most(1000, 9)).unwrap_err(), Refused::Empty, "{text:?}");
    }
    let short = || Cursor::new(b"a.test".to_vec());
    assert_eq!(read(short, 7, &remote(), key(), Precision::Names).unwrap_err(), Refused::Truncated);
    let endless = "a".repeat(1 << 19);
    assert!(matches!(load(&endless, &remote()), Err(Refused::BadLines(1, _))));
}

#[test]
fn a_checksum_holds_for_every_byte_before_it() {
    let body = "a.test\nb.test\n";
    let hash: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    let required = Remote { checksum: Checksum::Required, ..remote() };
    for end in ["", "\n", "\r\n\n"] {
        assert_eq!(load(&format!("{body}# sha256: {hash}{end}"), &required).unwrap().entries.count(), 2);
    }
    assert!(load(&format!("{body}! sha256: {}", hash.to_uppercase()), &required).is_ok());
    let other = format!("a.test\nc.test\n# sha256: {hash}\n");
    assert_eq!(load(&other, &remote()).unwrap_err(), Refused::WrongChecksum);
    assert_eq!(load(body, &required).unwrap_err(), Refused::NoChecksum);
    assert_eq!(load(&format!("{body}# sha256: {hash}\nc.test"), &required).unwrap_err(), Refused::NoChecksum);
    assert_eq!(load(&format!("{body}# sha256: 1234"), &required).unwrap_err(), Refused::NoChecksum);
}

/// Gives so many bytes at once, and no more.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let (now, rest) = self.0.split_at(self.0.len().min(self.1).min(buffer.len()));
        buffer[..now.len()].copy_from_slice(now);
        self.0 = rest;
        Ok(now.len())
    }
}

proptest! {
    #[test]
    fn a_list_is_the_same_wherever_it_is_cut(
        lines in proptest::collection::vec("[a-z]{1,9}\\.test|# [a-z ]{0,9}|0\\.0\\.0\\.0 [a-z]{1,5}\\.test|x y|", 0..20),
        size in 1_usize..40, sum: bool,
    ) {
        let mut text = lines.join("\n");
        if sum {
            text.push('\n');
            let hash: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
            text.push_str(&format!("# sha256: {hash}"));
        }
        let shown = |loaded: Result<Loaded, Refused>| loaded.map(|loaded| (loaded.entries.count(), loaded.bad_lines));
        let whole = shown(load(&text, &remote()));
        let cut = read(|| Dripping(text.as_bytes(), size), text.len(), &remote(), key(), Precision::Names);
        prop_assert_eq!(whole, shown(cut));
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in proptest::collection::vec(0u8.., 0..300)) {
        let _ = read(|| Cursor::new(bytes.clone()), bytes.len(), &remote(), key(), Precision::Fingerprints);
    }
}
