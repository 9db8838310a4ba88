//! Where a plugin is put: selector, targets, phase, priority, match.

use crate::cursor::Cursor;

/// The fields that both kinds of resource have for it.
pub(super) const FIELDS: &[&str] = &["selector", "targetRefs", "phase", "priority", "match"];

/// Kinds that a target may be of, with the groups of their API.
const TARGETS: &[(&str, &[&str])] = &[
    ("Gateway", &["gateway.networking.k8s.io"]),
    ("GatewayClass", &["gateway.networking.k8s.io"]),
    ("Service", &["", "core"]),
    ("ServiceEntry", &["networking.istio.io"]),
];

pub(super) fn check(spec: &Cursor<'_>) {
    let chosen: Vec<Cursor<'_>> =
        ["selector", "targetRef", "targetRefs"].iter().filter_map(|name| spec.get(name)).collect();
    for second in chosen.iter().skip(1) {
        // The webhook's words.
        second.add("only one of targetRefs or workloadSelector can be set");
    }
    if let Some(selector) = spec.get("selector") {
        labels(&selector);
    }
    if let Some(reference) = spec.get("targetRef") {
        target(&reference);
    }
    if let Some(references) = spec.get("targetRefs") {
        let items = references.items();
        if items.len() > 16 {
            references.add(format!("found {} targets, expected at most 16", items.len()));
        }
        items.iter().for_each(target);
    }
    if let Some(phase) = spec.get("phase") {
        phase.word(&["UNSPECIFIED_PHASE", "AUTHN", "AUTHZ", "STATS"]);
    }
    if let Some(priority) = spec.get("priority") {
        priority.integer(i32::MIN.into()..=i32::MAX.into());
    }
    let entries = spec.get("match").map(|entries| entries.items()).unwrap_or_default();
    entries.iter().for_each(matched);
}

fn labels(selector: &Cursor<'_>) {
    if !selector.object(&["matchLabels"]) {
        return;
    }
    let Some(labels) = selector.get("matchLabels") else { return };
    if labels.node.entries().is_none() {
        return labels.expected("a map of labels");
    }
    for (key, value) in labels.entries() {
        if key.name.is_empty() {
            value.add("empty key is not supported");
        }
        let text = value.text(0..=63);
        if key.name.contains('*') || text.is_some_and(|text| text.contains('*')) {
            value.add("wildcard is not supported in selector");
        }
    }
}

fn target(reference: &Cursor<'_>) {
    if !reference.object(&["group", "kind", "name", "namespace"]) {
        return;
    }
    match reference.get("name") {
        Some(name) => drop(name.text(1..=253)),
        None => reference.missing("name", "the target's name"),
    }
    if let Some(namespace) = reference.get("namespace")
        && !namespace.node.text().is_some_and(str::is_empty)
    {
        namespace.expected("none: a target is in the plugin's own namespace");
    }
    let Some(kind) = reference.get("kind") else {
        return reference.missing("kind", "one of `Gateway`, `GatewayClass`, `Service`, `ServiceEntry`");
    };
    let words: Vec<&str> = TARGETS.iter().map(|(kind, _)| *kind).collect();
    let Some(kind) = kind.word(&words) else { return };
    let groups = TARGETS.iter().find(|(known, _)| *known == kind).map_or(&[][..], |(_, groups)| groups);
    match reference.get("group") {
        Some(group) => drop(group.word(groups)),
        None if groups.contains(&"") => {}
        None => reference.missing("group", &format!("`{}` for a {kind}", groups.join("` or `"))),
    }
}

fn matched(entry: &Cursor<'_>) {
    if !entry.object(&["mode", "ports"]) {
        return;
    }
    if let Some(mode) = entry.get("mode") {
        mode.word(&["UNDEFINED", "CLIENT", "SERVER", "CLIENT_AND_SERVER"]);
    }
    for port in entry.get("ports").map(|ports| ports.items()).unwrap_or_default() {
        if port.object(&["number"]) {
            match port.get("number") {
                Some(number) => number.integer(1..=65_535),
                None => port.missing("number", "an integer from 1 to 65535"),
            }
        }
    }
}
