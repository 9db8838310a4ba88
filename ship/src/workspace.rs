//! The filters of the workspace and where their files are. Cargo is asked, so that nothing here lists them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::command::{Failed, output_of};

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Why the filters could not be found.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Cargo could not say.
    #[error(transparent)]
    Cargo(#[from] Failed),
    /// Its answer has another shape than expected.
    #[error("reading what `cargo metadata` printed")]
    Answer(#[from] serde_json::Error),
    /// A folder and the package in it have different names.
    #[error("filters/{folder} holds the package `{package}`, expected both to have one name")]
    TwoNames {
        /// The folder under `filters`.
        folder: String,
        /// The package in it.
        package: String,
    },
    /// There is no such filter.
    #[error("no filter is named `{asked}`, expected one of {known}")]
    Unknown {
        /// What was typed.
        asked: String,
        /// What there is.
        known: String,
    },
}

/// The workspace that the current folder belongs to.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    filters: Vec<Filter>,
}

/// One build of one folder of `filters/`.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Its package, its folder and its artifact; with the feature behind a dot, if it needs one.
    pub name: String,
    /// The version in its `Cargo.toml`.
    pub version: String,
    /// What it does, in one sentence.
    pub description: Option<String>,
    /// SPDX expression.
    pub license: Option<String>,
    /// Where its `Cargo.toml` is.
    pub folder: PathBuf,
    /// The `src` folders that make up its module: its own, and those of the workspace crates it builds on.
    pub sources: Vec<PathBuf>,
    /// The feature of Wasm that this build of it needs, where its `Cargo.toml` asks for a second one:
    /// `[package.metadata.meshloom] features = ["simd128"]`.
    pub feature: Option<String>,
    /// A filter to copy from (its folder begins with `_`): built and checked like any other, never pushed.
    pub is_template: bool,
    library: String,
}

