//! What Envoy and the control plane see of the agent between them, over real sockets.

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
#[path = "support/raw.rs"]
mod raw;

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

mod passing {
    use super::*;

    #[tokio::test]
    async fn clusters_then_listeners_pass_both_ways_with_node_nonce_and_acknowledgement() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let mut envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let mut stream = control_plane.stream().await;
        assert!(!stream.delta);
        assert_eq!(stream.request::<DiscoveryRequest>().await, first(CDS));
        stream.send(&response(CDS, "n1")).await;
        assert_eq!(envoy.response::<DiscoveryResponse>().await, response(CDS, "n1"));
        let acknowledged = DiscoveryRequest {
            version_info: "2026-08-22T10:00:00Z/7".into(),
            response_nonce: "n1".into(),
            type_url: CDS.into(),
            ..Default::default()
        };
        let refused = DiscoveryRequest {
            error_detail: Some(rpc::Status { code: 13, message: "no such filter".into(), details: vec![] }),
            ..acknowledged.clone()
        };
        for sent in [first(LDS), acknowledged, refused] {
            envoy.send(&sent);
            assert_eq!(stream.request::<DiscoveryRequest>().await, sent);
        }
        stream.send(&response(LDS, "n2")).await;
        assert_eq!(envoy.response::<DiscoveryResponse>().await, response(LDS, "n2"));
        let shown = &agent.streams.all()[0];
        assert_eq!((shown.requests, shown.responses, shown.node.as_deref()), (4, 2, Some(NODE)));
        assert!(shown.connected);
    }

    #[tokio::test]
    async fn the_same_in_delta_with_versions_and_removed_resources() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let mut envoy = Envoy::connect(&agent.address).await.delta().await;
        let asked = DeltaDiscoveryRequest {
            resource_names_subscribe: vec!["*".into()],
            initial_resource_versions: [("a".to_owned(), "1".to_owned())].into(),
            ..first_delta(CDS)
        };
        envoy.send(&asked);
        let mut stream = control_plane.stream().await;
        assert!(stream.delta);
        assert_eq!(stream.request::<DeltaDiscoveryRequest>().await, asked);
        for type_url in [CDS, LDS] {
            let sent = DeltaDiscoveryResponse {
                system_version_info: "1".into(),
                resources: vec![Resource { name: "a".into(), version: "1".into(), ..Default::default() }],
                type_url: type_url.into(),
                removed_resources: vec!["b".into()],
                nonce: "n1".into(),
                ..Default::default()
            };
            stream.send(&sent).await;
            assert_eq!(envoy.response::<DeltaDiscoveryResponse>().await, sent);
        }
    }

    #[tokio::test]
    async fn bytes_that_nobody_here_understands_pass_in_both_directions() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        for delta in [false, true] {
            let mut envoy = Envoy::connect(&agent.address).await.stream(delta).await;
            // Field 1000 with a varint that is longer than it need be, and the type given twice: what is decoded and
            // encoded again has neither.
            let mut asked = b"\xc0\x3e\x81\x80\x00".to_vec();
            asked.extend(request(delta, "other"));
            asked.extend(request(delta, CDS));
            envoy.send_raw(asked.clone().into());
            let mut stream = control_plane.stream().await;
            assert_eq!(stream.raw_request().await, asked);
            let mut answer = asked.split_off(0);
            answer.extend(response(CDS, "n").encode_to_vec());
            stream.send_raw(answer.clone().into()).await;
            assert_eq!(envoy.raw_response().await, answer);
        }
    }

    #[tokio::test]
    async fn a_response_of_20_mb_passes_whole() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let mut envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let stream = control_plane.stream().await;
        let sent = large(CDS, 20_000_000);
        for _ in 0..2 {
            stream.send_raw(sent.clone()).await;
            assert!(envoy.raw_response().await == sent);
        }
    }

    #[tokio::test]
    async fn a_response_longer_than_the_limit_ends_the_stream() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_with(&control_plane, &["--xds-max-response=1000"]).await;
        let envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let stream = control_plane.stream().await;
        stream.send_raw(large(CDS, 1001)).await;
        let end = envoy.end().await;
        assert_eq!(end.code(), Code::OutOfRange, "{end}");
        stream.closed().await;
    }

    #[tokio::test]
    async fn a_request_longer_than_the_limit_ends_the_stream() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_with(&control_plane, &["--xds-max-request=1000"]).await;
        let envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let mut stream = control_plane.stream().await;
        stream.raw_request().await;
        envoy.send(&DiscoveryRequest { resource_names: vec!["x".repeat(1001)], ..first(CDS) });
        assert_eq!(envoy.end().await.code(), Code::OutOfRange);
        assert_eq!(stream.closed().await, 0);
    }

    #[tokio::test]
    async fn types_that_are_none_of_envoy_s_are_dropped_and_counted() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let mut envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(LDS));
        let mut stream = control_plane.stream().await;
        stream.raw_request().await;
        for type_url in [NDS, ADDRESS, "", WORKLOAD] {
            stream.send(&response(type_url, "n")).await;
        }
        assert_eq!(envoy.response::<DiscoveryResponse>().await.type_url, WORKLOAD);
        assert_eq!(agent.streams.all()[0].dropped, 3);
        envoy.send(&first(CDS));
        let next = stream.request::<DiscoveryRequest>().await;
        assert_eq!(
            next.type_url, CDS,
            "neither names nor proxy configurations are asked for, nor acknowledged"
        );
    }

    #[tokio::test]
    async fn what_is_no_message_ends_the_stream_and_says_whose_it_is() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let connection = Envoy::connect(&agent.address).await;
        let envoy = connection.sotw().await;
        envoy.send_raw(Bytes::from_static(b"\x22\xff"));
        let end = envoy.end().await;
        assert_eq!((end.code(), end.message().contains("Envoy")), (Code::InvalidArgument, true), "{end}");
        let envoy = connection.sotw().await;
        envoy.send(&first(CDS));
        let mut stream = control_plane.stream().await;
        while stream.next().await.unwrap().is_none() {
            stream = control_plane.stream().await; // that of the first
        }
        stream.send_raw(Bytes::from_static(b"\x22\xff")).await;
        let end = envoy.end().await;
        assert_eq!((end.code(), end.message().contains("control plane")), (Code::Internal, true), "{end}");
    }

    #[tokio::test]
    async fn other_methods_are_not_served() {
        let control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let envoy = Envoy::connect(&agent.address).await;
        let refused =
            envoy.try_open("/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters").await;
        assert_eq!(refused.err().map(|status| status.code()), Some(Code::Unimplemented));
    }

    #[tokio::test]
    async fn envoy_finds_the_agent_at_a_port_as_well() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_with(&control_plane, &["--xds-listen=127.0.0.1:0"]).await;
        let mut envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let mut stream = control_plane.stream().await;
        stream.raw_request().await;
        round_trip(&mut envoy, &mut stream, "port").await;
    }
}

