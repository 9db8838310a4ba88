//! Who waits for whom when somebody does not read.

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
    // Windows of 1 MiB and 64 KiB, the outbox of 256 KiB, send buffers of 400 KiB at both servers, sockets, 16
    // messages in the test's own hand, and one or two in each other.
    assert!(before < 95, "{before} responses of 100 KB are on their way to an Envoy that reads none");
    for _ in 0..640 {
        stalled.raw_response().await;
    }
    sending.await.unwrap();
}
