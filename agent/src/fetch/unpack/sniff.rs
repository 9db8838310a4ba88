//! Tells by its first bytes what something is.

/// How many bytes are needed to tell: a tar header.
pub(in crate::fetch) const HEAD: usize = 512;

/// What something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Wasm module or component.
    Module,
    /// Compressed by gzip.
    Gzip,
    /// Compressed by zstd.
    Zstd,
    /// A tar archive.
    Tar,
    /// Something else, in words.
    Other(String),
}

/// Tells what begins with those bytes: 512 of them, or all there are.
#[must_use]
pub fn sniff(head: &[u8]) -> Kind {
    if head.starts_with(b"\0asm") {
        Kind::Module
    } else if head.starts_with(&[0x1f, 0x8b]) {
        Kind::Gzip
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || is_skippable_frame(head) {
        Kind::Zstd
    } else if is_tar(head) {
        Kind::Tar
    } else {
        Kind::Other(other(head))
    }
}

/// zstd's files may begin with frames for other programs (RFC 8878 section 3.1.2).
fn is_skippable_frame(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Archives older than POSIX have no magic, but a checksum.
fn is_tar(head: &[u8]) -> bool {
    if head.get(257..262) == Some(b"ustar") {
        return true;
    }
    let Some(block) = head.first_chunk::<HEAD>() else { return false };
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let (before, after) = (block.get(..148).unwrap_or_default(), block.get(156..).unwrap_or_default());
    let expected = sum(before) + sum(after) + 8 * u32::from(b' ');
    tar::Header::from_byte_slice(block).cksum().is_ok_and(|told| told == expected)
}

fn other(head: &[u8]) -> String {
    let text = head.trim_ascii_start();
    let begins =
        |word: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    let what = if head.is_empty() {
        return "nothing (it is empty)".to_owned();
    } else if begins("<!doctype html") || begins("<html") {
        "an HTML page (a login or error page?)"
    } else if begins("<?xml") {
        "XML"
    } else if begins("{") {
        "JSON"
    } else if begins("(module") {
        "Wasm in text form"
    } else if head.starts_with(b"PK\x03\x04") {
        "a zip archive"
    } else if head.starts_with(b"\x7fELF") {
        "an ELF program (a module precompiled for one machine?)"
    } else if head.starts_with(b"BZh") || head.starts_with(b"\xfd7zXZ\0") {
        "compressed by bzip2 or xz"
    } else {
        "no Wasm module"
    };
    let first: String = head.iter().take(16).flat_map(|byte| byte.escape_ascii()).map(char::from).collect();
    format!("{what}: it begins with \"{first}\" instead of \"\\x00asm\"")
}
