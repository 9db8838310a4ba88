//! gRPC's own outcome of a stream: over HTTP a failed call is a 200 like any other.

use filter_kit::config::{Node, Text};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Status 0.
    Ok,
    /// A status that is the client's error.
    ClientError,
    /// Any other.
    ServerError,
}

/// The statuses by their numbers (gRPC, `statuscodes.md`).
const STATUSES: [(&str, u64); 16] = [
    ("CANCELLED", 1),
    ("UNKNOWN", 2),
    ("INVALID_ARGUMENT", 3),
    ("DEADLINE_EXCEEDED", 4),
    ("NOT_FOUND", 5),
    ("ALREADY_EXISTS", 6),
    ("PERMISSION_DENIED", 7),
    ("RESOURCE_EXHAUSTED", 8),
    ("FAILED_PRECONDITION", 9),
    ("ABORTED", 10),
    ("OUT_OF_RANGE", 11),
    ("UNIMPLEMENTED", 12),
    ("INTERNAL", 13),
    ("UNAVAILABLE", 14),
    ("DATA_LOSS", 15),
    ("UNAUTHENTICATED", 16),
];

/// The statuses that are a client's errors, a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientErrors(u32);

/// What a client did wrong, may not, asked for in vain, or gave up.
impl Default for ClientErrors {
    fn default() -> Self {
        Self([1, 3, 5, 6, 7, 9, 11, 16].into_iter().fold(0, |bits, status| bits | 1 << status))
    }
}

/// Reads a list of statuses, by name or number.
pub(crate) fn client_errors(node: Node<'_>) -> Option<ClientErrors> {
    let statuses = node.list_of(|node| node.text_or(named, |node| node.integer(1..=16)))?;
    Some(ClientErrors(statuses.into_iter().fold(0, |bits, status| bits | 1 << status)))
}

fn named(node: Node<'_>) -> Option<u64> {
    const NAMES: Text = Text::pattern(
        "^(CANCELLED|UNKNOWN|INVALID_ARGUMENT|DEADLINE_EXCEEDED|NOT_FOUND|ALREADY_EXISTS|PERMISSION_DENIED|\
         RESOURCE_EXHAUSTED|FAILED_PRECONDITION|ABORTED|OUT_OF_RANGE|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS|\
         UNAUTHENTICATED)$",
    );
    node.parsed(NAMES, |text| {
        let status = STATUSES.iter().find(|(name, _)| *name == text);
        status.map(|(_, number)| *number).ok_or("a status of gRPC but `OK`, such as \"NOT_FOUND\"")
    })
}

impl ClientErrors {
    /// How a call with that status ended. What is no status is a server's error, as gRPC's own clients take it.
    pub fn outcome(self, status: i64) -> Outcome {
        match status {
            0 => Outcome::Ok,
            1..=16 if self.0 & (1 << status) != 0 => Outcome::ClientError,
            _ => Outcome::ServerError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_the_clients_or_the_servers_errors() {
        let table = ClientErrors::default();
        assert_eq!(table.outcome(0), Outcome::Ok);
        for status in [1, 3, 5, 6, 7, 9, 11, 16] {
            assert_eq!(table.outcome(status), Outcome::ClientError, "{status}");
        }
        for status in [2, 4, 8, 10, 12, 13, 14, 15, 17, -1, i64::MAX, i64::MIN] {
            assert_eq!(table.outcome(status), Outcome::ServerError, "{status}");
        }
    }

    #[test]
    fn the_table_is_what_is_configured() {
        let read = |json: &str| filter_kit::config::read(json.as_bytes(), client_errors);
        let table = read(r#"["NOT_FOUND", 8]"#).unwrap();
        let outcomes = [0, 5, 8, 3].map(|status| table.outcome(status));
        assert_eq!(outcomes, [Outcome::Ok, Outcome::ClientError, Outcome::ClientError, Outcome::ServerError]);
        assert_eq!(read("[]").unwrap().outcome(5), Outcome::ServerError);
        for wrong in [r#"["OK"]"#, "[0]", "[17]", r#"["not_found"]"#, "5"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
