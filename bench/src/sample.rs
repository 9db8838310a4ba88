//! Bodies to try filters on.

use std::fmt::Write as _;

/// JSON as an API answers it, as many records as fit into `size` bytes. In a dirty one every tenth record
/// has what a redaction looks for: an e-mail address, a card number, a token.
pub fn json(size: usize, dirty: bool) -> String {
    const END: &str = "\n]}\n";
    let mut body = String::from(r#"{"records": ["#);
    for id in 0_u32.. {
        let before = body.len();
        let comma = if id == 0 { "" } else { "," };
        let _ = write!(
            body,
            "{comma}\n{{\"id\": {id}, \"name\": \"Sample Person {id}\", \"city\": \"Springfield\", \
             \"balance\": {}.50, \"active\": true, \"note\": \"called twice, no answer; try again on Monday\"",
            id * 7 % 1000
        ); // a String takes everything
        if dirty && id % 10 == 0 {
            body.push_str(
                ", \"email\": \"person@example.com\", \"card\": \"4111 1111 1111 1111\", \
                 \"password\": \"correct horse\", \"token\": \"eyJhbGciOiJIUzI1NiJ9.e30.c2ln\"",
            );
        }
        body.push('}');
        if body.len() + END.len() > size {
            body.truncate(before);
            break;
        }
    }
    body.push_str(END);
    body
}

/// Records as JSON lines, in pieces of at most `size` bytes that end where a line does, with nothing to redact.
pub fn lines(pieces: usize, size: usize) -> Vec<String> {
    let json = json(2 * pieces * size, false);
    let mut records =
        json.lines().filter(|line| line.starts_with("{\"id\"")).map(|line| line.trim_end_matches(','));
    let mut piece = || {
        let mut piece = String::new();
        for record in records.by_ref() {
            piece.push_str(record);
            piece.push('\n');
            if piece.len() + 2 * record.len() > size {
                break;
            }
        }
        piece
    };
    (0..pieces).map(|_| piece()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_json_and_about_as_long_as_asked() {
        for dirty in [false, true] {
            let body = json(64 * 1024, dirty);
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
            assert!((65_000..=65_536).contains(&body.len()), "{}", body.len());
            assert_eq!(body.contains("4111"), dirty);
        }
    }

    #[test]
    fn each_line_of_a_stream_is_json_by_itself() {
        let pieces = lines(3, 4096);
        assert_eq!(pieces.len(), 3);
        for piece in pieces {
            assert!((3500..=4096).contains(&piece.len()) && piece.ends_with('\n'), "{}", piece.len());
            for line in piece.lines() {
                serde_json::from_str::<serde_json::Value>(line).unwrap();
            }
        }
    }
}
