//! The metrics: their names, made once, and what of a stream goes into which.

use crate::config::{Objective, Timing, Treat};
use crate::duration::{microseconds, milliseconds};
use crate::grpc::Outcome;
use crate::{Direction, Exchange};

/// What a metric does with what it is given, numbered as the ABI does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up.
    Counter = 0,
    /// Goes up and down.
    Gauge = 1,
    /// Keeps how often which values came.
    Histogram = 2,
}

/// A metric's id in its VM; `None` for one that is not recorded.
pub type Id = Option<u32>;

/// Where values go.
pub trait Meter {
    /// Adds to a counter or a gauge.
    fn add(&self, id: u32, by: i64);
    /// Records a value in a histogram.
    fn record(&self, id: u32, value: u64);
}

/// Makes a metric of that name, or finds it.
pub type Define<'a> = &'a mut dyn FnMut(Kind, &str) -> Id;

/// All metrics of one direction: of every stream, and of each slice.
#[derive(Clone, Debug, Default)]
pub struct Families {
    /// Of every stream.
    pub all: Family,
    /// Of each slice, in the order of the configuration.
    pub slices: Vec<Family>,
}

impl Families {
    /// Has `define` make every metric that `timing` wants of one direction.
    pub fn of(timing: &Timing, direction: Direction, define: Define<'_>) -> Self {
        let start = format!("wasm_http_{}_", direction.as_str());
        let all = Family::of(timing, &start, true, define);
        let slice = |slice: &crate::config::Slice| {
            // What is known when a request comes says whether it is counted as under way.
            let from_the_start = !slice.when.needs_response();
            Family::of(timing, &format!("{start}{}_", slice.name), from_the_start, define)
        };
        Self { all, slices: timing.slices.iter().map(slice).collect() }
    }
}

/// The metrics of some streams.
#[derive(Clone, Debug, Default)]
pub struct Family {
    duration: Id,
    duration_us: Id,
    stream_duration: Id,
    /// Of the classes 1xx to 5xx.
    responses: [Id; 5],
    unanswered: Id,
    requests: Id,
    inflight: Id,
    /// Whether there are any of those below, or above beside duration and class.
    has_more: bool,
    ttfb: Id,
    upstream: Id,
    request_bytes: Id,
    response_bytes: Id,
    local_replies: Id,
    upstream_resets: Id,
    downstream_resets: Id,
    grpc_ok: Id,
    grpc_client_errors: Id,
    grpc_server_errors: Id,
    /// Of each objective: those that count, and those that were good.
    objectives: Vec<(Id, Id)>,
}

impl Family {
    fn of(timing: &Timing, start: &str, inflight: bool, define: Define<'_>) -> Self {
        use Kind::{Counter, Gauge, Histogram};
        let extras = &timing.extras;
        let mut id = |wanted: bool, kind: Kind, name: &str| {
            let name = [start, name].concat();
            wanted.then(|| define(kind, &extras.tag_style.name("http-timing", &name))).flatten()
        };
        Self {
            duration: id(true, Histogram, "duration_ms"),
            duration_us: id(extras.microseconds, Histogram, "duration_us"),
            stream_duration: id(timing.long_lived.treat == Treat::Separate, Histogram, "stream_duration_ms"),
            responses: [
                id(extras.informational, Counter, "responses_total_1xx"),
                id(true, Counter, "responses_total_2xx"),
                id(true, Counter, "responses_total_3xx"),
                id(true, Counter, "responses_total_4xx"),
                id(true, Counter, "responses_total_5xx"),
            ],
            unanswered: id(extras.unanswered, Counter, "responses_total_none"),
            requests: id(extras.requests, Counter, "requests_total"),
            inflight: id(extras.inflight && inflight, Gauge, "inflight"),
            has_more: extras.any() || !timing.objectives.is_empty(),
            ttfb: id(extras.ttfb, Histogram, "ttfb_ms"),
            upstream: id(extras.upstream, Histogram, "upstream_ms"),
            request_bytes: id(extras.sizes, Histogram, "request_bytes"),
            response_bytes: id(extras.sizes, Histogram, "response_bytes"),
            local_replies: id(extras.local_replies, Counter, "local_replies_total"),
            upstream_resets: id(extras.resets, Counter, "resets_total_upstream"),
            downstream_resets: id(extras.resets, Counter, "resets_total_downstream"),
            grpc_ok: id(extras.grpc, Counter, "grpc_total_ok"),
            grpc_client_errors: id(extras.grpc, Counter, "grpc_total_client_error"),
            grpc_server_errors: id(extras.grpc, Counter, "grpc_total_server_error"),
            objectives: timing
                .objectives
                .iter()
                .map(|Objective { name, .. }| {
                    (
                        id(true, Counter, &format!("slo_{name}_total")),
                        id(true, Counter, &format!("slo_{name}_good_total")),
                    )
                })
                .collect(),
        }
    }

