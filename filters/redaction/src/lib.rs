//! Takes the values of secrets out of response bodies while they stream.
//!
//! | in the body                         | becomes                              |
//! |-------------------------------------|--------------------------------------|
//! | `SECRET=hunter2&a=b`                | `SECRET=[REDACTED]&a=b`              |
//! | `password="correct horse"`          | `password="[REDACTED]"`              |
//! | `{"password": "hunter2"}`           | `{"password": "[REDACTED]"}`         |
//! | `{"password": 1234}`, `[..]`, `{..}` | `{"password": "[REDACTED]"}`        |
//! | `"{\"password\":\"hunter2\"}"`      | `"{\"password\":\"[REDACTED]\"}"`    |
//!
//! Keys are matched without case, and stay; only values go. Nothing is held back: every byte of a chunk that
//! is not part of a value leaves with its chunk, so a secret cut by chunk boundaries is found and a stream is
//! not delayed. What is remembered between chunks is bounded, whatever the size of the body.

mod config;
mod eligibility;
mod key;
mod scanner;

#[cfg(target_family = "wasm")]
mod shell;

pub use config::{Detector, Redaction};
pub use eligibility::{Body, Head, Skip, eligible};
pub use scanner::Scanner;
