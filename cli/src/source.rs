//! A file that is checked: read within bounds, and able to say which line a byte is on.

use std::io::Read;
use std::path::Path;

/// A file may have so many bytes.
const MOST_BYTES: u64 = 64 << 20;

/// A text and what to call it.
#[derive(Debug)]
pub(crate) struct Source {
    /// As it was named on the command line; `<stdin>` for standard input.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A place in a file, from 1. Columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Source {
    /// Reads a file, or standard input if the path is `-`.
    ///
    /// # Errors
    ///
    /// In words, if it cannot be read, is too long, or is no text.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let (name, bytes) = if path == Path::new("-") {
            ("<stdin>".to_owned(), bounded(std::io::stdin().lock()))
        } else {
            let name = path.display().to_string();
            let file = match std::fs::metadata(path) {
                Ok(about) if about.is_dir() => {
                    return Err(format!("{name}: it is a folder, expected a file"));
                }
                _ => std::fs::File::open(path),
            };
            (name, file.and_then(bounded))
        };
        let bytes = bytes.map_err(|error| format!("{name}: {error}"))?;
        match String::from_utf8(bytes) {
            // A byte order mark is no part of YAML's or JSON's first value.
            Ok(text) => {
                Ok(Self { text: text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text), name })
            }
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let line = error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
                Err(format!(
                    "{name}:{line}: found a byte that is not UTF-8 (byte {valid} of the file), expected a text"
                ))
            }
        }
    }

    /// Line and column of a byte.
    pub(crate) fn at(&self, offset: usize) -> At {
        let offset = self.text.floor_char_boundary(offset);
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        At { line, column: before.get(begin..).unwrap_or_default().chars().count() + 1 }
    }

    /// The line that a byte is on, without its end, and the byte that it begins with.
    pub(crate) fn line_of(&self, offset: usize) -> (usize, &str) {
        let offset = self.text.floor_char_boundary(offset);
        let begin = self.text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
        let line = self.text.get(begin..).and_then(|rest| rest.split('\n').next()).unwrap_or_default();
        (begin, line.trim_end_matches('\r'))
    }
}

fn bounded(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::other(format!(
            "it has more than {} MiB, which is the most",
            MOST_BYTES >> 20
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_on_a_line_and_in_a_column_of_characters() {
        let source = Source { name: "x".to_owned(), text: "ab\nécd\r\ne".to_owned() };
        assert_eq!(source.at(0), At { line: 1, column: 1 });
        assert_eq!(source.at(5), At { line: 2, column: 2 });
        assert_eq!(source.at(1000), At { line: 3, column: 2 });
        assert_eq!(source.line_of(5), (3, "écd"));
    }
}
