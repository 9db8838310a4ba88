//! What Envoy and the control plane see of the agent between them, over real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that goes wrong should stop where it does"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agent::Agent;
use bytes::Bytes;
use control_plane::{ControlPlane, Tls, patiently};
use envoy::Envoy;
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Resource,
};
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::google::rpc;
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::{Code, Status};

#[path = "support/agent.rs"]
mod agent;
#[path = "support/control_plane.rs"]
mod control_plane;
#[path = "support/envoy.rs"]
mod envoy;
#[path = "support/library.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod library;
#[path = "support/ecds.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod messages;
#[path = "support/raw.rs"]
mod raw;

#[path = "support/typed_struct.rs"]
mod structs;

#[path = "xds/modules.rs"]
mod modules;

const CDS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const LDS: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const NDS: &str = "type.googleapis.com/istio.networking.nds.v1.NameTable";
const WORKLOAD: &str = "type.googleapis.com/istio.workload.Workload";
const ADDRESS: &str = "type.googleapis.com/istio.workload.Address";
const HEALTH: &str = "type.googleapis.com/istio.v1.HealthInformation";
const NODE: &str = "sidecar~10.0.0.1~a.b~b.svc.cluster.local";

/// An agent that leads to that control plane, without TLS.
async fn agent_of(control_plane: &ControlPlane) -> Agent {
    agent_with(control_plane, &[]).await
}

async fn agent_with(control_plane: &ControlPlane, options: &[&str]) -> Agent {
    let address = format!("--discovery-address=http://{}", control_plane.address());
    Agent::start(&[&[address.as_str()], options].concat()).await
}

/// A first request, as Envoy sends it.
fn first(type_url: &str) -> DiscoveryRequest {
    let node = Some(Node { id: NODE.into(), cluster: "a".into(), ..Default::default() });
    DiscoveryRequest { node, type_url: type_url.into(), ..Default::default() }
}

fn first_delta(type_url: &str) -> DeltaDiscoveryRequest {
    let node = Some(Node { id: NODE.into(), cluster: "a".into(), ..Default::default() });
    DeltaDiscoveryRequest { node, type_url: type_url.into(), ..Default::default() }
}

/// The same in either protocol, as bytes.
fn request(delta: bool, type_url: &str) -> Bytes {
    if delta { first_delta(type_url).encode_to_vec() } else { first(type_url).encode_to_vec() }.into()
}

fn response(type_url: &str, nonce: &str) -> DiscoveryResponse {
    DiscoveryResponse {
        version_info: "2026-08-22T10:00:00Z/7".into(),
        type_url: type_url.into(),
        nonce: nonce.into(),
        ..Default::default()
    }
}

/// A response of that many bytes and a few more, which is no resource of Envoy's.
fn large(type_url: &str, bytes: usize) -> Bytes {
    let value = (0..bytes).map(|number| (number % 251) as u8).collect();
    let resources = vec![Any { type_url: type_url.into(), value }];
    DiscoveryResponse { resources, ..response(type_url, "large") }.encode_to_vec().into()
}

/// Until that is so. Only what is sure to come in time is waited for.
async fn until(what: &str, so: impl Fn() -> bool) {
    patiently(what, async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// A round trip through the agent, both ways.
async fn round_trip(envoy: &mut envoy::Stream, control_plane: &mut control_plane::Stream, text: &str) {
    envoy.send(&DiscoveryRequest { version_info: text.into(), ..first(CDS) });
    assert_eq!(control_plane.request::<DiscoveryRequest>().await.version_info, text);
    control_plane.send(&response(CDS, text)).await;
    assert_eq!(envoy.response::<DiscoveryResponse>().await.nonce, text);
}

#[path = "xds/passing.rs"]
mod passing;

#[path = "xds/pressure.rs"]
mod pressure;

#[path = "xds/ends.rs"]
mod ends;

#[path = "xds/health.rs"]
mod health;

#[path = "xds/keepalive.rs"]
mod keepalive;

#[path = "xds/secured.rs"]
mod secured;
