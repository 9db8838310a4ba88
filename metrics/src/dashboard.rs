//! The Grafana dashboard.

use serde_json::{Value, json};

use crate::query::{Panel, Queries, Terms};

/// What Grafana puts in: its variables stand where a query has its words.
const TERMS: Terms<'static> = Terms {
    direction: "${direction}",
    selector: r#"job=~"$job",instance=~"$instance""#,
    window: "$__rate_interval",
    objective: "${objective}",
    slo: "${slo}",
};

/// Grafana's grid has 24 columns: two panels stand side by side.
const WIDTH: usize = 12;
const HEIGHT: usize = 8;

/// The dashboard as Grafana imports it, in JSON.
///
/// # Errors
///
/// When a panel names a query that there is not.
pub fn dashboard(queries: &Queries) -> anyhow::Result<String> {
    let panels = queries.panels.iter().enumerate();
    let panels =
        panels.map(|(index, one)| panel(queries, one, index)).collect::<anyhow::Result<Vec<Value>>>()?;
    let dashboard = json!({
        "title": "Meshloom http-timing",
        "uid": "meshloom-http-timing",
        "description": "Generated from metrics/queries.yaml, which says what each query answers.",
        "tags": ["envoy", "proxy-wasm"],
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "time": { "from": "now-1h", "to": "now" },
        "refresh": "30s",
        "templating": { "list": [
            { "name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source" },
            {
                "name": "direction", "type": "custom", "query": "inbound,outbound", "label": "Direction",
                "current": { "text": "inbound", "value": "inbound" },
            },
            label("job", "label_values(wasm_http_${direction}_responses_total_2xx, job)"),
            label("instance", "label_values(wasm_http_${direction}_responses_total_2xx{job=~\"$job\"}, instance)"),
            {
                "name": "objective", "type": "textbox", "query": "99.9", "label": "Objective, %",
                "current": { "text": "99.9", "value": "99.9" },
            },
            {
                "name": "slo", "type": "textbox", "query": "fast", "label": "Name of the SLO",
                "current": { "text": "fast", "value": "fast" },
            },
        ] },
        "panels": panels,
    });
    Ok(serde_json::to_string_pretty(&dashboard)? + "\n")
}

/// A variable that is the values of a label, all of them until somebody chooses.
fn label(name: &str, query: &str) -> Value {
    json!({
        "name": name, "type": "query", "label": name, "query": query, "datasource": datasource(),
        "refresh": 2, "multi": true, "includeAll": true, "allValue": ".*",
        "current": { "text": "All", "value": "$__all" },
    })
}

fn panel(queries: &Queries, panel: &Panel, index: usize) -> anyhow::Result<Value> {
    let mut targets = Vec::new();
    for (name, id) in panel.queries.iter().zip('A'..='Z') {
        targets.push(json!({
            "refId": id.to_string(),
            "datasource": datasource(),
            "expr": queries.render(name, TERMS)?,
            "legendFormat": queries.query(name)?.legend.as_deref().unwrap_or(name),
        }));
    }
    let answers = panel.queries.iter().map(|name| Ok(format!("{name}: {}", queries.query(name)?.answers)));
    let answers: Vec<String> = answers.collect::<anyhow::Result<_>>()?;
    Ok(json!({
        "id": index + 1,
        "title": panel.title,
        "description": answers.join("\n\n"),
        "type": "timeseries",
        "datasource": datasource(),
        "gridPos": { "x": index % 2 * WIDTH, "y": index / 2 * HEIGHT, "w": WIDTH, "h": HEIGHT },
        "fieldConfig": {
            "defaults": { "unit": panel.unit, "min": 0, "noValue": "none", "custom": { "fillOpacity": 10 } },
            "overrides": [],
        },
        "options": { "legend": { "displayMode": "list", "placement": "bottom" }, "tooltip": { "mode": "multi" } },
        "targets": targets,
    }))
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}
