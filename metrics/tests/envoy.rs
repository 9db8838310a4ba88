//! What a real Prometheus answers of real Envoys, and what its linter says of their metrics.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use meshloom_lab::{Bootstrap, Envoy, Prometheus, Reply, Request, Upstream};
use meshloom_metrics::{Queries, Terms};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

/// Everything that can be recorded, and an objective.
const EXTENDED: &str = r#"{
    "version": 1, "direction": "inbound",
    "metrics": {"1xx": true, "none": true, "requests": true, "inflight": true, "ttfb": true, "upstream": true,
        "sizes": true, "local_replies": true, "resets": true, "grpc": true, "us": true},
    "slo": [{"name": "fast", "latency": "300ms"}]
}"#;

fn timed(upstream: &Upstream, workers: u32) -> Envoy {
    let bootstrap = Bootstrap::filter("http-timing").upstream(upstream.address());
    Envoy::with(bootstrap.configure("http-timing", EXTENDED)).concurrency(workers).start()
}

/// A Prometheus that has seen the metrics of these Envoys at 0, so that it sees them grow from there.
fn scraping(envoys: &[&Envoy]) -> Option<Prometheus> {
    let targets: Vec<_> = envoys.iter().map(|envoy| envoy.admin()).collect();
    let Some(prometheus) = Prometheus::scraping(&targets, "500ms") else {
        eprintln!("SKIPPED: nothing was scraped, because there is no Prometheus here");
        return None;
    };
    let expected = u32::try_from(targets.len()).unwrap();
    prometheus.wait_for("count(wasm_http_inbound_responses_total_5xx == 0)", expected.into());
    Some(prometheus)
}

/// The queries over all that the test does: a window that holds it all.
struct Asking<'a> {
    prometheus: &'a Prometheus,
    queries: Queries,
}

impl<'a> Asking<'a> {
    fn new(prometheus: &'a Prometheus) -> Self {
        Self { prometheus, queries: Queries::read().unwrap() }
    }

