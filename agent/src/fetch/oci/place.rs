//! Where an image is looked for.

use oci_client::Reference;
use reqwest::Url;

use crate::fetch::registries::Registries;
use crate::{Reason, Unavailable};

/// A repository of one registry, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    host: String,
    repository: String,
    reference: String,
}

impl Place {
    /// The mirrors in their order, and then the registry itself unless it is never called.
    pub(super) fn all(reference: &Reference, registries: &Registries) -> Result<Vec<Self>, Unavailable> {
        let whole = format!("{}/{}", reference.registry(), reference.repository());
        let Some((_, entry)) = registries.find(reference.registry(), reference.repository()) else {
            return Ok(vec![Self::at(&whole, reference)?]);
        };
        let rest = whole.get(entry.prefix.len()..).unwrap_or_default();
        let own = (!entry.mirrors_only).then(|| entry.location.as_ref().unwrap_or(&entry.prefix));
        entry
            .mirrors
            .iter()
            .chain(own)
            .map(|location| Self::at(&format!("{location}{rest}"), reference))
            .collect()
    }

    fn at(whole: &str, reference: &Reference) -> Result<Self, Unavailable> {
        let (host, repository) = whole.split_once('/').unwrap_or((whole, ""));
        if repository.is_empty() {
            return Err(Unavailable::new(Reason::Unusable, format!("{whole:?} is no repository")));
        }
        // What is pinned is asked for by its digest, whatever the tag is.
        let wanted = reference.digest().or(reference.tag()).unwrap_or("latest");
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), reference: wanted.to_owned() })
    }

    /// As people know it, and as credentials have it.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn repository(&self) -> &str {
        &self.repository
    }

    /// A tag or a digest.
    pub(super) fn reference(&self) -> &str {
        &self.reference
    }

    /// Where its registry answers.
    pub(super) fn base(&self, scheme: &str) -> Result<Url, Unavailable> {
        let host = if self.host == "docker.io" { "index.docker.io" } else { &self.host };
        let url = Url::parse(&format!("{scheme}://{host}/v2/"));
        url.map_err(|error| Unavailable::new(Reason::Unusable, format!("{host:?} is no host: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(yaml: &str, reference: &str) -> Vec<String> {
        let registries = Registries::parse(yaml).unwrap();
        let places = Place::all(&reference.parse().unwrap(), &registries).unwrap();
        places
            .iter()
            .map(|place| format!("{}/{} {}", place.host, place.repository, place.reference))
            .collect()
    }

    #[test]
    fn mirrors_are_tried_in_order_and_then_the_registry() {
        let yaml = "registries: [{prefix: docker.io, mirrors: [a.test/hub, b.test:5000]}]";
        let expected = ["a.test/hub/library/m v1", "b.test:5000/library/m v1", "docker.io/library/m v1"];
        assert_eq!(places(yaml, "m:v1"), expected);
        assert_eq!(places(yaml, "other.test/m"), ["other.test/m latest"]);
    }

    #[test]
    fn a_prefix_is_rewritten_and_a_registry_may_be_left_out() {
        let yaml = "registries: [{prefix: a.test/team, location: b.test/x/y}, {prefix: c.test, mirrors: [d.test], mirrorsOnly: true}]";
        assert_eq!(places(yaml, "a.test/team/m:v1"), ["b.test/x/y/m v1"]);
        assert_eq!(places(yaml, "a.test/teams/m:v1"), ["a.test/teams/m v1"]);
        assert_eq!(places(yaml, "c.test/m:v1"), ["d.test/m v1"]);
    }

    #[test]
    fn what_is_pinned_is_asked_for_by_its_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(places("", &format!("a.test/m:v1@{digest}")), [format!("a.test/m {digest}")]);
    }
}
