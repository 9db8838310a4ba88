//! What a Proxy-Wasm module may import from Envoy, and what stands in a module, without running it.
//!
//! [`Description::of`] reads a module, [`Description::read`] one that comes piece by piece; [`provided`] tells what a host has under a name, and [`hostcalls`] is the table of
//! all of it, for whoever implements a host.

#[macro_use]
mod table;
mod describe;
mod provided;
mod stream;
mod version;

pub use describe::{Description, Export, Import, Memory};
pub use provided::{Hostcall, Provided, Space, TABLE, is_provided, provided};
pub use stream::Unreadable;
pub use version::AbiVersion;
