//! One VM as its hostcalls see it: its contexts, its ids, and the world it is in.
//!
//! The fields stand for those of `WasmBase` in proxy-wasm-cpp-host and `Wasm` in Envoy.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use wasmtime::{Memory, ResourceLimiter, TypedFunc};

use crate::abi::{AbiVersion, Callback};
use crate::callout::Response;
use crate::cost::Cost;
use crate::header::HeaderMap;
use crate::vm::VmConfig;
use crate::world::World;

mod call;
mod memory;

pub(crate) use call::{Call, Halt, Outcome, quoted};

/// The data of a wasmtime store.
pub(crate) struct Guest {
    /// Everything outside of this VM; here for the time of a call, so that no lock is needed.
    pub(crate) world: Option<Box<World>>,
    pub(crate) id: usize,
    pub(crate) config: Arc<VmConfig>,
    pub(crate) abi: AbiVersion,
    pub(crate) memory: Option<Memory>,
    pub(crate) malloc: Option<TypedFunc<u32, u32>>,
    pub(crate) contexts: HashMap<u32, Context>,
    pub(crate) roots: BTreeMap<u32, Root>,
    /// The callback that runs.
    pub(crate) running: Option<Callback>,
    /// The callback that ran last.
    pub(crate) last: Callback,
    /// The context whose callback runs.
    pub(crate) current: u32,
    /// What `proxy_set_effective_context` chose for the rest of the callback; 0 is none.
    pub(crate) effective: u32,
    pub(crate) restriction: Restriction,
    /// A local response was sent in this callback: whatever it returns, the stream stops.
    pub(crate) stopped: bool,
    /// What hostcalls asked for that happens only after the callback, in order.
    pub(crate) effects: VecDeque<Effect>,
    pub(crate) ids: Ids,
    /// The metrics by the ids that this VM was given.
    pub(crate) metrics: HashMap<u32, usize>,
    /// What the current callback has cost so far.
    pub(crate) cost: Cost,
    /// In bytes, all memories together.
    pub(crate) memory_limit: usize,
    /// What all memories have grown to, in bytes.
    memory_bytes: usize,
    /// What all tables have grown to, in elements.
    table_elements: usize,
    /// What hostcalls have done for the current callback, in instructions' worth.
    pub(crate) work: u64,
    /// How much of it one callback may ask for; none if it is not counted.
    pub(crate) work_limit: Option<u64>,
}

/// What a context id means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// Of the VM itself, id 0.
    Vm,
    /// Of a plugin.
    Root,
    /// Of one filter in the chain of an HTTP stream.
    Http { root: u32, stream: usize, filter: usize },
    /// Of one filter in the chain of a TCP connection.
    Tcp { root: u32, connection: usize, filter: usize },
}

/// The state of a root context.
#[derive(Debug, Default)]
pub(crate) struct Root {
    /// Index of its plugin.
    pub(crate) plugin: usize,
    /// The plugin's configuration may be read now.
    pub(crate) configuring: bool,
    pub(crate) http_call: Option<Response>,
    pub(crate) grpc_initial: Option<HeaderMap>,
    pub(crate) grpc_trailing: Option<HeaderMap>,
    pub(crate) grpc_message: Option<Vec<u8>>,
    /// For `proxy_get_status`.
    pub(crate) status: (u32, String),
    pub(crate) tick: Tick,
    /// `on_done` returned false, `proxy_done` is awaited.
    pub(crate) pending_done: bool,
    pub(crate) foreign_arguments: Option<Vec<u8>>,
    /// Properties declared by the foreign function `declare_property`.
    pub(crate) declared: HashMap<Vec<u8>, crate::foreign::Declared>,
}

/// The timer of a root context.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tick {
    /// Milliseconds; 0 is off.
    pub(crate) period: u64,
    /// Counts settings, so that a timer set before is known for stale.
    pub(crate) generation: u64,
}

/// Which hostcalls are allowed (proxy-wasm-cpp-host, `setRestrictedCallback`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restriction {
    None,
    /// While `_initialize`, `_start` or `main` runs.
    Starting,
    /// While the host asks for memory.
    Allocating,
}

/// What happens after a callback, in order (`addAfterVmCallAction`).
#[derive(Debug)]
pub(crate) enum Effect {
    Continue {
        stream: usize,
        filter: usize,
        response: bool,
    },
    Close {
        stream: usize,
    },
    Reply {
        stream: usize,
        reply: Reply,
    },
    ContinueReading {
        connection: usize,
        filter: usize,
    },
    CloseConnection {
        connection: usize,
    },
    /// `proxy_done` was called for this root.
    Delete {
        root: u32,
    },
    /// A callback that reads a callout's answer is over.
    ForgetAnswer {
        root: u32,
    },
}

/// What `proxy_send_local_response` was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u32,
    pub(crate) details: String,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: HeaderMap,
    pub(crate) grpc_status: Option<u32>,
}

