//! A stream ends: it is logged, then every filter is told.

use crate::abi::Callback;
use crate::machine::Machine;
use crate::stream::{End, Received, Source};
use crate::vm::Called;

impl Machine {
    /// Ends the stream: it is logged, then every filter is told (`doDeferredStreamDestroy`).
    pub(in crate::machine) fn end_stream(&mut self, stream: usize, how: End) {
        let now = self.world().clock.monotonic();
        let operation = self.operation;
        let http = self.http(stream);
        if http.is_over() {
            return;
        }
        http.end = Some(how);
        http.ended_at = now;
        if http.forwarded_in == operation && http.source == Source::Local {
            // It was over before a connection to the upstream could be made.
            http.upstream = Received::default();
        }
        self.world().transcript.proxy(|| match how {
            End::Complete => "the stream is complete".to_owned(),
            End::Reset => "the stream is reset".to_owned(),
            End::Disconnected => "the client has gone".to_owned(),
        });
        let count = self.http(stream).filters.len();
        if self.is_envoy() {
            (0..count).for_each(|filter| self.log_stream(stream, filter));
        }
        for filter in 0..count {
            self.finish_filter(stream, filter);
        }
    }

    pub(in crate::machine) fn log_stream(&mut self, stream: usize, filter: usize) {
        // A request that never came this far is made known only to be logged.
        self.create(stream, filter);
        let it = self.filter(stream, filter);
        it.logging = true;
        let (vm, context) = (it.vm, it.context);
        if let Some(vm) = vm {
            self.world().transcript.stream = Some(stream);
            if self.enter(vm, context, Callback::Log, &[]) != Called::Absent {
                self.after(vm);
            }
        }
        self.filter(stream, filter).logging = false;
    }

    /// `onDestroy`
    pub(in crate::machine) fn finish_filter(&mut self, stream: usize, filter: usize) {
        let it = self.filter(stream, filter);
        if std::mem::replace(&mut it.destroyed, true) {
            return;
        }
        let (vm, context, root, created) = (it.vm, it.context, it.root, it.created);
        let Some(vm) = vm else { return };
        if !created {
            self.guest(vm).forget(context);
            return;
        }
        self.world().transcript.stream = Some(stream);
        if self.enter(vm, context, Callback::Done, &[]) != Called::Absent {
            self.after(vm);
        }
        if !self.is_envoy() {
            self.log_stream(stream, filter);
        }
        if self.enter(vm, context, Callback::Delete, &[]) != Called::Absent {
            self.after(vm);
        }
        self.guest(vm).forget(context);
        self.finish_retired(vm, root);
        self.world().transcript.stream = None;
    }

    /// The proxy resets the stream.
    pub(crate) fn reset(&mut self, stream: usize) {
        self.end_stream(stream, End::Reset);
    }

    /// The client goes away.
    pub(crate) fn disconnect(&mut self, stream: usize) {
        let http = self.http(stream);
        if http.is_over() {
            return;
        }
        http.details = Some("downstream_remote_disconnect".to_owned());
        // DownstreamConnectionTermination
        http.flags |= 0x4000;
        self.end_stream(stream, End::Disconnected);
    }

    /// The client resets the stream.
    pub(crate) fn reset_by_client(&mut self, stream: usize) {
        let http = self.http(stream);
        if http.is_over() {
            return;
        }
        http.details = Some("downstream_remote_reset".to_owned());
        // DownstreamRemoteReset
        http.flags |= 0x1000_0000;
        self.end_stream(stream, End::Disconnected);
        self.pump();
    }
}
