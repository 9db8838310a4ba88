//! Changes request and response headers by a list of operations, each seeing what the earlier ones did.
//!
//! | operation | when the header is there                     | when it is not   |
//! |-----------|----------------------------------------------|------------------|
//! | `set`     | one line with the value, in place of all     | added            |
//! | `add`     | left as it is                                | added            |
//! | `append`  | one more line with the value                 | added            |
//! | `remove`  | all its lines are removed                    | nothing          |
//! | `rename`  | its lines get the new name, in place of any line that had it | nothing |
//!
//! No operation can fail a request: what could go wrong is refused when the configuration is read.

mod config;
mod headers;
mod operation;

#[cfg(target_family = "wasm")]
mod shell;

pub use config::Mutations;
pub use headers::Headers;
pub use operation::{HeaderName, HeaderValue, Operation};

/// Applies `operations` in their order.
pub fn apply(operations: &[Operation], headers: &mut impl Headers) {
    for operation in operations {
        operation.apply(headers);
    }
}