mod pressure {
    use super::*;

    /// istio#39209: with queues of limited length Envoy, agent and control plane wait for each other.
    #[tokio::test]
    async fn a_flood_of_requests_passes_while_envoy_reads_no_response() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let connection = Envoy::connect_with_window(&agent.address, Some(65_535)).await;
        let mut envoy = connection.sotw().await;
        envoy.send(&first(CDS));
        let mut stream = control_plane.stream().await;
        stream.raw_request().await;
        // As much as to fill each buffer on the way, so that not one more byte can be sent to Envoy.
        let responses = stream.sender();
        let sending = tokio::spawn(async move {
            for _ in 0..200 {
                responses.send(Ok(large(CDS, 100_000))).await.unwrap();
            }
        });
        let names = vec!["x".repeat(1000)];
        for number in 0..20_000 {
            let version_info = format!("{number}");
            envoy.send(&DiscoveryRequest { version_info, resource_names: names.clone(), ..first(CDS) });
        }
        for number in 0..20_000 {
            assert_eq!(stream.request::<DiscoveryRequest>().await.version_info, format!("{number}"));
        }
        assert!(
            !sending.is_finished(),
            "20 MB are somewhere between the control plane and Envoy, which read nothing"
        );
        for _ in 0..200 {
            envoy.raw_response().await;
        }
        sending.await.unwrap();
    }

    /// And the other way round: a control plane that reads nothing while it sends.
    #[tokio::test]
    async fn responses_pass_while_the_control_plane_reads_no_request() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let mut envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let mut stream = control_plane.stream().await;
        for _ in 0..10_000 {
            envoy.send(&DiscoveryRequest { resource_names: vec!["x".repeat(1000)], ..first(CDS) });
        }
        for _ in 0..100 {
            stream.send_raw(large(CDS, 100_000)).await;
            envoy.raw_response().await;
        }
        for _ in 0..10_001 {
            stream.raw_request().await;
        }
    }

    #[tokio::test]
    async fn requests_that_a_control_plane_never_reads_end_the_stream_at_a_limit() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_with(&control_plane, &["--xds-max-waiting-requests=1000000"]).await;
        let envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let _unread = control_plane.stream().await;
        for _ in 0..5_000 {
            envoy.send(&DiscoveryRequest { resource_names: vec!["x".repeat(1000)], ..first(CDS) });
        }
        let end = envoy.end().await;
        assert_eq!(end.code(), Code::ResourceExhausted, "{end}");
        until("the end of the stream", || agent.streams.open() == 0).await;
    }

    #[tokio::test]
    async fn an_envoy_that_reads_nothing_makes_the_control_plane_wait_and_holds_up_nobody_else() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let stalled_connection = Envoy::connect_with_window(&agent.address, Some(65_535)).await;
        let mut stalled = stalled_connection.sotw().await;
        stalled.send(&first(CDS));
        let stalled_stream = control_plane.stream().await;
        let sent = Arc::new(AtomicUsize::new(0));
        let sending = tokio::spawn({
            let (responses, sent) = (stalled_stream.sender(), sent.clone());
            let response = large(CDS, 100_000);
            async move {
                for _ in 0..640 {
                    responses.send(Ok(response.clone())).await.unwrap();
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let mut envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let mut stream = control_plane.stream().await;
        stream.raw_request().await;
        // Until no more is sent in the time of many round trips of another stream, which runs on the same threads.
        let mut before = usize::MAX;
        while before != sent.load(Ordering::Relaxed) {
            before = sent.load(Ordering::Relaxed);
            for number in 0..300 {
                round_trip(&mut envoy, &mut stream, &number.to_string()).await;
            }
        }
        // Windows of 1 MiB and 64 KiB, the outbox of 256 KiB, send buffers of 400 KiB at both servers, sockets, and a
        // message or two in each hand.
        assert!(before < 80, "{before} responses of 100 KB are on their way to an Envoy that reads none");
        for _ in 0..640 {
            stalled.raw_response().await;
        }
        sending.await.unwrap();
    }
}

mod ends {
    use super::*;

    #[tokio::test]
    async fn a_stream_that_the_control_plane_ends_without_error_ends_without_error() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let mut envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let mut stream = control_plane.stream().await;
        stream.raw_request().await;
        stream.send(&response(CDS, "last")).await;
        drop(stream);
        assert_eq!(envoy.response::<DiscoveryResponse>().await.nonce, "last");
        assert_eq!(envoy.end().await.code(), Code::Ok);
        assert_eq!(agent.streams.last_error(), None);
    }

    #[tokio::test]
    async fn an_error_of_the_control_plane_reaches_envoy_with_code_message_and_details() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let connection = Envoy::connect(&agent.address).await;
        for after_a_response in [false, true] {
            let mut envoy = connection.sotw().await;
            envoy.send(&first(CDS));
            let mut stream = control_plane.stream().await;
            stream.raw_request().await;
            if after_a_response {
                stream.send(&response(CDS, "n")).await;
                envoy.raw_response().await;
            }
            let status =
                Status::with_details(Code::InvalidArgument, "missing node information", "why".into());
            stream.end(status).await;
            let end = envoy.end().await;
            assert_eq!((end.code(), end.message()), (Code::InvalidArgument, "missing node information"));
            assert_eq!(end.details(), b"why");
        }
        let (_, error) = agent.streams.last_error().unwrap();
        assert!(error.contains("missing node information"), "{error}");
    }

    #[tokio::test]
    async fn a_control_plane_that_is_not_there_is_named() {
        let control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let address = control_plane.address().to_string();
        control_plane.kill();
        let envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let end = envoy.end().await;
        assert_eq!(end.code(), Code::Unavailable);
        assert!(end.message().contains(&address) && end.message().contains("refused"), "{end}");
    }

    #[tokio::test]
    async fn a_control_plane_that_is_killed_ends_the_stream_and_one_at_the_same_port_takes_over() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let connection = Envoy::connect(&agent.address).await;
        for round in 0..3 {
            let mut envoy = connection.stream(round == 1).await;
            envoy.send_raw(request(round == 1, CDS));
            let mut stream = control_plane.stream().await;
            stream.raw_request().await;
            if round > 0 {
                stream.send(&response(CDS, "n")).await;
                envoy.raw_response().await;
            }
            let address: SocketAddr = control_plane.address();
            control_plane.kill();
            let end = envoy.end().await;
            assert_eq!(end.code(), Code::Unavailable, "{end}");
            control_plane = ControlPlane::start_at(address, None).await;
        }
    }

    #[tokio::test]
    async fn an_envoy_that_ends_resets_or_is_killed_ends_the_control_plane_s_stream() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        for how in ["finish", "reset", "kill"] {
            let connection = Envoy::connect(&agent.address).await;
            let mut envoy = connection.sotw().await;
            envoy.send(&first(CDS));
            let mut stream = control_plane.stream().await;
            stream.raw_request().await;
            match how {
                "finish" => {
                    envoy.finish();
                    assert_eq!(envoy.end().await.code(), Code::Ok);
                }
                "reset" => drop(envoy),
                _ => connection.kill(),
            }
            assert_eq!(stream.closed().await, 0, "{how}");
            until("the end of the stream", || agent.streams.open() == 0).await;
        }
        assert_eq!(agent.streams.last_error(), None);
    }

    #[tokio::test]
    async fn envoy_may_open_another_stream_after_it_closed_one() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let connection = Envoy::connect(&agent.address).await;
        for number in 0..5 {
            let mut envoy = connection.sotw().await;
            envoy.send(&first(CDS));
            let mut stream = control_plane.stream().await;
            stream.raw_request().await;
            round_trip(&mut envoy, &mut stream, &number.to_string()).await;
            drop(envoy);
            stream.closed().await;
        }
    }

    /// Istio's agent keeps one stream only: a second one closes the first (istio#53532).
    #[tokio::test]
    async fn many_streams_of_both_protocols_live_at_once_and_none_ends_with_another() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let connections = [Envoy::connect(&agent.address).await, Envoy::connect(&agent.address).await];
        let mut pairs = Vec::new();
        for number in 0..10 {
            let envoy = connections[number % 2].stream(number % 3 == 0).await;
            envoy.send_raw(request(number % 3 == 0, CDS));
            let mut stream = control_plane.stream().await;
            stream.raw_request().await;
            pairs.push((envoy, stream));
        }
        assert_eq!(agent.streams.open(), 10);
        for keep in (0..10).rev() {
            for (number, (envoy, stream)) in pairs.iter_mut().enumerate() {
                stream.send(&response(CDS, &format!("{keep} {number}"))).await;
                let nonce = envoy.response::<DiscoveryResponse>().await.nonce;
                assert_eq!(nonce, format!("{keep} {number}"));
            }
            let (envoy, stream) = pairs.remove(pairs.len() / 2);
            drop(envoy);
            stream.closed().await;
        }
    }

    #[tokio::test]
    async fn the_newest_stream_survives_the_close_of_the_connection_before() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let old_connection = Envoy::connect(&agent.address).await;
        let old = old_connection.sotw().await;
        old.send(&first(CDS));
        let old_stream = control_plane.stream().await;
        let mut new = Envoy::connect(&agent.address).await.sotw().await;
        new.send(&first(CDS));
        let mut new_stream = control_plane.stream().await;
        new_stream.raw_request().await;
        round_trip(&mut new, &mut new_stream, "before").await;
        old_connection.kill();
        old_stream.closed().await;
        round_trip(&mut new, &mut new_stream, "after").await;
    }

    #[tokio::test]
    async fn nothing_is_left_of_200_streams() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let connection = Envoy::connect(&agent.address).await;
        let mut tasks = None;
        for number in 0..200 {
            let envoy = connection.stream(number % 2 == 0).await;
            envoy.send_raw(request(number % 2 == 0, CDS));
            let mut stream = control_plane.stream().await;
            stream.raw_request().await;
            match number % 4 {
                0 => drop(envoy),
                1 => _ = stream.end(Status::internal("over")).await,
                2 => drop(stream),
                _ => {
                    // The control plane does not read what it is sent: its connection is closed all the same.
                    envoy.send(&DiscoveryRequest {
                        resource_names: vec!["x".repeat(3_000_000)],
                        ..first(CDS)
                    });
                    until("the request", || agent.streams.all().iter().any(|it| it.requests == 2)).await;
                    drop(envoy);
                }
            }
            until("the end of the stream", || agent.streams.open() == 0).await;
            if number == 9 {
                tasks = Some(settled().await);
            }
        }
        assert_eq!(agent.streams.opened(), 200);
        let left = settled().await;
        assert!(left <= tasks.unwrap(), "{left} tasks, and {tasks:?} after the first ten streams");
    }

    /// The tasks of this runtime, once those of closed connections have ended.
    async fn settled() -> usize {
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let mut seen = usize::MAX;
        // Longer than a connection may take to close.
        while seen != tasks() {
            seen = tasks();
            tokio::time::sleep(Duration::from_millis(1500)).await;
        }
        seen
    }

    #[tokio::test]
    async fn a_stream_that_is_old_is_ended_without_error_so_that_envoy_opens_another() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_with(&control_plane, &["--xds-max-stream-age=100ms"]).await;
        let connection = Envoy::connect(&agent.address).await;
        for _ in 0..3 {
            let envoy = connection.sotw().await;
            envoy.send(&first(CDS));
            let mut stream = control_plane.stream().await;
            stream.raw_request().await;
            assert_eq!(envoy.end().await.code(), Code::Ok);
            stream.closed().await;
        }
        assert_eq!(agent.streams.last_error(), None);
    }

    #[tokio::test]
    async fn at_the_end_streams_go_on_for_a_while_and_end_without_error_and_the_socket_is_gone() {
        let mut control_plane = ControlPlane::start().await;
        let mut agent = agent_with(&control_plane, &["--xds-drain=300ms"]).await;
        let socket = agent.address.trim_start_matches("unix:").to_owned();
        let mut envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let mut stream = control_plane.stream().await;
        stream.raw_request().await;
        round_trip(&mut envoy, &mut stream, "before").await;
        agent.tell_to_stop();
        until("the socket's end", || !std::path::Path::new(&socket).exists()).await;
        round_trip(&mut envoy, &mut stream, "while draining").await;
        assert_eq!(envoy.end().await.code(), Code::Ok);
        stream.closed().await;
        agent.stopped().await;
    }

    #[tokio::test]
    async fn an_envoy_that_reads_nothing_does_not_keep_the_agent_from_ending() {
        let mut control_plane = ControlPlane::start().await;
        let mut agent = agent_of(&control_plane).await;
        let connection = Envoy::connect_with_window(&agent.address, Some(65_535)).await;
        let envoy = connection.sotw().await;
        envoy.send(&first(CDS));
        let stream = control_plane.stream().await;
        for _ in 0..3 {
            stream.send_raw(large(CDS, 100_000)).await;
        }
        until("the stream", || agent.streams.connected() == 1).await;
        agent.tell_to_stop();
        agent.stopped().await;
    }

    /// tonic 0.14 panics at details that are no base64, and a panic is the agent's end.
    #[tokio::test]
    async fn an_end_with_details_that_cannot_be_read_is_an_end_like_others() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("--discovery-address=http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (connection, _) = listener.accept().await.unwrap();
            let answer = |_| async {
                let answer = http::Response::builder()
                    .header("content-type", "application/grpc")
                    .header("grpc-status", "13")
                    .header("grpc-message", "broken")
                    .header("grpc-status-details-bin", "!");
                Ok::<_, std::convert::Infallible>(answer.body(http_body_util::Empty::<Bytes>::new()).unwrap())
            };
            let io = hyper_util::rt::TokioIo::new(connection);
            hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
                .serve_connection(io, hyper::service::service_fn(answer))
                .await
        });
        let agent = Agent::start(&[&address]).await;
        let envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let end = envoy.end().await;
        assert_eq!((end.code(), end.message()), (Code::Internal, "broken"));
    }
}

