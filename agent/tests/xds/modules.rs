//! ECDS by way of the desk: what it asks for is done, in order, and nothing else waits for it.

use std::panic::panic_any;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use meshloom_agent::ecds::{self, TYPE_URL};
use meshloom_agent::{Held, Library, Unavailable, Wanted};

use super::*;
use crate::library::{FakeLibrary, held};
use crate::messages::{HTTP_RBAC, HTTP_WASM, extension, filename, http, opened, plugin, plugin_of};
use crate::structs::{TYPED_STRUCTS, typed_struct};

const URL: &str = "https://example.com/gate.wasm";
const OTHER: &str = "https://example.com/other.wasm";

/// An agent whose Envoys wait so long for a module before they are given something else.
async fn agent(control_plane: &ControlPlane, library: Arc<dyn Library>, start_budget: Duration) -> Agent {
    let address = format!("--discovery-address=http://{}", control_plane.address());
    let wasm = ecds::Options { start_budget, seed: Some(1), ..Default::default() };
    Agent::start_with(&[&address], wasm, library).await.unwrap()
}

/// Long enough never to end in a test.
const LONG: Duration = Duration::from_secs(3600);

/// A response with a filter that wants that URL.
fn wants(delta: bool, url: &str, nonce: &str) -> Bytes {
    serves(delta, http("gate", plugin(url)), nonce)
}

/// A response with that resource.
fn serves(delta: bool, resource: Any, nonce: &str) -> Bytes {
    let (type_url, nonce) = (TYPE_URL.to_owned(), nonce.to_owned());
    if delta {
        let resources =
            vec![Resource { name: "gate".into(), resource: Some(resource), ..Default::default() }];
        DeltaDiscoveryResponse { resources, type_url, nonce, ..Default::default() }.encode_to_vec()
    } else {
        let version_info = nonce.clone();
        let resources = vec![resource];
        DiscoveryResponse { version_info, resources, type_url, nonce, ..Default::default() }.encode_to_vec()
    }
    .into()
}

/// The resource of a response, as bytes of an `Any`.
fn resource(delta: bool, response: Bytes) -> Vec<u8> {
    let any = if delta {
        DeltaDiscoveryResponse::decode(response).unwrap().resources.remove(0).resource.unwrap()
    } else {
        DiscoveryResponse::decode(response).unwrap().resources.remove(0)
    };
    any.encode_to_vec()
}

/// Both sides of a stream on which `gate` is subscribed.
async fn subscribed(
    agent: &Agent,
    control_plane: &mut ControlPlane,
    delta: bool,
) -> (envoy::Stream, control_plane::Stream) {
    let envoy = Envoy::connect(&agent.address).await.stream(delta).await;
    envoy.send_raw(request(delta, CDS));
    let names = vec!["gate".to_owned()];
    if delta {
        envoy.send(&DeltaDiscoveryRequest { resource_names_subscribe: names, ..first_delta(TYPE_URL) });
    } else {
        envoy.send(&DiscoveryRequest { resource_names: names, ..first(TYPE_URL) });
    }
    let mut stream = control_plane.stream().await;
    stream.raw_request().await;
    let asked = stream.raw_request().await;
    assert_eq!(meshloom_agent::wire::type_url_of_request(protocol(delta), &asked), Ok(TYPE_URL));
    (envoy, stream)
}

fn protocol(delta: bool) -> ecds::Protocol {
    if delta { ecds::Protocol::Delta } else { ecds::Protocol::Sotw }
}

#[tokio::test]
async fn a_remote_module_becomes_a_file_and_everything_else_passes_meanwhile() {
    for delta in [false, true] {
        let mut control_plane = ControlPlane::start().await;
        let library = FakeLibrary::default();
        let agent = agent(&control_plane, Arc::new(library.clone()), LONG).await;
        let (mut envoy, stream) = subscribed(&agent, &mut control_plane, delta).await;
        stream.send_raw(wants(delta, URL, "n1")).await;
        for number in 0..10 {
            stream.send(&response(LDS, &number.to_string())).await;
            assert_eq!(envoy.response::<DiscoveryResponse>().await.nonce, number.to_string());
        }
        assert_eq!(library.asked()[0].url, URL);
        library.answers(URL, Ok(held("gate")));
        let mut got = plugin_of(&resource(delta, envoy.raw_response().await));
        assert_eq!(filename(&mut got), "/modules/gate.wasm");
        assert_eq!(agent.board.all().len(), 1);
        drop(envoy);
        stream.closed().await;
        until("the end of the stream", || agent.board.all().is_empty()).await;
    }
}

