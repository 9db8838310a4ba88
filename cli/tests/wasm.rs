//! The repository's own samples, and wrong ones, against the real modules of its filters: as cargo leaves them, or with
//! `PWH_WASM_DIR=dist` as they are shipped.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use support::{Desk, envoy_filter, messages, root, wasm_plugin};

/// A folder with the module of every filter.
static MODULES: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-modules");
    std::fs::create_dir_all(&folder).unwrap();
    let mut names = meshloom_lab::filters();
    names.push("filter-template".to_owned());
    for name in names {
        let plugin = proxy_wasm_harness::filter(&name);
        std::fs::write(folder.join(format!("{name}.wasm")), plugin.module().bytes()).unwrap();
    }
    folder
});

fn modules() -> &'static str {
    MODULES.to_str().unwrap()
}

fn yaml_files(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path.to_str().unwrap().to_owned());
        }
    }
}

/// Every file of this repository that configures a filter.
fn samples() -> Vec<String> {
    let mut found = Vec::new();
    yaml_files(&root().join("istio"), &mut found);
    for folder in std::fs::read_dir(root().join("filters")).unwrap() {
        let folder = folder.unwrap().path();
        found.extend(
            ["envoy.yaml", "istio.yaml"]
                .iter()
                .map(|name| folder.join(name))
                .filter(|path| path.exists())
                .map(|path| path.to_str().unwrap().to_owned()),
        );
    }
    found.push(root().join("envoy/all.yaml").to_str().unwrap().to_owned());
    found
}

#[test]
fn every_sample_of_this_repository_is_fine_in_the_oldest_and_in_the_newest_envoy() {
    let samples = samples();
    assert!(samples.len() > 15, "{samples:?}");
    for envoy in ["1.36", "1.40"] {
        let mut arguments = vec!["--modules", modules(), "--envoy", envoy];
        arguments.extend(samples.iter().map(String::as_str));
        let (code, json) = Desk::new().validate(&arguments);
        assert_eq!(json["problems"].as_array().unwrap().len(), 0, "{json:#}");
        assert_eq!((code, &json["ok"]), (0, &true.into()), "{json:#}");
        let plugins = json["plugins"].as_array().unwrap();
        assert!(plugins.iter().all(|plugin| plugin["outcome"] == "started"), "{json:#}");
        for name in meshloom_lab::filters() {
            let runs = plugins
                .iter()
                .filter(|plugin| plugin["module"].as_str().unwrap().ends_with(&format!("/{name}.wasm")));
            assert!(
                runs.count() >= 3,
                "{name} is in its own bootstrap, in the one with all, and in a manifest"
            );
        }
    }
}

#[test]
fn a_wasmplugin_is_refused_field_by_field_with_the_line_and_the_path() {
    let desk = Desk::new();
    let manifest = wasm_plugin(
        "url: oci://ghcr.io/meshloom/header-mutation:v1\n\
         pluginConfig:\n\
         \x20 version: 7\n\
         \x20 nmae: 1\n\
         \x20 rules:\n\
         \x20   - request:\n\
         \x20       - { op: set, name: x-a, value: b }\n\
         \x20       - { op: sett, name: x-a, value: b }\n",
    );
    desk.write("x.yaml", &manifest);
    let (code, json) = desk.validate(&["--modules", modules(), "x.yaml"]);
    assert_eq!(code, 1);
    let shown: Vec<String> = json["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
            let message: String = text("message").split(", expected").next().unwrap().to_owned();
            format!("{}:{} {} {} {}", problem["line"], problem["column"], text("by"), text("path"), message)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "9:14 module spec.pluginConfig.version config field `version`: found 7",
            "10:5 module spec.pluginConfig.nmae config field `nmae`: unknown field",
            "14:19 module spec.pluginConfig.rules[0].request[1].op config field `rules[0].request[1].op`: found \"sett\"",
        ]
    );
}

#[test]
fn the_text_for_people_is_like_a_compilers() {
    let desk = Desk::new();
    let manifest = wasm_plugin(
        "url: oci://ghcr.io/meshloom/http-timing:v1\nfailOpen: true\npluginConfig: {version: 7}\n",
    );
    desk.write("x.yaml", &manifest);
    let run = desk.run(&["validate", "--modules", modules(), "x.yaml"]);
    assert_eq!(
        run.stdout,
        "\
x.yaml:8:3: error: unknown field, expected one of `selector`, `targetRefs`, `phase`, `priority`, `match`, `targetRef`, `url`, `sha256`, `imagePullPolicy`, `imagePullSecret`, `verificationKey`, `pluginConfig`, `pluginName`, `failStrategy`, `vmConfig`, `type`
8 |   failOpen: true
  |   ^^^^^^^^
  = at spec.failOpen, refused by Kubernetes or Istio
  = hint: write `failStrategy: FAIL_OPEN` (there is no field `failOpen`; the plugin would fail closed)
x.yaml:9:27: error: config field `version`: found 7, expected 1, the version that this module reads
9 |   pluginConfig: {version: 7}
  |                           ^
  = at spec.pluginConfig.version, said by default.x~istio-translated-wasmplugin
"
    );
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
}