mod health {
    use super::*;

    /// The type of the next request, and what is wrong according to it.
    async fn reported(stream: &mut control_plane::Stream) -> (String, Option<(i32, String)>) {
        let (type_url, detail) = if stream.delta {
            let request = stream.request::<DeltaDiscoveryRequest>().await;
            (request.type_url, request.error_detail)
        } else {
            let request = stream.request::<DiscoveryRequest>().await;
            (request.type_url, request.error_detail)
        };
        (type_url, detail.map(|detail| (detail.code, detail.message)))
    }

    fn healthy() -> (String, Option<(i32, String)>) {
        (HEALTH.to_owned(), None)
    }

    fn unhealthy(message: &str) -> (String, Option<(i32, String)>) {
        (HEALTH.to_owned(), Some((13, message.to_owned())))
    }

    fn asked(type_url: &str) -> (String, Option<(i32, String)>) {
        (type_url.to_owned(), None)
    }

    #[tokio::test]
    async fn it_is_told_after_the_first_request_for_listeners_and_when_it_changes() {
        for delta in [false, true] {
            let mut control_plane = ControlPlane::start().await;
            let agent = agent_of(&control_plane).await;
            agent.health.unhealthy("starting");
            let envoy = Envoy::connect(&agent.address).await.stream(delta).await;
            for type_url in [CDS, CDS, LDS, LDS] {
                envoy.send_raw(request(delta, type_url));
            }
            let mut stream = control_plane.stream().await;
            assert_eq!(reported(&mut stream).await, asked(CDS));
            assert_eq!(reported(&mut stream).await, asked(CDS));
            assert_eq!(reported(&mut stream).await, asked(LDS));
            assert_eq!(reported(&mut stream).await, unhealthy("starting"));
            assert_eq!(reported(&mut stream).await, asked(LDS));
            agent.health.healthy();
            assert_eq!(reported(&mut stream).await, healthy());
            agent.health.healthy();
            agent.health.unhealthy("connection refused");
            assert_eq!(reported(&mut stream).await, unhealthy("connection refused"));
        }
    }