#[tokio::test]
async fn a_typed_struct_becomes_the_filter_that_it_describes_or_one_that_denies_and_is_never_refused() {
    for delta in [false, true] {
        for outer in TYPED_STRUCTS {
            let mut control_plane = ControlPlane::start().await;
            let library = FakeLibrary::default();
            let agent = agent(&control_plane, Arc::new(library.clone()), LONG).await;
            let (mut envoy, mut stream) = subscribed(&agent, &mut control_plane, delta).await;
            let wants = |url: &str, nonce: &str| {
                let json = serde_json::json!({"config": {"name": "gate", "vm_config": {
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"remote": {"http_uri": {"uri": url, "timeout": "30s", "cluster": "_"}}},
                }}});
                serves(delta, extension("gate", typed_struct(outer, HTTP_WASM, &json)), nonce)
            };
            library.answers(URL, Ok(held("gate")));
            library.answers(OTHER, Err(library::unreachable()));
            stream.send_raw(wants(OTHER, "n1")).await;
            let (name, denies) = opened(&resource(delta, envoy.raw_response().await));
            assert_eq!((name.as_str(), denies.type_url.as_str()), ("gate", HTTP_RBAC), "{outer}");
            assert!(String::from_utf8_lossy(&denies.value).contains("wasm-default-deny"), "{outer}");

            stream.send_raw(wants(URL, "n2")).await;
            let mut got = plugin_of(&resource(delta, envoy.raw_response().await));
            assert_eq!(filename(&mut got), "/modules/gate.wasm");
            assert_eq!(got.name, "gate");
            // The next that the control plane hears is Envoy's own request: nothing was refused.
            envoy.send_raw(request(delta, LDS));
            let next = stream.raw_request().await;
            assert_eq!(meshloom_agent::wire::type_url_of_request(protocol(delta), &next), Ok(LDS));
        }
    }
}

#[tokio::test]
async fn an_attempt_that_nobody_waits_for_any_more_is_given_up() {
    let mut control_plane = ControlPlane::start().await;
    let library = FakeLibrary::default();
    let agent = agent(&control_plane, Arc::new(library.clone()), LONG).await;
    let (mut envoy, stream) = subscribed(&agent, &mut control_plane, true).await;
    stream.send_raw(wants(true, URL, "n1")).await;
    until("the first attempt", || library.asked().len() == 1).await;
    stream.send_raw(wants(true, OTHER, "n2")).await;
    until("the end of the first attempt", || library.given_up() == 1).await;
    library.answers(OTHER, Ok(held("other")));
    let mut got = plugin_of(&resource(true, envoy.raw_response().await));
    assert_eq!(filename(&mut got), "/modules/other.wasm");
}

#[tokio::test]
async fn the_attempts_of_a_stream_end_with_it() {
    let mut control_plane = ControlPlane::start().await;
    let library = FakeLibrary::default();
    let agent = agent(&control_plane, Arc::new(library.clone()), LONG).await;
    for number in 1..=3 {
        let (envoy, stream) = subscribed(&agent, &mut control_plane, number == 2).await;
        stream.send_raw(wants(number == 2, URL, "n1")).await;
        until("the attempt", || library.asked().len() == number).await;
        drop(envoy);
        until("the end of the attempt", || library.given_up() == number).await;
        stream.closed().await;
    }
}

#[tokio::test]
async fn what_is_late_is_replaced_in_time_and_sent_once_it_is_there() {
    for delta in [false, true] {
        let mut control_plane = ControlPlane::start().await;
        let library = FakeLibrary::default();
        let budget = Duration::from_millis(50);
        let agent = agent(&control_plane, Arc::new(library.clone()), budget).await;
        let (mut envoy, stream) = subscribed(&agent, &mut control_plane, delta).await;
        stream.send_raw(wants(delta, URL, "n1")).await;
        let (name, config) = opened(&resource(delta, envoy.raw_response().await));
        assert_eq!((name.as_str(), config.type_url.as_str()), ("gate", messages::HTTP_RBAC));
        library.answers(URL, Ok(held("gate")));
        let mut got = plugin_of(&resource(delta, envoy.raw_response().await));
        assert_eq!(filename(&mut got), "/modules/gate.wasm");
    }
}

/// A library that breaks down.
struct Broken;

impl Library for Broken {
    fn at_hand(&self, _: &Wanted) -> Option<Held> {
        None
    }

    fn obtain(&self, _: Wanted) -> BoxFuture<'static, Result<Held, Unavailable>> {
        async { panic_any("broken") }.boxed()
    }
}

#[tokio::test]
async fn an_attempt_that_breaks_down_is_a_failed_one_and_the_stream_goes_on() {
    let mut control_plane = ControlPlane::start().await;
    let agent = agent(&control_plane, Arc::new(Broken), LONG).await;
    let (mut envoy, stream) = subscribed(&agent, &mut control_plane, false).await;
    stream.send_raw(wants(false, URL, "n1")).await;
    let (_, config) = opened(&resource(false, envoy.raw_response().await));
    assert_eq!(config.type_url, messages::HTTP_RBAC);
    stream.send(&response(CDS, "n2")).await;
    assert_eq!(envoy.response::<DiscoveryResponse>().await.nonce, "n2");
}
