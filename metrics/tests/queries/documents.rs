//! What is made of the queries is as the queries are, and the bootstraps have the buckets they ask for.

use std::collections::{BTreeMap, BTreeSet};

use meshloom_lab::{Bootstrap, root};
use meshloom_metrics::{DASHBOARD, PAGE, PLOTS, Queries, Terms, dashboard, page};
use serde_json::Value;

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_dashboard_and_the_page_are_made_of_the_queries_as_they_stand() {
    let queries = Queries::read().unwrap();
    // Not shown whole: git diff shows what has changed.
    assert!(read(DASHBOARD) == dashboard(&queries).unwrap(), "{DASHBOARD} is old: run `make dashboard`");
    let old = read(PAGE);
    assert!(old == page(&old, &queries).unwrap(), "{PAGE} is old: run `make dashboard`");
}

/// A query of the dashboard as the page shows it.
fn shown(expression: &str) -> String {
    expression
        .replace("${direction}", Terms::SHOWN.direction)
        .replace(r#",job=~"$job",instance=~"$instance"}"#, "}")
        .replace(r#"{job=~"$job",instance=~"$instance"}"#, "")
        .replace("$__rate_interval", Terms::SHOWN.window)
        .replace("${objective}", Terms::SHOWN.objective)
        .replace("${slo}", Terms::SHOWN.slo)
}

#[test]
fn every_panel_of_the_dashboard_asks_what_the_page_shows_and_nothing_else() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let page = read(PAGE);
    let documented: BTreeSet<&str> =
        page.split("```promql\n").skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0)).collect();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            asked.insert(shown(target["expr"].as_str().unwrap()));
        }
    }
    assert_eq!(asked.iter().map(String::as_str).collect::<BTreeSet<_>>(), documented);
}

#[test]
fn the_dashboard_is_one_that_grafana_can_import_anywhere() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    assert_eq!(dashboard["title"], "Meshloom http-timing");
    assert_eq!(dashboard["uid"], "meshloom-http-timing");
    // An id belongs to one Grafana: with it an import replaces what has it there.
    assert!(dashboard.get("id").is_none());
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: BTreeSet<&str> = variables.iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, BTreeSet::from(["datasource", "direction", "instance", "job", "objective", "slo"]));
    assert_eq!(variables[0]["type"], "datasource");
    let panels = dashboard["panels"].as_array().unwrap();
    let mut places = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().filter(|title| !title.is_empty());
        let title = title.unwrap_or_else(|| panic!("a panel without a title: {panel}"));
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
        assert!(
            ["reqps", "ms", "percentunit", "bytes", "Bps", "none"].contains(&unit),
            "{title}: unit {unit:?}"
        );
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{title} asks nothing");
        assert!(places.insert(panel["gridPos"].to_string()), "{title} lies on another");
        assert!(ids.insert(panel["id"].to_string()), "{title} has the id of another");
    }
    assert!(!panels.is_empty());
}

#[test]
fn every_plot_is_there_and_on_the_page() {
    let page = read(PAGE);
    let mut plots = 0;
    for name in Queries::read().unwrap().panels.iter().filter_map(|panel| panel.plot.as_ref()) {
        assert!(read(&format!("{PLOTS}/{name}.svg")).contains("<path d=\"M"), "{name} has no line");
        assert!(page.contains(&format!("](metrics/{name}.svg)")), "{PAGE} does not show {name}");
        plots += 1;
    }
    assert!(plots > 0);
}

#[test]
fn the_bounds_that_queries_ask_for_are_those_of_the_bootstraps() {
    let queries = Queries::read().unwrap();
    let slow = queries.render("slow-ratio", Terms::SHOWN).unwrap();
    let (_, rest) = slow.split_once("le=~\"").unwrap();
    let bound: u64 = rest.split_once('(').unwrap().0.parse().unwrap();
    for bootstrap in [Bootstrap::filter("http-timing"), Bootstrap::all()] {
        let tree: Value = serde_json::from_str(&bootstrap.to_json()).unwrap();
        let buckets = buckets(&tree, "_ms$");
        assert!(buckets.contains(&bound), "{bound} is no bound of {buckets:?}");
        assert!(buckets.is_sorted(), "{buckets:?}");
        for (metric, of_annotation) in annotation() {
            assert_eq!(of_annotation, buckets, "{metric}");
        }
    }
}

/// The upper bounds that a bootstrap has for the histograms whose names end so.
fn buckets(tree: &Value, end: &str) -> Vec<u64> {
    let settings = tree.pointer("/stats_config/histogram_bucket_settings").and_then(Value::as_array);
    let regex = format!(r"^wasmcustom\.wasm_http_.*{end}");
    let is_its = |one: &&Value| one.pointer("/match/safe_regex/regex").is_some_and(|other| *other == regex);
    let found = settings.and_then(|settings| settings.iter().find(is_its));
    let bounds = found.and_then(|one| one.get("buckets")).and_then(Value::as_array);
    let bounds = bounds.unwrap_or_else(|| panic!("there are no buckets for {regex}"));
    bounds.iter().filter_map(Value::as_u64).collect()
}

#[test]
fn every_kind_of_histogram_has_bounds_of_its_own_in_the_bootstraps() {
    let all = [Bootstrap::filter("http-timing"), Bootstrap::all()].map(|bootstrap| {
        let tree: Value = serde_json::from_str(&bootstrap.to_json()).unwrap();
        ["_stream_duration_ms$", "_ms$", "_us$", "_bytes$"].map(|end| {
            let buckets = buckets(&tree, end);
            assert!(buckets.is_sorted() && (10..=20).contains(&buckets.len()), "{end}: {buckets:?}");
            buckets
        })
    });
    assert_eq!(all[0], all[1]);
}

/// The buckets in the page's annotation for Istio, by the beginnings of names.
fn annotation() -> BTreeMap<String, Vec<u64>> {
    let page = read(PAGE);
    let (_, rest) = page.split_once("sidecar.istio.io/statsHistogramBuckets: |\n").unwrap();
    serde_json::from_str(rest.split_once("```").unwrap().0).unwrap()
}

#[test]
fn the_annotation_for_istio_names_the_histograms_of_both_directions() {
    let names: Vec<String> = annotation().into_keys().collect();
    let expected =
        ["inbound", "outbound"].map(|direction| format!("wasmcustom.wasm_http_{direction}_duration_ms"));
    assert_eq!(names, expected);
}
