//! One stream of Envoy and the one to the control plane that belongs to it.
//!
//! A single task does everything for both, so messages cannot overtake each other. It waits for whatever comes first
//! and never for one thing alone:
//!
//! - requests are always taken from Envoy, whatever else is held up, and queue for the control plane
//! - responses are taken from the control plane only while none waits for Envoy: if Envoy does not read, neither does
//!   the agent, and HTTP/2 makes the control plane wait
//!
//! When either side ends, so does the other, and Envoy opens a new stream when it likes. The agent does not reconnect
//! by itself: a stream that goes on has a state (nonces, versions, the node) that a new control plane does not know.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::Rng as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::attempts::Attempts;
use super::end::{Kind, passed_on, whole_message};
use super::health::{Health, Reports};
use super::proxy::Conversion;
use super::queue::{Outbox, Requests, requests};
use super::streams::{OpenStream, Streams};
use super::upstream::{Failure, Tasks, Upstream};
use crate::ecds::{self, Desk, Effect, Protocol};
use crate::status::{Board, Dropped, Metrics, Way};
use crate::wire;

/// Types that Envoy may be sent. Among what is dropped are name tables (NDS) and proxy configurations (PCDS): those are
/// for an agent that asks for them, and this one has neither a DNS server nor trust bundles, and never asks.
const FORWARDED_PREFIX: &str = "type.googleapis.com/envoy.";
/// For ztunnel, which is no Envoy.
const FORWARDED_TYPE: &str = "type.googleapis.com/istio.workload.Workload";
/// The type after whose first request the control plane is told of the workload's health.
const LISTENERS: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";

/// How long a connection to the control plane may take to close once its stream is over.
const CLOSING: Duration = Duration::from_secs(1);

/// What all streams share.
pub(super) struct Shared {
    pub(super) upstream: Arc<Upstream>,
    pub(super) conversion: Conversion,
    pub(super) board: Arc<Board>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) streams: Arc<Streams>,
    pub(super) health: Health,
    /// Bytes of a request.
    pub(super) max_request: usize,
    /// Bytes of requests that wait.
    pub(super) max_waiting: usize,
    /// Nothing, if streams may become as old as they like.
    pub(super) max_age: Option<Duration>,
    /// Cancelled when all streams have to end.
    pub(super) over: CancellationToken,
}

/// Why a stream is over.
#[derive(Debug)]
enum Over {
    /// Envoy ended it: with an error, or without.
    Envoy(Option<Status>),
    /// The control plane ended it: with an error, or without.
    ControlPlane(Option<Status>),
    /// The control plane could not be connected to.
    Unconnected(Status),
    /// A message cannot be passed on; that is whose fault it is.
    Unusable(Status),
    /// It is as old as a stream may be.
    Aged,
    /// The agent ends.
    Shutdown,
}

/// Serves a stream of Envoy until it is over.
pub(super) async fn run(
    shared: Arc<Shared>,
    protocol: Protocol,
    from_envoy: Streaming<Bytes>,
    outbox: Outbox,
) {
    let open = shared.streams.begin(protocol);
    let number = open.number();
    shared.metrics.stream_opened();
    tracing::info!(stream = number, ?protocol, "Envoy opened a stream");
    let tasks = Tasks::default();
    let (queue, pulled) = requests();
    let opening = shared.upstream.clone().open(protocol, pulled, tasks.clone());
    let relay = Relay {
        protocol,
        desk: (shared.conversion.desk)(number, protocol),
        due: None,
        reports: shared.health.listen(),
        shared: &shared,
        open: &open,
        queue,
        outbox: &outbox,
        waiting: VecDeque::new(),
        attempts: Attempts::default(),
    };
    // Drops the streams of both sides, the queue, and whatever is being obtained.
    let over = relay.until_over(from_envoy, opening).await;
    settle(&shared, &open, &outbox, over);
    drop(outbox);
    shared.board.remove_stream(number);
    shared.metrics.stream_closed();
    tasks.end_within(CLOSING).await;
}

