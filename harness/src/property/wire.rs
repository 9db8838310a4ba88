//! Protobuf's wire format, as much of it as properties and foreign functions need.

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// A fixed number of four or eight bytes, which nothing here has.
    Fixed,
}

impl<'a> Field<'a> {
    /// A `string`, which is valid UTF-8 or the whole message is not valid.
    pub(crate) fn text(self) -> Option<&'a str> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }
}

/// The fields of a message in the order in which they stand; `None` if it is not one.
pub(crate) fn read(mut bytes: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (tag, rest) = varint(bytes)?;
        let (field, rest) = match tag & 7 {
            0 => varint(rest).map(|(number, rest)| (Field::Number(number), rest))?,
            1 => (Field::Fixed, rest.get(8..)?),
            2 => {
                let (length, rest) = varint(rest)?;
                let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Field::Bytes(content), rest)
            }
            5 => (Field::Fixed, rest.get(4..)?),
            _ => return None,
        };
        if tag >> 3 == 0 {
            return None;
        }
        fields.push((tag >> 3, field));
        bytes = rest;
    }
    Some(fields)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

/// A message in the making.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.raw(u64::from(field << 3 | 2));
        self.raw(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn number(&mut self, field: u32, number: u64) {
        self.raw(u64::from(field << 3));
        self.raw(number);
    }

    pub(crate) fn double(&mut self, field: u32, number: f64) {
        self.raw(u64::from(field << 3 | 1));
        self.0.extend(number.to_le_bytes());
    }

    fn raw(&mut self, mut number: u64) {
        loop {
            let byte = number.to_le_bytes()[0] & 0x7f;
            number >>= 7;
            if number == 0 {
                self.0.push(byte);
                return;
            }
            self.0.push(byte | 0x80);
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut message = Writer::default();
        message.bytes(1, b"name");
        message.number(2, 300);
        message.double(3, 0.5);
        let bytes = message.finish();
        assert_eq!(
            read(&bytes),
            Some(vec![(1, Field::Bytes(b"name")), (2, Field::Number(300)), (3, Field::Fixed)])
        );
    }

    #[test]
    fn what_is_cut_or_of_no_type_is_no_message() {
        for bytes in [&b"\n"[..], b"\n\x05abc", b"\x10\xff", b"\x00\x00", b"not a message", b"\x09abc"] {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
        assert_eq!(read(b""), Some(Vec::new()));
    }
}
