//! Where a wanted module is, and by which name the store knows it.

use url::Url;

use crate::store::Source;
use crate::{PullPolicy, Reason, Sha256, Unavailable, Wanted};

/// What a wanted module's URL means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) scheme: Scheme,
    /// The SHA-256 of the name: of the URL for HTTP, of `oci://registry/repository` for OCI.
    pub(super) name: Sha256,
    /// What rules on signatures are found by: registry and repository, or host and path.
    pub(super) reference: String,
    /// By which the resource or the URL itself pins the module.
    pub(super) pinned: Option<Sha256>,
    /// Whether the URL is bound to what it once meant. (Not one with a digest: that says it itself.)
    pub(super) is_bound: bool,
    /// Whether another version of the resource makes no difference.
    pub(super) ignores_version: bool,
    /// For people: without user, password and query.
    pub(super) shown: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Oci,
}

impl Address {
    pub(super) fn of(wanted: &Wanted) -> Result<Self, Unavailable> {
        let unusable = |message: String| Unavailable::new(Reason::Unusable, message);
        let url = Url::parse(&wanted.url)
            .map_err(|error| unusable(format!("fail to parse Wasm module fetch url: {error}")))?;
        let shown = crate::shown::url(&url);
        let path = url.path();
        let ignores_version = match wanted.policy {
            PullPolicy::Always => false,
            PullPolicy::IfNotPresent => true,
            PullPolicy::Unspecified => !(url.scheme() == "oci" && path.ends_with(":latest")),
        };
        match url.scheme() {
            "http" | "https" if wanted.verification_key.is_some() => Err(unusable(format!(
                "{shown} has a verification key, and only OCI images can be signed: take the module from a registry, or \
                 pin it by sha256 and leave the key out"
            ))),
            "http" | "https" => Ok(Self {
                scheme: Scheme::Http,
                name: Sha256::of(wanted.url.as_bytes()),
                reference: format!("{}{path}", authority(&url)),
                pinned: wanted.checksum,
                is_bound: true,
                ignores_version,
                shown,
            }),
            "oci" => {
                if url.host_str().is_none_or(str::is_empty) {
                    return Err(unusable(format!(
                        "the URL {shown:?} names no image: expected oci://registry/repository:tag"
                    )));
                }
                let reference = Reference::of(&format!("{}{path}", authority(&url)));
                Ok(Self {
                    scheme: Scheme::Oci,
                    name: Sha256::of(format!("oci://{}", reference.name).as_bytes()),
                    pinned: wanted.checksum.or(reference.digest),
                    is_bound: !wanted.url.contains('@'),
                    reference: reference.name,
                    ignores_version,
                    shown,
                })
            }
            other => Err(unusable(format!("unsupported Wasm module downloading URL scheme: {other}"))),
        }
    }

    pub(super) fn source(&self, checksum: Sha256) -> Source {
        Source { name: self.name, checksum }
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A reference to an image, as Docker writes them.
struct Reference {
    /// Registry and repository, with Docker Hub's written out.
    name: String,
    digest: Option<Sha256>,
}

impl Reference {
    fn of(text: &str) -> Self {
        let text = text.trim_end_matches('/');
        let (text, digest) = match text.split_once('@') {
            Some((text, digest)) => {
                (text, digest.strip_prefix("sha256:").and_then(|digest| digest.parse().ok()))
            }
            None => (text, None),
        };
        let after_slash = text.rfind('/').map_or(0, |slash| slash + 1);
        let untagged = match text.get(after_slash..).and_then(|last| last.rfind(':')) {
            // What looks like a tag after the only part is a port, and then there is no repository.
            Some(colon) => text.get(..after_slash + colon).unwrap_or(text),
            None => text,
        };
        let (registry, repository) = match untagged.split_once('/') {
            Some((registry, repository)) if registry.contains(['.', ':']) || registry == "localhost" => {
                (registry, repository)
            }
            _ => ("index.docker.io", untagged),
        };
        let registry = if registry == "docker.io" { "index.docker.io" } else { registry };
        let library =
            if registry == "index.docker.io" && !repository.contains('/') { "library/" } else { "" };
        Self { name: format!("{registry}/{library}{repository}"), digest }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn wanted(url: &str) -> Wanted {
        Wanted::new(url, "r", Duration::from_secs(5))
    }

    fn address(url: &str) -> Address {
        Address::of(&wanted(url)).unwrap()
    }

    #[test]
    fn names_of_images_are_those_of_istio() {
        for (url, name) in [
            ("oci://registry.test/a/b:1", "registry.test/a/b"),
            ("oci://registry.test:5000/a/b", "registry.test:5000/a/b"),
            ("oci://localhost/a:1", "localhost/a"),
            ("oci://docker.io/nginx:1", "index.docker.io/library/nginx"),
            ("oci://docker.io/team/nginx", "index.docker.io/team/nginx"),
            ("oci://team/nginx:1", "index.docker.io/team/nginx"),
            ("oci://nginx", "index.docker.io/library/nginx"),
        ] {
            assert_eq!(address(url).reference, name, "{url}");
            assert_eq!(address(url).name, Sha256::of(format!("oci://{name}").as_bytes()), "{url}");
        }
    }

    #[test]
    fn a_digest_in_the_url_pins_and_the_checksum_of_the_resource_goes_before_it() {
        let digest = Sha256::of(b"manifest");
        let url = format!("oci://registry.test/a@sha256:{digest}");
        assert_eq!((address(&url).pinned, address(&url).is_bound), (Some(digest), false));
        let tagged = format!("oci://registry.test/a:1@sha256:{digest}");
        assert_eq!((address(&tagged).pinned, address(&tagged).name), (Some(digest), address(&url).name));
        let other = Wanted { checksum: Some(Sha256::of(b"other")), ..wanted(&url) };
        assert_eq!(Address::of(&other).unwrap().pinned, Some(Sha256::of(b"other")));
        assert_eq!(address("oci://registry.test/a@sha512:00").pinned, None);
    }

    #[test]
    fn only_latest_is_looked_up_again_where_no_policy_is_given() {
        assert!(!address("oci://registry.test/a:latest").ignores_version);
        for url in ["oci://registry.test/a", "oci://registry.test/a:1", "http://example.com/a:latest"] {
            assert!(address(url).ignores_version, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_scheme() {
        let told = |url: &str| Address::of(&wanted(url)).unwrap_err();
        assert_eq!(told("foo://abc").message, "unsupported Wasm module downloading URL scheme: foo");
        for url in ["foo://abc", "", "abc", "oci://", "http://[", "oci:", "file:///a"] {
            assert_eq!(told(url).reason, Reason::Unusable, "{url}");
        }
    }

    #[test]
    fn nothing_is_shown_that_may_be_a_secret() {
        assert_eq!(address("https://user:pass@example.com/a?token=x#y").shown, "https://example.com/a");
    }
}
