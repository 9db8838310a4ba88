//! The admin server on a socket: who is answered, and what.

#![expect(clippy::unwrap_used, reason = "a test fails fast")]

#[path = "support/page.rs"]
mod page;
#[path = "support/served.rs"]
mod served;

use meshloom_agent::admin::AdminOptions;
use meshloom_agent::ecds::Protocol;
use meshloom_agent::status::{Serving, Standing, Way};
use served::{HOSTILE, Served, options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn readiness_goes_from_503_to_200_when_each_resource_has_an_answer() {
    let served = Served::start(&[]).await;
    let early = served.get("/healthz/ready").await;
    assert_eq!((early.status, early.body.as_str()), (503, "the xDS proxy does not listen\n"));
    served.board.listens(true);
    assert_eq!(served.get("/healthz/ready").await.status, 200);
    served.quit.cancel();
    assert_eq!(served.get("/healthz/ready").await.status, 503);
}

#[tokio::test]
async fn resources_that_wait_are_named_by_readiness() {
    let served = Served::start(&[]).await;
    served.board.listens(true);
    served.board.put(served::state("a\nb", Serving::Nothing, Standing::Fetching));
    let waiting = served.get("/healthz/ready").await;
    assert_eq!((waiting.status, waiting.body.as_str()), (503, "resources without an answer: [\"a\\nb\"]\n"));
}

#[tokio::test]
async fn metrics_are_served_at_istios_path_and_at_prometheus_own() {
    let served = Served::start(&["--metrics-resources=2"]).await;
    served.fill();
    for path in ["/stats/prometheus", "/metrics"] {
        let answer = served.get(path).await;
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
        assert!(answer.body.contains("istio_agent_xds_proxy_requests 0\n"), "{}", answer.body);
        assert!(answer.body.contains("meshloom_agent_resources{serving=\"deny\"} 1\n"), "{}", answer.body);
        assert_eq!(answer.body.matches("meshloom_agent_resource_info{").count(), 2);
    }
}

#[tokio::test]
async fn the_state_of_each_resource_is_there_for_programs() {
    let served = Served::start(&[]).await;
    served.fill();
    let answer = served.get("/debug/wasm").await.json();
    assert_eq!(answer["version"], 1);
    let resources = answer["resources"].as_array().unwrap();
    assert_eq!(resources.len(), 7);
    let find =
        |name: &str| resources.iter().find(|one| one["name"].as_str().unwrap().ends_with(name)).unwrap();
    let quota = find("shop.quota");
    assert_eq!(quota["serving"], "deny");
    assert_eq!(quota["in_fallback"], true);
    assert_eq!(quota["attempts"], 2);
    assert_eq!(quota["last_error"]["reason"], "unreachable");
    assert!(quota["next_attempt_in_ms"].as_u64().unwrap() > 3_000_000);
    let gate = find("shop.tenant-gate");
    assert_eq!(gate["source"], "oci://registry.test/filters/tenant-gate:1.2");
    assert_eq!(gate["digests"], serde_json::json!(["sha256:5d41"]));
    assert_eq!(gate["wasm_sha256"], answer["modules"][0]["sha256"]);
    assert_eq!(gate["path"], answer["modules"][0]["path"]);
    assert!(resources.iter().any(|one| one["name"] == HOSTILE));
}

#[tokio::test]
async fn the_last_responses_and_the_options_are_there_for_programs() {
    let served = Served::start(&[]).await;
    // Version "v" and nonce "n".
    let response = bytes::Bytes::from_static(b"\x0a\x01v\x2a\x01n");
    served.board.record(3, Protocol::Sotw, Way::Received, &response);
    let answer = served.get("/debug/ecds").await.json();
    assert_eq!(answer["version"], 1);
    let event = &answer["responses"][0];
    assert_eq!((&event["version"], &event["nonce"]), (&"v".into(), &"n".into()));
    assert_eq!((&event["stream"], &event["way"]), (&3.into(), &"received".into()));
    let options = served.get("/debug/config").await.json();
    assert_eq!(options["options"]["admin-address"], served.address.to_string());
}

#[tokio::test]
async fn the_page_is_whole_without_scripts_and_escapes_what_others_chose() {
    let served = Served::start(&[]).await;
    served.fill();
    let page = served.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    assert!(
        page.body.contains("<h1 class=\"bad\">4 of 7 filters are not as they should be<small>1 allows all, 1 denies all, 1 malformed, 1 earlier module</small>"),
        "{}",
        page.body
    );
    assert!(
        page.body
            .contains("&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;&quot;&#39;&amp;\\u{202e}")
    );
    assert!(!page.body.contains("<script>document.title"));
    assert!(page.body.contains("<strong>Fix:</strong> check that the source runs"));
    assert!(!page.body.contains("http://") && !page.body.contains("src="), "nothing comes from elsewhere");
}

#[tokio::test]
async fn a_call_by_a_name_that_was_not_agreed_on_is_turned_away() {
    let served = Served::start(&["--admin-hosts=agent.example.com"]).await;
    let by = async |host: &str, path: &str| {
        served.send(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await.status
    };
    assert_eq!(by("rebound.test", "/debug/config").await, 421);
    assert_eq!(by("rebound.test", "/metrics").await, 421);
    assert_eq!(by("agent.example.com", "/debug/config").await, 200);
    assert_eq!(by("localhost:15020", "/debug/config").await, 200);
}

#[tokio::test]
async fn a_post_to_quitquitquit_ends_the_agent_and_a_web_page_cannot() {
    let served = Served::start(&[]).await;
    let post = async |more: &str| {
        let head = format!("POST /quitquitquit HTTP/1.1\r\nhost: {}\r\n", served.address);
        served.send(&format!("{head}content-length: 0\r\nconnection: close\r\n{more}\r\n")).await.status
    };
    assert_eq!(served.get("/quitquitquit").await.status, 405);
    assert_eq!(post("origin: http://site.test\r\n").await, 403);
    assert_eq!(post("sec-fetch-site: cross-site\r\n").await, 403);
    assert!(!served.quit.is_cancelled());
    assert_eq!(post("").await, 200);
    assert!(served.quit.is_cancelled());
}

#[tokio::test]
async fn another_machine_sees_readiness_and_metrics_but_no_debug_endpoint() {
    use axum::body::Body;
    use tower::ServiceExt as _;

    let router = |arguments: &[&str]| {
        meshloom_agent::admin::router(std::sync::Arc::new(meshloom_agent::admin::Admin {
            board: std::sync::Arc::default(),
            metrics: std::sync::Arc::default(),
            inventory: std::sync::Arc::new(()),
            options: options(arguments),
            configuration: serde_json::Value::Null,
            started: std::time::SystemTime::now(),
            quit: tokio_util::sync::CancellationToken::new(),
        }))
    };
    // A request without the mark of a peer on this machine is another machine's.
    let status = async |arguments: &[&str], method: &str, path: &str| {
        let request = http::Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        router(arguments).oneshot(request).await.unwrap().status().as_u16()
    };
    for path in ["/", "/debug/wasm", "/debug/ecds", "/debug/config"] {
        assert_eq!(status(&[], "GET", path).await, 403, "{path}");
        assert_eq!(status(&["--admin-debug-anywhere"], "GET", path).await, 200, "{path}");
    }
    assert_eq!(status(&["--admin-debug-anywhere"], "POST", "/quitquitquit").await, 403);
    assert_eq!(status(&[], "GET", "/metrics").await, 200);
    assert_eq!(status(&[], "GET", "/healthz/ready").await, 503);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_the_next_client_is_served() {
    let served = Served::start(&[]).await;
    let request = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    let mut socket = tokio::net::TcpStream::connect(served.address).await.unwrap();
    // The server may close before all of it is written.
    let _may_be_cut = socket.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _may_be_reset = socket.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(served.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn a_silent_client_does_not_keep_the_server_from_ending() {
    let served = Served::start(&[]).await;
    let _silent = tokio::net::TcpStream::connect(served.address).await.unwrap();
    assert_eq!(served.get("/metrics").await.status, 200);
    served.stop.cancel();
    served.ended.await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_says_where_to_look() {
    let served = Served::start(&[]).await;
    let answer = served.get("/debug").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (404, "there is nothing here; / has links to what there is\n")
    );
}

#[test]
fn an_address_that_others_can_reach_needs_a_word_more() {
    let problems = |arguments: &[&str]| AdminOptions::problems(&options(arguments));
    assert!(problems(&[]).is_empty());
    assert!(problems(&["--admin-address=[::1]:1"]).is_empty());
    let refused = problems(&["--admin-address=0.0.0.0:15020"]);
    assert_eq!(refused.len(), 1);
    assert!(refused[0].contains("0.0.0.0:15020") && refused[0].contains("--admin-anywhere"), "{refused:?}");
    assert!(problems(&["--admin-address=0.0.0.0:15020", "--admin-anywhere"]).is_empty());
}
