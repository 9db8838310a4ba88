//! Asks a service about each request and adds what it answers as headers.
//!
//! | the service                              | the request goes on                                          |
//! |------------------------------------------|--------------------------------------------------------------|
//! | answers 2xx                              | with the mapped headers                                      |
//! | answered for the same key not long ago   | with those of that answer, at once                           |
//! | is being asked for the same key          | when that answer is there                                    |
//! | answers anything else, late, or not at all | as the policy for that cause says: without, with an answer that is no longer fresh, or not at all |
//! | has failed again and again               | the same, at once                                            |
//!
//! In every case what a client sent under the name of a mapped header is taken off first: an upstream that sees
//! such a header can trust it.
//!
//! | module        | decides                                                     |
//! |---------------|-------------------------------------------------------------|
//! | [`question`]  | what is asked; `path` and `document` encode what is put in   |
//! | [`mapping`]   | what is made of an answer; [`json`] finds it in the body     |
//! | [`key`], [`cache`], [`freshness`] | which answers are kept, and for how long |
//! | [`flight`], [`retry`], [`breaker`] | when there is a call at all             |
//! | [`engine`]    | all of it together                                          |

pub mod answer;
pub mod breaker;
pub mod cache;
pub mod config;
pub mod document;
pub mod engine;
pub mod flight;
pub mod freshness;
pub mod json;
pub mod key;
pub mod mapping;
mod part;
pub mod path;
pub mod question;
pub mod retry;
mod sip;
pub mod tally;

#[cfg(target_family = "wasm")]
mod shell;

pub use config::Enrichment;
