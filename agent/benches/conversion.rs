//! What a resource of ECDS costs whose module is in the store: the stream's desk, the status board and the store, as they
//! run in the agent.
//!
//! `cargo bench -p meshloom-agent --bench conversion`. Fails if a goal is missed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    reason = "as in a test: whatever is not as it should be ends the bench"
)]

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ecds::{HTTP_WASM, plugin};
use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Resource,
};
use envoy_types::pb::google::protobuf::Any;
use futures_util::future::BoxFuture;
use meshloom_agent::ecds::{Desk, Effect, LastGood, Options, Protocol, TYPE_URL};
use meshloom_agent::fetch::{Downloaded, Fetcher, Progress, Resolved};
use meshloom_agent::library::{Parts, Shelf};
use meshloom_agent::status::{Board, Metrics, Way};
use meshloom_agent::store::{Store, StoreOptions};
use meshloom_agent::trust::{Signature, Trust, TrustOptions};
use meshloom_agent::{Library as _, Sha256, Unavailable, Wanted};
use prost::Message as _;

#[path = "../tests/support/ecds.rs"]
mod ecds;

/// One resource, at the median.
const MAX_ONE: Duration = Duration::from_micros(200);
/// A response with a thousand of them.
const MAX_THOUSAND: Duration = Duration::from_millis(50);

/// Has every module that is asked for.
struct Everything;

impl Fetcher for Everything {
    fn resolve<'a>(&'a self, _: &'a Wanted) -> BoxFuture<'a, Result<Resolved, Unavailable>> {
        Box::pin(async { Ok(Resolved::default()) })
    }

    fn download<'a>(
        &'a self,
        wanted: &'a Wanted,
        _: &'a Resolved,
        folder: &'a Path,
        _: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Downloaded, Unavailable>> {
        let module = wat::parse_str(format!(
            r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
                (func (export "malloc") (param i32) (result i32) i32.const 0) (data (i32.const 0) "{}"))"#,
            wanted.url
        ))
        .unwrap();
        let mut file = tempfile::NamedTempFile::new_in(folder).unwrap();
        file.write_all(&module).unwrap();
        let downloaded = Downloaded { file, sha256: Sha256::of(&module), size: module.len() as u64 };
        Box::pin(async { Ok(downloaded) })
    }

    fn signatures<'a>(
        &'a self,
        _: &'a Wanted,
        _: &'a Resolved,
    ) -> BoxFuture<'a, Result<Vec<Signature>, Unavailable>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

fn name(index: usize) -> String {
    format!("extensions.istio.io/trafficextension/default.gate-{index}~istio-translated-wasmplugin")
}

fn url(index: usize) -> String {
    format!("http://modules.test/gate-{index}.wasm")
}

fn resource(index: usize) -> Any {
    let filter = Wasm { config: Some(plugin(&url(index))) };
    let typed = Any { type_url: HTTP_WASM.into(), value: filter.encode_to_vec() };
    let resource = TypedExtensionConfig { name: name(index), typed_config: Some(typed) };
    Any { type_url: TYPE_URL.into(), value: resource.encode_to_vec() }
}

/// A response with the first so many resources.
fn response(protocol: Protocol, many: usize, nonce: &str) -> bytes::Bytes {
    let (type_url, nonce) = (TYPE_URL.to_owned(), nonce.to_owned());
    match protocol {
        Protocol::Sotw => DiscoveryResponse {
            type_url,
            nonce: nonce.clone(),
            version_info: nonce,
            resources: (0..many).map(resource).collect(),
            ..DiscoveryResponse::default()
        }
        .encode_to_vec(),
        Protocol::Delta => {
            let one = |index| Resource {
                name: name(index),
                resource: Some(resource(index)),
                ..Resource::default()
            };
            let resources = (0..many).map(one).collect();
            DeltaDiscoveryResponse { type_url, nonce, resources, ..DeltaDiscoveryResponse::default() }
                .encode_to_vec()
        }
    }
    .into()
}

/// What Envoy says: what it wants, or that it took what has this nonce.
fn request(protocol: Protocol, many: usize, nonce: &str) -> bytes::Bytes {
    let (type_url, response_nonce) = (TYPE_URL.to_owned(), nonce.to_owned());
    let names: Vec<String> = (0..many).map(name).collect();
    match protocol {
        Protocol::Sotw => DiscoveryRequest {
            type_url,
            version_info: response_nonce.clone(),
            response_nonce,
            resource_names: names,
            ..DiscoveryRequest::default()
        }
        .encode_to_vec(),
        Protocol::Delta => DeltaDiscoveryRequest {
            type_url,
            resource_names_subscribe: if response_nonce.is_empty() { names } else { Vec::new() },
            response_nonce,
            ..DeltaDiscoveryRequest::default()
        }
        .encode_to_vec(),
    }
    .into()
}

/// How long a response is on the desk, at the median of so many: with what the status page shows of it, on both ways.
fn conversion(shelf: &Shelf, protocol: Protocol, many: usize, rounds: usize) -> Duration {
    let board = Arc::<Board>::default();
    let mut desk = Desk::new(
        1,
        protocol,
        Arc::new(shelf.clone()),
        board.clone(),
        Arc::new(Metrics::default()),
        Arc::new(LastGood::default()),
        Options::default(),
    );
    let mut effects = Vec::new();
    desk.request(request(protocol, many, ""), Instant::now(), &mut effects);
    let mut taken = Vec::new();
    for round in 0..rounds {
        let nonce = round.to_string();
        let message = response(protocol, many, &nonce);
        effects.clear();
        let begun = Instant::now();
        board.record(1, protocol, Way::Received, &message);
        desk.response(message, begun, &mut effects);
        for effect in &effects {
            if let Effect::ToEnvoy(response) = effect {
                board.record(1, protocol, Way::Sent, response);
            }
        }
        taken.push(begun.elapsed());
        assert!(matches!(effects.as_slice(), [Effect::ToEnvoy(_)]), "everything is at hand: {effects:?}");
        desk.request(request(protocol, many, &nonce), Instant::now(), &mut effects);
    }
    taken.sort_unstable();
    taken[rounds / 2]
}

fn main() {
    // `cargo test --benches` passes this: that it runs is enough then.
    let quick = std::env::args().any(|argument| argument == "--test") || cfg!(debug_assertions);
    let (modules, rounds) = if quick { (20, 3) } else { (1000, 200) };
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(Parts {
        store: Store::open(&StoreOptions::at(folder.path())).unwrap(),
        shared: None,
        bundle: None,
        fetcher: Arc::new(Everything),
        trust: Trust::new(&TrustOptions::default()).unwrap(),
        metrics: Arc::new(Metrics::default()),
        offline: false,
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _kept: Vec<_> = (0..modules)
        .map(|index| {
            let wanted = Wanted::new(url(index), name(index), Duration::from_secs(30));
            let wanted = Wanted { resource_version: "1".to_owned(), ..wanted };
            runtime.block_on(shelf.obtain(wanted)).unwrap()
        })
        .collect();

    let mut missed = Vec::new();
    for protocol in [Protocol::Sotw, Protocol::Delta] {
        let one = conversion(&shelf, protocol, 1, rounds * 10);
        let all = conversion(&shelf, protocol, modules, rounds);
        println!(
            "{protocol:?}: one resource {one:.1?} (goal {MAX_ONE:?}), {modules} resources {all:.2?} (goal {MAX_THOUSAND:?})"
        );
        if !quick && (one > MAX_ONE || all > MAX_THOUSAND) {
            missed.push(protocol);
        }
    }
    assert!(missed.is_empty(), "goals were missed: {missed:?}");
}