#[test]
fn what_is_fine_is_said_to_be_so_unless_it_shall_be_quiet() {
    let desk = Desk::new();
    let manifest = wasm_plugin("url: oci://ghcr.io/meshloom/http-timing:v1\npluginConfig: {version: 1}\n");
    desk.write("x.yaml", &manifest);
    let run = desk.run(&["validate", "--modules", modules(), "--envoy", "1.37", "x.yaml"]);
    let module = format!("{}/http-timing.wasm", modules());
    assert_eq!(
        run.stdout,
        format!("x.yaml:6: fine: default.x~istio-translated-wasmplugin starts ({module}, Envoy 1.37)\n")
    );
    assert_eq!(run.code, 0);
    assert_eq!(desk.run(&["validate", "--modules", modules(), "--quiet", "x.yaml"]).stdout, "");
}

#[test]
fn a_field_of_the_json_inside_of_a_bootstrap_is_found_in_its_line() {
    let desk = Desk::new();
    for (name, value, pointed_at) in [
        ("block.yaml", "|\n        {\"version\": 1,\n         \"n\": 2}", "\"n\": 2}"),
        ("single.yaml", "'{\"version\": 1, \"n\": 2}'", "\"n\": 2}'"),
        ("double.yaml", "\"{\\\"version\\\": 1, \\\"n\\\": 2}\"", "\\\"n\\\": 2}\""),
        ("folded.yaml", ">\n        {\"version\": 1,\n         \"n\": 2}", "{\"version\": 1,"),
    ] {
        let config = format!(
            "name: t\nvm_config: {{code: {{local: {{filename: /gone/http-timing.wasm}}}}}}\nconfiguration:\n  \
             \"@type\": type.googleapis.com/google.protobuf.StringValue\n  value: {value}\n"
        );
        // Two lines further down, as if there were more in the file.
        let text = format!("# one\n# two\n{}", envoy_filter(&config));
        desk.write(name, &text);
        let (code, json) = desk.validate(&["--modules", modules(), name]);
        assert_eq!(code, 1, "{json:#}");
        let problem = &json["problems"][0];
        assert!(
            problem["message"].as_str().unwrap().starts_with("config field `n`: unknown field"),
            "{json:#}"
        );
        assert_eq!(problem["path"], "typed_config.config.configuration.value.n", "{name}");
        assert_eq!(problem["field"], "n", "{name}");
        let number = |field: &str| usize::try_from(problem[field].as_u64().unwrap()).unwrap() - 1;
        let line = text.lines().nth(number("line")).unwrap();
        assert_eq!(&line[number("column")..], pointed_at, "{name}");
    }
}

#[test]
fn a_configuration_alone_is_checked_as_it_is() {
    let desk = Desk::new();
    let filter = ["--modules", modules(), "--filter", "http-timing"];
    desk.write("good.json", "{\"version\": 1}");
    desk.write("good.yaml", "version: 1\n");
    let (code, json) = desk.validate(&[&filter[..], &["good.json", "good.yaml"]].concat());
    assert_eq!((code, json["plugins"].as_array().unwrap().len()), (0, 2), "{json:#}");

    desk.write("twice.json", "{\"version\": 1,\n \"version\": 1}");
    let (code, json) = desk.validate(&[&filter[..], &["twice.json"]].concat());
    assert_eq!(messages(&json, "error"), ["config field `version`: given more than once"]);
    assert_eq!((code, &json["problems"][0]["line"]), (1, &2.into()));

    desk.write("broken.json", "{\"version\": 1,\n \"a\" 2}");
    let kind = ["--kind", "configuration", "broken.json"];
    let (code, json) = desk.validate(&[&filter[..], &kind].concat());
    assert_eq!(messages(&json, "error"), ["config: not valid JSON: expected `:` at line 2 column 6"]);
    assert_eq!(
        (code, &json["problems"][0]["line"], &json["problems"][0]["column"]),
        (1, &2.into(), &6.into())
    );
}

#[test]
fn standard_input_is_a_file_too() {
    let desk = Desk::new();
    let run = desk
        .run_with(&["validate", "--modules", modules(), "--filter", "http-timing", "-"], b"{\"version\": 7}");
    assert!(run.stdout.starts_with("<stdin>:1:13: error: config field `version`: found 7"), "{run:?}");
    assert_eq!(run.code, 1);
}

#[test]
fn an_empty_plugin_config_is_no_configuration() {
    let desk = Desk::new();
    desk.write("x.yaml", wasm_plugin("url: oci://ghcr.io/meshloom/header-mutation:v1\npluginConfig: {}\n"));
    let (code, json) = desk.validate(&["--modules", modules(), "x.yaml"]);
    assert_eq!(messages(&json, "error"), ["config: no configuration was given, expected a JSON object"]);
    assert_eq!(code, 1);
}

#[test]
fn a_struct_in_envoys_configuration_is_handed_over_as_protobuf_and_said_to_be() {
    let desk = Desk::new();
    let config = "name: t\nvm_config: {code: {local: {filename: /gone/http-timing.wasm}}}\nconfiguration:\n  \
                  \"@type\": type.googleapis.com/google.protobuf.Struct\n  value: {version: 1}\n";
    desk.write("x.yaml", envoy_filter(config));
    let (code, json) = desk.validate(&["--modules", modules(), "x.yaml"]);
    assert_eq!(messages(&json, "warning"), ["a Struct reaches the plugin as protobuf, not as JSON"]);
    // Envoy's own words: a Struct begins with a line feed, by chance of its encoding.
    assert_eq!(messages(&json, "error"), ["config: not valid JSON: expected value at line 2 column 1"]);
    assert_eq!(code, 1);
}