    fn promql(&self, name: &str) -> String {
        let terms = Terms { selector: r#"job="envoy""#, window: "10m", ..Terms::SHOWN };
        self.queries.render(name, terms).unwrap()
    }

    #[track_caller]
    fn value(&self, name: &str) -> f64 {
        self.prometheus.value(&self.promql(name)).unwrap_or_else(|| panic!("{name} has no answer"))
    }

    #[track_caller]
    fn by_label(&self, name: &str) -> Vec<(String, f64)> {
        let answer = self.prometheus.query(&self.promql(name)).unwrap();
        let label = |labels: &std::collections::BTreeMap<String, String>| labels.values().next().cloned();
        answer.iter().map(|one| (label(&one.labels).unwrap(), one.points[0].1)).collect()
    }
}

#[track_caller]
fn assert_near(actual: f64, expected: f64, what: &str) {
    // Rates are extrapolated to the ends of the window, for each Envoy by when it was scraped: up to a scrape at either
    // end, of the twenty that there are.
    assert!((actual - expected).abs() <= 0.1 * expected, "{what} is {actual}, expected about {expected}");
}

#[test]
fn prometheus_answers_every_query_through_a_reset_several_workers_and_two_envoys() {
    let upstream = Upstream::as_asked();
    let (first, second) = (timed(&upstream, 2), timed(&upstream, 1));
    let Some(prometheus) = scraping(&[&first, &second]) else { return };
    let asking = Asking::new(&prometheus);

    let send = |envoy: &Envoy, path: &str, times: u32| {
        for _ in 0..times {
            envoy.get(path).send();
        }
    };
    let counted = |envoy: &Envoy, class: &str, times: u32| {
        let series = format!(r#"wasm_http_inbound_responses_total_{class}{{instance="{}"}}"#, envoy.admin());
        prometheus.wait_for(&series, times.into());
    };
    send(&first, "/200", 60);
    send(&first, "/404", 4);
    send(&first, "/503", 4);
    send(&second, "/200", 4);
    send(&second, "/200/400", 10);
    send(&second, "/302", 4);
    send(&second, "/503", 14);
    for (envoy, class, times) in
        [(&first, "2xx", 60), (&first, "5xx", 4), (&second, "2xx", 14), (&second, "5xx", 14)]
    {
        counted(envoy, class, times);
    }
    // As if that Envoy had been restarted.
    assert_eq!(Request::new(first.admin(), "POST", "/reset_counters").send().status, 200);
    // Nobody could see a counter begin anew that is beyond its old value when it is next looked at.
    counted(&first, "5xx", 0);
    send(&first, "/200", 10);
    send(&first, "/503", 10);
    counted(&first, "2xx", 10);
    counted(&first, "5xx", 10);
    prometheus.wait_for("sum(wasm_http_inbound_duration_ms_count)", 120.0);

    for query in &asking.queries.queries {
        let answer = prometheus.query(&asking.promql(&query.name)).unwrap();
        assert!(!answer.is_empty(), "{} has no answer", query.name);
        assert!(answer.iter().all(|one| one.points[0].1.is_finite()), "{}: {answer:?}", query.name);
    }
    let answered = 84.0 + 4.0 + 4.0 + 28.0;
    assert_near(asking.value("error-ratio"), 28.0 / answered, "the share of errors");
    let classes = asking.by_label("rate-by-class");
    let names: Vec<&str> = classes.iter().map(|(class, _)| class.as_str()).collect();
    assert_eq!(names, ["2xx", "3xx", "4xx", "5xx"]);
    for ((class, rate), times) in classes.iter().zip([84.0, 4.0, 4.0, 28.0]) {
        assert_near(rate / classes[0].1, times / 84.0, &format!("{class} beside 2xx"));
    }
    let mut instances = asking.by_label("rate-by-instance");
    instances.sort_by(|one, other| other.1.total_cmp(&one.1));
    let names: Vec<&str> = instances.iter().map(|(instance, _)| instance.as_str()).collect();
    assert_eq!(names, [first.admin().to_string(), second.admin().to_string()]);

    assert!(asking.value("p50") < 300.0, "{}", asking.value("p50"));
    assert!(asking.value("p99") > 300.0, "ten of 120 took 400 ms: {}", asking.value("p99"));
    assert!(asking.value("p50") <= asking.value("p90") && asking.value("p90") <= asking.value("p99"));
    assert!(asking.value("slow-ratio") > 0.95 * 10.0 / 120.0, "{}", asking.value("slow-ratio"));

    // 99.9 % is the objective: each per cent of errors is ten times too many.
    assert_near(asking.value("burn-5m"), 1000.0 * 28.0 / answered, "the burn of five minutes");
    assert_near(asking.value("page"), 1000.0 * 28.0 / answered, "the burn that is paged");
    // Besides the 503s, the ten that took 400 ms are none that the objective finds good.
    assert_near(asking.value("slo-bad-ratio"), 38.0 / answered, "the share that is not good");
    assert_near(
        asking.value("slo-burn-5m"),
        1000.0 * 38.0 / answered,
        "the objective's burn of five minutes",
    );
    assert_near(asking.value("slo-page"), 1000.0 * 38.0 / answered, "the objective's burn that is paged");
    for part in ["ttfb-p99", "upstream-p99"] {
        // Ten of 120 took 400 ms, nearly all of it before the first byte.
        assert!((300.0..=500.0).contains(&asking.value(part)), "{part} is {}", asking.value(part));
    }
    assert!(
        (64.0..1024.0).contains(&asking.value("request-size-p99")),
        "{}",
        asking.value("request-size-p99")
    );
    for none in
        ["inflight", "grpc-error-ratio", "local-reply-rate", "upstream-reset-rate", "downstream-reset-rate"]
    {
        assert_eq!(asking.value(none), 0.0, "{none}");
    }
}

#[test]
fn before_any_request_there_are_no_errors_and_no_durations() {
    let upstream = Upstream::as_asked();
    let envoy = timed(&upstream, 1);
    let Some(prometheus) = scraping(&[&envoy]) else { return };
    let asking = Asking::new(&prometheus);
    assert_eq!(asking.value("rate"), 0.0);
    assert_eq!(asking.value("error-ratio"), 0.0);
    assert_eq!(asking.value("burn-1h"), 0.0);
    let classes = ["2xx", "3xx", "4xx", "5xx"].map(|class| (class.to_owned(), 0.0));
    assert_eq!(asking.by_label("rate-by-class"), classes);
    assert_eq!((asking.value("slo-bad-ratio"), asking.value("inflight")), (0.0, 0.0));
    for query in ["page", "ticket", "mean", "slow-ratio", "slo-page", "slo-ticket"] {
        assert_eq!(prometheus.value(&asking.promql(query)), None, "{query}");
    }
}

#[test]
fn histograms_have_the_bounds_of_their_bootstrap() {
    for bootstrap in [Bootstrap::filter("http-timing"), Bootstrap::all()] {
        let tree: Value = serde_json::from_str(&bootstrap.to_json()).unwrap();
        let settings = tree["stats_config"]["histogram_bucket_settings"].as_array().unwrap();
        let upstream = Upstream::as_asked();
        let bootstrap = bootstrap.upstream(upstream.address());
        let everything_lasts =
            r#""long_lived_after": 0, "long_lived_when": {"methods": ["POST"]}, "metrics""#;
        let configuration = EXTENDED.replace("\"metrics\"", everything_lasts);
        let envoy = Envoy::with(bootstrap.configure("http-timing", configuration)).start();
        envoy.get("/200").send();
        envoy.request("POST", "/200").send();
        envoy.wait_for_stat("wasm_http_inbound_stream_duration_ms_count", 1);
        envoy.wait_for_stat("wasm_http_inbound_duration_ms_count", 1);
        for (name, end) in [
            ("stream_duration_ms", r".*_stream_duration_ms$"),
            ("duration_ms", r".*_ms$"),
            ("ttfb_ms", r".*_ms$"),
            ("upstream_ms", r".*_ms$"),
            ("duration_us", r".*_us$"),
            ("request_bytes", r".*_bytes$"),
            ("response_bytes", r".*_bytes$"),
        ] {
            let regex = format!(r"^wasmcustom\.wasm_http_{end}");
            let setting = settings.iter().find(|one| one["match"]["safe_regex"]["regex"] == regex.as_str());
            let buckets = setting.unwrap()["buckets"].as_array().unwrap();
            let mut expected: Vec<String> = buckets.iter().map(ToString::to_string).collect();
            expected.push("+Inf".to_owned());
            assert_eq!(bounds(&envoy, name), expected, "{name}");
        }
    }
}

#[test]
fn a_bound_for_the_beginning_of_a_name_is_enough_as_istio_writes_it() {
    let upstream = Upstream::as_asked();
    let settings = json!([{
        "match": { "prefix": "wasmcustom.wasm_http_inbound_duration_ms" }, "buckets": [7, 77],
    }]);
    let bootstrap = Bootstrap::filter("http-timing").upstream(upstream.address());
    let bootstrap = bootstrap.edit(|tree| tree["stats_config"]["histogram_bucket_settings"] = settings);
    let envoy = Envoy::with(bootstrap).start();
    envoy.get("/200").send();
    envoy.wait_for_stat("wasm_http_inbound_duration_ms_count", 1);
    assert_eq!(bounds(&envoy, "duration_ms"), ["7", "77", "+Inf"]);
}

/// The upper bounds of the buckets that Envoy shows.
fn bounds(envoy: &Envoy, name: &str) -> Vec<String> {
    let text = envoy.prometheus();
    let start = format!("wasm_http_inbound_{name}_bucket{{le=\"");
    let buckets = text.lines().filter_map(|line| line.strip_prefix(&start));
    buckets.map(|rest| rest.split_once('"').expect("a bound in quotes").0.to_owned()).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lint {
    metrics: String,
    lint: String,
    because: String,
}

/// Metrics beside those of `all.yaml`: of a slice and of streams that are meant to last, and of a list that is fetched.
const FURTHER: &str = r#"{
    "version": 1, "direction": "outbound", "long_lived_after": 0, "long_lived_when": {"methods": ["POST"]},
    "slices": [{"name": "api", "when": {"paths": [{"prefix": "/"}]}}],
    "metrics": {"1xx": true, "none": true, "requests": true, "inflight": true, "ttfb": true, "upstream": true,
        "sizes": true, "local_replies": true, "resets": true, "grpc": true, "us": true},
    "slo": [{"name": "fast", "latency": "300ms"}]
}"#;
const FETCHED: &str = r#"{"version": 1, "lists": [
    {"name": "feed", "remote": {"cluster": "metadata", "authority": "lists.test", "path": "/list", "interval": "1s"}}]}"#;