/// Counters of ids. The low two bits of an id are its kind (`kCalloutTypeMask`, `kMetricTypeMask`).
#[derive(Debug)]
pub(crate) struct Ids {
    pub(crate) context: u32,
    http_call: u32,
    grpc_call: u32,
    grpc_stream: u32,
    counter: u32,
    gauge: u32,
    histogram: u32,
}

impl Default for Ids {
    fn default() -> Self {
        Self { context: 1, http_call: 0, grpc_call: 1, grpc_stream: 2, counter: 0, gauge: 1, histogram: 2 }
    }
}

/// The step between two ids of one kind.
const STEP: u32 = 4;

fn step(id: &mut u32) -> u32 {
    *id = id.wrapping_add(STEP);
    *id
}

impl Ids {
    pub(crate) fn http_call(&mut self) -> u32 {
        step(&mut self.http_call)
    }

    pub(crate) fn grpc_call(&mut self) -> u32 {
        step(&mut self.grpc_call)
    }

    pub(crate) fn grpc_stream(&mut self) -> u32 {
        step(&mut self.grpc_stream)
    }

    pub(crate) fn metric(&mut self, kind: crate::abi::MetricType) -> u32 {
        use crate::abi::MetricType::{Counter, Gauge, Histogram};
        step(match kind {
            Counter => &mut self.counter,
            Gauge => &mut self.gauge,
            Histogram => &mut self.histogram,
        })
    }
}

impl Guest {
    pub(crate) fn new(id: usize, config: Arc<VmConfig>, abi: AbiVersion, memory_limit: usize) -> Self {
        Self {
            world: None,
            id,
            config,
            abi,
            memory: None,
            malloc: None,
            contexts: HashMap::from([(0, Context::Vm)]),
            roots: BTreeMap::new(),
            running: None,
            last: Callback::ContextCreate,
            current: 0,
            effective: 0,
            restriction: Restriction::None,
            stopped: false,
            effects: VecDeque::new(),
            ids: Ids::default(),
            metrics: HashMap::new(),
            cost: Cost::default(),
            memory_limit,
            memory_bytes: 0,
            table_elements: 0,
            work: 0,
            work_limit: None,
        }
    }

    #[expect(
        clippy::expect_used,
        reason = "a guest runs only inside of Machine::call, which puts the world here"
    )]
    pub(crate) fn world(&mut self) -> &mut World {
        self.world.as_mut().expect("the world is here while a guest runs")
    }

    /// Counts what the host does for the guest: a loop around a hostcall costs the guest little and the host much.
    ///
    /// # Errors
    ///
    /// The trap that ends a callback which asks for too much.
    pub(crate) fn spend(&mut self, work: u64) -> wasmtime::Result<()> {
        self.work = self.work.saturating_add(work);
        match self.work_limit {
            Some(limit) if self.work > limit => Err(wasmtime::Error::msg(
                "out of fuel: the callback asked the host for more than it may (is it a loop without end?)",
            )),
            _ => Ok(()),
        }
    }

    /// A new context's id (`WasmBase::allocContextId`).
    pub(crate) fn allocate_context(&mut self, context: Context) -> u32 {
        loop {
            let id = self.ids.context;
            self.ids.context = id.wrapping_add(1);
            if let Entry::Vacant(free) = self.contexts.entry(id) {
                free.insert(context);
                return id;
            }
        }
    }

    /// The id that hostcalls act on: the effective context, if there is one that lives.
    pub(crate) fn acting(&self) -> u32 {
        if self.effective != 0 && self.contexts.contains_key(&self.effective) {
            self.effective
        } else {
            self.current
        }
    }

    pub(crate) fn context(&self) -> Context {
        self.contexts.get(&self.acting()).copied().unwrap_or(Context::Vm)
    }

    /// The root context above the acting one.
    pub(crate) fn root_id(&self) -> u32 {
        match self.context() {
            Context::Vm => 0,
            Context::Root => self.acting(),
            Context::Http { root, .. } | Context::Tcp { root, .. } => root,
        }
    }

    pub(crate) fn root(&mut self) -> Option<&mut Root> {
        let id = self.root_id();
        self.roots.get_mut(&id)
    }

    /// The plugin that the acting context belongs to.
    pub(crate) fn plugin(&mut self) -> Option<usize> {
        self.root().map(|root| root.plugin)
    }
}

/// Limits that keep a hostile guest from taking the machine's memory.
impl ResourceLimiter for Guest {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(grow(&mut self.memory_bytes, current, desired, self.memory_limit))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // V8's own limit is ten million; a tenth of it serves every module there is.
        Ok(grow(&mut self.table_elements, current, desired, 1_000_000))
    }
}

/// Whether one of several may grow, so that all together stay within the limit.
fn grow(all: &mut usize, current: usize, desired: usize, limit: usize) -> bool {
    let grown = all.saturating_sub(current).saturating_add(desired);
    let allowed = grown <= limit;
    if allowed {
        *all = grown;
    }
    allowed
}
