//! Configurations that are wrong in one place, and configurations that are anything at all.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Hands `each` every configuration that `sample` becomes by one thing odd in one place, with the path of the place.
pub(crate) fn each(sample: &Value, each: &mut dyn FnMut(&str, Value)) {
    let mut places = Vec::new();
    places_of(sample, "", &mut places);
    for place in places {
        let mut with = |change: &dyn Fn(&mut Value)| {
            let mut changed = sample.clone();
            if let Some(value) = changed.pointer_mut(&place) {
                change(value);
            }
            each(&place, changed);
        };
        for odd in odd_values() {
            with(&|value| *value = odd.clone());
        }
        with(&|value| match value {
            Value::Object(members) => drop(members.insert("odd".to_owned(), json!(1))),
            Value::Array(items) => items.extend(items.first().cloned()),
            Value::Number(number) => *value = json!(number.as_f64().map(|number| number * 1e6 + 0.5)),
            Value::String(text) => text.push('\u{e9}'),
            other => *other = json!([other]),
        });
        // Its first member is gone.
        with(&|value| {
            if let Value::Object(members) = value
                && let Some(name) = members.keys().next().cloned()
            {
                members.remove(&name);
            }
        });
    }
}

fn odd_values() -> Vec<Value> {
    let long = "a".repeat(9_000);
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("odd"),
        json!("\u{0}\r\n"),
        json!("${"),
        json!(long),
        json!([]),
        json!([[]]),
        json!({}),
        json!({"odd": 1}),
    ]
}

/// JSON pointers to every value.
fn places_of(value: &Value, at: &str, places: &mut Vec<String>) {
    places.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                places_of(value, &format!("{at}/{name}"), places);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                places_of(value, &format!("{at}/{index}"), places);
            }
        }
        _ => {}
    }
}

/// Whether a problem's path leads to a value of the configuration, or to a member that an object of it lacks.
pub(crate) fn leads_somewhere(configuration: &Value, path: &str) -> bool {
    let mut value = Some(configuration);
    let steps = path.split(['.', '[']).filter(|step| !step.is_empty());
    for step in steps {
        let Some(here) = value else { return false };
        value = match (here, step.strip_suffix(']')) {
            (Value::Array(items), Some(index)) => {
                index.parse().ok().and_then(|index: usize| items.get(index))
            }
            (Value::Object(members), None) => members.get(step),
            _ => return false,
        };
    }
    true
}

/// Any JSON, made of names and words that stand in a schema more often than of others.
pub(crate) fn anything(schema: &Value) -> impl Strategy<Value = Value> {
    let (mut names, mut words) = (BTreeSet::new(), BTreeSet::new());
    words_of(schema, &mut names, &mut words);
    let names: Vec<String> = names.into_iter().collect();
    words.extend(["1", "x-a", "a.test", "5s", "1MiB", "/", "${path}"].map(String::from));
    let words: Vec<String> = words.into_iter().collect();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        Just(json!(1)),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        prop::sample::select(words).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        let name =
            prop_oneof![9 => prop::sample::select(names.clone()), 1 => "[a-z_]{1,8}".prop_map(String::from)];
        let members = prop::collection::vec((name, inner.clone()), 0..8);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
            members.prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn words_of(schema: &Value, names: &mut BTreeSet<String>, words: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            for (key, value) in members {
                match (key.as_str(), value) {
                    ("properties", Value::Object(properties)) => names.extend(properties.keys().cloned()),
                    ("enum", Value::Array(all)) => {
                        words.extend(all.iter().filter_map(|word| word.as_str().map(str::to_owned)));
                    }
                    ("const", Value::String(word)) => drop(words.insert(word.clone())),
                    _ => {}
                }
                words_of(value, names, words);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| words_of(item, names, words)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_a_value_or_to_one_that_is_missing() {
        let json = json!({"rules": [{"op": "set"}], "version": 1});
        for right in ["", "rules", "rules[0]", "rules[0].op", "rules[0].name", "odd"] {
            assert!(leads_somewhere(&json, right), "{right}");
        }
        for wrong in ["rules.op", "version[0]", "rules[0].op.x", "odd.x", "rules[7].op"] {
            assert!(!leads_somewhere(&json, wrong), "{wrong}");
        }
    }

    #[test]
    fn every_place_is_made_odd_once_for_each_way() {
        let mut places = BTreeSet::new();
        let mut count = 0;
        each(&json!({"a": [1, {"b": "c"}]}), &mut |place, _| {
            places.insert(place.to_owned());
            count += 1;
        });
        assert_eq!(places.into_iter().collect::<Vec<_>>(), ["", "/a", "/a/0", "/a/1", "/a/1/b"]);
        assert_eq!(count, 5 * (odd_values().len() + 2));
    }
}
