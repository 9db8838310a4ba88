//! What several filters need, as functions they call: a kit, not a framework.
//!
//! | module        | gives                                                                                  |
//! |---------------|----------------------------------------------------------------------------------------|
//! | [`config`]    | reads JSON configuration, names every problem it has, and describes it as JSON Schema   |
//! | [`header`]    | says whether bytes may be a header's name or value                                      |
//! | [`host`]      | brings the host of a request into one form, and reads entries that cover hosts          |
//! | [`when`]      | conditions: which messages a rule is for                                                |
//! | [`template`]  | values that are put together from parts of a message                                    |
//! | [`reads`]     | what conditions and templates ask the proxy                                             |
//! | [`attribute`] | Envoy's attributes: their types, and which way traffic goes                             |
//! | [`mode`]      | `mode` and `fail`: whether findings have consequences, and what happens without a decision |
//! | [`level`]     | `log_level`: how much is written into the proxy's log                                    |
//! | [`metric`]    | names of metrics, and the table of those a VM has                                        |
//! | [`under_way`] | what is remembered of streams under way, by the ids of their contexts                   |
//! | [`testing`]   | a message for tests of conditions and templates; native only                            |
//!
//! A filter may use any part without the others, and its module has only those. A thing enters the kit when a third
//! filter needs it.
//!
//! The feature `regex` adds regular expressions, to conditions and by a reader of its own; it makes a module some 70 KB larger.
#![warn(missing_docs)]

pub mod attribute;
pub mod config;
pub mod header;
pub mod host;
pub mod level;
pub mod metric;
pub mod mode;
pub mod reads;
#[cfg(feature = "regex")]
pub mod regex;
pub mod template;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod under_way;
pub mod when;
