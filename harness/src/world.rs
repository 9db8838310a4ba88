//! Everything around the VMs of one host: what they share, what they said, what they wait for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::abi::Level;
use crate::callout::{Callouts, Cluster};
use crate::clock::Clock;
use crate::cost::Costs;
use crate::coverage::Counts;
use crate::fault::Faults;
use crate::finding::Findings;
use crate::foreign::Functions;
use crate::log::Log;
use crate::message::{Request, Response};
use crate::plugin::PluginConfig;
use crate::profile::Profile;
use crate::property::given::Given;
use crate::queue::Queues;
use crate::random::Random;
use crate::shared_data::SharedData;
use crate::stats::Stats;
use crate::stream::{Connection, HttpStream};
use crate::timer::Timers;
use crate::transcript::Transcript;

/// What answers requests by itself.
pub(crate) type Upstream = Box<dyn FnMut(&Request) -> Response + Send>;

/// What all VMs of a host share.
pub(crate) struct World {
    pub(crate) profile: Profile,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) shared: SharedData,
    pub(crate) queues: Queues,
    pub(crate) stats: Stats,
    pub(crate) log: Log,
    pub(crate) log_level: Level,
    pub(crate) transcript: Transcript,
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) callouts: Callouts,
    pub(crate) plugins: Vec<Arc<PluginConfig>>,
    /// By their number, gone with their handle. No number is given out again: a callout may be answered after the
    /// stream that made it is gone, and a transcript still has its events.
    pub(crate) http: Vec<Option<Box<HttpStream>>>,
    pub(crate) tcp: Vec<Option<Box<Connection>>>,
    pub(crate) timers: Timers,
    pub(crate) posted: VecDeque<Posted>,
    pub(crate) faults: Faults,
    pub(crate) coverage: Counts,
    pub(crate) findings: Findings,
    pub(crate) costs: Costs,
    pub(crate) functions: Functions,
    /// How VMs failed.
    pub(crate) traps: Vec<String>,
    /// Answers requests that no test answers by hand.
    pub(crate) upstream: Option<Upstream>,
    /// Properties that a test gave to every stream.
    pub(crate) given: Given,
    /// The names of routes by the beginnings of paths that take them.
    pub(crate) routes: Vec<(String, String)>,
    /// What the resolver knows: addresses by name.
    pub(crate) names: BTreeMap<String, Vec<String>>,
}

/// What another part of the proxy does as soon as the running callback is over.
#[derive(Debug)]
pub(crate) enum Posted {
    /// Something was put into a queue that this root context registered.
    QueueReady { vm_key: String, root: u32, queue: u32 },
    /// A callout's answer has come.
    Answer { call: usize },
    /// The resolver has an answer for this root context.
    Resolved { vm: usize, root: u32, token: u32, name: String },
    /// The upstream may answer this stream by itself.
    Respond { stream: usize },
    /// The stream was answered past its filters, and ends.
    End { stream: usize },
}
