//! The command as it is called.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails fast"
)]

#[path = "support/files.rs"]
mod files;
#[path = "support/image.rs"]
mod image;
#[path = "support/running.rs"]
mod running;
#[path = "support/server.rs"]
mod server;
#[path = "cli/signed.rs"]
mod signed;
#[path = "support/signer.rs"]
mod signer;

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use files::{Files, Outcome, agent, module, run};
use meshloom_agent::Sha256;
use serde_json::{Value, json};

/// Each command there is, and those below it.
fn commands(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
    found.push((path.to_owned(), command.clone()));
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        commands(below, &format!("{path} {}", below.get_name()), found);
    }
}

fn every_command() -> Vec<(String, clap::Command)> {
    let mut command = meshloom_agent::cli::command();
    command.build();
    let mut found = Vec::new();
    commands(&command, "meshloom-agent", &mut found);
    found
}

#[test]
fn every_option_of_every_command_is_an_environment_variable_and_has_help() {
    let mut seen = 0;
    for (path, command) in every_command() {
        for argument in command.get_arguments().filter(|argument| argument.get_long().is_some()) {
            if matches!(argument.get_id().as_str(), "help" | "version") {
                continue;
            }
            seen += 1;
            assert!(argument.get_env().is_some(), "{path}: {argument} has no environment variable");
            assert!(argument.get_help().is_some(), "{path}: {argument} has no help");
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn no_two_options_of_a_command_are_the_same_environment_variable() {
    for (path, command) in every_command() {
        let mut names: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_env).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{path}: {names:?}");
    }
}

#[test]
fn the_help_of_every_command_can_be_read_and_has_examples_where_there_is_something_to_call() {
    for (path, command) in every_command() {
        let arguments: Vec<_> = path.split(' ').skip(1).chain(["--help"]).collect();
        let help = run(&arguments).done().stdout;
        assert!(help.contains("Usage:"), "{path}: {help}");
        let is_below = path.split(' ').count() > 2;
        let has_examples = help.contains("Examples:") || help.contains("Exit codes:");
        assert!(has_examples || is_below, "{path}: {help}");
        assert!(command.get_about().is_some(), "{path}");
    }
}

/// The commands that a text shows, as a shell would split them.
fn shown(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().filter_map(|line| line.split_once("meshloom-agent ").map(|(_, rest)| rest));
    let own = lines.map(|rest| rest.split(['|', '>', '&']).next().unwrap_or_default());
    own.map(|rest| {
        std::iter::once("meshloom-agent").chain(rest.split_whitespace()).map(str::to_owned).collect()
    })
    .collect()
}

#[test]
fn every_command_that_the_readme_or_the_help_shows_is_one_that_there_is() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let console: String =
        readme.split("```console").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let examples: String = every_command()
        .iter()
        .filter_map(|(_, command)| command.get_after_help().map(ToString::to_string))
        .filter_map(|help| Some(help.split_once("Examples:")?.1.split("\n\n").next()?.to_owned() + "\n"))
        .collect();
    let commands = shown(&(console + &examples));
    assert!(commands.len() >= 14, "{commands:?}");
    for arguments in commands {
        let parsed = meshloom_agent::cli::command().try_get_matches_from(&arguments);
        assert!(parsed.is_ok(), "{arguments:?}: {}", parsed.unwrap_err());
    }
}

/// The table of the README.
fn options() -> String {
    let (_, run) = every_command().into_iter().find(|(path, _)| path == "meshloom-agent run").unwrap();
    let mut table = "| option | environment | default | |\n|---|---|---|---|\n".to_owned();
    for argument in run.get_arguments().filter(|argument| argument.get_long().is_some()) {
        if matches!(argument.get_id().as_str(), "help" | "version") {
            continue;
        }
        let defaults: Vec<_> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = if defaults.iter().all(|value| value.is_empty()) {
            String::new()
        } else {
            format!("`{}`", defaults.join(","))
        };
        let environment = argument.get_env().unwrap().to_string_lossy();
        let help = argument.get_help().unwrap().to_string().replace('|', "\\|").replace('\n', " ");
        table +=
            &format!("| `--{}` | `{environment}` | {default} | {help} |\n", argument.get_long().unwrap());
    }
    table
}

#[test]
fn the_readme_lists_every_option_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once("<!-- options -->\n").unwrap();
    let (table, after) = rest.split_once("<!-- /options -->").unwrap();
    if std::env::var_os("UPDATE_README").is_some() {
        let text = format!("{before}<!-- options -->\n{}<!-- /options -->{after}", options());
        std::fs::write(path, text).unwrap();
        return;
    }
    let hint = "UPDATE_README=1 cargo test -p meshloom-agent --test cli writes it anew";
    for (found, expected) in table.lines().zip(options().lines()) {
        assert_eq!(found, expected, "{hint}");
    }
    assert_eq!(table.lines().count(), options().lines().count(), "{hint}");
}

