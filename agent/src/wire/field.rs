//! The fields of a message, as they follow each other on the wire.

use std::borrow::Cow;

/// One field: its number, its value, and the bytes of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The number, from 1 to 536,870,911.
    pub number: u32,
    /// The value, by how it is encoded.
    pub value: Value<'a>,
    /// Tag and value, as they were found.
    pub raw: &'a [u8],
}

/// A value, by its wire type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Integers, booleans, enumerations.
    Varint(u64),
    /// Eight bytes, little-endian.
    Fixed64(u64),
    /// Strings, bytes, messages, packed numbers.
    Bytes(&'a [u8]),
    /// Four bytes, little-endian.
    Fixed32(u32),
}

/// A message that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The message ends within a field.
    #[error("field {0} says that it is longer than the message that holds it")]
    Truncated(u32),
    /// The message ends within a tag, or the tag has a number that no field has.
    #[error("the bytes after field {0} are no field: expected a tag of a number from 1 to 536870911")]
    Tag(u32),
    /// More than ten bytes, or more than 64 bits.
    #[error("the number of field {0} has more than 64 bits")]
    Varint(u32),
    /// Groups have been deprecated since before there was a proto3, and no xDS message has one.
    #[error("field {0} is a group, or has a wire type that does not exist")]
    Group(u32),
    /// The field is of another type.
    #[error("{0} is encoded as something else")]
    Type(&'static str),
    /// Text that is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotUtf8(&'static str),
}

/// The fields of a message. Ends after the first that is malformed.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
    last: u32,
}

/// Reads a message's fields, one after the other. What is in a field is not touched.
#[must_use]
pub fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message, last: 0 }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<Field<'a>, Malformed> {
        let whole = self.rest;
        let tag = self.varint().map_err(|_| Malformed::Tag(self.last))?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..=0x1fff_ffff).contains(number));
        let number = number.ok_or(Malformed::Tag(self.last))?;
        self.last = number;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated(number))?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Malformed::Group(number)),
        };
        let length = whole.len() - self.rest.len();
        Ok(Field { number, value, raw: whole.get(..length).unwrap_or_default() })
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(Malformed::Truncated(self.last))?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit only.
            if shift == 63 && bits > 1 {
                return Err(Malformed::Varint(self.last));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::Varint(self.last))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Truncated(self.last))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated(self.last))?;
        self.rest = rest;
        Ok(*taken)
    }
}

impl<'a> Field<'a> {
    /// The bytes of a string, of bytes or of a message.
    ///
    /// # Errors
    ///
    /// The field is encoded otherwise; the message names it `name`.
    pub fn bytes(&self, name: &'static str) -> Result<&'a [u8], Malformed> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed::Type(name)),
        }
    }

    /// A string.
    ///
    /// # Errors
    ///
    /// The field is encoded otherwise, or is not UTF-8; the message names it `name`.
    pub fn text(&self, name: &'static str) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes(name)?).map_err(|_| Malformed::NotUtf8(name))
    }

    /// An integer, a boolean or an enumeration.
    ///
    /// # Errors
    ///
    /// The field is encoded otherwise; the message names it `name`.
    pub fn varint(&self, name: &'static str) -> Result<u64, Malformed> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(Malformed::Type(name)),
        }
    }
}

/// A field that is a message: what all its occurrences are merged to, which is the same as to put them one behind the
/// other. Nothing if there is none.
///
/// # Errors
///
/// `message` is none, or the field is no message.
pub fn merged<'a>(
    message: &'a [u8],
    number: u32,
    name: &'static str,
) -> Result<Option<Cow<'a, [u8]>>, Malformed> {
    let mut found: Option<Cow<'a, [u8]>> = None;
    for field in fields(message) {
        let field = field?;
        if field.number == number {
            let bytes = field.bytes(name)?;
            match &mut found {
                None => found = Some(Cow::Borrowed(bytes)),
                Some(before) => before.to_mut().extend_from_slice(bytes),
            }
        }
    }
    Ok(found)
}

/// A field that is a string: the last occurrence. Empty if there is none.
///
/// # Errors
///
/// `message` is none, or the field is no string.
pub fn text<'a>(message: &'a [u8], number: u32, name: &'static str) -> Result<&'a str, Malformed> {
    let mut found = "";
    for field in fields(message) {
        let field = field?;
        if field.number == number {
            found = field.text(name)?;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        fields(message).map(|field| field.map(|field| (field.number, field.value))).collect()
    }

    #[test]
    fn every_wire_type_but_groups_is_read() {
        let message = [0x08, 0x96, 0x01, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 2, b'h', b'i', 0x25, 2, 0, 0, 0];
        assert_eq!(
            read(&message),
            Ok(vec![
                (1, Value::Varint(150)),
                (2, Value::Fixed64(1)),
                (3, Value::Bytes(b"hi")),
                (4, Value::Fixed32(2)),
            ]),
        );
    }

    #[test]
    fn what_is_no_message_is_an_error_that_names_the_field() {
        assert_eq!(read(&[0x0a, 5, b'h']), Err(Malformed::Truncated(1)));
        assert_eq!(read(&[0x08, 1, 0x80]), Err(Malformed::Tag(1)));
        assert_eq!(read(&[0x00, 1]), Err(Malformed::Tag(0)));
        assert_eq!(read(&[0x0b, 0x0c]), Err(Malformed::Group(1)));
        assert_eq!(read(&[0x0e]), Err(Malformed::Group(1)));
        assert_eq!(read(&[0x11, 1, 2]), Err(Malformed::Truncated(2)));
        let mut endless = vec![0x08];
        endless.extend([0xff; 12]);
        assert_eq!(read(&endless), Err(Malformed::Varint(1)));
        // A length of 2^64 - 1.
        let mut long = vec![0x0a];
        long.extend([0xff; 9]);
        long.push(1);
        assert_eq!(read(&long), Err(Malformed::Truncated(1)));
    }

    #[test]
    fn nothing_follows_what_is_malformed() {
        let mut fields = fields(&[0x0b, 0x08, 1]);
        assert!(fields.next().is_some_and(|field| field.is_err()));
        assert!(fields.next().is_none());
    }

    #[test]
    fn a_message_given_twice_is_merged_and_a_string_given_twice_is_the_last() {
        let message = [0x0a, 2, 0x08, 1, 0x12, 1, b'a', 0x0a, 2, 0x10, 2, 0x12, 1, b'b'];
        assert_eq!(merged(&message, 1, "it").unwrap().as_deref(), Some(&[0x08, 1, 0x10, 2][..]));
        assert_eq!(merged(&message, 7, "it"), Ok(None));
        assert_eq!(text(&message, 2, "it"), Ok("b"));
    }
}
