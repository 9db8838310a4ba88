//! Values that become others by a table.

use filter_kit::config::{Node, Text};

/// A value, and what it becomes.
type Entry = (Box<[u8]>, Box<[u8]>);

/// Values that stand for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// In the order of the first.
    entries: Vec<Entry>,
    default: Option<Box<[u8]>>,
}

impl Table {
    /// Of these entries, and of what stands for all others, if anything does.
    pub(crate) fn new(mut entries: Vec<Entry>, default: Option<Box<[u8]>>) -> Self {
        entries.sort_unstable();
        Self { entries, default }
    }

    /// A value that is there twice, if one is.
    pub(crate) fn repeated(&self) -> Option<&[u8]> {
        let mut pairs = self.entries.iter().zip(self.entries.iter().skip(1));
        pairs.find(|(one, next)| one.0 == next.0).map(|(one, _)| &*one.0)
    }

    /// What `value` stands for.
    pub(crate) fn of(&self, value: &[u8]) -> Option<&[u8]> {
        let found = self.entries.binary_search_by(|(from, _)| (**from).cmp(value)).ok();
        found.and_then(|place| self.entries.get(place)).map(|(_, to)| &**to).or(self.default.as_deref())
    }
}

/// Reads the value that a table has an entry for.
pub(crate) fn from(node: Node<'_>) -> Option<Box<[u8]>> {
    node.parsed(Text::ANY.bytes(0, 8192), |text| {
        if text.len() <= 8192 { Ok(text.as_bytes().into()) } else { Err("at most 8192 bytes") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_answers_by_the_whole_value() {
        let bytes = |text: &str| -> Box<[u8]> { text.as_bytes().into() };
        let entries = vec![(bytes("b"), bytes("2")), (bytes("a"), bytes("1"))];
        let table = Table::new(entries.clone(), None);
        assert_eq!(
            (table.of(b"a"), table.of(b"b"), table.of(b"A")),
            (Some(&b"1"[..]), Some(&b"2"[..]), None)
        );
        assert_eq!(table.repeated(), None);
        assert_eq!(Table::new(entries, Some(bytes("0"))).of(b""), Some(&b"0"[..]));
        let twice = Table::new(vec![(bytes("a"), bytes("1")), (bytes("a"), bytes("2"))], None);
        assert_eq!(twice.repeated(), Some(&b"a"[..]));
    }
}
