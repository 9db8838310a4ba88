//! Finds a filter's configurations in the files where its users look for one.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{read, shown};

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Every sample configuration of the filter `name` as JSON, and the file it is in.
pub(crate) fn all(folder: &Path, name: &str) -> Vec<(PathBuf, String)> {
    let mut samples = Vec::new();
    let readme = folder.join("README.md");
    samples.extend(fenced(&read(&readme)).map(|json| (readme.clone(), json)));
    let own = ["envoy.yaml", "istio.yaml"].map(|file| folder.join(file));
    let mut files: Vec<PathBuf> = own.into_iter().filter(|file| file.exists()).collect();
    files.push(root().join("envoy/all.yaml"));
    yaml_files(&root().join("istio"), &mut files);
    for file in files {
        let tree: Value =
            serde_saphyr::from_str(&read(&file)).unwrap_or_else(|error| panic!("{}: {error}", shown(&file)));
        let mut found = Vec::new();
        bootstrap(&tree, name, &mut found);
        if let Some(config) = tree.pointer("/spec/pluginConfig")
            && tree.pointer("/metadata/name").and_then(Value::as_str) == Some(name)
        {
            found.push(config.to_string());
        }
        samples.extend(found.into_iter().map(|json| (file.clone(), json)));
    }
    samples
}

/// The blocks of JSON that are configurations: those have a `version`.
fn fenced(readme: &str) -> impl Iterator<Item = String> {
    let blocks = readme.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|json| json.contains("\"version\"")).map(str::to_owned)
}

fn yaml_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            yaml_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}

/// Collects what stands as the plugin's `configuration` in an Envoy bootstrap: text, or a structure.
fn bootstrap(tree: &Value, name: &str, found: &mut Vec<String>) {
    match tree {
        Value::Array(items) => items.iter().for_each(|item| bootstrap(item, name, found)),
        Value::Object(members) => {
            if members.get("name").and_then(Value::as_str) == Some(name)
                && let Some(value) = tree.pointer("/configuration/value")
            {
                found.push(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
            members.values().for_each(|value| bootstrap(value, name, found));
        }
        _ => {}
    }
}
