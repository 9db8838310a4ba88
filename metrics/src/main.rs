//! `metrics`: writes the dashboard, the page's list of queries, and plots of a load.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use meshloom_lab::{Bootstrap, Envoy, Httpbin, Prometheus, Series, root};
use meshloom_metrics::{DASHBOARD, Line, PAGE, PLOTS, Panel, Plot, Queries, Terms, dashboard, page};

mod load;

/// Writes what is made of `metrics/queries.yaml`.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write the Grafana dashboard and the list of queries in docs/metrics.md
    Dashboard,
    /// Put a real Envoy under load, let a real Prometheus scrape it, and plot its answers into docs/metrics/
    Plots {
        /// How long the load lasts, in seconds
        #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(20..=300))]
        seconds: u32,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Verb::Dashboard => write_documents(),
        Verb::Plots { seconds } => write_plots(seconds),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn write_documents() -> Result<()> {
    let queries = Queries::read()?;
    write(DASHBOARD, &dashboard(&queries)?)?;
    let old = std::fs::read_to_string(root().join(PAGE)).context(PAGE)?;
    write(PAGE, &page(&old, &queries)?)
}

/// The plots are of short rates, so that two minutes show something.
const WINDOW: &str = "15s";
const TERMS: Terms<'static> = Terms { selector: r#"job="envoy""#, window: WINDOW, ..Terms::SHOWN };

/// How long is scraped before and after the load: longer than a window, so that the plots begin and end at rest.
const REST: Duration = Duration::from_secs(20);

/// What the plots ask for has to be recorded.
const RECORDED: &str = r#"{
    "version": 1, "direction": "inbound", "metrics": {"ttfb": true, "upstream": true, "inflight": true},
    "slo": [{"name": "fast", "latency": "300ms"}]
}"#;

fn write_plots(seconds: u32) -> Result<()> {
    let queries = Queries::read()?;
    let httpbin = Httpbin::start();
    let bootstrap = Bootstrap::filter("http-timing").upstream(httpbin.address());
    let envoy = Envoy::with(bootstrap.configure("http-timing", RECORDED)).concurrency(2).start();
    let prometheus =
        Prometheus::scraping(&[envoy.admin()], "1s").context("the plots are Prometheus' answers")?;

    let start = SystemTime::now();
    std::thread::sleep(REST);
    eprintln!("{seconds} s of load");
    let answered = load::run(envoy.proxy(), Duration::from_secs(seconds.into()));
    std::thread::sleep(REST);
    let end = SystemTime::now();
    let recorded = envoy.stat("wasm_http_inbound_duration_ms_count");
    eprintln!("{answered} requests were answered, {recorded} recorded");
    ensure!(answered > 0 && u64::try_from(answered)? <= recorded, "requests were answered and not recorded");

    for panel in &queries.panels {
        let Some(name) = &panel.plot else { continue };
        let mut lines = Vec::new();
        for query in &panel.queries {
            let series = prometheus.query_range(&queries.render(query, TERMS)?, start, end, 1)?;
            ensure!(!series.is_empty(), "{query} has no answer");
            let name = |one: &Series| one.labels.values().next().unwrap_or(query).clone();
            lines.extend(series.iter().map(|one| Line { name: name(one), points: since(start, one) }));
        }
        write(&format!("{PLOTS}/{name}.svg"), &plot(panel, seconds, lines).to_svg())?;
    }
    Ok(())
}

fn plot(panel: &Panel, seconds: u32, lines: Vec<Line>) -> Plot<'_> {
    let (seconds, rest) = (f64::from(seconds), REST.as_secs_f64());
    let (from, to) = load::BAD;
    let span = (rest + seconds * from, rest + seconds * to, "slow and failing");
    Plot { title: &panel.title, unit: &panel.unit, seconds: seconds + 2.0 * rest, span, lines }
}

fn since(start: SystemTime, series: &Series) -> Vec<(f64, f64)> {
    let start = start.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    series.points.iter().map(|(time, value)| (time - start, *value)).collect()
}

fn write(path: &str, text: &str) -> Result<()> {
    let full = root().join(path);
    if let Some(folder) = full.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("making the folder of {path}"))?;
    }
    std::fs::write(full, text).with_context(|| format!("writing {path}"))?;
    println!("{path}");
    Ok(())
}
