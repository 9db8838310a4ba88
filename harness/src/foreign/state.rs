//! Filter state: what filters leave for those after them, and in which shape.

use std::collections::BTreeMap;

use crate::abi::Status;
use crate::property::{Message, Value};

/// Envoy's objects by their keys. Those of `proxy_set_property` begin with `wasm.`
#[derive(Clone, Debug, Default)]
pub(crate) struct FilterState(BTreeMap<Vec<u8>, Object>);

#[derive(Clone, Debug)]
struct Object {
    value: Vec<u8>,
    declared: Declared,
}

/// What `declare_property` said of a property (`CelStatePrototype`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) read_only: bool,
    pub(crate) shape: Shape,
}

/// How the bytes of a property are to be read (`CelStateType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    #[default]
    Bytes,
    Text,
    /// Without a reader for its schema: no path leads into it.
    FlatBuffers,
    /// The same.
    Protobuf,
}

impl FilterState {
    /// What `proxy_set_property` does; the declaration counts when the property is set for the first time.
    ///
    /// # Errors
    ///
    /// `BAD_ARGUMENT` if the property is read only and set already.
    pub(crate) fn set_property(
        &mut self,
        path: &[u8],
        value: &[u8],
        declared: Option<Declared>,
    ) -> Result<(), Status> {
        let key = [b"wasm.", path].concat();
        match self.0.get_mut(&key) {
            Some(object) if object.declared.read_only => return Err(Status::BadArgument),
            Some(object) => object.value = value.to_vec(),
            None => {
                let object = Object { value: value.to_vec(), declared: declared.unwrap_or_default() };
                self.0.insert(key, object);
            }
        }
        Ok(())
    }

    /// What `set_envoy_filter_state` does.
    pub(crate) fn set_object(&mut self, key: &str, value: &str) {
        let object = Object { value: value.as_bytes().to_vec(), declared: Declared::default() };
        self.0.insert(key.as_bytes().to_vec(), object);
    }

    /// What `proxy_set_property` set under that name. `last` is whether no path leads further.
    pub(crate) fn property(&self, name: &[u8], last: bool) -> Option<Value> {
        self.value(&[b"wasm.", name].concat(), last)
    }

    /// The member of `filter_state`.
    pub(crate) fn object(&self, key: &[u8]) -> Option<Value> {
        self.value(key, false)
    }

    fn value(&self, key: &[u8], last: bool) -> Option<Value> {
        let Object { value, declared } = self.0.get(key)?;
        Some(match declared.shape {
            Shape::Text => Value::Text(value.clone()),
            Shape::Protobuf if !last => Message::from_bytes(value.clone()).into(),
            _ => Value::Bytes(value.clone()),
        })
    }
}

/// Whether a factory can make something of that text.
type Takes = fn(&str) -> bool;

/// The factories of Envoy's core and what they take (`REGISTER_FACTORY(.., FilterState::ObjectFactory)`).
pub(crate) const FACTORIES: &[(&str, Takes)] = &[
    ("envoy.filters.listener.original_dst.local_ip", is_address),
    ("envoy.filters.listener.original_dst.remote_ip", is_address),
    ("envoy.hashable_string", |_| true),
    ("envoy.network.application_protocols", |_| true),
    ("envoy.network.transport_socket.original_dst_address", is_address),
    ("envoy.network.upstream_server_name", |_| true),
    ("envoy.network.upstream_subject_alt_names", |_| true),
    ("envoy.string", |_| true),
    ("envoy.tcp_proxy.cluster", |_| true),
    ("envoy.tcp_proxy.disable_tunneling", |text| text == "true" || text == "false"),
    ("envoy.upstream.dynamic_host", |_| true),
    ("envoy.upstream.dynamic_port", |text| text.parse::<u16>().is_ok()),
];

fn is_address(text: &str) -> bool {
    text.parse::<std::net::SocketAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_read_only_is_set_once() {
        let mut state = FilterState::default();
        let declared = Some(Declared { read_only: true, shape: Shape::Text });
        assert_eq!(state.set_property(b"once", b"1", declared), Ok(()));
        assert_eq!(state.set_property(b"once", b"2", declared), Err(Status::BadArgument));
        assert_eq!(state.property(b"once", true), Some("1".into()));
    }

    #[test]
    fn a_declaration_that_comes_late_does_not_count() {
        let mut state = FilterState::default();
        assert_eq!(state.set_property(b"mine", b"1", None), Ok(()));
        let declared = Some(Declared { read_only: true, shape: Shape::Text });
        assert_eq!(state.set_property(b"mine", b"2", declared), Ok(()));
        assert_eq!(state.object(b"wasm.mine"), Some(Value::Bytes(b"2".to_vec())));
    }
}
