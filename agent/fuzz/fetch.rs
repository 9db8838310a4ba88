//! What a fuzzer's bytes do to the fetchers. libFuzzer calls these functions, and so does the test that replays the
//! corpus.

#![allow(dead_code, reason = "each fuzz target is a program that uses one of the functions")]

use std::io;

use meshloom_agent::Sha256;
use meshloom_agent::fetch::manifest::{Manifest, child, layer};
use meshloom_agent::fetch::unpack::{Fault, Limits, Output, unpack as find};

/// Small, so that inputs of a fuzzer's size get there.
const LIMITS: Limits =
    Limits { module: 4 << 10, unpacked: 256 << 10, ratio: 50, floor: 64 << 10, entries: 16, depth: 3 };

/// An output that counts.
#[derive(Default)]
struct Counted {
    module: Vec<u8>,
    written: u64,
}

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written += bytes.len() as u64;
        self.module.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Counted {
    fn restart(&mut self) -> io::Result<()> {
        self.module.clear();
        Ok(())
    }
}

/// The input is what was downloaded.
///
/// # Panics
///
/// If more comes out than the limits allow, or something that is no module.
pub(crate) fn unpack(data: &[u8]) {
    let mut output = Counted::default();
    let found = find(data, data.len() as u64, &LIMITS, &|| false, &mut output);
    assert!(output.module.len() as u64 <= LIMITS.module);
    assert!(output.written <= LIMITS.unpacked + data.len() as u64);
    match found {
        Ok((sha256, size)) => {
            assert!(output.module.starts_with(b"\0asm"));
            assert_eq!((sha256, size), (Sha256::of(&output.module), output.module.len() as u64));
        }
        Err(fault) => {
            assert!(!matches!(fault, Fault::Disk(_) | Fault::Cancelled), "{fault}");
            assert!(fault.to_string().len() < 4 << 10, "{fault}");
        }
    }
}

/// The input is a type, a line's end, and a manifest.
///
/// # Panics
///
/// If a message is as long as a hostile registry wants it to be, or has control characters.
pub(crate) fn manifest(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let kind = parts.next().and_then(|kind| std::str::from_utf8(kind).ok()).filter(|kind| !kind.is_empty());
    let problem = match Manifest::read(parts.next().unwrap_or_default(), kind) {
        Ok(Manifest::Image(image)) => layer(&image).err(),
        Ok(Manifest::Index(index)) => child(&index).err(),
        Err(problem) => Some(problem),
    };
    if let Some(problem) = problem {
        assert!(problem.len() < 16 << 10, "{} bytes", problem.len());
        assert!(!problem.chars().any(char::is_control), "{problem:?}");
    }
}
