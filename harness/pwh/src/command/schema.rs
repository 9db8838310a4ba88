//! `pwh schema`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

/// Prints the JSON Schema of scenario files, for editors that complete and check YAML
///
/// With the YAML language server: `pwh schema > pwh.schema.json`, and begin a scenario file with
/// `# yaml-language-server: $schema=pwh.schema.json`.
#[derive(Args)]
pub(crate) struct Schema {}

pub(crate) const SCHEMA: &str = include_str!("../../scenario.schema.json");

impl Schema {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        super::print(SCHEMA)?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use proxy_wasm_harness::{Profile, Status};
    use serde_json::Value;

    use super::SCHEMA;
    use crate::scenario::{cluster, expect, message, plugin, step};
    use crate::{matcher, scenario};

    /// Every string of a list there.
    fn names(schema: &Value, pointer: &str) -> Vec<String> {
        let mut names: Vec<String> = match schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")) {
            Value::Object(fields) => fields.keys().cloned().collect(),
            Value::Array(items) => items.iter().map(|item| item.as_str().unwrap().to_owned()).collect(),
            other => panic!("{pointer}: {other}"),
        };
        names.sort();
        names
    }

    #[test]
    fn the_schema_has_the_fields_and_the_words_that_are_read() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let of = |kind: &str| format!("/$defs/{kind}/properties");
        let costs: Vec<&str> = expect::COSTS.iter().map(|(word, _)| *word).collect();
        let policies: Vec<&str> = plugin::POLICIES.iter().map(|(word, _)| *word).collect();
        let mut levels: Vec<&str> = scenario::LEVELS.iter().map(|(word, _)| *word).collect();
        let profiles: Vec<String> = Profile::ALL.iter().map(ToString::to_string).collect();
        let statuses: Vec<String> = Status::ALL.iter().map(|status| format!("{status:?}")).collect();
        let callout: Vec<&str> = ["cluster"].into_iter().chain(cluster::WHEN).collect();
        let mut checked = 0;
        let mut check = |pointer: &str, read: &[&str]| {
            let mut read: Vec<String> = read.iter().map(|name| (*name).to_owned()).collect();
            read.sort();
            assert_eq!(names(&schema, pointer), read, "{pointer}");
            checked += 1;
        };
        check("/properties", &scenario::FIELDS);
        check(&of("proxy"), &scenario::PROXY);
        check(&of("test"), &scenario::TEST);
        check(&of("plugin"), &plugin::FIELDS);
        check(&of("request"), &message::REQUEST);
        check(&of("reply"), &message::REPLY);
        check(&of("more"), &message::MORE);
        check("/$defs/body/anyOf/1/properties", &message::BODY);
        check(&of("rule"), &cluster::RULE);
        check(&of("when"), &cluster::WHEN);
        check(&of("respond"), &cluster::RESPOND);
        check("/$defs/failure/enum", &cluster::FAILURES);
        check("/$defs/cluster/anyOf/0/enum", &cluster::CLUSTERS);
        check(&of("step"), &step::FIELDS);
        check(&of("callout"), &step::CALLOUT);
        check(&of("fail"), &step::FAIL);
        check("/$defs/matcher/anyOf/2/properties", &matcher::FIELDS);
        check(&of("expect"), &expect::FIELDS);
        check("/$defs/forwarded/anyOf/1/properties", &expect::FORWARDED);
        check("/$defs/received/anyOf/1/properties", &expect::RECEIVED);
        check("/$defs/metric/anyOf/1/properties", &expect::METRIC);
        check("/$defs/expect/properties/costs/properties", &costs);
        check("/$defs/expect/properties/callouts/anyOf/1/items/properties", &callout);
        check("/$defs/plugin/properties/failure_policy/enum", &policies);
        check("/$defs/proxy/properties/log_level/enum", &levels);
        levels.push("any");
        check("/$defs/expect/properties/logs/items/properties", &levels);
        let profiles: Vec<&str> = profiles.iter().map(String::as_str).collect();
        check("/$defs/proxy/properties/profiles/items/enum", &profiles);
        let statuses: Vec<&str> = statuses.iter().map(String::as_str).collect();
        check("/$defs/fail/properties/status/enum", &statuses);
        let mut phases: Vec<&str> = expect::PHASES.iter().map(|callback| expect::phase(*callback)).collect();
        phases.push("none");
        check("/$defs/expect/properties/paused_in/enum", &phases);
        assert_eq!(checked, 29);
    }
}
