//! The Proxy-Wasm ABI 0.2.1 as safe functions, without the SDK. Compiled for wasm only.
//!
//! The SDK has Envoy call a module when a stream begins and when it is freed, and allocates and frees what each
//! hostcall answers. For a filter that does little, that costs as much as its work. Here a module exports the
//! callbacks that it names by [`callbacks!`] and no other, and what hostcalls answer is written to one place again and
//! again. These are functions to call; there is nothing to implement.
//!
//! All unsafe code of such a filter is here. Nothing panics: what a host does not give is missing.
#![cfg(target_family = "wasm")]
#![warn(missing_docs)]
#![expect(
    unsafe_code,
    reason = "the ABI is exported functions, imported functions and pointers between them"
)]

mod asked;
pub mod buffer;
pub mod call;
mod callback;
pub mod header;
mod import;
mod inbox;
pub mod metric;
pub mod plugin;
pub mod property;
pub mod stream;
pub mod system;

pub use asked::Asked;
pub use callback::Action;
