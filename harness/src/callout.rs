//! Callouts in flight: what filters ask of other clusters, and who answers.

use std::collections::HashMap;
use std::fmt;

pub(crate) mod answer;

pub(crate) use crate::message::{Request, Response};

/// How a cluster behaves.
pub(crate) enum Cluster {
    /// A test answers each callout by hand.
    Asked,
    /// It answers by itself, after the callback that asked.
    Answers(Box<dyn FnMut(&Request) -> Response + Send>),
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

/// Every callout of a host, by index.
#[derive(Debug, Default)]
pub(crate) struct Callouts {
    pub(crate) all: Vec<Callout>,
    /// The gRPC callouts by VM and id.
    grpc: HashMap<(usize, u32), usize>,
    /// What guests have sent, in bytes.
    bytes: usize,
}

/// A guest may call without end; so many calls are kept, and so many bytes of what they sent.
const MAX_CALLS: usize = 1_000_000;
const MAX_BYTES: usize = 256 << 20;

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
    /// On the monotonic clock.
    pub(crate) sent_at: u64,
    /// A test has been told of it by [`Host::new_callouts`](crate::Host::new_callouts).
    pub(crate) noticed: bool,
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
    pub(crate) cancelled: bool,
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
        let call = *self.grpc.get(&(vm, token))?;
        self.all.get_mut(call).filter(|callout| !callout.over)
    }

    /// Whether no more can be sent; what can is counted.
    pub(crate) fn is_full(&mut self, bytes: usize) -> bool {
        if self.all.len() >= MAX_CALLS || self.bytes.saturating_add(bytes) > MAX_BYTES {
            return true;
        }
        // A message costs something even if it is empty.
        self.bytes += bytes + std::mem::size_of::<Vec<u8>>();
        false
    }

    pub(crate) fn add(&mut self, callout: Callout) -> usize {
        let call = self.all.len();
        if matches!(callout.what, What::Grpc(_)) {
            self.grpc.insert((callout.vm, callout.token), call);
        }
        self.all.push(callout);
        call
    }

    /// How many still wait for an answer.
    pub(crate) fn waiting(&self) -> usize {
        self.all.iter().filter(|callout| !callout.over).count()
    }
}
