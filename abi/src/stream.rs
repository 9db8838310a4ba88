//! A module is read piece by piece, so that a large one needs little memory.
//!
//! Functions are validated one by one. Custom sections are skipped. Of data segments everything but their bytes is
//! validated: those can be anything.

use std::io::{self, Read};

use wasmparser::{
    BinaryReader, BinaryReaderError, Chunk, ConstExpr, DataSectionReader, FuncValidatorAllocations, Parser,
    Payload, ValidPayload, Validator, WasmFeatures,
};

use crate::describe::Names;
use crate::{AbiVersion, Description};

/// Longest section that is read as a whole, in bytes: types, imports, exports and the like.
const LONGEST_SECTION: u64 = 4 << 20;

/// Longest function, in bytes. (wasmparser's limit, and near V8's.)
const LONGEST_FUNCTION: u64 = 7_654_321;

/// Longest expression that says where a data segment goes, with what stands before it, in bytes.
const LONGEST_OFFSET: u64 = 4096;

/// Most names of custom sections that are kept.
const MOST_CUSTOM: usize = 100;

const CUSTOM: u8 = 0;
const CODE: u8 = 10;
const DATA: u8 = 11;

/// The order of sections: types, imports, functions, tables, memories, tags, globals, exports, start, elements, count of
/// data, code, data. Each may be there once.
const ORDER: [u8; 13] = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, CODE, DATA];

