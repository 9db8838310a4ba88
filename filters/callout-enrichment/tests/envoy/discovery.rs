//! Configurations and clusters that change while calls are pending, as a control plane changes them.

use std::path::Path;

use tempfile::TempDir;

use super::*;

/// Puts a file where Envoy watches for one that is moved there.
fn publish(folder: &Path, name: &str, version: u32, resources: &Json) {
    let new = folder.join("new");
    let json = json!({"version_info": version.to_string(), "resources": resources});
    std::fs::write(&new, json.to_string()).unwrap();
    std::fs::rename(new, folder.join(name)).unwrap();
}

fn source(folder: &Path, name: &str) -> Json {
    json!({"path_config_source": {"path": folder.join(name)}, "resource_api_version": "V3"})
}

#[test]
fn a_configuration_that_is_replaced_gets_the_answers_it_asked_for() {
    let upstream = Upstream::ok();
    let service = counting(ms(1500));
    let folder = TempDir::new().unwrap();
    let mut filter = Json::Null;
    let bootstrap = bootstrap(&upstream, service.address(), &json!({}))
        .connection_manager(|manager| {
            let wasm = &mut manager["http_filters"][0];
            filter = wasm["typed_config"].take();
            *wasm = json!({"name": "enrichment", "config_discovery": {
                "config_source": source(folder.path(), "filter.json"),
                "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
            }});
        })
        .edit(|tree| tree["node"] = json!({"id": "envoy", "cluster": "tests"}));
    let mut configure = |version: u32, members: &Json| {
        filter["config"]["configuration"]["value"] = configuration(members).into();
        publish(
            folder.path(),
            "filter.json",
            version,
            &json!([{
                "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                "name": "enrichment",
                "typed_config": filter,
            }]),
        );
    };
    configure(1, &json!({"cache": {"key": ["all"], "ttl": "60s"}}));
    let envoy = Envoy::with(bootstrap).start();
    let loads = envoy.stat("wasm_enrich_config_loads_total");
    std::thread::scope(|scope| {
        for path in ["/of/before", "/of/before2"] {
            let envoy = &envoy;
            scope.spawn(move || assert_eq!(envoy.get(path).send().status, 200));
        }
        std::thread::sleep(ms(300));
        configure(2, &json!({"map": [{"from": "status", "to": "x-meta-user"}]}));
        // The canary and the worker have it.
        let begun = Instant::now();
        while envoy.stat("wasm_enrich_config_loads_total") < loads + 2 && begun.elapsed() < ms(20_000) {
            std::thread::sleep(ms(20));
        }
        assert_eq!(enriched(&envoy, &upstream, "after"), "ok 200");
    });
    for path in ["/of/before", "/of/before2"] {
        let seen = upstream.seen().into_iter().find(|seen| seen.path == path).unwrap();
        assert_eq!(seen.header("x-meta-user").as_deref(), Some("1"), "{path}");
    }
    assert_nothing_broke(&envoy);
}

#[test]
fn a_cluster_that_is_taken_away_with_calls_pending_holds_nobody() {
    let upstream = Upstream::ok();
    let service = Upstream::answering(|_| Reply::new(200, "{}").after(ms(20_000)));
    let folder = TempDir::new().unwrap();
    let bootstrap = bootstrap(&upstream, service.address(), &json!({"cache": {"key": ["all"], "ttl": 0}}))
        .edit(|tree| {
            let clusters = tree["static_resources"]["clusters"].as_array_mut().unwrap();
            let place = clusters.iter().position(|cluster| cluster["name"] == "metadata").unwrap();
            let mut metadata = clusters.remove(place);
            metadata["@type"] = "type.googleapis.com/envoy.config.cluster.v3.Cluster".into();
            publish(folder.path(), "clusters.json", 1, &json!([metadata]));
            tree["node"] = json!({"id": "envoy", "cluster": "tests"});
            tree["dynamic_resources"] = json!({"cds_config": source(folder.path(), "clusters.json")});
        });
    let envoy = Envoy::with(bootstrap).start();
    std::thread::scope(|scope| {
        let envoy = &envoy;
        let waiting: Vec<_> =
            (0..3).map(|_| scope.spawn(move || envoy.get("/waiting").send().status)).collect();
        let begun = Instant::now();
        while service.seen().is_empty() && begun.elapsed() < ms(20_000) {
            std::thread::sleep(ms(20));
        }
        publish(folder.path(), "clusters.json", 2, &json!([]));
        for request in waiting {
            assert_eq!(request.join().unwrap(), 200);
        }
    });
    assert_eq!(enriched(&envoy, &upstream, "acme"), "error");
    count(&envoy, "call_dispatch_error_total", 1);
    assert_nothing_broke(&envoy);
}