    #[tokio::test]
    async fn the_newest_is_told_again_on_each_stream_also_if_it_changed_while_there_was_none() {
        for delta in [false, true] {
            let mut control_plane = ControlPlane::start().await;
            let agent = agent_of(&control_plane).await;
            let connection = Envoy::connect(&agent.address).await;
            agent.health.healthy();
            for round in 0..4 {
                let envoy = connection.stream(delta).await;
                envoy.send_raw(request(delta, LDS));
                let mut stream = control_plane.stream().await;
                assert_eq!(reported(&mut stream).await, asked(LDS));
                // A control plane that forgot the workload learns of it again.
                let expected = if round == 2 { unhealthy("gone") } else { healthy() };
                assert_eq!(reported(&mut stream).await, expected, "{round}");
                drop(envoy);
                stream.closed().await;
                match round {
                    1 => agent.health.unhealthy("gone"),
                    2 => agent.health.healthy(),
                    _ => {}
                }
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_told_if_nothing_was_reported() {
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_of(&control_plane).await;
        let envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(LDS));
        envoy.send(&first(CDS));
        let mut stream = control_plane.stream().await;
        assert_eq!(reported(&mut stream).await, asked(LDS));
        assert_eq!(reported(&mut stream).await, asked(CDS));
    }

    #[tokio::test]
    async fn the_workload_is_probed_if_the_options_say_so() {
        let workload = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let probe = format!("--health-probe=tcp://{}", workload.local_addr().unwrap());
        let mut control_plane = ControlPlane::start().await;
        let agent = agent_with(&control_plane, &[&probe, "--health-period=20ms"]).await;
        let envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(LDS));
        let mut stream = control_plane.stream().await;
        assert_eq!(reported(&mut stream).await, asked(LDS));
        assert_eq!(reported(&mut stream).await, healthy());
        drop(workload);
        let (type_url, detail) = reported(&mut stream).await;
        assert_eq!(type_url, HEALTH);
        assert!(detail.unwrap().1.contains("refused"));
    }
}

mod secured {
    use super::*;

