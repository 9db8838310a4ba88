//! `cost-table`: what each filter costs in a real Envoy, beside none, native, Lua and the floor.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use clap::Parser;
use meshloom_bench::goals::{self, Figure};
use meshloom_bench::latency::{self, Waiting};
use meshloom_bench::load::{CONNECTIONS, INTERRUPTED};
use meshloom_bench::report::{self, Table};
use meshloom_bench::setup::Setup;
use meshloom_bench::suite::{self, Suite};
use meshloom_bench::variant::Variant;
use meshloom_bench::{cases, cpu, lists, rounds};

/// Measures what each filter costs in a real Envoy and keeps the results.
#[derive(Parser)]
#[command(name = "cost-table")]
struct Arguments {
    /// How often every variant is visited.
    #[arg(long, default_value_t = 200)]
    rounds: u32,
    /// Requests to each variant in each round; for the large body a fiftieth of them.
    #[arg(long, default_value_t = 1000)]
    requests: u32,
    /// Where the results are kept, in a new folder named by date and host.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Names the machine in the results, in place of what it is.
    #[arg(long, env = "MESHLOOM_BENCH_HOST", value_name = "NAME")]
    host: Option<String>,
    /// Ten rounds, to see that it works; nothing is kept without --out.
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
    /// Only this table: headers, the name of a filter for its cases, body-1mb, body-1mb-clean, silent-service,
    /// first-byte or lists.
    #[arg(long, value_name = "NAME")]
    suite: Option<String>,
    /// Compares another build of a filter's module as well; may be repeated.
    #[arg(long, value_name = "FILTER=PATH", value_parser = candidate)]
    candidate: Vec<(String, PathBuf)>,
}

fn candidate(text: &str) -> Result<(String, PathBuf), &'static str> {
    let (filter, path) = text.split_once('=').ok_or("expected FILTER=PATH")?;
    Ok((filter.to_owned(), path.into()))
}

fn main() -> ExitCode {
    let result = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))
        .context("handling signals")
        .and_then(|()| run(&Arguments::parse()));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The terminal interrupts the Envoys as well, so any error may be its consequence.
        Err(_) if INTERRUPTED.load(Ordering::Relaxed) => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let rounds = if arguments.quick { 10 } else { arguments.rounds };
    let setup = Setup::of_this_machine(rounds);
    let folder = tempfile::tempdir()?;
    let floor = folder.path().join("floor.wasm");
    std::fs::write(&floor, wat::parse_str(include_str!("../floor.wat"))?)?;
    let measured = Measured::new(arguments, rounds, &floor)?;

    let upstream = suite::upstream();
    let mut sections = Vec::new();
    if measured.lists {
        sections.push(report::lists(&lists::measure(rounds)?));
    }
    for waiting in &measured.waits {
        sections.push(report::waits(waiting, &latency::run(waiting, &upstream)?));
    }
    // From here on: threads and processes take it over from the one that starts them.
    cpu::stay_on_one()?;
    let upstream = suite::upstream();
    for suite in &measured.suites {
        sections.push(Table::new(suite, rounds::run(suite, rounds, &upstream)?).section());
    }

    let figures: Vec<Figure> = sections.iter().flat_map(|section| section.figures.clone()).collect();
    let goals = goals::markdown(&goals::read()?, &figures);
    let out = match &arguments.out {
        None if arguments.quick => None,
        None => Some(meshloom_lab::root().join("bench/results")),
        given => given.clone(),
    };
    if let Some(parent) = out {
        let name = setup.folder_name(arguments.host.as_deref());
        let setup = setup.describe(&measured.suites, &measured.waits)?;
        let kept = report::keep(&parent, &name, &setup, &sections, &goals)?;
        eprintln!("kept in {}", kept.display());
    }
    println!("{}", report::summary(&sections, &goals));
    Ok(())
}

/// What is measured.
struct Measured {
    suites: Vec<Suite>,
    waits: Vec<Waiting>,
    lists: bool,
}

impl Measured {
    fn new(arguments: &Arguments, rounds: u32, floor: &Path) -> anyhow::Result<Self> {
        // Whole batches, so that the setup says what was sent.
        let batches = |requests: u32| requests.next_multiple_of(CONNECTIONS);
        let (requests, bodies) = (batches(arguments.requests), batches(arguments.requests.div_ceil(50)));
        let mut ours =
            meshloom_lab::filters().iter().map(|name| Variant::ours(name)).collect::<Result<Vec<_>, _>>()?;
        for (filter, path) in &arguments.candidate {
            ours.push(Variant::candidate(filter, path)?);
        }
        let mut suites = vec![Suite::headers(requests, floor, &ours)];
        let mut large = Vec::new();
        for name in meshloom_lab::filters() {
            let folder = meshloom_lab::root().join("filters").join(&name).join("bench");
            let (setting, variants) = cases::of(&name, &folder)?;
            if !variants.is_empty() {
                suites.push(Suite::cases(&name, requests, floor, &setting, variants));
            }
            large.extend(cases::of(&name, &folder.join("body-1mb"))?.1);
        }
        let looked_into = large.iter().find(|variant| variant.case == latency::LOOKED_INTO).cloned();
        suites.push(Suite::clean_body(bodies, floor, large.clone()));
        suites.push(Suite::large_body(bodies, floor, [ours, large].concat()));
        let mut waits = vec![latency::silent(10 * rounds)?, latency::first_byte(5 * rounds, looked_into)];
        let mut lists = true;
        if let Some(name) = &arguments.suite {
            let names = suites
                .iter()
                .chain(waits.iter().map(|waiting| &waiting.suite))
                .map(|suite| suite.name.clone());
            let names: Vec<String> = names.chain(["lists".to_owned()]).collect();
            anyhow::ensure!(names.contains(name), "no suite {name:?}, expected one of {}", names.join(", "));
            suites.retain(|suite| suite.name == *name);
            waits.retain(|waiting| waiting.suite.name == *name);
            lists = name == "lists";
        }
        for variant in suites.iter().chain(waits.iter().map(|it| &it.suite)).flat_map(|suite| &suite.variants)
        {
            variant.is_there()?;
        }
        Ok(Self { suites, waits, lists })
    }
}
