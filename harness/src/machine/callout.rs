//! Answers of callouts, as Envoy brings them to the filter.

use super::{Machine, size};
use crate::abi::{Callback, Status};
use crate::callout::{Cluster, What};
use crate::finding::Finding;
use crate::guest::Effect;
use crate::header::HeaderMap;
use crate::message::Response;

impl Machine {
    /// A response arrives. Nothing happens if the callout is over.
    pub(crate) fn answer_http(&mut self, call: usize, mut response: Response) {
        // The callout's own router adds it, and is not told to do without.
        let milliseconds = self.since_sent(call);
        response.headers.set("x-envoy-upstream-service-time", milliseconds.to_string());
        self.deliver_http(call, response);
    }

    /// How long ago the callout was made, in milliseconds.
    fn since_sent(&mut self, call: usize) -> u64 {
        let now = self.world().clock.monotonic();
        let sent_at = self.world().callouts.get(call).map_or(now, |callout| callout.sent_at);
        now.saturating_sub(sent_at) / 1_000_000
    }

    fn deliver_http(&mut self, call: usize, response: Response) {
        let Some((vm, root, token)) = self.close_call(call) else { return };
        let counts = [
            token,
            size(response.headers.len()),
            size(response.body.len()),
            size(response.trailers.as_ref().map_or(0, HeaderMap::len)),
        ];
        let guest = self.guest(vm);
        if let Some(context) = guest.roots.get_mut(&root) {
            context.http_call = Some(response);
        }
        guest.effects.push_back(Effect::ForgetAnswer { root });
        self.enter(vm, root, Callback::HttpCallResponse, &counts);
        self.after(vm);
        self.pump();
    }

    /// The connection is reset before a response has come: the filter sees no headers.
    pub(crate) fn reset_http(&mut self, call: usize) {
        let Some((vm, root, token)) = self.close_call(call) else { return };
        let guest = self.guest(vm);
        if let Some(context) = guest.roots.get_mut(&root) {
            context.status = (Status::BrokenConnection.number(), "reset".to_owned());
        }
        guest.effects.push_back(Effect::ForgetAnswer { root });
        self.enter(vm, root, Callback::HttpCallResponse, &[token, 0, 0, 0]);
        self.after(vm);
        self.pump();
    }

    /// Marks the callout as over; where its answer goes.
    fn close_call(&mut self, call: usize) -> Option<(usize, u32, u32)> {
        let world = self.world();
        let callout = world.callouts.get_mut(call).filter(|callout| !callout.over)?;
        callout.over = true;
        let to = (callout.vm, callout.root, callout.token);
        let of_stream = callout.stream;
        let cluster = callout.cluster.clone();
        world.transcript.stream = of_stream;
        if let Some(stream) = of_stream {
            let gone =
                world.http.get(stream).is_none_or(|http| http.as_ref().is_none_or(|http| http.is_over()));
            if gone {
                world.findings.add(Finding::AnswerAfterStream { cluster });
            }
        }
        Some(to)
    }

    /// What the proxy itself answers when the time is up or no connection can be made.
    pub(crate) fn local_answer(&mut self, call: usize, status: u32, text: &str) {
        let response = Response {
            headers: HeaderMap::from([
                (":status", status.to_string()),
                ("content-length", text.len().to_string()),
                ("content-type", "text/plain".to_owned()),
            ]),
            body: bytes::Bytes::copy_from_slice(text.as_bytes()),
            trailers: None,
        };
        self.deliver_http(call, response);
    }

    /// No connection can be made to the cluster.
    pub(crate) fn refuse_connection(&mut self, call: usize) {
        const TEXT: &str = "upstream connect error or disconnect/reset before headers. reset reason: \
                            remote connection failure";
        const WHY: &str = ", transport failure reason: delayed connect error: Connection refused";
        const DETAILS: &str = "upstream_reset_before_response_started\
                               {remote_connection_failure|delayed_connect_error:_Connection_refused}";
        let why = if self.world().profile.tells_why_no_connection_was_made() { WHY } else { "" };
        if self.is_grpc(call) {
            self.close_grpc(call, 14, &format!("{TEXT}{why}{{{DETAILS}}}"));
        } else {
            self.local_answer(call, 503, &format!("{TEXT}{why}"));
        }
    }

    /// The callout's time is up.
    pub(crate) fn time_out(&mut self, call: usize) {
        if self.is_grpc(call) {
            self.close_grpc(call, 14, "upstream request timeout{response_timeout}");
        } else {
            self.local_answer(call, 504, "upstream request timeout");
        }
    }

    fn is_half_closed(&mut self, call: usize) -> bool {
        let callout = self.world().callouts.get(call);
        callout.is_some_and(|callout| matches!(&callout.what, What::Grpc(grpc) if grpc.half_closed))
    }

    fn is_grpc(&mut self, call: usize) -> bool {
        let callout = self.world().callouts.get(call);
        callout.is_some_and(|callout| matches!(callout.what, What::Grpc(_)))
    }

