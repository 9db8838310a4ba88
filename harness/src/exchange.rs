//! Requests and connections as a test drives them, and what becomes of them.

mod connection;
mod request;
mod stream;

pub use connection::Connection;
pub use request::RequestBuilder;
pub use stream::Stream;