    /// An authority with a folder for what it signs.
    struct Authority {
        issuer: CertifiedIssuer<'static, KeyPair>,
        folder: tempfile::TempDir,
    }

    impl Authority {
        fn new() -> Self {
            let mut parameters = CertificateParams::default();
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("root-cert.pem"), issuer.pem()).unwrap();
            Self { issuer, folder }
        }

        /// A certificate for that name and its key, until that year.
        fn sign(&self, name: &str, until: i32) -> (rcgen::Certificate, KeyPair) {
            let key = KeyPair::generate().unwrap();
            let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
            parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
            parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
            (parameters.signed_by(&key, &self.issuer).unwrap(), key)
        }

        async fn control_plane(&self, name: &str) -> ControlPlane {
            let (certificate, key) = self.sign(name, 4000);
            ControlPlane::start_with_tls(Tls {
                certificate: certificate.pem(),
                key: key.serialize_pem(),
                client_ca: Some(self.issuer.pem()),
            })
            .await
        }

        /// Puts the agent's certificate and key where it looks for them.
        fn provide(&self, certificate: &str, key: &str) -> String {
            std::fs::write(self.folder.path().join("cert-chain.pem"), certificate).unwrap();
            std::fs::write(self.folder.path().join("key.pem"), key).unwrap();
            format!("--prov-cert={}", self.folder.path().display())
        }

