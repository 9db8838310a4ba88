//! Callouts in flight: what filters ask of other clusters, and who answers.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

pub(crate) mod answer;

pub(crate) use crate::message::{Request, Response};

/// How a cluster behaves.
pub(crate) enum Cluster {
    /// A test answers each callout by hand.
    Asked,
    /// It answers by itself, after the callback that asked.
    Answers(Box<dyn FnMut(&Request) -> Reaction + Send>),
    /// No connection can be made: each callout is answered 503 by the proxy.
    Refuses,
    /// There is no healthy host: the call itself fails.
    Unhealthy,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "Asked",
            Self::Answers(_) => "Answers",
            Self::Refuses => "Refuses",
            Self::Unhealthy => "Unhealthy",
        })
    }
}

/// What becomes of a callout to a cluster that answers by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It is answered right after the callback that made it.
    Respond(Response),
    /// It is answered when so much time has passed, unless the filter's timeout comes first.
    RespondAfter(Duration, Response),
    /// No connection can be made: the filter sees Envoy's own 503.
    Refuse,
    /// The connection is reset: the filter sees no headers and the status 11.
    Reset,
    /// No answer comes: the filter's timeout passes, if it has one.
    Silence,
}

/// Every callout of a host, by index.
#[derive(Debug, Default)]
pub(crate) struct Callouts {
    pub(crate) all: Vec<Callout>,
    /// Answers that are on their way, by the index of their callout.
    pub(crate) coming: HashMap<usize, Response>,
}

/// One callout.
#[derive(Debug)]
pub(crate) struct Callout {
    pub(crate) vm: usize,
    pub(crate) root: u32,
    /// The id that the guest was given.
    pub(crate) token: u32,
    pub(crate) cluster: String,
    /// The stream in whose context the call was made, if it was in one.
    pub(crate) stream: Option<usize>,
    pub(crate) what: What,
    /// Nothing more comes of it.
    pub(crate) over: bool,
    /// Milliseconds; 0 is none.
    pub(crate) timeout_ms: u32,
}

/// What kind of callout it is.
#[derive(Debug)]
pub(crate) enum What {
    Http(Request),
    Grpc(Grpc),
}

/// A gRPC call or stream.
#[derive(Debug, Default)]
pub(crate) struct Grpc {
    pub(crate) unary: bool,
    pub(crate) service: String,
    pub(crate) method: String,
    pub(crate) metadata: crate::header::HeaderMap,
    pub(crate) sent: Vec<Vec<u8>>,
    /// The filter said that it sends no more.
    pub(crate) half_closed: bool,
    pub(crate) local_closed: bool,
    pub(crate) remote_closed: bool,
}

impl Callouts {
    pub(crate) fn get(&self, call: usize) -> Option<&Callout> {
        self.all.get(call)
    }

    pub(crate) fn get_mut(&mut self, call: usize) -> Option<&mut Callout> {
        self.all.get_mut(call)
    }

    /// The gRPC callout of that VM and id which is not over.
    pub(crate) fn grpc_mut(&mut self, vm: usize, token: u32) -> Option<&mut Callout> {
        self.all.iter_mut().rev().find(|callout| {
            callout.vm == vm
                && callout.token == token
                && !callout.over
                && matches!(callout.what, What::Grpc(_))
        })
    }

    pub(crate) fn add(&mut self, callout: Callout) -> usize {
        self.all.push(callout);
        self.all.len() - 1
    }

    /// How many still wait for an answer.
    pub(crate) fn waiting(&self) -> usize {
        self.all.iter().filter(|callout| !callout.over).count()
    }
}
