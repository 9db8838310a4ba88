//! What long lists cost inside of Wasm: blocklist's shipped module in the harness, which compiles it by Wasmtime.
//!
//! All of it is CPU time of the one thread that does the work. What a lookup takes is what a request takes more than with a list of one name: all else is the same. Hosts have seven
//! labels and are on no list, so that each domain above them is looked for. One that is asked for again and again finds
//! what it reads in the CPU's caches; a thousand by turns do so less.

use anyhow::Context as _;
use proxy_wasm_harness::{Host, Module, Plugin, Response};

use crate::cpu::of_this_thread;
use crate::report::median;

#[path = "../../filters/blocklist/tests/support/names.rs"]
mod names;

/// How many names the lists have. The first is what others are compared with.
pub const COUNTS: [usize; 3] = [1, 100_000, 1_000_000];
/// How many hosts are asked for.
const HOSTS: usize = 1000;

/// What a list costs.
#[derive(Clone, Debug)]
pub struct List {
    /// How many names it has.
    pub names: usize,
    /// Seconds of CPU time that the configuration took, each time.
    pub configured: Vec<f64>,
    /// Bytes of memory that the VM has.
    pub memory: u64,
    /// Nanoseconds that a request took more than with one name, in each round: always for the same host.
    pub lookup: Vec<f64>,
    /// The same for a thousand hosts by turns.
    pub lookup_of_many: Vec<f64>,
}

/// Measures all lists, with so many rounds of requests to each.
///
/// # Errors
///
/// When the module is not there, or does not do what it should.
pub fn measure(rounds: u32) -> anyhow::Result<Vec<List>> {
    let path = meshloom_lab::root().join("dist/blocklist.wasm");
    let module = Module::from_file(&path).context("run `make optimize`")?;
    let hosts: Vec<String> =
        (0..HOSTS).map(|number| format!("a.b{number}.c.d.e.allowed{number}.example")).collect();
    let mut lists = Vec::new();
    let mut proxies = Vec::new();
    // A module is compiled before the first time counts.
    start(&module, 1)?;
    for count in COUNTS {
        eprintln!("lists: {count} names are read");
        let mut configured = Vec::new();
        let mut proxy = None;
        for _ in 0..STARTS {
            let (host, seconds) = start(&module, count)?;
            configured.push(seconds);
            proxy = Some(host);
        }
        let proxy = proxy.context("a start")?;
        works(&proxy, count)?;
        lists.push(List {
            names: count,
            configured,
            memory: proxy.memory_bytes(),
            lookup: Vec::new(),
            lookup_of_many: Vec::new(),
        });
        proxies.push(proxy);
    }
    let one = vec![hosts.first().cloned().unwrap_or_default(); HOSTS];
    for round in 0..=rounds {
        for hosts in [&one, &hosts] {
            let took =
                proxies.iter().map(|proxy| asked(proxy, hosts)).collect::<anyhow::Result<Vec<f64>>>()?;
            // The first warms the caches.
            let Some(first) = took.first().filter(|_| round > 0) else { continue };
            for (list, took) in lists.iter_mut().zip(&took) {
                let lookups = if *hosts == one { &mut list.lookup } else { &mut list.lookup_of_many };
                lookups.push(took - first);
            }
        }
    }
    Ok(lists)
}

/// A proxy with a list of so many names, and how many seconds of CPU time it took to have it.
fn start(module: &Module, count: usize) -> anyhow::Result<(Host, f64)> {
    let configuration = names::configuration(&names::names(count));
    let plugin = Plugin::new(module).configuration(configuration);
    let builder = Host::envoy().plugin(plugin).workers_only().unmetered();
    let begun = of_this_thread()?;
    let host = builder.try_start()?;
    Ok((host, (of_this_thread()? - begun).as_secs_f64()))
}

/// That the list is there, to its last name.
fn works(host: &Host, count: usize) -> anyhow::Result<()> {
    let names = names::names(count);
    let last = names.last().context("a name")?;
    let stream = host.get("/").authority(format!("a.b.{last}")).send();
    anyhow::ensure!(stream.is_over(), "{last} is not found");
    Ok(())
}

/// Nanoseconds of CPU time that a request took, on average.
fn asked(host: &Host, hosts: &[String]) -> anyhow::Result<f64> {
    let begun = of_this_thread()?;
    for name in (0..TIMES).flat_map(|_| hosts) {
        host.get("/").authority(name).send().respond(Response::new(200));
    }
    Ok((of_this_thread()? - begun).as_secs_f64() * 1e9 / (TIMES * hosts.len()) as f64)
}

/// How often each host is asked for in a round.
const TIMES: usize = 5;
/// How often each list is read.
const STARTS: u32 = 3;

impl List {
    /// The median of what its configuration took, in seconds.
    pub fn seconds(&self) -> f64 {
        median(&self.configured)
    }

    /// The medians of what a lookup took, in nanoseconds: of one host, and of many.
    pub fn nanoseconds(&self) -> [f64; 2] {
        [median(&self.lookup), median(&self.lookup_of_many)]
    }
}
