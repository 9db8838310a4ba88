//! The labs of the course, one after the other, on a running stack.

mod script;

use anyhow::{Context, Result};
use meshloom_lab::{Bootstrap, Envoy, filters, metric, root};
use serde_json::Value;

use crate::stack::Stack;
use script::Script;

/// Walks through every lab and answers how many checks failed.
pub(crate) fn walk(stack: &Stack) -> Result<usize> {
    let mut script = Script::new(stack);
    hello(&mut script);
    transformations(&mut script);
    callouts(&mut script);
    observability(&mut script, stack)?;
    istio(&mut script)?;
    timing(&mut script, stack);
    Ok(script.finish())
}

fn hello(script: &mut Script<'_>) {
    script.lab("Lab 1: a filter in Envoy");
    let response = script.send("GET", "/headers", &[]);
    let json = response.json();
    script.check(
        "the response carries x-training: envoy-wasm",
        response.header("x-training").as_deref() == Some("envoy-wasm"),
    );
    script.check("the upstream saw X-Training: envoy-wasm", json["headers"]["X-Training"] == "envoy-wasm");
}

fn transformations(script: &mut Script<'_>) {
    script.lab("Lab 2: transformations");
    let response = script.send("GET", "/response-headers?SECRET=topsecret", &[]);
    let body = response.text();
    script.check("the secret's value is gone from the body", !body.contains("topsecret"));
    script.check("its key is still there", response.json()["SECRET"] == "[REDACTED]");
    script.check("no length is claimed that is no longer right", response.header("content-length").is_none());

    // The text "SECRET=topsecret password=\"correct horse\" and so on", which httpbin decodes.
    let text = "/base64/U0VDUkVUPXRvcHNlY3JldCBwYXNzd29yZD0iY29ycmVjdCBob3JzZSIgYW5kIHNvIG9u";
    let response = script.send("GET", text, &[]);
    let expected = "SECRET=[REDACTED] password=\"[REDACTED]\" and so on";
    script.check("plain text is redacted alike", response.text() == expected);

    let response = script.send("GET", "/gzip", &[("accept-encoding", "gzip")]);
    let unpacked =
        response.header("content-encoding").is_none() && response.text().contains("\"gzipped\": true");
    script.check("a gzip body is unpacked, to be looked at", unpacked);

    let response = script.send("GET", "/get", &[("host", "ads.example.com")]);
    script.check("a host of .example.com is answered 451", response.status == 451);
    script.check("the body says why", response.text() == "blocked by wasm\n");
    let response = script.send("GET", "/get", &[("host", "Ads.Example.COM.:80")]);
    script.check("case, port and trailing dot make no difference", response.status == 451);
    let response = script.send("GET", "/get", &[("host", "example.com.evil.test")]);
    script.check("another host is served", response.status == 200);
}

fn callouts(script: &mut Script<'_>) {
    script.lab("Lab 3: callouts");
    let response = script.send("GET", "/headers", &[("x-meta", "forged")]);
    let seen = &response.json()["headers"];
    script.check("the upstream saw X-Meta: 1, not what the client claimed", seen["X-Meta"] == "1");
    script.check("and a value from the service's answer", seen["X-Meta-Host"] == "metadata.local");
}

