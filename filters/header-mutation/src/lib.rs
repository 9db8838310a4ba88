//! Changes headers and trailers of requests and responses by rules: lists of operations, each seeing what the earlier
//! ones did.
//!
//! | operation           | when the header is there                                         | when it is not |
//! |---------------------|------------------------------------------------------------------|----------------|
//! | `set`               | one line with the value, in place of all                          | added          |
//! | `set_if_present`    | one line with the value, in place of all                          | nothing        |
//! | `add_if_absent`, `add` | left as it is                                                  | added          |
//! | `append`            | one more line with the value                                      | added          |
//! | `append_csv`        | one line: all values and this one, with commas between             | added          |
//! | `remove`            | all its lines are removed                                         | nothing        |
//! | `remove_match`      | the same, of every header that the pattern takes                   | nothing        |
//! | `rename`            | its lines get the new name, in place of any that had it            | nothing        |
//! | `copy`              | the same, and it stays                                            | nothing        |
//! | `dedupe`            | the first, the last, or one line of each value stays               | nothing        |
//! | `rewrite`, `map`    | each value becomes what a regular expression or a table makes of it | nothing       |
//!
//! Beside these there are cookies, in requests and responses, and parameters of the query.
//!
//! | a value that                        | the operation                                                       |
//! |-------------------------------------|---------------------------------------------------------------------|
//! | has a source that is missing        | is left undone, unless there is a default                            |
//! | may not be sent, or is too long     | is left undone; or the bytes are dropped; or the request is answered 400 |
//!
//! What is written to the proxy is what differs in the end, and nothing if nothing does.

mod config;
mod cookie;
mod direct;
mod exchange;
mod host;
mod lines;
mod name;
mod once;
mod operation;
mod plan;
mod query;
#[cfg(feature = "regex")]
mod rewrite;
mod table;
mod tally;
mod value;

#[cfg(target_family = "wasm")]
mod shell;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use config::Mutations;
pub use exchange::{Exchange, Verdict};
pub use host::{Held, Host, Side};
pub use once::Once;
pub use tally::{Count, Tally};
