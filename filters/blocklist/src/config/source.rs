//! Whose requests a list is for.

use filter_kit::attribute;
use filter_kit::config::{Node, Text};
use filter_kit::reads::Reads;
use filter_kit::when::Matcher;

/// An attribute of the one who asks, and what it is compared with.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path, with zero bytes between the parts.
    path: Box<str>,
    matcher: Matcher,
}

impl Source {
    /// Whether the request at hand has the attribute, and it matches.
    pub fn matches(&self, reads: &dyn Reads) -> bool {
        let mut matches = false;
        reads.attribute(&self.path, &mut |value| matches = self.matcher.matches(value));
        matches
    }
}

pub(super) fn read(node: Node<'_>) -> Option<Source> {
    node.object(|fields| {
        let path = fields.required("attribute", "Its path, as Envoy's documentation has it", |node| {
            let like = Text::pattern(r"^[^.]+(\.[^.]+)*$")
                .examples(&["connection.uri_san_peer_certificate", "xds.node.metadata.LABELS.app"]);
            node.parsed(like, attribute::path)
        });
        let matcher = Matcher::field(fields);
        Some(Source { path: path?, matcher: matcher? })
    })
}