/// Why a module cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    /// Its bytes cannot be had.
    Io(io::Error),
    /// They are no module; what is wrong with them, and at which offset.
    Invalid(String),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<BinaryReaderError> for Unreadable {
    fn from(error: BinaryReaderError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl Description {
    /// Validates and reads what comes, as [`of`](Self::of) does, in little memory: no more of it is held at once than
    /// one function or one section that is neither code, data nor custom.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no module.
    pub fn read(from: impl Read) -> Result<Self, Unreadable> {
        let mut input = Input { from, buffer: Vec::new(), begin: 0, offset: 0, ended: false };
        let mut reading = Reading {
            validator: Validator::new_with_features(WasmFeatures::default()),
            allocations: FuncValidatorAllocations::default(),
            description: Self::default(),
            names: Names::default(),
        };
        let mut parser = Parser::new(0);
        let header = input.want(8)?.to_vec();
        // Its header is that of a module, but for the version's upper half.
        if matches!(header.as_slice(), [0, b'a', b's', b'm', _, _, 1, 0]) {
            let message = "it is a component: Envoy runs core modules only (was it built for wasm32-wasip2?)";
            return Err(Unreadable::Invalid(message.to_owned()));
        }
        reading.parse(&mut parser, &mut input)?;
        let mut last = 0;
        loop {
            let begin = input.offset;
            let Some((id, size, header)) = input.section()? else { break };
            // The validator relies on this, and a parser that is made anew does not know what was before.
            if let Some(place) = ORDER.iter().position(|other| *other == id) {
                if place < last {
                    let message = format!("section out of order (at offset 0x{begin:x})");
                    return Err(Unreadable::Invalid(message));
                }
                last = place + 1;
            }
            match id {
                CUSTOM => {
                    input.skip(header)?;
                    reading.custom(&mut input, size)?;
                }
                DATA => {
                    input.skip(header)?;
                    reading.data(&mut input, size)?;
                }
                CODE => {
                    reading.code(&mut parser, &mut input, size)?;
                    continue;
                }
                _ if size > LONGEST_SECTION => {
                    return Err(Unreadable::Invalid(format!(
                        "section {id} has {size} bytes, more than {LONGEST_SECTION} (at offset 0x{begin:x})"
                    )));
                }
                _ => {
                    reading.parse(&mut parser, &mut input)?;
                    continue;
                }
            }
            parser = resumed(input.offset, &header_of_a_module())?;
        }
        match parser.parse(&[], true)? {
            Chunk::Parsed { payload: payload @ Payload::End(_), .. } => {
                reading.validator.payload(&payload)?
            }
            _ => {
                return Err(Unreadable::Invalid(format!(
                    "it ends too soon (at offset 0x{:x})",
                    input.offset
                )));
            }
        };
        let mut description = reading.description;
        description.size = usize::try_from(input.offset).unwrap_or(usize::MAX);
        description.abi_versions = AbiVersion::ALL
            .into_iter()
            .filter(|version| description.export(version.marker()).is_some())
            .collect();
        Ok(description)
    }
}

fn header_of_a_module() -> [u8; 8] {
    [0, b'a', b's', b'm', 1, 0, 0, 0]
}

/// A parser that goes on at that offset, between two sections.
fn resumed(offset: u64, header: &[u8]) -> Result<Parser, Unreadable> {
    let mut parser = Parser::new(offset.saturating_sub(8));
    parser.parse(header, false)?;
    Ok(parser)
}

struct Reading {
    validator: Validator,
    allocations: FuncValidatorAllocations,
    description: Description,
    names: Names,
}

impl Reading {
    /// Reads one thing: the header, a whole section, the beginning of the code, or a function.
    fn parse<R: Read>(&mut self, parser: &mut Parser, input: &mut Input<R>) -> Result<(), Unreadable> {
        loop {
            let ended = input.ended;
            match parser.parse(input.rest(), ended)? {
                Chunk::NeedMoreData(more) => {
                    let have = input.rest().len();
                    input.want(have.saturating_add(more))?;
                }
                Chunk::Parsed { consumed, payload } => {
                    if let ValidPayload::Func(function, body) = self.validator.payload(&payload)? {
                        let mut validator = function.into_validator(std::mem::take(&mut self.allocations));
                        validator.validate(&body)?;
                        self.allocations = validator.into_allocations();
                    }
                    self.description.add(payload, &mut self.names)?;
                    input.consume(consumed);
                    return Ok(());
                }
            }
        }
    }

    fn code<R: Read>(
        &mut self,
        parser: &mut Parser,
        input: &mut Input<R>,
        size: u64,
    ) -> Result<(), Unreadable> {
        let Some((_, _, header)) = input.section()? else { return Ok(()) };
        let count = input.want(header + 5)?.get(header..).unwrap_or_default();
        let count = BinaryReader::new(count, 0).read_var_u32()?;
        let end = input.offset.saturating_add(size).saturating_add(u64::try_from(header).unwrap_or(u64::MAX));
        self.parse(parser, input)?;
        for _ in 0..count {
            let at = input.offset;
            let mut reader = BinaryReader::new(input.want(5)?, at);
            let length = u64::from(reader.read_var_u32()?);
            if length > LONGEST_FUNCTION {
                return Err(Unreadable::Invalid(format!(
                    "a function has {length} bytes, more than {LONGEST_FUNCTION} (at offset 0x{at:x})"
                )));
            }
            self.parse(parser, input)?;
        }
        if input.offset != end {
            return Err(Unreadable::Invalid(format!(
                "the code section goes on after its last function (at offset 0x{:x})",
                input.offset
            )));
        }
        Ok(())
    }

    fn custom<R: Read>(&mut self, input: &mut Input<R>, size: u64) -> Result<(), Unreadable> {
        let at = input.offset;
        let wanted = usize::try_from(size.min(LONGEST_OFFSET)).unwrap_or(usize::MAX);
        let mut head = input.want(wanted)?;
        head = head.get(..wanted).unwrap_or(head);
        let name = BinaryReader::new(head, at).read_string()?;
        if self.description.custom.len() < MOST_CUSTOM {
            self.description.custom.push(name.to_owned());
        }
        input.skip_far(size)
    }

    /// Validates a section that is the same but for the bytes of its segments.
    fn data<R: Read>(&mut self, input: &mut Input<R>, size: u64) -> Result<(), Unreadable> {
        let begin = input.offset;
        let end = begin.saturating_add(size);
        let mut section = Vec::new();
        let mut reader = BinaryReader::new(input.within(5, end)?, begin);
        let count = reader.read_var_u32()?;
        let used = reader.current_position();
        section.extend_from_slice(input.rest().get(..used).unwrap_or_default());
        input.consume(used);
        for _ in 0..count {
            let at = input.offset;
            let mut reader = BinaryReader::new(input.within(LONGEST_OFFSET, end)?, at);
            match reader.read_var_u32()? {
                0 => {
                    reader.read::<ConstExpr<'_>>()?;
                }
                1 => {}
                2 => {
                    reader.read_var_u32()?;
                    reader.read::<ConstExpr<'_>>()?;
                }
                // The validator says what is wrong with it.
                _ => {}
            }
            let before = reader.current_position();
            let length = u64::from(reader.read_var_u32()?);
            let used = reader.current_position();
            section.extend_from_slice(input.rest().get(..before).unwrap_or_default());
            section.push(0);
            if u64::try_from(section.len()).unwrap_or(u64::MAX) > LONGEST_SECTION {
                return Err(Unreadable::Invalid(format!("too many data segments (at offset 0x{begin:x})")));
            }
            input.consume(used);
            if input.offset.saturating_add(length) > end {
                return Err(Unreadable::Invalid(format!(
                    "a data segment of {length} bytes ends after its section (at offset 0x{:x})",
                    input.offset
                )));
            }
            input.skip_far(length)?;
        }
        if input.offset != end {
            return Err(Unreadable::Invalid(format!(
                "the data section goes on after its last segment (at offset 0x{:x})",
                input.offset
            )));
        }
        let section = DataSectionReader::new(BinaryReader::new(&section, begin))?;
        Ok(self.validator.data_section(&section)?)
    }
}

/// What is read, with as much of what comes as is needed.
struct Input<R> {
    from: R,
    buffer: Vec<u8>,
    /// What of the buffer is consumed.
    begin: usize,
    /// Of what is not yet consumed.
    offset: u64,
    ended: bool,
}

/// How much is read at once, in bytes.
const PIECE: usize = 64 * 1024;

impl<R: Read> Input<R> {
    fn rest(&self) -> &[u8] {
        self.buffer.get(self.begin..).unwrap_or_default()
    }

    /// At least so many bytes, or all there are.
    fn want(&mut self, bytes: usize) -> io::Result<&[u8]> {
        while self.rest().len() < bytes && !self.ended {
            if self.begin > 0 {
                self.buffer.drain(..self.begin);
                self.begin = 0;
            }
            let missing =
                u64::try_from(bytes.saturating_sub(self.buffer.len()).max(PIECE)).unwrap_or(u64::MAX);
            let read = self.from.by_ref().take(missing).read_to_end(&mut self.buffer)?;
            self.ended = read == 0;
        }
        Ok(self.rest())
    }

    /// At least so many bytes, but none after that offset.
    fn within(&mut self, bytes: u64, end: u64) -> io::Result<&[u8]> {
        let bytes = usize::try_from(bytes.min(end.saturating_sub(self.offset))).unwrap_or(usize::MAX);
        let rest = self.want(bytes)?;
        Ok(rest.get(..bytes).unwrap_or(rest))
    }

    fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.rest().len());
        self.begin += bytes;
        self.offset = self.offset.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Unreadable> {
        self.skip_far(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    fn skip_far(&mut self, bytes: u64) -> Result<(), Unreadable> {
        let end = self.offset.saturating_add(bytes);
        while self.offset < end {
            let left = usize::try_from(end - self.offset).unwrap_or(usize::MAX);
            let have = self.want(left.min(PIECE))?.len();
            if have == 0 {
                return Err(Unreadable::Invalid(format!("it ends too soon (at offset 0x{:x})", self.offset)));
            }
            self.consume(have.min(left));
        }
        Ok(())
    }

    /// The section that begins here: its id, its size, and how long that is told. Nothing is consumed.
    fn section(&mut self) -> Result<Option<(u8, u64, usize)>, Unreadable> {
        let at = self.offset;
        let head = self.want(6)?;
        let Some(id) = head.first().copied() else { return Ok(None) };
        let mut reader = BinaryReader::new(head.get(1..).unwrap_or_default(), at.saturating_add(1));
        let size = reader.read_var_u32()?;
        Ok(Some((id, u64::from(size), 1 + reader.current_position())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Comes one byte at a time.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let some = into.len().min(1);
            self.0.read(&mut into[..some])
        }
    }

    fn module() -> Vec<u8> {
        wat::parse_str(
            r#"(module
                (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
                (memory (export "memory") 2 16)
                (global $where i32 (i32.const 64))
                (func (export "proxy_abi_version_0_2_1"))
                (func (export "malloc") (param i32) (result i32) local.get 0)
                (data (i32.const 8) "some data")
                (data (global.get $where) "more")
                (data "passive")
                (@custom "note" "anything"))"#,
        )
        .unwrap()
    }

    fn refused(bytes: &[u8]) -> String {
        match Description::read(bytes) {
            Err(Unreadable::Invalid(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_module_that_comes_in_pieces_is_read_as_a_whole_one() {
        let module = module();
        let whole = Description::of(&module).unwrap();
        for read in [Description::read(&*module).unwrap(), Description::read(Drip(&module)).unwrap()] {
            assert_eq!(format!("{read:?}"), format!("{whole:?}"));
        }
        assert_eq!(whole.custom, ["note", "name"]);
    }

    #[test]
    fn a_module_that_is_cut_between_or_in_its_sections_is_valid_only_if_a_whole_one_is() {
        let module = module();
        for end in 0..module.len() {
            let whole = Description::of(&module[..end]).is_ok();
            assert_eq!(Description::read(&module[..end]).is_ok(), whole, "cut at {end}");
        }
    }

    #[test]
    fn a_changed_byte_is_judged_as_in_a_whole_module() {
        let module = module();
        for at in 0..module.len() {
            for bit in 0..8 {
                let mut changed = module.clone();
                changed[at] ^= 1 << bit;
                let whole = Description::of(&changed);
                let read = Description::read(&*changed);
                assert_eq!(whole.is_ok(), read.is_ok(), "bit {bit} of byte {at}: {whole:?} {read:?}");
            }
        }
    }

    #[test]
    fn what_is_no_module_is_refused_by_what_it_is() {
        assert!(refused(b"<html>").contains("offset 0x0"));
        assert!(refused(b"").contains("offset 0x0"));
        assert!(refused(b"\0asm\x0d\0\x01\0").contains("component"));
    }

    #[test]
    fn sizes_that_lie_are_refused_and_nothing_is_kept_for_them() {
        let header = b"\0asm\x01\0\0\0";
        for section in [
            &b"\x01\xff\xff\xff\xff\x0f"[..],
            b"\x00\xff\xff\xff\xff\x0f\x01a",
            b"\x0b\xff\xff\xff\xff\x0f\x01",
        ] {
            refused(&[header, section].concat());
        }
    }
}
