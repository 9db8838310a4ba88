//! Takes secrets and personal data out of bodies while they stream.
//!
//! | in the body                          | becomes                              |
//! |--------------------------------------|--------------------------------------|
//! | `card 4111 1111 1111 1111`           | `card **** **** **** 1111`           |
//! | `SECRET=hunter2&a=b`                 | `SECRET=[REDACTED]&a=b`              |
//! | `{"password": 1234}`, `[..]`, `{..}` | `{"password": "[REDACTED]"}`         |
//! | `"{\"password\":\"hunter2\"}"`       | `"{\"password\":\"[REDACTED]\"}"`    |
//!
//! | module        | does                                                                        |
//! |---------------|-----------------------------------------------------------------------------|
//! | `config`      | reads the configuration                                                     |
//! | `rules`       | is the configuration, ready to be applied                                   |
//! | `detect`      | says whether something stands at a place: one file for each detector         |
//! | `find`        | goes over the bytes once, for all detectors, and asks them about few places  |
//! | `regex`       | matches regular expressions, each byte in the same time                     |
//! | `scan`        | goes through a body piece by piece: text, events, JSON                        |
//! | `action`      | says what stands in place of a match                                        |
//! | `tokens`      | keeps what tokens of a request stand for, until its response                |
//! | `eligibility` | says which bodies are looked into                                           |
//! | `inflate`     | makes compressed bodies plain                                               |
//! | `hold`        | holds back in the host what is not decided                                  |
//! | `shell`       | speaks to the proxy                                                         |
//!
//! What a body becomes does not depend on where it is cut: no piece leaves before it is decided what it becomes, and
//! what has to be known for that is bounded, whatever the size of the body.

mod action;
mod bytes;
mod config;
mod detect;
mod eligibility;
mod environment;
mod find;
mod hold;
mod inflate;
mod regex;
mod rules;
mod scan;
mod text;
mod tokens;

#[cfg(target_family = "wasm")]
mod shell;

pub use config::{BodyMode, BodyPolicy, OnBlock, OnEtag, Otherwise, Redaction};
pub use eligibility::{Body, Coding, Eligible, Head, Skip};
pub use hold::{Buffer, Events, Flow, Held};
pub use inflate::{Inflate, Unreadable};
pub use rules::Rules;
pub use scan::{Scanned, Scanner, Tally};
pub use tokens::Tokens;