#[test]
fn everything_that_is_wrong_with_a_configuration_is_said_at_once() {
    let outcome = run(&[
        "run",
        "--admin-address=0.0.0.0:15020",
        "--signatures=/nowhere/signatures.yaml",
        "--registries=/nowhere/registries.yaml",
    ]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    for part in [
        "admin-address: other machines can reach 0.0.0.0:15020",
        "/nowhere/signatures",
        "/nowhere/registries",
    ] {
        let said = |line: &str| line.starts_with("error: ") && line.contains(part);
        assert!(outcome.stderr.lines().any(said), "{part}: {}", outcome.stderr);
    }
}

#[test]
fn a_filter_of_the_log_that_cannot_be_read_is_refused() {
    let outcome = run(&["cache", "ls", "--cache-dir=/nowhere", "--log-level=no=such=level"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.starts_with("error: log-level: \"no=such=level\""), "{}", outcome.stderr);
}

fn cache_dir(folder: &tempfile::TempDir) -> String {
    format!("--cache-dir={}", folder.path().display())
}

#[test]
fn pull_prints_path_digest_and_size_of_what_it_has_downloaded() {
    let files = Files::serve([("/gate.wasm", module())]);
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(&["pull", &cache_dir(&folder), &files.url("/gate.wasm")]).done();
    let fields: Vec<_> = outcome.stdout.trim_end().split('\t').collect();
    assert_eq!(std::fs::read(fields[0]).unwrap(), module());
    assert_eq!(fields[1], format!("sha256:{}", Sha256::of(&module())));
    assert_eq!(fields[2], module().len().to_string());
    assert!(!outcome.stderr.contains('\u{1b}'), "no bars where there is no terminal: {}", outcome.stderr);
}

#[test]
fn pull_says_which_of_several_cannot_be_had_and_prints_the_others() {
    let files = Files::serve([("/gate.wasm", module())]);
    let folder = tempfile::tempdir().unwrap();
    let absent = format!("http://ann:hunter2@{}/absent.wasm?token=hunter3", files.address);
    let outcome = run(&["pull", &cache_dir(&folder), "--output=json", &absent, &files.url("/gate.wasm")]);
    assert_eq!(outcome.code, 1);
    let answer = outcome.json();
    assert_eq!(answer["version"], 1);
    assert_eq!(answer["modules"][0]["url"], files.url("/gate.wasm"));
    assert_eq!(answer["modules"][0]["wasm_sha256"], Sha256::of(&module()).to_string());
    assert_eq!(answer["failures"][0]["reason"], "not_found");
    assert!(outcome.stderr.contains(&files.url("/absent.wasm")), "{}", outcome.stderr);
    assert!(!(outcome.stdout + &outcome.stderr).contains("hunter"));
}

#[test]
fn options_can_be_given_by_the_environment_and_the_command_line_wins() {
    let files = Files::serve([("/gate.wasm", module())]);
    let (by_environment, by_option) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pull = |arguments: &[&str]| -> Outcome {
        let mut command = agent(arguments);
        command.arg(files.url("/gate.wasm")).env("MESHLOOM_OUTPUT", "json");
        command.env("MESHLOOM_WASM_CACHE_DIR", by_environment.path()).output().unwrap().into()
    };
    let path = |outcome: Outcome| outcome.done().json()["modules"][0]["path"].as_str().unwrap().to_owned();
    assert!(Path::new(&path(pull(&["pull"]))).starts_with(by_environment.path()));
    assert!(Path::new(&path(pull(&["pull", &cache_dir(&by_option)]))).starts_with(by_option.path()));
}

#[test]
fn verify_finds_a_module_fit_and_says_what_is_amiss_with_another() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good.wasm"), folder.path().join("bad.wasm"));
    std::fs::write(&good, module()).unwrap();
    std::fs::write(&bad, b"\0asm\x01\0\0\0").unwrap();
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());

    let outcome = run(&["verify", good]).done();
    assert!(outcome.stdout.starts_with(&format!("{good}: fit for Envoy\n")), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("proxy_abi_version_0_2_1"), "the ABI is told: {}", outcome.stdout);

    let outcome = run(&["verify", "--output=json", good, bad]);
    assert_eq!(outcome.code, 1);
    let answer = outcome.json();
    assert_eq!(answer["modules"][0]["fit"], true);
    assert_eq!(answer["modules"][1]["fit"], false);
    assert!(!answer["modules"][1]["problems"].as_array().unwrap().is_empty());
    assert!(outcome.stderr.contains("1 of 2 not fit for Envoy"), "{}", outcome.stderr);
}