impl Workspace {
    /// Asks cargo about the current folder.
    ///
    /// # Errors
    ///
    /// [`Lost`], when cargo cannot say.
    pub fn find() -> Result<Self, Lost> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let metadata = ["metadata", "--format-version=1", "--no-deps", "--offline"];
        Self::from_metadata(&output_of(Command::new(cargo).args(metadata))?)
    }

    fn from_metadata(json: &str) -> Result<Self, Lost> {
        let metadata: Metadata = serde_json::from_str(json)?;
        let home = metadata.workspace_root.join("filters");
        let mut filters = Vec::new();
        for package in &metadata.packages {
            if package.folder().parent() == Some(&home) {
                let filter = filter(package, &metadata.packages)?;
                let features = package.features();
                filters.extend(features.iter().map(|feature| filter.with(feature)));
                filters.push(filter);
            }
        }
        filters.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { root: metadata.workspace_root, target: metadata.target_directory, filters })
    }

    /// Every filter, templates too, by name.
    #[must_use]
    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// The filters called `names`; all of them when none is named.
    ///
    /// # Errors
    ///
    /// [`Lost::Unknown`], naming those there are.
    pub fn select(&self, names: &[String]) -> Result<Vec<&Filter>, Lost> {
        if names.is_empty() {
            return Ok(self.filters.iter().collect());
        }
        names.iter().map(|name| self.filter(name)).collect()
    }

    fn filter(&self, name: &str) -> Result<&Filter, Lost> {
        self.filters.iter().find(|filter| filter.name == name).ok_or_else(|| Lost::Unknown {
            asked: name.to_owned(),
            known: self.filters.iter().map(|filter| filter.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Where the workspace's `Cargo.toml` is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `path` as people write it: from the root, when it is under it.
    #[must_use]
    pub fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }

    /// The module as cargo leaves it: that of another feature in a folder of its own, so that neither has the other built
    /// anew.
    #[must_use]
    pub fn compiled(&self, filter: &Filter) -> PathBuf {
        let folder = filter.feature.iter().fold(self.target.clone(), |target, feature| target.join(feature));
        folder.join(WASM_TARGET).join("release").join(format!("{}.wasm", filter.library))
    }

    /// The module as it is shipped: `dist/NAME.wasm`, or `dist/FEATURE/NAME.wasm`.
    #[must_use]
    pub fn shipped(&self, filter: &Filter) -> PathBuf {
        let folder = filter.feature.iter().fold(self.root.join("dist"), |dist, feature| dist.join(feature));
        folder.join(format!("{}.wasm", filter.package()))
    }

    /// What is known of how the shipped module was made.
    #[must_use]
    pub fn stamp(&self, filter: &Filter) -> PathBuf {
        self.root.join("dist/.stamp").join(format!("{}.json", filter.name))
    }
}

impl Filter {
    /// The name of its package, which builds for other features share.
    #[must_use]
    pub fn package(&self) -> &str {
        let suffix = self.feature.as_ref().and_then(|feature| self.name.strip_suffix(feature.as_str()));
        suffix.and_then(|name| name.strip_suffix('.')).unwrap_or(&self.name)
    }

    /// The build of it that needs a feature.
    fn with(&self, feature: &str) -> Self {
        Self { name: format!("{}.{feature}", self.name), feature: Some(feature.to_owned()), ..self.clone() }
    }
}

#[cfg(test)]
impl Workspace {
    /// One in `root`, of one filter.
    pub(crate) fn for_tests(root: &Path, filter: &str) -> Self {
        let filters = vec![Filter::for_tests(root, filter)];
        Self { root: root.to_owned(), target: root.join("target"), filters }
    }
}

#[cfg(test)]
impl Filter {
    pub(crate) fn for_tests(root: &Path, name: &str) -> Self {
        let folder = root.join("filters").join(name);
        Self {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            description: Some("Does.".to_owned()),
            license: Some("Apache-2.0".to_owned()),
            sources: vec![folder.join("src")],
            folder,
            feature: None,
            is_template: false,
            library: name.replace('-', "_"),
        }
    }
}

fn filter(package: &Package, all: &[Package]) -> Result<Filter, Lost> {
    let folder = package.folder();
    let folder_name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_template = folder_name.starts_with('_');
    if !is_template && folder_name != package.name {
        return Err(Lost::TwoNames { folder: folder_name, package: package.name.clone() });
    }
    let library = package.targets.iter().find(|target| target.kind.iter().any(|kind| kind == "cdylib"));
    let mut folders = BTreeSet::new();
    with_what_it_builds_on(package, all, &mut folders);
    Ok(Filter {
        name: package.name.clone(),
        version: package.version.clone(),
        description: package.description.clone(),
        license: package.license.clone(),
        folder: folder.to_owned(),
        sources: folders.into_iter().map(|folder| folder.join("src")).collect(),
        feature: None,
        is_template,
        library: library.map_or(&package.name, |target| &target.name).replace('-', "_"),
    })
}

fn with_what_it_builds_on(package: &Package, all: &[Package], folders: &mut BTreeSet<PathBuf>) {
    if !folders.insert(package.folder().to_owned()) {
        return;
    }
    // Dependencies for tests alone have a kind; they are in no module.
    let built_on = package.dependencies.iter().filter(|dependency| dependency.kind.is_none());
    for path in built_on.filter_map(|dependency| dependency.path.as_deref()) {
        if let Some(package) = all.iter().find(|package| package.folder() == path) {
            with_what_it_builds_on(package, all, folders);
        }
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    description: Option<String>,
    license: Option<String>,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
    #[serde(default)]
    metadata: Option<ForTools>,
}

/// What a `Cargo.toml` has for tools.
#[derive(Deserialize)]
struct ForTools {
    meshloom: Option<ForShip>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForShip {
    features: Vec<String>,
}

impl Package {
    fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new(""))
    }

    /// The features that a further module of it is built for.
    fn features(&self) -> &[String] {
        let own = self.metadata.as_ref().and_then(|metadata| metadata.meshloom.as_ref());
        own.map_or(&[], |own| own.features.as_slice())
    }
}

#[derive(Deserialize)]
struct Dependency {
    kind: Option<String>,
    path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn package(name: &str, folder: &str, dependencies: Value) -> Value {
        json!({
            "name": name, "version": "0.1.0", "description": "Does.", "license": "Apache-2.0",
            "manifest_path": format!("/w/{folder}/Cargo.toml"), "dependencies": dependencies,
            "targets": [{"name": name.replace('-', "_"), "kind": ["cdylib", "rlib"]}]
        })
    }

    fn workspace(packages: Value) -> Result<Workspace, Lost> {
        let metadata = json!({"packages": packages, "target_directory": "/t", "workspace_root": "/w"});
        Workspace::from_metadata(&metadata.to_string())
    }

    fn kit() -> Value {
        package("filter-kit", "filter-kit", json!([{"kind": null, "path": null}]))
    }

    #[test]
    fn the_filters_are_the_packages_directly_under_filters() {
        let found = workspace(json!([
            kit(),
            package("b-b", "filters/b-b", json!([])),
            package("a", "filters/a", json!([])),
            package("fuzz", "filters/a/fuzz", json!([])),
        ]));
        let found = found.unwrap();
        let names: Vec<_> = found.filters().iter().map(|filter| filter.name.as_str()).collect();
        assert_eq!(names, ["a", "b-b"]);
        let b = found.select(&["b-b".to_owned()]).unwrap()[0];
        assert_eq!(found.compiled(b), Path::new("/t/wasm32-unknown-unknown/release/b_b.wasm"));
        assert_eq!(found.shipped(b), Path::new("/w/dist/b-b.wasm"));
        assert_eq!(found.shown(&found.shipped(b)).to_string(), "dist/b-b.wasm");
    }

    #[test]
    fn the_sources_of_a_module_are_its_own_and_those_it_builds_on() {
        let on_kit = json!([{"kind": null, "path": "/w/filter-kit"}, {"kind": "dev", "path": "/w/harness"}]);
        let harness = package("harness", "harness", json!([]));
        let found = workspace(json!([kit(), harness, package("a", "filters/a", on_kit)])).unwrap();
        assert_eq!(
            found.filters()[0].sources,
            [Path::new("/w/filter-kit/src"), Path::new("/w/filters/a/src")]
        );
    }

    #[test]
    fn a_filter_has_another_module_for_each_feature_that_it_names() {
        let mut package = package("a-b", "filters/a-b", json!([]));
        package["metadata"] = json!({"meshloom": {"features": ["simd128"]}, "other": 1});
        let found = workspace(json!([package])).unwrap();
        let names: Vec<_> = found.filters().iter().map(|filter| filter.name.as_str()).collect();
        assert_eq!(names, ["a-b", "a-b.simd128"]);
        let with = &found.filters()[1];
        assert_eq!(found.compiled(with), Path::new("/t/simd128/wasm32-unknown-unknown/release/a_b.wasm"));
        assert_eq!(found.shipped(with), Path::new("/w/dist/simd128/a-b.wasm"));
        assert_eq!(found.stamp(with), Path::new("/w/dist/.stamp/a-b.simd128.json"));
        assert_eq!((with.package(), found.filters()[0].package()), ("a-b", "a-b"));
    }

    #[test]
    fn a_folder_that_begins_with_an_underscore_is_a_template() {
        let found = workspace(json!([package("template", "filters/_template", json!([]))])).unwrap();
        assert!(found.filters()[0].is_template);
    }

    #[test]
    fn a_filter_has_one_name() {
        let error = workspace(json!([package("tenant-gate", "filters/gate", json!([]))])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "filters/gate holds the package `tenant-gate`, expected both to have one name"
        );
    }

    #[test]
    fn an_unknown_filter_is_answered_with_those_there_are() {
        let found =
            workspace(json!([package("a", "filters/a", json!([])), package("b", "filters/b", json!([]))]));
        let error = found.unwrap().select(&["c".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "no filter is named `c`, expected one of a, b");
    }
}
