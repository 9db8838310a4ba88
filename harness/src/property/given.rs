//! The properties that a test gives, in place of or beside those that the proxy has by itself.

use std::collections::BTreeMap;

use super::{Message, Value};

/// Which way a listener's traffic goes (`envoy.config.core.v3.TrafficDirection`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum TrafficDirection {
    /// The listener does not say.
    #[default]
    Unspecified,
    /// To a service, as in a sidecar that stands before it.
    Inbound,
    /// From a service.
    Outbound,
}

/// What a test gave, for one stream or for all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// By path, segments joined by dots.
    pub(crate) properties: BTreeMap<String, Value>,
    /// Dynamic metadata by filter.
    pub(crate) metadata: BTreeMap<String, Value>,
}

impl Given {
    pub(crate) fn property(&mut self, path: impl Into<String>, value: impl Into<Value>) {
        self.properties.insert(path.into(), value.into());
    }

    pub(crate) fn metadata(&mut self, filter: impl Into<String>, value: serde_json::Value) {
        self.metadata.insert(filter.into(), value.into());
    }

    pub(crate) fn traffic_direction(&mut self, direction: TrafficDirection) {
        self.property("xds.listener_direction", direction as i64);
    }

    pub(crate) fn route_metadata(&mut self, filter: impl Into<String>, value: serde_json::Value) {
        let mut all = match self.properties.remove("xds.route_metadata") {
            Some(message @ Value::Message(_)) => message,
            _ => Message::metadata::<String, Value>([]).into(),
        };
        if let Value::Message(message) = &mut all {
            message.add_metadata(filter.into(), value.into());
        }
        self.property("xds.route_metadata", all);
    }

    pub(crate) fn tls(&mut self, version: &str, server_name: &str) {
        self.property("connection.tls_version", version);
        self.property("connection.requested_server_name", server_name);
        for side in ["local", "peer"] {
            // Envoy has them once there is TLS, empty where there is no certificate.
            let path = format!("connection.subject_{side}_certificate");
            self.properties.entry(path).or_insert_with(|| "".into());
        }
    }

    pub(crate) fn client_certificate(&mut self, subject: &str) {
        self.property("connection.mtls", true);
        self.property("connection.subject_peer_certificate", subject);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }

    /// What was given below a path.
    pub(crate) fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> + 'a {
        let all = self.properties.range(path.to_owned()..);
        all.take_while(move |(given, _)| given.starts_with(path))
            .filter_map(move |(given, value)| Some((given.strip_prefix(path)?.strip_prefix('.')?, value)))
    }
}

/// The methods by which a builder, whose type is `must_use`, is given properties; it says where they are kept.
macro_rules! given_methods {
    ($($given:ident).+, $whose:literal) => {
        #[doc = concat!("A property of ", $whose, ", by its path joined with dots. It takes the place of what the \
            proxy has by itself, in the phases in which the proxy has one.")]
        pub fn property(mut self, path: impl Into<String>, value: impl Into<crate::property::Value>) -> Self {
            self.$($given).+.property(path, value);
            self
        }

        #[doc = concat!("Dynamic metadata of ", $whose, ", under the name of the filter that would have set it.")]
        pub fn metadata(mut self, filter: impl Into<String>, value: serde_json::Value) -> Self {
            self.$($given).+.metadata(filter, value);
            self
        }

        #[doc = concat!("Which way the listener of ", $whose, " says that its traffic goes: inbound by default.")]
        pub fn traffic_direction(mut self, direction: crate::property::TrafficDirection) -> Self {
            self.$($given).+.traffic_direction(direction);
            self
        }

        #[doc = concat!("The name of the route that ", $whose, " takes; `route` by default.")]
        pub fn route(mut self, name: &str) -> Self {
            self.$($given).+.property("xds.route_name", name);
            self
        }

        #[doc = concat!("Metadata of the route that ", $whose, " takes, under a filter's name.")]
        pub fn route_metadata(mut self, filter: impl Into<String>, value: serde_json::Value) -> Self {
            self.$($given).+.route_metadata(filter, value);
            self
        }

        #[doc = concat!("The client of ", $whose, " speaks TLS of that version, such as `TLSv1.3`, and asks for \
            that server.")]
        pub fn tls(mut self, version: &str, server_name: &str) -> Self {
            self.$($given).+.tls(version, server_name);
            self
        }

        #[doc = concat!("The client of ", $whose, " has a certificate of that subject, such as `CN=client`.")]
        pub fn client_certificate(mut self, subject: &str) -> Self {
            self.$($given).+.client_certificate(subject);
            self
        }
    };
}

pub(crate) use given_methods;