#[test]
fn verify_fetches_what_is_a_url_and_a_web_page_is_not_fit() {
    let files = Files::serve([("/gate.wasm", module()), ("/page", b"<html>".to_vec())]);
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(&["verify", &cache_dir(&folder), &files.url("/gate.wasm")]).done();
    assert!(outcome.stdout.contains(&format!("sha256:{}", Sha256::of(&module()))), "{}", outcome.stdout);
    let outcome = run(&["verify", &cache_dir(&folder), &files.url("/page")]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("not fit for Envoy\n  problem: "), "{}", outcome.stdout);
}

/// A listener with a filter whose module is there.
fn listener(url: &str) -> Value {
    json!({ "name": "in", "filter_chains": [{ "filters": [{ "name": "http", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "http_filters": [{ "name": "gate", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": { "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": { "remote": { "http_uri": { "uri": url, "cluster": "_", "timeout": "10s" }, "sha256": "" } },
                "environment_variables": { "key_values": { "ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION": "7" } }
            } }
        } }]
    } }] }] })
}

fn convert(arguments: &[&str], document: &str) -> Outcome {
    let mut child =
        agent(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn convert_puts_a_file_in_the_place_of_a_remote_module() {
    let files = Files::serve([("/gate.wasm", module())]);
    let folder = tempfile::tempdir().unwrap();
    let document = listener(&files.url("/gate.wasm")).to_string();
    let outcome = convert(&["convert", &cache_dir(&folder), "-"], &document).done();
    let converted = outcome.json();
    let machine = &converted["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"][0]["typed_config"]
        ["config"]["vm_config"];
    let path = machine["code"]["local"]["filename"].as_str().unwrap();
    assert_eq!(std::fs::read(path).unwrap(), module());
    assert_eq!(
        *machine,
        json!({ "runtime": "envoy.wasm.runtime.v8", "code": { "local": { "filename": path } } })
    );
}

#[test]
fn convert_takes_a_bootstrap_in_yaml_and_writes_yaml() {
    let files = Files::serve([("/gate.wasm", module())]);
    let folder = tempfile::tempdir().unwrap();
    let bootstrap = folder.path().join("envoy.yaml");
    let listener = listener(&files.url("/gate.wasm"));
    std::fs::write(&bootstrap, format!("static_resources:\n  listeners:\n  - {listener}\n")).unwrap();
    let arguments = ["convert", &cache_dir(&folder), bootstrap.to_str().unwrap()];
    let outcome = run(&arguments).done();
    assert!(outcome.stdout.starts_with("static_resources:\n"), "{}", outcome.stdout);
    assert!(
        outcome.stdout.contains("filename: ") && !outcome.stdout.contains("remote"),
        "{}",
        outcome.stdout
    );
    // What is converted needs no conversion.
    let again = convert(&["convert", &cache_dir(&folder), "-"], &outcome.stdout).done();
    assert_eq!(again.stdout, outcome.stdout);
}

#[test]
fn convert_prints_nothing_if_one_module_cannot_be_had() {
    let files = Files::serve([]);
    let folder = tempfile::tempdir().unwrap();
    let document = listener(&files.url("/absent.wasm")).to_string();
    let outcome = convert(&["convert", &cache_dir(&folder), "-"], &document);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
    assert!(outcome.stderr.contains("http_filters[0].typed_config.config.vm_config: "), "{}", outcome.stderr);
}

#[test]
fn convert_refuses_what_is_no_document_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (document, part) in [("{", "EOF"), ("a: [", "-: "), (&"[".repeat(10_000), "-: ")] {
        let outcome = convert(&["convert", &cache_dir(&folder), "-"], document);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

#[test]
fn cache_lists_what_was_pulled_and_gc_removes_what_has_expired() {
    let files = Files::serve([("/gate.wasm", module())]);
    let folder = tempfile::tempdir().unwrap();
    run(&["pull", &cache_dir(&folder), &files.url("/gate.wasm")]).done();

    let listed = run(&["cache", "ls", &cache_dir(&folder), "--output=json"]).done().json();
    assert_eq!(listed["version"], 1);
    assert_eq!(listed["modules"].as_array().unwrap().len(), 1);
    assert_eq!(listed["modules"][0]["sha256"], Sha256::of(&module()).to_string());
    assert_eq!(listed["modules"][0]["sources"], json!([files.url("/gate.wasm")]));
    let text = run(&["cache", "ls", &cache_dir(&folder)]).done().stdout;
    assert!(text.contains("\tunused\t") && text.contains(&files.url("/gate.wasm")), "{text}");

    let kept = run(&["cache", "gc", &cache_dir(&folder), "--output=json"]).done().json();
    assert_eq!(kept["modules"], 0);
    let removed =
        run(&["cache", "gc", &cache_dir(&folder), "--output=json", "--module-expiry=0s"]).done().json();
    assert_eq!(removed["modules"], 1);
    let listed = run(&["cache", "ls", &cache_dir(&folder), "--output=json"]).done().json();
    assert_eq!(listed["modules"], json!([]));
}

#[test]
fn a_bundle_takes_modules_to_where_there_is_no_network() {
    let files = Files::serve([("/gate.wasm", module())]);
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = files.url("/gate.wasm");
    let bundle = here.path().join("bundle.tar");
    let bundle = bundle.to_str().unwrap();
    run(&["bundle", "create", &cache_dir(&here), bundle, &url]).done();
    let listed = run(&["bundle", "ls", "--output=json", bundle]).done().json();
    assert_eq!(listed["modules"][0]["url"], url);

    let offline = run(&["pull", &cache_dir(&there), "--offline", &url]);
    assert_eq!(offline.code, 1, "{}", offline.stdout);
    let from_bundle =
        run(&["pull", &cache_dir(&there), "--offline", &format!("--bundle={bundle}"), "--output=json", &url])
            .done();
    let path = from_bundle.json()["modules"][0]["path"].as_str().unwrap().to_owned();
    assert_eq!(std::fs::read(path).unwrap(), module());
}
