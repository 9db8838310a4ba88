//! TCP connections through a chain of network filters (Envoy's `Network::FilterManagerImpl` and tcp_proxy).

use super::{Machine, size};
use crate::abi::{Callback, PeerType};
use crate::buffer::Buffer;
use crate::guest::Context;
use crate::plugin::FailurePolicy;
use crate::stream::{Connection, NetworkFilter};
use crate::vm::Called;

impl Machine {
    #[expect(
        clippy::indexing_slicing,
        clippy::expect_used,
        reason = "a connection lives until its handle is dropped"
    )]
    fn tcp(&mut self, connection: usize) -> &mut Connection {
        self.world().tcp[connection].as_mut().expect("the connection lives")
    }

    /// A client connects.
    pub(crate) fn connect(&mut self, mut tcp: Connection) -> usize {
        let worker = self.next_worker();
        let connection = self.world().tcp.len();
        self.world().tcp.push(None);
        for place in 0..self.chain.len() {
            let Some(plugin) = self.chain.get(place).copied() else { continue };
            let instance = self.serving(worker, place);
            let policy = self.world().plugins.get(plugin).map(|plugin| plugin.failure_policy);
            let filter = tcp.filters.len();
            let (vm, root, context) = match instance {
                Some(instance) => {
                    let root = instance.root;
                    let context =
                        self.guest(instance.vm).allocate_context(Context::Tcp { root, connection, filter });
                    (Some(instance.vm), root, context)
                }
                None if policy == Some(FailurePolicy::FailOpen) => continue,
                None => (None, 0, 0),
            };
            tcp.filters.push(NetworkFilter {
                vm,
                context,
                root,
                created: false,
                initialized: false,
                failed: false,
                downstream_data: false,
                upstream_data: false,
                downstream_closed: false,
                upstream_closed: false,
                closed: false,
                end_of_stream: false,
            });
        }
        tcp.started_at = self.world().clock.monotonic();
        if let Some(place) = self.world().tcp.get_mut(connection) {
            *place = Some(Box::new(tcp));
        }
        self.read_from(connection, 0);
        self.pump();
        connection
    }

    /// The client sends something.
    pub(crate) fn downstream_sends(&mut self, connection: usize, data: bytes::Bytes, end: bool) {
        let tcp = self.tcp(connection);
        if tcp.closed.is_some() {
            return;
        }
        tcp.read.push(data);
        tcp.read_end |= end;
        if tcp.let_through {
            self.read_from(connection, 0);
        }
        self.pump();
    }

    /// A filter lets reading go on, after itself.
    pub(super) fn continue_reading(&mut self, connection: usize, filter: usize) {
        self.read_from(connection, filter + 1);
    }

    /// `onContinueReading`: every filter from that one on sees all that has been read and not let through.
    fn read_from(&mut self, connection: usize, first: usize) {
        let count = self.tcp(connection).filters.len();
        for filter in first..count {
            if self.tcp(connection).closed.is_some() {
                return;
            }
            if !std::mem::replace(&mut self.tcp_filter(connection, filter).initialized, true)
                && !self.new_connection(connection, filter)
            {
                return;
            }
            let tcp = self.tcp(connection);
            let (length, end) = (tcp.read.len(), tcp.read_end && tcp.let_through);
            if tcp.let_through
                && (length > 0 || end)
                && !self.filter_data_tcp(connection, filter, true, length, end)
            {
                return;
            }
        }
        let tcp = self.tcp(connection);
        if tcp.closed.is_some() {
            return;
        }
        // tcp_proxy reads nothing before there is an upstream.
        let first_time = !std::mem::replace(&mut tcp.let_through, true);
        if first_time && (tcp.read.len() > 0 || tcp.read_end) {
            return self.read_from(connection, 0);
        }
        if tcp.read.len() > 0 {
            let data = tcp.read.take().into_bytes();
            tcp.upstream.push(data);
        }
        tcp.upstream_end |= tcp.read_end;
        self.close_if_both_ended(connection);
    }

    /// When both sides have said everything, and it has got through, the proxy closes the connection.
    fn close_if_both_ended(&mut self, connection: usize) {
        let tcp = self.tcp(connection);
        if tcp.upstream_end && tcp.downstream_end {
            self.close_connection(connection);
        }
    }

    /// The upstream sends something; filters see it in the other order.
    pub(crate) fn upstream_sends(&mut self, connection: usize, data: bytes::Bytes, end: bool) {
        let tcp = self.tcp(connection);
        if tcp.closed.is_some() {
            return;
        }
        tcp.write.push(data);
        tcp.write_end |= end;
        let count = self.tcp(connection).filters.len();
        for filter in (0..count).rev() {
            let tcp = self.tcp(connection);
            let (length, end) = (tcp.write.len(), tcp.write_end);
            let goes_on = self.filter_data_tcp(connection, filter, false, length, end);
            if end {
                // Envoy tells of the upstream's close when it writes the last of it.
                self.upstream_closes(connection, filter);
            }
            if !goes_on || self.tcp(connection).closed.is_some() {
                self.pump();
                return;
            }
        }
        let tcp = self.tcp(connection);
        if tcp.write.len() > 0 {
            let data = tcp.write.take().into_bytes();
            tcp.downstream.push(data);
        }
        tcp.downstream_end |= tcp.write_end;
        self.close_if_both_ended(connection);
        self.pump();
    }

    #[expect(clippy::indexing_slicing, reason = "filters are never taken out of a chain")]
    fn tcp_filter(&mut self, connection: usize, filter: usize) -> &mut NetworkFilter {
        &mut self.tcp(connection).filters[filter]
    }

    /// `onNewConnection`: whether the filter lets it go on.
    fn new_connection(&mut self, connection: usize, filter: usize) -> bool {
        let it = self.tcp_filter(connection, filter);
        it.created = true;
        let (vm, context, root) = (it.vm, it.context, it.root);
        if let Some(vm) = vm
            && self.enter(vm, context, Callback::ContextCreate, &[root]) != Called::Absent
        {
            self.after(vm);
        }
        self.invoke_tcp(connection, filter, Callback::NewConnection, &[])
    }

    fn filter_data_tcp(
        &mut self,
        connection: usize,
        filter: usize,
        read: bool,
        length: usize,
        end: bool,
    ) -> bool {
        let it = self.tcp_filter(connection, filter);
        if !it.created {
            return true;
        }
        it.end_of_stream = end;
        let callback = if read { Callback::DownstreamData } else { Callback::UpstreamData };
        if read {
            it.downstream_data = true;
        } else {
            it.upstream_data = true;
        }
        let goes_on = self.invoke_tcp(connection, filter, callback, &[size(length), u32::from(end)]);
        if goes_on {
            let it = self.tcp_filter(connection, filter);
            if read {
                it.downstream_data = false;
            } else {
                it.upstream_data = false;
            }
        }
        goes_on
    }

    /// Whether the filter continues; a failed one closes the connection (`CHECK_FAIL_NET`).
    fn invoke_tcp(
        &mut self,
        connection: usize,
        filter: usize,
        callback: Callback,
        arguments: &[u32],
    ) -> bool {
        let it = self.tcp_filter(connection, filter);
        let context = it.context;
        let Some(vm) = it.vm.filter(|vm| !self.is_failed(*vm)) else {
            self.fail_connection(connection, filter);
            return false;
        };
        match self.enter(vm, context, callback, arguments) {
            Called::Absent => true,
            Called::Failed => {
                self.fail_connection(connection, filter);
                self.after(vm);
                false
            }
            Called::Returned(value) => {
                self.after(vm);
                value == 0
            }
        }
    }

    fn fail_connection(&mut self, connection: usize, filter: usize) {
        if !std::mem::replace(&mut self.tcp_filter(connection, filter).failed, true) {
            self.close_connection(connection);
        }
    }

    /// The proxy closes the connection.
    pub(crate) fn close_connection(&mut self, connection: usize) {
        self.closed(connection, PeerType::Local);
    }

    /// The client's connection is closed, by whomever.
    pub(crate) fn closed(&mut self, connection: usize, by: PeerType) {
        let tcp = self.tcp(connection);
        if tcp.closed.is_some() {
            return;
        }
        tcp.closed = Some(by);
        tcp.read = Buffer::default();
        tcp.write = Buffer::default();
        let count = tcp.filters.len();
        for filter in 0..count {
            let it = self.tcp_filter(connection, filter);
            let (vm, context) = (it.vm, it.context);
            if !it.created {
                // The guest never heard of it.
                if let Some(vm) = vm {
                    self.guest(vm).contexts.remove(&context);
                }
                continue;
            }
            it.downstream_closed = true;
            if let Some(vm) = vm {
                let arguments = [by.number()];
                if self.enter(vm, context, Callback::DownstreamConnectionClose, &arguments) != Called::Absent
                {
                    self.after(vm);
                }
            }
            self.finish_tcp(connection, filter);
        }
        self.pump();
    }

    fn upstream_closes(&mut self, connection: usize, filter: usize) {
        let it = self.tcp_filter(connection, filter);
        if !it.created || std::mem::replace(&mut it.upstream_closed, true) {
            return;
        }
        let (vm, context, both) = (it.vm, it.context, it.downstream_closed);
        if let Some(vm) = vm {
            let arguments = [PeerType::Unknown.number()];
            if self.enter(vm, context, Callback::UpstreamConnectionClose, &arguments) != Called::Absent {
                self.after(vm);
            }
        }
        if both {
            self.finish_tcp(connection, filter);
        }
    }

    /// `onCloseTCP`: done, logged, deleted, in this order and once.
    fn finish_tcp(&mut self, connection: usize, filter: usize) {
        let it = self.tcp_filter(connection, filter);
        if std::mem::replace(&mut it.closed, true) {
            return;
        }
        let (vm, context, root) = (it.vm, it.context, it.root);
        let Some(vm) = vm else { return };
        for callback in [Callback::Done, Callback::Log, Callback::Delete] {
            if self.enter(vm, context, callback, &[]) != Called::Absent {
                self.after(vm);
            }
        }
        self.guest(vm).forget(context);
        self.finish_retired(vm, root);
    }
}
