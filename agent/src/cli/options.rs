//! The options in effect, and where each comes from.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use serde_json::{Map, Value, json};

/// What each option of a command is, by its long name. Those whose values `--help` does not show are secrets.
pub(super) fn in_effect(command: &Command, matches: &ArgMatches) -> Value {
    let mut options = Map::new();
    for argument in command.get_arguments() {
        let (Some(name), id) = (argument.get_long(), argument.get_id().as_str()) else { continue };
        let Ok(Some(values)) = matches.try_get_raw(id) else { continue };
        let values: Vec<_> = values.map(|value| value.to_string_lossy().into_owned()).collect();
        let value = if argument.is_hide_env_values_set() { "(hidden)".to_owned() } else { values.join(",") };
        options.insert(name.to_owned(), json!({ "value": value, "from": from(matches.value_source(id)) }));
    }
    Value::Object(options)
}

fn from(source: Option<ValueSource>) -> &'static str {
    match source {
        Some(ValueSource::CommandLine) => "command line",
        Some(ValueSource::EnvVariable) => "environment",
        _ => "default",
    }
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn each_option_is_told_with_its_origin_and_secrets_are_not() {
        let command = Command::new("test").args([
            Arg::new("a").long("first").default_value("1"),
            Arg::new("b").long("second").value_delimiter(','),
            Arg::new("c").long("proxy").hide_env_values(true),
            Arg::new("d").long("absent"),
        ]);
        let matches =
            command.clone().get_matches_from(["test", "--second=x,y", "--proxy=http://ann:pw@proxy.test"]);
        assert_eq!(
            in_effect(&command, &matches),
            json!({
                "first": { "value": "1", "from": "default" },
                "second": { "value": "x,y", "from": "command line" },
                "proxy": { "value": "(hidden)", "from": "command line" }
            })
        );
    }
}