/// The same with the names that Istio's proxy makes labels of.
const ISTIO_TIMING: &str = r#"{"version": 1, "direction": "inbound", "slices": [{"name": "api", "when": {"paths": [{"prefix": "/"}]}}],
    "metrics": {"tag_style": "istio", "ttfb": true}}"#;
const ISTIO_ENRICHMENT: &str = r#"{"version": 1, "metrics": {"tag_style": "istio"},
    "call": {"cluster": "metadata", "authority": "metadata.local", "path": "/user"},
    "map": [{"from": "literal", "value": "1", "to": "x-meta"}]}"#;

/// What Envoys with all filters show of ours, after requests: as `all.yaml` has them, with everything that the filters
/// can have beside, and with Istio's tags.
fn shown() -> [(&'static str, String); 3] {
    let lists = Upstream::answering(|_| Reply::new(200, ".listed.test\n"));
    let upstream = Upstream::as_asked();
    let all = || Bootstrap::all().upstream(upstream.address());
    let further = all()
        .configure("http-timing", FURTHER)
        .configure("blocklist", FETCHED)
        .cluster("metadata", lists.address());
    let istio = all()
        .configure("http-timing", ISTIO_TIMING)
        .configure("callout-enrichment", ISTIO_ENRICHMENT)
        // As the bootstrap of Istio's proxy has it.
        .edit(|tree| {
            tree["stats_config"]["stats_tags"] =
                json!([{"tag_name": "wasm_filter", "regex": "(wasm_filter\\.(.+?)\\.)"}])
        });
    let all = all().configure("http-timing", EXTENDED);
    [
        ("all.yaml", all, "wasm_http_inbound_duration_ms_count"),
        ("everything else", further, "wasm_http_outbound_duration_ms_count"),
        ("Istio's tags", istio, "wasm_http_inbound_duration_ms_count{wasm_filter=\"http-timing\"}"),
    ]
    .map(|(what, bootstrap, streams)| {
        let envoy = Envoy::with(bootstrap).start();
        if what == "everything else" {
            envoy.wait_for_stat("wasm_blocklist_entries_feed", 1);
        }
        envoy.get("/200").send();
        envoy.get("/200").header("host", "ads.example.com").send();
        envoy.get("/200").header("host", "a.listed.test").send();
        envoy.request("POST", "/200").send();
        let begun = Instant::now();
        let there = |text: &str| {
            text.lines().any(|line| line.strip_prefix(streams).is_some_and(|rest| !rest.ends_with(" 0")))
        };
        while !there(&envoy.prometheus()) {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{what}: no {streams}:\n{}",
                envoy.prometheus()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        // Ours are all that do not begin with `envoy_`.
        let text = envoy.prometheus();
        let is_ours = |line: &&str| !line.trim_start_matches("# TYPE ").starts_with("envoy_");
        (what, text.lines().filter(is_ours).flat_map(|line| [line, "\n"]).collect())
    })
}

/// What `promtool check metrics` says of a text: a line each.
fn linted(promtool: &Path, what: &str, text: &str) -> Vec<String> {
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    // 3: it could read them, and has something against them.
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{what}: promtool cannot read this:\n{said}\n{text}"
    );
    said.lines().map(str::to_owned).collect()
}

#[test]
fn promtool_has_nothing_against_the_metrics_but_what_is_listed_with_its_reason() {
    let Some(promtool) = Prometheus::promtool() else {
        eprintln!("SKIPPED: no metric was linted, because there is no promtool here");
        return;
    };
    let shown = shown();
    // That what is linted is there at all.
    for (text, names) in shown.each_ref().map(|(_, text)| text).into_iter().zip([
        &[
            "wasm_http_inbound_duration_ms_count",
            "wasm_blocklist_denied_total",
            "wasm_redaction_matches_total",
        ][..],
        &[
            "wasm_http_outbound_api_responses_total_2xx",
            "wasm_http_outbound_api_slo_fast_good_total",
            "wasm_http_outbound_api_stream_duration_ms_count",
            "wasm_blocklist_refreshes_feed_total",
            "wasm_blocklist_entries_feed",
            "wasm_blocklist_age_feed_seconds",
            "wasm_blocklist_denied_feed_total",
        ],
        &[
            "wasm_http_inbound_api_responses_total_2xx{wasm_filter=\"http-timing\"}",
            "wasm_enrich_requests_total{wasm_filter=\"enrich\"}",
        ],
    ]) {
        for name in names {
            assert!(text.contains(name), "{name} is missing:\n{text}");
        }
    }

    let listed: Vec<Lint> = serde_saphyr::from_str(include_str!("../lints.yaml")).unwrap();
    let patterns: Vec<Regex> =
        listed.iter().map(|one| Regex::new(&format!("^(?:{})$", one.metrics)).unwrap()).collect();
    let mut seen = vec![false; listed.len()];
    let mut others = Vec::new();
    for (what, text) in &shown {
        for line in linted(&promtool, what, text) {
            let (metric, lint) = line.split_once(' ').unwrap_or((&line, ""));
            let mut rows = listed.iter().zip(&patterns);
            match rows.position(|(one, pattern)| pattern.is_match(metric) && one.lint == lint) {
                Some(index) => seen[index] = true,
                None => others.push(format!("{what}: {line}")),
            }
        }
    }
    assert!(others.is_empty(), "not in lints.yaml:\n{}", others.join("\n"));
    for (one, seen) in listed.iter().zip(seen) {
        assert!(seen, "lints.yaml has {:?} of {}, which promtool does not say", one.lint, one.metrics);
        assert!(one.because.len() > 20, "{} has no reason", one.metrics);
    }
}
