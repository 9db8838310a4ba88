//! `slices`: streams that have metrics of their own as well.

use filter_kit::config::Node;
use filter_kit::metric;
use filter_kit::when::When;

/// How many slices there may be: each has every metric once more.
pub(super) const MOST: u32 = 16;

/// Streams that are also counted by themselves.
#[derive(Clone, Debug)]
pub struct Slice {
    /// Part of its metrics' names.
    pub name: String,
    /// Which streams.
    pub when: When,
}

impl Slice {
    /// Reads one slice.
    pub fn read(node: Node<'_>) -> Option<Self> {
        node.object(|fields| {
            let name = fields.required("name", "Part of the names of its metrics", metric::word);
            let when = fields.required("when", "Which streams it has", When::read);
            Some(Self { name: name?, when: when? })
        })
    }
}