/// Logs and counts the end, and passes it on to Envoy.
fn settle(shared: &Shared, open: &OpenStream, outbox: &Outbox, over: Over) {
    let stream = open.number();
    let told = |whose: &str, status: Option<&Status>| {
        let kind = Kind::of(status);
        let why = status.map(|status| format!("{:?}: {}", status.code(), whole_message(status)));
        let why = why.as_deref().unwrap_or("without error");
        if kind == Kind::Unexpected {
            tracing::warn!(stream, "{whose} ended the stream: {why}");
            open.failed(&format!("{whose} ended the stream: {why}"));
        } else {
            tracing::debug!(stream, "{whose} ended the stream: {why}");
        }
        if let (true, Some(status)) = (kind != Kind::Graceful, status) {
            outbox.fail(passed_on(status));
        }
        kind.counted()
    };
    match over {
        Over::Envoy(status) => shared.metrics.envoy_ended(told("Envoy", status.as_ref())),
        Over::ControlPlane(status) => shared.metrics.istiod_ended(told("the control plane", status.as_ref())),
        Over::Unconnected(status) => {
            tracing::error!(stream, "{}", status.message());
            open.failed(status.message());
            shared.metrics.connection_failed();
            outbox.fail(status);
        }
        Over::Unusable(status) => {
            tracing::error!(stream, "the agent ended the stream: {}", status.message());
            open.failed(status.message());
            shared.metrics.istiod_ended(crate::status::End::Error);
            outbox.fail(status);
        }
        Over::Aged => tracing::info!(stream, "the stream has reached its age, and Envoy will open another"),
        Over::Shutdown => tracing::info!(stream, "the agent ends the stream, for it ends itself"),
    }
}

/// The state of a stream while it goes on.
struct Relay<'a> {
    protocol: Protocol,
    shared: &'a Shared,
    open: &'a OpenStream,
    queue: Requests,
    outbox: &'a Outbox,
    /// Responses that there is no room for in the outbox. Nothing is read from the control plane while there are any.
    waiting: VecDeque<Bytes>,
    desk: Desk,
    /// When the desk has something to do by itself. Kept, for the desk looks at all its resources to say it.
    due: Option<Instant>,
    attempts: Attempts,
    reports: Reports,
}

