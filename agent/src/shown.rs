//! URLs as they may be shown: in messages, in the log, on the status page.

use url::Url;

/// Characters that are shown.
const LONGEST: usize = 512;

/// The URL without user, password, query and fragment, any of which may be a credential; at most 512 characters.
#[must_use]
pub(crate) fn text(url: &str) -> String {
    // Nothing is shown of what has no host: `ann:password@registry.test` is a URL of the scheme `ann`.
    match Url::parse(url) {
        Ok(url) if url.has_host() => self::url(&url),
        _ => "(no URL)".to_owned(),
    }
}

/// The same of a URL that is known to be one.
#[must_use]
pub(crate) fn url(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail only where there is no host, and so no user either.
    let _no_host = shown.set_username("");
    let _no_host = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    // As people write it, and Istio's agent.
    let shown = match shown.path() {
        "/" => shown.as_str().trim_end_matches('/'),
        _ => shown.as_str(),
    };
    match shown.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
        None => shown.to_owned(),
    }
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
            ("https://registry.test?X-Signature=b", "https://registry.test"),
            ("http://[::1]:80/x?y", "http://[::1]/x"),
            ("ann:pw@registry.test", "(no URL)"),
            ("//ann:pw@registry.test", "(no URL)"),
            ("", "(no URL)"),
        ] {
            assert_eq!(text(url), expected, "{url}");
        }
    }

    #[test]
    fn a_long_one_is_cut() {
        let long = format!("https://registry.test/{}", "é".repeat(1000));
        assert_eq!(text(&long).chars().count(), 513);
    }
}
