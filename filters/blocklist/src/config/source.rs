//! Whose requests a list is for.

use filter_kit::attribute::{self, Kind};
use filter_kit::config::{Node, Text};
use filter_kit::reads::Reads;
use filter_kit::when::Matcher;

/// An attribute of the one who asks, and what it is compared with.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path, with zero bytes between the parts.
    path: Box<str>,
    /// What its bytes are: a port is no text to the proxy.
    kind: Kind,
    matcher: Matcher,
}

impl Source {
    /// Whether the request at hand has the attribute, and it matches.
    pub fn matches(&self, reads: &dyn Reads) -> bool {
        let mut matches = false;
        reads.attribute(&self.path, &mut |value| {
            self.kind.typed(value, |typed| matches = self.matcher.matches(typed));
        });
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
        let (path, matcher) = (path?, matcher?);
        let kind = attribute::kind(&path);
        if let Matcher::Exact(text) = &matcher
            && let Some(expected) = kind.refuses(text)
        {
            // It would match nothing, and nobody would hear of it.
            return fields
                .problem(format!("`exact` is {:?}, expected {expected}", String::from_utf8_lossy(text)));
        }
        Some(Source { path, kind, matcher })
    })
}
