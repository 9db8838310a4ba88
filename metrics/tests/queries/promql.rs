//! Prometheus' own engine, by `promtool test rules`, on the series of `cases.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use meshloom_lab::Prometheus;
use meshloom_metrics::{Queries, Terms};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    that: String,
    at: String,
    #[serde(default)]
    selector: String,
    direction: Option<String>,
    series: BTreeMap<String, String>,
    /// Of each query, the values by their labels.
    answers: BTreeMap<String, BTreeMap<String, f64>>,
}

fn cases() -> Vec<Case> {
    serde_saphyr::from_str(include_str!("cases.yaml")).unwrap()
}

/// The case as promtool has it.
fn unit_test(case: &Case, queries: &Queries) -> Value {
    let direction = case.direction.as_deref().unwrap_or("inbound");
    let terms = Terms { selector: &case.selector, direction, ..Terms::SHOWN };
    let asked = case.answers.iter().map(|(name, answer)| {
        let samples: Vec<Value> =
            answer.iter().map(|(labels, value)| json!({ "labels": labels, "value": value })).collect();
        let promql = queries.render(name, terms).unwrap();
        // promtool compares values bit by bit.
        let rounded = format!("round(({promql}) * 1000) / 1000");
        json!({ "expr": rounded, "eval_time": case.at, "exp_samples": samples })
    });
    let series: Vec<Value> =
        case.series.iter().map(|(series, values)| json!({ "series": series, "values": values })).collect();
    json!({ "name": case.that, "interval": "15s", "input_series": series, "promql_expr_test": asked.collect::<Vec<_>>() })
}

#[test]
fn the_queries_answer_rightly_through_resets_gaps_and_several_instances() {
    let Some(promtool) = Prometheus::promtool() else {
        eprintln!("SKIPPED: no query was evaluated, because there is no promtool here");
        return;
    };
    let queries = Queries::read().unwrap();
    let tests: Vec<Value> = cases().iter().map(|case| unit_test(case, &queries)).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({ "evaluation_interval": "15s", "tests": tests }).to_string()).unwrap();
    let output = Command::new(promtool).args(["test", "rules"]).arg(file.path()).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}", said.concat());
}

#[test]
fn every_query_has_a_case_with_an_answer() {
    let cases = cases();
    let answered: BTreeSet<&str> = cases
        .iter()
        .flat_map(|case| &case.answers)
        .filter(|(_, answer)| !answer.is_empty())
        .map(|(name, _)| name.as_str())
        .collect();
    let queries = Queries::read().unwrap();
    let all: BTreeSet<&str> = queries.queries.iter().map(|query| query.name.as_str()).collect();
    assert_eq!(answered, all);
}
