//! Where a module comes from, as it may be shown.

use url::Url;

/// The URL without user, password, query and fragment, any of which may be a credential; at most 512 characters.
#[must_use]
pub fn shown(url: &str) -> String {
    // Nothing is shown of what has no host: `ann:password@registry.test` is a URL of the scheme `ann`.
    let Some(mut parsed) = Url::parse(url).ok().filter(Url::has_host) else {
        return "(no URL)".to_owned();
    };
    // Both fail only where there is no host, and so no user either.
    let _no_host = parsed.set_username("");
    let _no_host = parsed.set_password(None);
    parsed.set_query(None);
    parsed.set_fragment(None);
    super::history::cut(parsed.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_password_query_and_fragment_are_not_shown() {
        for (url, expected) in [
            ("https://ann:pw@registry.test/a.wasm?token=t#f", "https://registry.test/a.wasm"),
            ("oci://ann:pw@registry.test:5000/a/b:1", "oci://registry.test:5000/a/b:1"),
            ("oci://registry.test/a@sha256:00", "oci://registry.test/a@sha256:00"),
            ("http://[::1]:80/x?y", "http://[::1]/x"),
            ("ann:pw@registry.test", "(no URL)"),
            ("//ann:pw@registry.test", "(no URL)"),
            ("", "(no URL)"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn a_long_one_is_cut() {
        let long = format!("https://registry.test/{}", "é".repeat(1000));
        assert_eq!(shown(&long).chars().count(), 513);
    }
}
