//! What the agent costs a response that only passes through it: added latency, and responses per second of one stream.
//!
//! `cargo bench -p meshloom-agent --bench xds`. Control plane, agent and Envoy each have one thread. Every figure is
//! taken beside the same without the agent, for the fakes have a cost of their own. Fails if a goal is missed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "as in a test: whatever is not as it should be ends the bench"
)]

use std::time::{Duration, Instant};

use agent::Agent;
use bytes::Bytes;
use control_plane::ControlPlane;
use envoy::Envoy;
use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use envoy_types::pb::google::protobuf::Any;
use prost::Message as _;
use tokio::runtime::{Builder, Runtime};

#[path = "../tests/support/agent.rs"]
mod agent;
#[path = "../tests/support/control_plane.rs"]
mod control_plane;
#[path = "../tests/support/envoy.rs"]
mod envoy;
#[path = "../tests/support/raw.rs"]
mod raw;

const TYPE: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
/// Added to each response of 100 KB, at the median.
const MAX_ADDED: Duration = Duration::from_micros(100);
/// Responses of 10 KB through one stream.
const MIN_PER_SECOND: f64 = 20_000.0;

/// One way from a control plane to an Envoy.
struct Way {
    control_plane: control_plane::Stream,
    envoy: envoy::Stream,
    agent: Option<(Agent, Runtime)>,
    _process: ControlPlane,
}

impl Way {
    async fn open(through_agent: bool) -> Self {
        let mut process = ControlPlane::start().await;
        let direct = process.address().to_string();
        let agent = if through_agent {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let address = format!("--discovery-address=http://{direct}");
            let starting = runtime.spawn(async move { Agent::start(&[&address]).await });
            Some((starting.await.unwrap(), runtime))
        } else {
            None
        };
        let envoy = Envoy::connect_with_window(
            agent.as_ref().map_or(&direct, |(agent, _)| &agent.address),
            Some(16 << 20),
        )
        .await;
        // The direct way is open only once the first response comes.
        let first = DiscoveryRequest { type_url: TYPE.into(), ..Default::default() };
        let (mut envoy, control_plane) = tokio::join!(envoy.sotw_with(&first), async {
            let mut stream = process.stream().await;
            stream.raw_request().await;
            stream.send_raw(response(1)).await;
            stream
        });
        envoy.raw_response().await;
        Self { control_plane, envoy, agent, _process: process }
    }

    /// How long a response takes to Envoy.
    async fn latency(&mut self, response: &Bytes) -> Duration {
        let begun = Instant::now();
        self.control_plane.send_raw(response.clone()).await;
        self.envoy.raw_response().await;
        begun.elapsed()
    }

    /// Responses per second.
    async fn rate(&mut self, response: &Bytes, many: usize) -> f64 {
        let begun = Instant::now();
        let (sender, response) = (self.control_plane.sender(), response.clone());
        let sending = tokio::spawn(async move {
            for _ in 0..many {
                sender.send(Ok(response.clone())).await.unwrap();
            }
        });
        for _ in 0..many {
            self.envoy.raw_response().await;
        }
        sending.await.unwrap();
        many as f64 / begun.elapsed().as_secs_f64()
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        if let Some((_, runtime)) = self.agent.take() {
            runtime.shutdown_background();
        }
    }
}

fn median(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
}

fn response(bytes: usize) -> Bytes {
    let resources = vec![Any { type_url: TYPE.into(), value: vec![7; bytes] }];
    let response =
        DiscoveryResponse { resources, type_url: TYPE.into(), nonce: "n".into(), ..Default::default() };
    response.encode_to_vec().into()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // `cargo test --benches` asks whether it runs at all.
    let (rounds, many) = if std::env::args().any(|it| it == "--bench") { (15, 5_000) } else { (1, 10) };
    let (large, small) = (response(100_000), response(10_000));
    let (mut added, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        // New ones each time: where its memory happens to be makes one faster or slower for all its life.
        let (mut direct, mut through) = (Way::open(false).await, Way::open(true).await);
        // By turns, so that whatever disturbs the machine disturbs both.
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..many / 5 {
            without.push(direct.latency(&large).await);
            with.push(through.latency(&large).await);
        }
        let (with, without) = (median(with), median(without));
        added.push(with.saturating_sub(without));
        println!("100 KB: {with:?} through the agent, {without:?} without");
        let without = direct.rate(&small, many * 4).await;
        let with = through.rate(&small, many * 4).await;
        rates.push(with);
        println!("10 KB: {with:.0} responses/s through the agent, {without:.0} without");
    }
    rates.sort_unstable_by(f64::total_cmp);
    let (added, rate) = (median(added), rates[rounds / 2]);
    println!("median of {rounds} rounds: {added:?} added to 100 KB, {rate:.0} responses/s of 10 KB");
    if rounds > 1 && (added > MAX_ADDED || rate < MIN_PER_SECOND) {
        println!("goal missed: at most {MAX_ADDED:?} added, at least {MIN_PER_SECOND} responses/s");
        std::process::exit(1);
    }
}