        fn root(&self) -> String {
            format!("--xds-root-ca={}", self.folder.path().join("root-cert.pem").display())
        }
    }

    fn at(host: &str, control_plane: &ControlPlane) -> String {
        format!("--discovery-address={host}:{}", control_plane.address().port())
    }

    /// The stream that arrives at the control plane, or how Envoy's ends.
    async fn opened(
        agent: &Agent,
        control_plane: &mut ControlPlane,
    ) -> Result<control_plane::Stream, Status> {
        let envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        tokio::select! {
            stream = control_plane.stream() => Ok(stream),
            end = envoy.end() => Err(end),
        }
    }

    #[tokio::test]
    async fn the_control_plane_s_certificate_has_to_have_the_name_that_is_asked_for() {
        let authority = Authority::new();
        for (certified, host, san, accepted) in [
            ("127.0.0.1", "127.0.0.1", None, true),
            ("istiod.example.com", "127.0.0.1", None, false),
            ("istiod.example.com", "127.0.0.1", Some("istiod.example.com"), true),
            ("istiod.istio-system.svc", "localhost", None, true),
            ("localhost", "localhost", None, false),
            ("localhost", "localhost", Some("localhost"), true),
        ] {
            let mut control_plane = authority.control_plane(certified).await;
            let (address, root) = (at(host, &control_plane), authority.root());
            let san = san.map(|name| format!("--istiod-san={name}"));
            let options: Vec<&str> =
                [Some(address.as_str()), Some(&root), san.as_deref()].into_iter().flatten().collect();
            let agent = Agent::start(&options).await;
            let opened = opened(&agent, &mut control_plane).await;
            assert_eq!(opened.is_ok(), accepted, "{certified} {host} {san:?}: {:?}", opened.err());
        }
    }

