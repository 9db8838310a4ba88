//! What a context sees of the world: the names at the top of paths and expressions (`Context::findValue`).

use std::borrow::Cow;

use super::{connection, request, response, upstream, xds};
use crate::cel::Names;
use crate::guest::{Context, Guest};
use crate::header::HeaderMap;
use crate::plugin::PluginConfig;
use crate::property::given::Given;
use crate::property::group::{Found, Group};
use crate::property::{Message, Value};
use crate::stream::{Connection, Filter, HttpStream};
use crate::world::World;

/// The world as one context sees it now.
pub(in crate::hostcall) struct View<'a> {
    pub(super) world: &'a World,
    pub(super) subject: Subject<'a>,
    plugin: Option<&'a PluginConfig>,
    vm_id: &'a str,
}

/// What the context is of.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    /// A plugin, or the VM: there is no stream.
    Root,
    Http(&'a HttpStream, &'a Filter),
    Tcp(&'a Connection),
}

impl<'a> View<'a> {
    pub(in crate::hostcall) fn of(guest: &'a Guest, context: u32) -> Self {
        let world = guest.world_now();
        let subject = match guest.context_of(context) {
            Context::Http { stream, filter, .. } => {
                let http = world.http.get(stream).and_then(Option::as_deref);
                let found = http.and_then(|http| Some((http, http.filters.get(filter)?)));
                found.map_or(Subject::Root, |(http, filter)| Subject::Http(http, filter))
            }
            Context::Tcp { connection, .. } => {
                let tcp = world.tcp.get(connection).and_then(Option::as_deref);
                tcp.map_or(Subject::Root, Subject::Tcp)
            }
            Context::Root | Context::Vm => Subject::Root,
        };
        let root = guest.roots.get(&guest.root_id_of(context));
        let plugin = root.and_then(|root| world.plugins.get(root.plugin));
        Self { world, subject, plugin: plugin.map(AsRef::as_ref), vm_id: &guest.config.vm_id }
    }

    /// What stands at the top of a path. `last` is whether it is the whole path.
    pub(in crate::hostcall) fn top(&self, name: &[u8], last: bool) -> Option<Found> {
        let here = !matches!(self.subject, Subject::Root);
        if let Some(group) = Group::named(name) {
            let there = match group {
                Group::Xds => true,
                Group::UpstreamFilterState => upstream::is_known(self),
                _ => here,
            };
            return there.then_some(Found::Group(group));
        }
        let own = match name {
            b"metadata" => here.then(|| self.metadata()),
            b"connection_id" => here.then_some(Value::Uint(connection::ID)),
            b"plugin_name" => self.plugin.map(|plugin| plugin.name.as_str().into()),
            b"plugin_root_id" => self.plugin.map(|plugin| plugin.root_id.as_str().into()),
            b"plugin_vm_id" => Some(self.vm_id.into()),
            _ => match self.subject {
                Subject::Http(http, _) => http.filter_state.property(name, last),
                Subject::Tcp(tcp) => tcp.filter_state.property(name, last),
                Subject::Root => None,
            },
        };
        let name = std::str::from_utf8(name).ok()?;
        self.with_given(name, own, true).map(Found::Value)
    }

    /// A member of a group.
    pub(in crate::hostcall) fn member(&self, group: Group, name: &[u8]) -> Option<Value> {
        let name = std::str::from_utf8(name).ok()?;
        let (own, there) = match group {
            Group::Request => (request::attribute(self, name), request::is_there(self, name)),
            Group::Response => (response::attribute(self, name), response::is_there(self, name)),
            Group::Connection => (connection::attribute(name), connection::is_there(self, name)),
            Group::Upstream => (upstream::attribute(self, name), upstream::is_there(self, name)),
            Group::Source => (connection::peer(name, connection::SOURCE), true),
            Group::Destination => (connection::peer(name, connection::DESTINATION), true),
            Group::Xds => (xds::attribute(self, name), xds::is_there(self, name)),
            Group::FilterState => (self.filter_state(name), true),
            Group::UpstreamFilterState => (None, true),
        };
        self.with_given(&format!("{}.{name}", group.name()), own, there)
    }

    /// What a test gave at that path or below it, over what the proxy has by itself.
    fn with_given(&self, path: &str, own: Option<Value>, there: bool) -> Option<Value> {
        if !there || self.givens().all(Given::is_empty) {
            return own;
        }
        let mut value = own;
        for given in self.givens() {
            if let Some(whole) = given.properties.get(path) {
                value = Some(whole.clone());
            }
            for (below, part) in given.below(path) {
                value.get_or_insert(Value::Null).set(below, part.clone());
            }
        }
        value
    }

    /// For all streams, then for this one, which counts more.
    fn givens(&self) -> impl Iterator<Item = &'a Given> {
        let of_stream = match self.subject {
            Subject::Http(http, _) => Some(&http.given),
            _ => None,
        };
        [&self.world.given].into_iter().chain(of_stream)
    }

    fn metadata(&self) -> Value {
        let all = self.givens().flat_map(|given| &given.metadata);
        Message::metadata(all.map(|(filter, value)| (filter.clone(), value.clone()))).into()
    }

    fn filter_state(&self, key: &str) -> Option<Value> {
        match self.subject {
            Subject::Http(http, _) => http.filter_state.object(key.as_bytes()),
            Subject::Tcp(tcp) => tcp.filter_state.object(key.as_bytes()),
            Subject::Root => None,
        }
    }

    /// Request headers, while the callback that was given them is not over, and when the stream is logged.
    pub(super) fn request_headers(&self) -> Option<&'a HeaderMap> {
        match self.subject {
            Subject::Http(http, filter) if filter.request.headers || filter.logging => {
                http.request.headers.as_ref()
            }
            _ => None,
        }
    }

    pub(super) fn response_headers(&self) -> Option<&'a HeaderMap> {
        match self.subject {
            Subject::Http(http, filter) if filter.response.headers || filter.logging => {
                http.response.headers.as_ref()
            }
            _ => None,
        }
    }

    pub(super) fn response_trailers(&self) -> Option<&'a HeaderMap> {
        match self.subject {
            Subject::Http(http, filter) if filter.response.trailers || filter.logging => {
                http.response.trailers.as_ref()
            }
            _ => None,
        }
    }
}

impl Names for View<'_> {
    fn top(&self, name: &str) -> Option<Found> {
        self.top(name.as_bytes(), false)
    }

    fn member(&self, group: Group, name: &[u8]) -> Option<Value> {
        self.member(group, name)
    }
}

/// A map of headers, also where there is none.
pub(super) fn headers(map: Option<&HeaderMap>) -> Value {
    Value::Headers(map.cloned().unwrap_or_default())
}

pub(super) fn text(map: Option<&HeaderMap>, name: &str) -> Option<Value> {
    map.and_then(|map| map.get(name)).map(|value| Value::Text(value.to_vec()))
}

pub(super) fn number(text: &[u8]) -> Option<i64> {
    let text: Cow<'_, str> = String::from_utf8_lossy(text);
    text.trim().parse().ok()
}

pub(super) fn count(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

pub(super) fn byte_size(map: Option<&HeaderMap>) -> usize {
    map.map_or(0, HeaderMap::byte_size)
}

/// A time of the clock as a property has it.
pub(super) fn nanoseconds(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}