fn observability(script: &mut Script<'_>, stack: &Stack) -> Result<()> {
    script.lab("Lab 4: observability and safety");
    let stats = script.stats("wasm_(blocklist|redaction|enrich)_.*_total");
    for counter in
        ["wasm_blocklist_denied_total", "wasm_redaction_matches_total", "wasm_enrich_call_ok_total"]
    {
        script.check(&format!("{counter} counted"), metric(&stats, counter).is_some_and(|value| value > 0));
    }

    script.say("A wrong configuration, in an Envoy of its own:");
    let wrong = r#"{"version": 1, "rules": [{"request": [{"op": "sett", "name": "x a", "value": "b"}]}]}"#;
    let bootstrap = Bootstrap::filter("header-mutation").configure("header-mutation", wrong);
    match Envoy::with(bootstrap).try_start() {
        Ok(_) => script.check("Envoy refuses to start", false),
        Err(refused) => {
            let told: Vec<&str> = refused
                .log
                .lines()
                .filter_map(|line| line.split_once("config field "))
                .map(|(_, told)| told)
                .collect();
            for line in &told {
                script.show(&format!("config field {line}"));
            }
            script.check(
                "Envoy refuses to start, and its log names every problem",
                told.iter().any(|l| l.contains("`rules[0].request[0].op`")),
            );
        }
    }

    for (policy, after, meaning) in
        [("FAIL_OPEN", 200, "passes unfiltered"), ("FAIL_CLOSED", 503, "is answered 503")]
    {
        script.say(&format!("A module that panics, under {policy}, in an Envoy of its own:"));
        let module = root().join("target/wasm32-unknown-unknown/release/panics.wasm");
        let bootstrap = Bootstrap::filter("header-mutation")
            .module("header-mutation", module)
            .failure_policy("header-mutation", policy)
            .upstream(stack.upstream());
        let envoy = Envoy::with(bootstrap).start();
        let met = envoy.get("/get").header("x-panic", "1").send().status;
        let next = envoy.get("/get").send().status;
        script.show(&format!("the request that meets the panic: {met}; the next: {next}"));
        script.check(&format!("after a panic every request {meaning}"), next == after);
    }
    Ok(())
}

fn istio(script: &mut Script<'_>) -> Result<()> {
    script.lab("Lab 5: Istio");
    script.say("What Istio would hand each filter (istio/*.yaml), checked by `envoy --mode validate`:");
    for filter in filters() {
        let path = root().join("istio").join(format!("{filter}.yaml"));
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let manifest: Value =
            serde_saphyr::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
        let config = &manifest["spec"]["pluginConfig"];
        script.show(&format!(
            "istio/{filter}.yaml: failStrategy {}, pluginConfig {config}",
            manifest["spec"]["failStrategy"]
        ));
        // istiod hands it over as JSON text, or not at all.
        let bootstrap = Bootstrap::filter(&filter);
        let bootstrap = if config.is_null() {
            bootstrap.unconfigured(&filter)
        } else {
            bootstrap.configure(&filter, config.to_string())
        };
        let accepted = Envoy::validate(&bootstrap);
        script.check(&format!("{filter} accepts it"), accepted.is_ok());
        if let Err(refused) = accepted {
            script.show(&refused.log);
        }
    }
    script.say("To a registry they go by: make push REG=ghcr.io ORG=you TAG=v0.1.0");
    Ok(())
}

fn timing(script: &mut Script<'_>, stack: &Stack) {
    script.lab("Lab 6: HTTP timing");
    let before =
        metric(&stack.admin("/stats/prometheus?filter=wasm_http_"), "wasm_http_inbound_responses_total_5xx")
            .unwrap_or(0);
    script.send("GET", "/status/503", &[]);
    let stats = script.stats("wasm_http_inbound_responses_total_.*");
    script.check(
        "a 503 was counted once in its class",
        metric(&stats, "wasm_http_inbound_responses_total_5xx") == Some(before + 1),
    );
    script.check(
        "the others were counted in theirs",
        metric(&stats, "wasm_http_inbound_responses_total_2xx").is_some_and(|value| value > 0),
    );
    // Envoy shows a histogram only after it has flushed its statistics, every five seconds.
    let begun = std::time::Instant::now();
    let counted =
        |stats: &str| metric(stats, "wasm_http_inbound_duration_ms_count").is_some_and(|value| value > 0);
    let mut stats = stack.admin("/stats/prometheus?filter=wasm_http_inbound_duration_ms");
    while !counted(&stats) && begun.elapsed().as_secs() < 12 {
        std::thread::sleep(std::time::Duration::from_millis(200));
        stats = stack.admin("/stats/prometheus?filter=wasm_http_inbound_duration_ms");
    }
    for line in stats.lines().filter(|line| line.contains("_sum") || line.contains("_count")) {
        script.show(line);
    }
    script.check("durations are in a histogram", counted(&stats));
}