    #[tokio::test]
    async fn a_control_plane_of_another_authority_is_refused_by_what_is_wrong() {
        let mut control_plane = Authority::new().control_plane("127.0.0.1").await;
        let (address, root) = (at("127.0.0.1", &control_plane), Authority::new().root());
        // The folder of the authority is gone by now, and with it the file.
        let agent = Agent::start(&[&address, &root]).await;
        let end = opened(&agent, &mut control_plane).await.err().unwrap();
        assert_eq!(end.code(), Code::Unavailable);
        assert!(
            end.message().contains("root CA file for XDS") && end.message().contains("No such file"),
            "{end}"
        );
        let other = Authority::new();
        let agent = Agent::start(&[&address, &other.root()]).await;
        let end = opened(&agent, &mut control_plane).await.err().unwrap();
        assert!(end.message().contains("invalid peer certificate"), "{end}");
        std::fs::write(other.folder.path().join("root-cert.pem"), "no certificate").unwrap();
        let end = opened(&agent, &mut control_plane).await.err().unwrap();
        assert!(end.message().contains("0 certificates"), "{end}");
    }

    #[tokio::test]
    async fn the_agent_s_certificate_is_shown_and_a_renewed_one_at_the_next_stream() {
        let authority = Authority::new();
        let mut control_plane = authority.control_plane("127.0.0.1").await;
        let address = at("127.0.0.1", &control_plane);
        let (certificate, key) = authority.sign("agent", 4000);
        let provided = authority.provide(&certificate.pem(), &key.serialize_pem());
        let agent = Agent::start(&[&address, &provided]).await;
        let stream = opened(&agent, &mut control_plane).await.unwrap();
        assert_eq!(stream.certificate.as_deref(), Some(certificate.der().as_ref()));
        let (renewed, key) = authority.sign("agent", 4000);
        authority.provide(&renewed.pem(), &key.serialize_pem());
        let stream = opened(&agent, &mut control_plane).await.unwrap();
        assert_eq!(stream.certificate.as_deref(), Some(renewed.der().as_ref()));
    }