    /// The cluster answers without a test's help.
    pub(super) fn answer_by_itself(&mut self, call: usize) {
        let world = self.world();
        let Some(callout) = world.callouts.get(call).filter(|callout| !callout.over) else { return };
        let name = callout.cluster.clone();
        let What::Http(request) = &callout.what else {
            if matches!(world.clusters.get(&name), Some(Cluster::Refuses)) {
                self.refuse_connection(call);
            }
            return;
        };
        let request = request.clone();
        match world.clusters.get_mut(&name) {
            Some(Cluster::Answers(answer)) => {
                let response = answer(&request);
                self.answer_http(call, response);
            }
            Some(Cluster::Refuses) => self.refuse_connection(call),
            _ => {}
        }
    }

    fn grpc(&mut self, call: usize) -> Option<(usize, u32, u32, bool)> {
        let world = self.world();
        let callout = world.callouts.get(call).filter(|callout| !callout.over)?;
        let What::Grpc(grpc) = &callout.what else { return None };
        let found = (callout.vm, callout.root, callout.token, grpc.unary);
        world.transcript.stream = callout.stream;
        Some(found)
    }

    /// Initial metadata arrives. The filter of a unary call is not told.
    pub(crate) fn grpc_initial_metadata(&mut self, call: usize, mut metadata: HeaderMap) {
        let Some((vm, root, token, unary)) = self.grpc(call) else { return };
        if unary {
            return;
        }
        // The time since the request was complete, so only if it is.
        if !metadata.is_empty() && self.is_half_closed(call) {
            let milliseconds = self.since_sent(call);
            metadata.set("x-envoy-upstream-service-time", milliseconds.to_string());
        }
        let count = size(metadata.len());
        self.set_root(vm, root, |root| root.grpc_initial = Some(metadata));
        self.enter(vm, root, Callback::GrpcReceiveInitialMetadata, &[token, count]);
        self.after(vm);
        self.set_root(vm, root, |root| root.grpc_initial = None);
        self.pump();
    }

    /// A message arrives; for a unary call, its answer.
    pub(crate) fn grpc_message(&mut self, call: usize, message: Vec<u8>) {
        let Some((vm, root, token, unary)) = self.grpc(call) else { return };
        let length = size(message.len());
        if unary && let Some(callout) = self.world().callouts.get_mut(call) {
            callout.over = true;
        }
        self.set_root(vm, root, |root| root.grpc_message = Some(message));
        self.guest(vm).effects.push_back(Effect::ForgetAnswer { root });
        self.enter(vm, root, Callback::GrpcReceive, &[token, length]);
        self.after(vm);
        self.pump();
    }

    /// Trailing metadata arrives.
    pub(crate) fn grpc_trailing_metadata(&mut self, call: usize, metadata: HeaderMap) {
        let Some((vm, root, token, unary)) = self.grpc(call) else { return };
        if unary {
            return;
        }
        let count = size(metadata.len());
        self.set_root(vm, root, |root| root.grpc_trailing = Some(metadata));
        self.enter(vm, root, Callback::GrpcReceiveTrailingMetadata, &[token, count]);
        self.after(vm);
        self.set_root(vm, root, |root| root.grpc_trailing = None);
        self.pump();
    }

    /// The callout ends with a status.
    pub(crate) fn close_grpc(&mut self, call: usize, status: u32, message: &str) {
        let Some((vm, root, token, _)) = self.grpc(call) else { return };
        if let Some(callout) = self.world().callouts.get_mut(call) {
            let kept = match &mut callout.what {
                What::Grpc(grpc) => {
                    grpc.remote_closed = true;
                    !grpc.unary && !grpc.local_closed
                }
                What::Http(_) => false,
            };
            callout.over = !kept;
        }
        self.set_root(vm, root, |root| root.status = (status, message.to_owned()));
        self.guest(vm).effects.push_back(Effect::ForgetAnswer { root });
        self.enter(vm, root, Callback::GrpcClose, &[token, status]);
        self.after(vm);
        self.pump();
    }

    /// A gRPC callout failed before its hostcall had returned: only its close waits until after the callback.
    pub(super) fn grpc_failed_at_once(&mut self, vm: usize, root: u32, token: u32) {
        const UNAVAILABLE: u32 = 14;
        let message = "no healthy upstream{no_healthy_upstream}".to_owned();
        self.set_root(vm, root, |root| root.status = (UNAVAILABLE, message));
        self.guest(vm).effects.push_back(Effect::ForgetAnswer { root });
        self.enter(vm, root, Callback::GrpcClose, &[token, UNAVAILABLE]);
        self.after(vm);
    }

    fn set_root(&mut self, vm: usize, root: u32, change: impl FnOnce(&mut crate::guest::Root)) {
        if let Some(root) = self.guest(vm).roots.get_mut(&root) {
            change(root);
        }
    }
}
