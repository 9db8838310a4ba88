//! What passes, and what does not.

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
    assert_eq!(agent.streams.all()[0].node.as_deref(), Some(NODE));
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
    assert_eq!(next.type_url, CDS, "neither names nor proxy configurations are asked for, nor acknowledged");
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
    let refused = envoy.try_open("/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters").await;
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

#[tokio::test]
async fn the_largest_request_of_envoy_is_told_whatever_the_control_plane_sends() {
    let mut control_plane = ControlPlane::start().await;
    let agent = agent_of(&control_plane).await;
    let mut envoy = Envoy::connect(&agent.address).await.sotw().await;
    let large = DiscoveryRequest { resource_names: vec!["n".repeat(5_000)], ..first(CDS) };
    envoy.send(&large);
    envoy.send(&first(LDS));
    let mut stream = control_plane.stream().await;
    for sent in [&large, &first(LDS)] {
        assert_eq!(stream.request::<DiscoveryRequest>().await, *sent);
    }
    let response = DiscoveryResponse { version_info: "v".repeat(50_000), ..response(CDS, "n1") };
    stream.send(&response).await;
    assert_eq!(envoy.response::<DiscoveryResponse>().await, response);
    let told = agent.metrics.exposition(&agent.board, 0);
    let line = format!("istio_agent_pilot_xds_recv_max {}", large.encoded_len());
    assert!(told.lines().any(|found| found == line), "{line} is not in\n{told}");
}