impl Relay<'_> {
    async fn until_over(
        mut self,
        mut from_envoy: Streaming<Bytes>,
        opening: impl Future<Output = Result<Streaming<Bytes>, Failure>>,
    ) -> Over {
        let mut opening = pin!(opening);
        let mut responses: Option<Streaming<Bytes>> = None;
        // Keepalive pings find a dead connection, and not a stream that the control plane has forgotten on a living one
        // (istio#57064: days without updates). istiod ends each stream after 30 minutes, give or take a tenth; one that
        // is still there some time later is not in its care any more. Envoy opens another, and loses nothing.
        let mut aged = pin!(tokio::time::sleep(lifetime(self.shared.max_age).unwrap_or_default()));
        let ages = self.shared.max_age.is_some();
        let mut deadline = pin!(tokio::time::sleep_until(Instant::now()));
        let mut shutdown = pin!(self.shared.over.cancelled());
        let outbox = self.outbox;
        let mut gone = pin!(outbox.gone());
        loop {
            self.hand_over();
            if let Some(due) = self.due
                && deadline.deadline() != due
            {
                deadline.as_mut().reset(due);
            }
            let next = self.waiting.front().map(Bytes::len);
            let done = tokio::select! {
                message = from_envoy.message() => match message {
                    Ok(Some(request)) => self.request(request),
                    Ok(None) => Err(Over::Envoy(None)),
                    Err(status) => Err(Over::Envoy(Some(status))),
                },
                message = incoming(&mut responses), if next.is_none() => match message {
                    Ok(Some(response)) => self.response(response),
                    Ok(None) => Err(Over::ControlPlane(None)),
                    Err(status) => Err(Over::ControlPlane(Some(status))),
                },
                room = outbox.room(next.unwrap_or_default()), if next.is_some() => {
                    if let Some(response) = self.waiting.pop_front() {
                        outbox.send(response, room);
                    }
                    Ok(())
                }
                opened = &mut opening, if responses.is_none() => match opened {
                    Ok(stream) => {
                        tracing::info!(stream = self.open.number(), "connected to the control plane");
                        self.open.connected();
                        responses = Some(stream);
                        Ok(())
                    }
                    Err(Failure::Dial(status)) => Err(Over::Unconnected(status)),
                    Err(Failure::Open(status)) => Err(Over::ControlPlane(Some(status))),
                },
                (ticket, outcome) = self.attempts.next(), if !self.attempts.is_empty() => {
                    self.at_desk(|desk, now, effects| desk.obtained(ticket, outcome, now, effects))
                }
                () = &mut deadline, if self.due.is_some() => self.at_desk(|desk, now, effects| desk.due(now, effects)),
                () = self.reports.changed() => self.report(),
                () = &mut gone => Err(Over::Envoy(Some(Status::cancelled("Envoy reset the stream, or is gone")))),
                () = &mut aged, if ages => Err(Over::Aged),
                () = &mut shutdown => Err(Over::Shutdown),
            };
            if let Err(over) = done {
                // What the desk sent before the end comes before the end.
                self.hand_over();
                return over;
            }
        }
    }

    /// Gives to the transport what there is room for.
    fn hand_over(&mut self) {
        while let Some(length) = self.waiting.front().map(Bytes::len)
            && let Some(room) = self.outbox.try_room(length)
            && let Some(response) = self.waiting.pop_front()
        {
            self.outbox.send(response, room);
        }
    }

    /// Envoy sent a request.
    fn request(&mut self, request: Bytes) -> Result<(), Over> {
        let type_url = wire::type_url_of_request(self.protocol, &request).map_err(|cause| {
            Over::Envoy(Some(Status::invalid_argument(format!("request of Envoy: {cause}"))))
        })?;
        if self.open.request()
            && let Some(id) = node_id(self.protocol, &request)
        {
            self.open.node(&id);
        }
        self.shared.metrics.received(request.len());
        let listeners = type_url == LISTENERS;
        if type_url == ecds::TYPE_URL {
            return self.at_desk(|desk, now, effects| desk.request(request, now, effects));
        }
        self.to_control_plane(request)?;
        if listeners {
            self.reports.open();
            self.report()?;
        }
        Ok(())
    }

    /// The control plane sent a response.
    fn response(&mut self, response: Bytes) -> Result<(), Over> {
        let type_url = wire::type_url_of_response(self.protocol, &response).map_err(|cause| {
            Over::Unusable(Status::internal(format!("response of the control plane: {cause}")))
        })?;
        self.open.response();
        self.shared.metrics.response();
        if type_url == ecds::TYPE_URL {
            self.shared.board.record(self.open.number(), self.protocol, Way::Received, &response);
            return self.at_desk(|desk, now, effects| desk.response(response, now, effects));
        }
        if type_url.starts_with(FORWARDED_PREFIX) || type_url == FORWARDED_TYPE {
            self.waiting.push_back(response);
        } else {
            let type_url: String = type_url.chars().take(200).collect();
            tracing::error!(
                stream = self.open.number(),
                type_url,
                "dropped a response: its type is none of Envoy's"
            );
            self.open.dropped();
            self.shared.metrics.dropped(Dropped::Type);
            self.open.error(&format!("dropped a response of type {type_url:?}"));
        }
        Ok(())
    }

    /// Tells the control plane of the workload's health, if that is due.
    fn report(&mut self) -> Result<(), Over> {
        match self.reports.due(self.protocol) {
            Some(report) => self.to_control_plane(report),
            None => Ok(()),
        }
    }

    fn to_control_plane(&self, request: Bytes) -> Result<(), Over> {
        self.shared.metrics.request();
        let waiting = self.queue.push(request);
        if waiting > self.shared.max_waiting {
            // Never blocked, but not without end either: a control plane that reads nothing is no use to Envoy.
            return Err(Over::Unusable(Status::resource_exhausted(format!(
                "{waiting} bytes of requests wait for the control plane, which does not read them; {} may wait",
                self.shared.max_waiting
            ))));
        }
        Ok(())
    }

    /// Asks the desk, and does what it says, in order.
    fn at_desk(
        &mut self,
        ask: impl FnOnce(&mut Desk, std::time::Instant, &mut Vec<Effect>),
    ) -> Result<(), Over> {
        let mut effects = Vec::new();
        // The same clock as that of the timers, which a test may stop.
        ask(&mut self.desk, Instant::now().into_std(), &mut effects);
        self.due = self.desk.next_deadline().map(Instant::from_std);
        for effect in effects {
            match effect {
                Effect::ToEnvoy(response) => {
                    self.shared.board.record(self.open.number(), self.protocol, Way::Sent, &response);
                    self.waiting.push_back(response);
                }
                Effect::ToControlPlane(request) => self.to_control_plane(request)?,
                Effect::Obtain(ticket, wanted) => {
                    self.attempts.begin(ticket, self.shared.conversion.library.obtain(*wanted));
                }
                Effect::GiveUp(ticket) => self.attempts.give_up(ticket),
            }
        }
        Ok(())
    }
}

/// The next response, once there is a stream that they come from.
async fn incoming(responses: &mut Option<Streaming<Bytes>>) -> Result<Option<Bytes>, Status> {
    match responses {
        Some(responses) => responses.message().await,
        None => std::future::pending().await,
    }
}

/// Whose stream it is, if a request tells it (`Node.id`).
fn node_id(protocol: Protocol, request: &[u8]) -> Option<String> {
    let number = match protocol {
        Protocol::Sotw => 2,
        Protocol::Delta => 1,
    };
    let node = wire::merged(request, number, "node").ok()??;
    wire::text(&node, 1, "node.id").ok().filter(|id| !id.is_empty()).map(str::to_owned)
}

/// How long one stream lives: up to a tenth longer than it has to, so that agents which started together do not all come
/// back together.
fn lifetime(age: Option<Duration>) -> Option<Duration> {
    age.map(|age| age + age.mul_f64(rand::rng().random_range(0.0..0.1)))
}
