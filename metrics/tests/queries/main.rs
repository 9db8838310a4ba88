//! The queries on series that are made up, and the documents that are made of the queries.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

mod documents;
mod promql;
