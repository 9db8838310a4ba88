//! What a configuration must be.

use super::*;

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let refusal = filter("callout-enrichment").refuses(json!({
        "version": 1,
        "call": {"cluster": "", "authority": "a b", "path": "headers", "timeout": "soon"},
        "map": [{"from": "weather", "to": "x-a"}, {"from": "status", "to": ":path"}],
    }));
    let problems = refusal.logged(Level::Error);
    let fields: Vec<&str> = problems.iter().filter_map(|problem| problem.split('`').nth(1)).collect();
    assert_eq!(
        fields,
        ["call.cluster", "call.authority", "call.path", "call.timeout", "map[0].from", "map[1].to"]
    );
}

#[test]
fn no_configuration_is_no_question() {
    let refusal = filter("callout-enrichment").refuses(json!({}));
    assert!(!refusal.logged(Level::Error).is_empty());
}

#[test]
fn configurations_are_counted() {
    let host = sample();
    let loads = host.counter("wasm_enrich_config_loads_total");
    assert!(loads >= 1);
    assert!(host.reconfigure("callout-enrichment", "{}").is_err());
    assert!(host.counter("wasm_enrich_config_rejects_total") >= 1);
    claim(&host).paused();
}

#[test]
fn numbers_of_a_protobuf_struct_are_numbers() {
    let json = configuration(json!({"version": 1.0, "call": {"timeout": 250.0, "max_inflight": 1.0}}));
    let host = Host::envoy().plugin(filter("callout-enrichment").json(&json)).cluster("metadata").start();
    claim(&host).paused();
    assert_eq!(host.callout("metadata").timeout_ms(), 247);
}

#[test]
fn metrics_can_be_named_for_istio() {
    let host = with(json!({"metrics": {"tag_style": "istio"}}));
    claim(&host).paused();
    host.advance(ms(100));
    assert_eq!(host.counter("wasm_filter.enrich.wasm_enrich_requests_total"), 1);
    assert_eq!(host.counter("wasm_enrich_requests_total"), 0);
}

#[test]
fn the_module_has_no_sentence_of_its_schema() {
    let module = filter("callout-enrichment").module().bytes().to_vec();
    filter_docs::docs!(callout_enrichment::Enrichment::from_node).assert_not_in(&module);
}
