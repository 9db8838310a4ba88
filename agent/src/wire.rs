//! Reading and changing Protobuf messages without decoding them.
//!
//! What is not changed is copied byte for byte and in order: a field that this agent has never heard of, of a newer
//! Envoy or a newer control plane, passes. What is read keeps to the rules of decoders: of a field that is given twice
//! the last one counts, and messages that are given twice are merged
//! (<https://protobuf.dev/programming-guides/encoding/#last-one-wins>).

mod any;
mod field;
mod layer;
mod peek;
mod request;
mod resource;
mod response;
mod status;
mod write;

pub use any::Any;
pub use field::{Field, Fields, Malformed, Value, fields, merged, text};
pub use layer::Layer;
pub use peek::{type_url_of_request, type_url_of_response};
pub use request::Request;
pub use resource::Resource;
pub use response::Response;
pub use status::{INTERNAL, RpcStatus};
pub use write::{put_bytes, put_varint, replaced, without};