    /// One stream more is under way, or one less.
    pub fn under_way(&self, meter: &impl Meter, change: i64) {
        if let Some(id) = self.inflight {
            meter.add(id, change);
        }
    }

    /// Records a stream that is over.
    pub fn record(&self, meter: &impl Meter, timing: &Timing, exchange: &Exchange) {
        self.record_base(meter, exchange);
        if self.has_more {
            self.record_more(meter, timing, exchange);
        }
    }

    /// Records its duration and class.
    #[inline(always)]
    pub(crate) fn record_base(&self, meter: &impl Meter, exchange: &Exchange) {
        let duration = if exchange.long_lived { self.stream_duration } else { self.duration };
        histogram(meter, duration, exchange.duration.map(milliseconds));
        if let Some(class) = exchange.class() {
            counter(meter, self.responses.get(class.wrapping_sub(1)).copied().flatten());
        }
    }

    /// What only some configurations ask for, out of the way of the others.
    #[inline(never)]
    fn record_more(&self, meter: &impl Meter, timing: &Timing, exchange: &Exchange) {
        let histogram = |id, value| histogram(meter, id, value);
        let counter = |id| counter(meter, id);
        if !exchange.long_lived {
            histogram(self.duration_us, exchange.duration.map(microseconds));
        }
        if exchange.code == 0 {
            counter(self.unanswered);
        }
        counter(self.requests);
        histogram(self.ttfb, exchange.ttfb.map(milliseconds));
        histogram(self.upstream, exchange.upstream.map(milliseconds));
        histogram(self.request_bytes, exchange.request_bytes);
        histogram(self.response_bytes, exchange.response_bytes);
        if exchange.local {
            counter(self.local_replies);
        }
        if exchange.flags.upstream_reset() {
            counter(self.upstream_resets);
        }
        if exchange.flags.downstream_reset() {
            counter(self.downstream_resets);
        }
        match exchange.grpc.map(|status| timing.extras.client_errors.outcome(status)) {
            Some(Outcome::Ok) => counter(self.grpc_ok),
            Some(Outcome::ClientError) => counter(self.grpc_client_errors),
            Some(Outcome::ServerError) => counter(self.grpc_server_errors),
            None => {}
        }
        for (objective, (all, good)) in timing.objectives.iter().zip(&self.objectives) {
            if let Some(verdict) = objective.judge(exchange) {
                counter(*all);
                counter(good.filter(|_| verdict));
            }
        }
    }
}

#[inline(always)]
fn histogram(meter: &impl Meter, id: Id, value: Option<u64>) {
    if let (Some(id), Some(value)) = (id, value) {
        meter.record(id, value);
    }
}

#[inline(always)]
fn counter(meter: &impl Meter, id: Id) {
    if let Some(id) = id {
        meter.add(id, 1);
    }
}

#[cfg(test)]
pub(crate) mod tests;
