//! Answers requests for hosts on a list, so that they never reach the upstream.
//!
//! | request's host                  | outcome                           |
//! |---------------------------------|-----------------------------------|
//! | on a list                       | 451 and the configured body       |
//! | not a host at all, or none      | 400: what cannot be judged is not let through |
//! | any other                       | forwarded untouched               |
//!
//! The host is compared without case, port and trailing dot. See [`filter_kit::host::Entry`] for what an entry covers; here it has no port
//! and no more than one address.

use filter_kit::host::{Authority, Room};

mod config;
mod entry;
mod names;

#[cfg(target_family = "wasm")]
mod shell;

pub use config::{Blocklist, List, Reply};
pub use names::Names;

/// Why a request is answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The host is on the list at this place.
    Listed(usize),
    /// There is no host, or none that could be compared.
    Malformed,
}

impl Blocklist {
    /// Decides on the raw value of `:authority`, which need not be UTF-8.
    ///
    /// # Errors
    ///
    /// The reason to answer in place of the upstream.
    pub fn admit(&self, authority: Option<&[u8]>) -> Result<(), Denial> {
        let mut room = Room::new();
        let Authority { host, .. } = authority
            .and_then(|authority| Authority::parse(authority, &mut room).ok())
            .ok_or(Denial::Malformed)?;
        match self.lists.iter().position(|list| list.names.covers(&host)) {
            Some(list) => Err(Denial::Listed(list)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(authority: &[u8]) -> Result<(), String> {
        let json = br#"{"version": 1, "lists": [
            {"name": "exact", "entries": ["ads.test", "127.0.0.1", "::1"]},
            {"name": "below", "entries": ["*.tracker.test"]},
            {"name": "all", "entries": [".example.com"]}]}"#;
        let blocklist = Blocklist::from_json(json).unwrap();
        blocklist.admit(Some(authority)).map_err(|denial| match denial {
            Denial::Listed(list) => blocklist.lists[list].name.clone(),
            Denial::Malformed => "malformed".to_owned(),
        })
    }

    #[test]
    fn each_form_of_entry_covers_what_it_says() {
        for (host, expected) in [
            ("ads.test", Err("exact")),
            ("www.ads.test", Ok(())),
            ("tracker.test", Ok(())),
            ("a.tracker.test", Err("below")),
            ("a.b.tracker.test", Err("below")),
            ("example.com", Err("all")),
            ("a.b.example.com", Err("all")),
            ("notexample.com", Ok(())),
            ("example.com.evil.test", Ok(())),
            ("com", Ok(())),
        ] {
            assert_eq!(verdict(host.as_bytes()), expected.map_err(str::to_owned), "{host}");
        }
    }

    #[test]
    fn case_port_and_trailing_dot_make_no_difference() {
        for host in ["EXAMPLE.com", "example.com.", "example.com:80", "example.com:", "Example.COM.:8443"] {
            assert_eq!(verdict(host.as_bytes()), Err("all".to_owned()), "{host}");
        }
        for host in ["127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:443", "[0:0::1]:443"] {
            assert_eq!(verdict(host.as_bytes()), Err("exact".to_owned()), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_not_let_through() {
        for host in [
            &b""[..],
            b".",
            b"a b",
            b"a..b",
            b"user@example.com",
            b"x/y",
            b"ex\xe4mple.com",
            b"a:b:c",
            b"[::1",
            b"x:99999",
        ] {
            assert_eq!(verdict(host), Err("malformed".to_owned()), "{host:?}");
        }
        let blocklist =
            Blocklist::from_json(br#"{"version": 1, "lists": [{"name": "a", "entries": ["b"]}]}"#).unwrap();
        assert_eq!(blocklist.admit(None), Err(Denial::Malformed));
    }

    proptest::proptest! {
        #[test]
        fn no_spelling_of_a_listed_host_gets_through(
            below in "([a-zA-Z0-9_]{1,10}\\.){0,5}", dot in "\\.?", port in "(:[0-9]{0,4})?", upper in proptest::bool::ANY,
        ) {
            let name = if upper { "EXAMPLE.COM" } else { "example.com" };
            let host = format!("{below}{name}{dot}{port}");
            assert_eq!(verdict(host.as_bytes()), Err("all".to_owned()), "{host}");
        }

        #[test]
        fn no_bytes_are_too_odd_to_be_judged(authority in proptest::collection::vec(0u8.., 0..300)) {
            let _ = verdict(&authority);
        }
    }
}
