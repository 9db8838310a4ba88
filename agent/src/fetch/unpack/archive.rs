//! Finds the module in a tar archive.

use std::io::{Cursor, Read};

use tar::{Archive, EntryType};

use super::{Fault, Kind, Search, Seen, sniff};

/// The name that Istio's images have for the module.
const NAME: &[u8] = b"plugin.wasm";
/// Bytes of a long name, or of extended attributes, that are looked at.
const ATTRIBUTES: u64 = 64 << 10;
/// How many entries a message lists.
const LISTED: usize = 8;

/// How well an entry fits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Nothing,
    Box,
    Module,
    Named,
}

impl Search<'_> {
    pub(super) fn archive(&mut self, source: &mut dyn Read, depth: u32) -> Result<Seen, Fault> {
        let meter = self.meter;
        let mut archive = Archive::new(source);
        let broken = |error| meter.fault(&error);
        let mut best = Rank::Nothing;
        let mut listed = Listed::default();
        let mut long_name = None;
        // Raw: the library would keep long names and attributes in memory, however long they are.
        for entry in archive.entries().map_err(broken)?.raw(true) {
            let mut entry = entry.map_err(broken)?;
            meter.entry()?;
            let kind = entry.header().entry_type();
            let size = entry.header().entry_size().map_err(broken)?;
            match kind {
                EntryType::GNULongName => {
                    let mut name = Vec::new();
                    (&mut entry).take(ATTRIBUTES).read_to_end(&mut name).map_err(broken)?;
                    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
                    long_name = Some(name);
                    continue;
                }
                EntryType::XHeader => {
                    let mut attributes = Vec::new();
                    (&mut entry).take(ATTRIBUTES).read_to_end(&mut attributes).map_err(broken)?;
                    long_name = path_of(&attributes)?.or(long_name);
                    continue;
                }
                EntryType::GNULongLink | EntryType::XGlobalHeader => continue,
                _ => {}
            }
            let name = long_name.take().unwrap_or_else(|| entry.header().path_bytes().into_owned());
            if !kind.is_file() && !kind.is_contiguous() {
                listed.add(&name, named(kind));
                continue;
            }
            let head = self.head(&mut entry)?;
            let is_named = name.rsplit(|byte| *byte == b'/').next() == Some(NAME);
            let rank = match sniff(&head) {
                Kind::Other(what) if is_named => {
                    return Err(Fault::NotAModule(format!("plugin.wasm in the archive is {what}")));
                }
                _ if is_named => Rank::Named,
                Kind::Module => Rank::Module,
                Kind::Other(_) => {
                    listed.add(&name, "file");
                    continue;
                }
                _ => Rank::Box,
            };
            if rank <= best {
                continue;
            }
            match self.entry(Cursor::new(head).chain(&mut entry), rank, size, depth)? {
                Seen::Module => best = rank,
                Seen::Other(what) if rank == Rank::Named => {
                    return Err(Fault::NotAModule(format!("plugin.wasm in the archive is {what}")));
                }
                Seen::Other(_) => listed.add(&name, "file"),
            }
            if best == Rank::Named {
                break;
            }
        }
        Ok(if best > Rank::Nothing { Seen::Module } else { Seen::Other(listed.words()) })
    }

    /// Looks into a file of the archive.
    fn entry(&mut self, mut source: impl Read, rank: Rank, size: u64, depth: u32) -> Result<Seen, Fault> {
        match self.look(&mut source, Some(size), depth + 1) {
            // Any file of an image may be a box, and a broken one need not be the module's.
            Err(Fault::NotAModule(what)) if rank == Rank::Box => {
                self.found = None;
                Ok(Seen::Other(what))
            }
            seen => seen,
        }
    }
}

/// The path among PAX attributes: lines of length, key and value, where the length counts itself.
fn path_of(mut attributes: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let mut path = None;
    while let Some(space) = attributes.iter().position(|byte| *byte == b' ') {
        let (length, _) = attributes.split_at(space);
        let length = std::str::from_utf8(length).ok().and_then(|digits| digits.parse::<usize>().ok());
        let Some((line, rest)) = length.and_then(|length| attributes.split_at_checked(length)) else { break };
        let Some(pair) = line.get(space + 1..) else { break };
        if let Some(value) = pair.strip_prefix(b"path=") {
            path = Some(value.trim_ascii_end().to_vec());
        } else if pair.starts_with(b"size=") || pair.starts_with(b"GNU.sparse.") {
            // Archivers write these for files above 8 GiB and for files with holes; where the next entry begins
            // would depend on them.
            return Err(Fault::NotAModule("the archive has a sparse file, or one above 8 GiB".to_owned()));
        }
        attributes = rest;
    }
    Ok(path)
}

fn named(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Directory => "folder",
        EntryType::Symlink | EntryType::Link => "link",
        EntryType::GNUSparse => "sparse file",
        _ => "special file",
    }
}

/// The first entries of an archive, for the message.
#[derive(Default)]
struct Listed {
    shown: Vec<String>,
    more: u64,
}

impl Listed {
    fn add(&mut self, name: &[u8], kind: &str) {
        if self.shown.len() < LISTED {
            let name: String = String::from_utf8_lossy(name).chars().take(100).collect();
            self.shown.push(format!("{name:?} ({kind})"));
        } else {
            self.more += 1;
        }
    }

    fn words(&self) -> String {
        let Self { shown, more } = self;
        if shown.is_empty() {
            return "a tar archive without entries".to_owned();
        }
        let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
        format!("a tar archive without a module: it has {}{more}", shown.join(", "))
    }
}
