//! The health of the workload, as the control plane is told it.

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