    #[tokio::test]
    async fn a_certificate_that_has_expired_or_cannot_be_read_is_not_shown() {
        let authority = Authority::new();
        let mut control_plane = authority.control_plane("127.0.0.1").await;
        let address = at("127.0.0.1", &control_plane);
        let (certificate, key) = authority.sign("agent", 4000);
        let (expired, expired_key) = authority.sign("agent", 2021);
        for (certificate, key) in [
            (expired.pem(), expired_key.serialize_pem()),
            (certificate.pem(), "no key".to_owned()),
            (certificate.pem(), expired_key.serialize_pem()),
            ("no certificate".to_owned(), key.serialize_pem()),
        ] {
            let provided = authority.provide(&certificate, &key);
            let agent = Agent::start(&[&address, &provided]).await;
            let stream = opened(&agent, &mut control_plane).await.unwrap();
            assert_eq!(stream.certificate, None);
        }
    }

    #[tokio::test]
    async fn token_cluster_and_the_headers_of_the_environment_are_sent_with_each_stream() {
        let authority = Authority::new();
        let mut control_plane = authority.control_plane("127.0.0.1").await;
        let token = authority.folder.path().join("token");
        let (address, root) = (at("127.0.0.1", &control_plane), authority.root());
        let file = format!("--xds-token-file={}", token.display());
        let agent = Agent::start(&[&address, &root, &file, "--cluster-id=Kubernetes"]).await;
        for (written, sent) in
            [("first\n", Some("Bearer first")), ("second", Some("Bearer second")), ("", None)]
        {
            std::fs::write(&token, written).unwrap();
            let stream = opened(&agent, &mut control_plane).await.unwrap();
            assert_eq!(stream.metadata.get("authorization").map(|value| value.to_str().unwrap()), sent);
            assert_eq!(stream.metadata.get("clusterid").unwrap(), "Kubernetes");
            assert_eq!(stream.metadata.get("x-tenant").unwrap(), "acme");
        }
        std::fs::write(&token, "two\nlines").unwrap();
        let end = opened(&agent, &mut control_plane).await.err().unwrap();
        assert!(end.code() == Code::Unauthenticated && !end.message().contains("lines"), "{end}");
    }

    #[tokio::test]
    async fn a_control_plane_that_speaks_no_tls_is_given_up_in_time() {
        // Accepts, and says nothing.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = Authority::new();
        let address = format!("--discovery-address={}", silent.local_addr().unwrap());
        let agent = Agent::start(&[&address, &authority.root(), "--xds-connect-timeout=100ms"]).await;
        let envoy = Envoy::connect(&agent.address).await.sotw().await;
        envoy.send(&first(CDS));
        let end = envoy.end().await;
        assert_eq!(end.code(), Code::Unavailable, "{end}");
    }

    #[tokio::test]
    async fn options_that_cannot_work_are_refused_before_the_socket_is_bound() {
        let refused = Agent::try_start(&["--discovery-address=a:1", "--pilot-cert-provider=none"]).await;
        assert!(refused.err().unwrap().to_string().contains("XDS_ROOT_CA"));
    }
}
