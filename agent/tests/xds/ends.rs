//! How streams end, and what is left of them.

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
        let status = Status::with_details(Code::InvalidArgument, "missing node information", "why".into());
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
                envoy.send(&DiscoveryRequest { resource_names: vec!["x".repeat(3_000_000)], ..first(CDS) });
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
