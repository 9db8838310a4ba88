//! One file: what it is, which plugins are in it, and what is wrong with them.

use std::ops::Range;

use clap::ValueEnum;
use serde::Serialize;

use crate::envoy;
use crate::istio::{self, Resource};
use crate::istiod;
use crate::modules::{Missing, Modules};
use crate::plugin::{Code, Form, Handed, Plugin};
use crate::problem::{By, Problem, Problems, Severity};
use crate::source::Source;
use crate::start::{Surroundings, start};
use crate::tree::{self, Dialect, Node};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileKind {
    /// A plugin's configuration
    Configuration,
    /// Resources of Kubernetes: WasmPlugin, TrafficExtension
    Kubernetes,
    /// A bootstrap, a listener or an ECDS resource
    Envoy,
}

/// What became of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The module takes its configuration.
    Started,
    /// The module, or Envoy on the module's account, refuses.
    Refused,
    /// The configuration cannot be read, so the module was not asked.
    NotAsked,
    /// The module is not known.
    NoModule,
}

/// A plugin that was looked at.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) at: usize,
    pub(crate) module: Option<String>,
    pub(crate) outcome: Outcome,
}

/// What came of a file.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) source: Source,
    pub(crate) plugins: Vec<Checked>,
    pub(crate) problems: Vec<Problem>,
    /// What this command would have to be told first; each with its place.
    pub(crate) unknown: Vec<(usize, String)>,
    /// Kinds of resources that hold no plugin.
    pub(crate) skipped: Vec<String>,
}

impl Report {
    pub(crate) fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error).count()
    }
}

/// What every file is checked with.
#[derive(Debug)]
pub(crate) struct Checker<'a> {
    pub(crate) modules: &'a Modules,
    pub(crate) surroundings: Surroundings<'a>,
    pub(crate) kind: Option<FileKind>,
    /// Whether the module is named, so that a bare configuration can be checked.
    pub(crate) module_is_named: bool,
}

/// A file while it is checked.
struct File<'a> {
    checker: &'a Checker<'a>,
    source: &'a Source,
    is_json: bool,
    problems: Problems,
    plugins: Vec<Checked>,
    unknown: Vec<(usize, String)>,
    skipped: Vec<String>,
}

impl Checker<'_> {
    /// Checks a file.
    pub(crate) fn check(&self, source: Source) -> Report {
        let mut file = File {
            checker: self,
            source: &source,
            is_json: false,
            problems: Problems::default(),
            plugins: Vec::new(),
            unknown: Vec::new(),
            skipped: Vec::new(),
        };
        file.read();
        let File { problems, plugins, unknown, skipped, .. } = file;
        Report { plugins, problems: problems.take(), unknown, skipped, source }
    }
}

impl File<'_> {
    fn read(&mut self) {
        let text = self.source.text.as_str();
        match tree::parse(text, &self.source.name) {
            Ok(documents) => {
                self.is_json = documents.is_json;
                if documents.trees.is_empty() {
                    self.document(&empty(), "");
                }
                for mut tree in documents.trees {
                    // A document without anything, as after a last `---`.
                    if tree.is_null() && !self.plugins.is_empty() {
                        continue;
                    }
                    if self.kind(&tree) != FileKind::Envoy {
                        tree.merge();
                    }
                    self.document(&tree, "");
                }
            }
            // The module says itself what is wrong with it, as it would in Envoy.
            Err(_) if self.checker.kind == Some(FileKind::Configuration) && !is_yaml(self.source) => {
                let handed = Handed { bytes: text.into(), form: Form::File, span: 0..0, path: String::new() };
                self.bare(handed, 0..0);
            }
            Err(broken) => {
                self.problems.add(Problem::new(By::Meshloom, broken.at..broken.at + 1, "", broken.message));
            }
        }
    }

    fn kind(&self, tree: &Node) -> FileKind {
        let is_list = |tree: &Node| {
            tree.items().and_then(<[_]>::first).is_some_and(|first| istio::resource(first).is_some())
        };
        match self.checker.kind {
            Some(kind) => kind,
            None if istio::resource(tree).is_some() || is_list(tree) => FileKind::Kubernetes,
            None if envoy::is_envoy(tree) => FileKind::Envoy,
            None => FileKind::Configuration,
        }
    }

    fn document(&mut self, tree: &Node, path: &str) {
        match self.kind(tree) {
            FileKind::Kubernetes => self.kubernetes(tree, path),
            FileKind::Envoy => self.envoy(tree),
            FileKind::Configuration if !self.checker.module_is_named => {
                self.unknown.push((
                    tree.span.start,
                    "this is no resource of Istio and nothing that Envoy reads; if it is a plugin's configuration, \
                     name the module by --filter NAME or --module FILE"
                        .to_owned(),
                ));
            }
            FileKind::Configuration => {
                let (bytes, form) = if self.is_json {
                    (self.source.text.clone().into_bytes(), Form::File)
                } else {
                    (istiod::configuration(tree, Dialect::Kubernetes), Form::Fields(tree))
                };
                self.bare(
                    Handed { bytes, form, span: tree.span.clone(), path: String::new() },
                    tree.span.clone(),
                );
            }
        }
    }

    fn kubernetes(&mut self, tree: &Node, path: &str) {
        let items = match istio::resource(tree) {
            Some(Resource::List) => {
                tree.get("items").and_then(Node::items).map(|items| (items, join(path, "items")))
            }
            None => tree.items().map(|items| (items, path.to_owned())),
            _ => None,
        };
        if let Some((items, path)) = items {
            for (index, item) in items.iter().enumerate() {
                self.kubernetes(item, &format!("{path}[{index}]"));
            }
            return;
        }
        match istio::resource(tree) {
            Some(resource @ (Resource::WasmPlugin | Resource::TrafficExtension)) => {
                let problems = Problems::default();
                let plugin = istio::read(tree, path, resource, &problems);
                self.run(plugin.into_iter().collect(), &[], &problems);
            }
            // An EnvoyFilter has a part of Envoy's configuration in it, read by `kubectl`.
            Some(_) => {
                let problems = Problems::default();
                let plugins = envoy::read(tree, path, Dialect::Kubernetes, &problems);
                if plugins.is_empty() {
                    self.skipped.push(tree.get("kind").and_then(Node::text).unwrap_or_default().to_owned());
                }
                self.run(plugins, &[], &problems);
            }
            None => self.problems.add(Problem::new(
                By::Istio,
                tree.span.start..tree.span.start + 1,
                path,
                "found neither `apiVersion` nor `kind`, expected a resource of Kubernetes",
            )),
        }
    }

    fn envoy(&mut self, tree: &Node) {
        let problems = Problems::default();
        let dialect = if self.is_json { Dialect::Json } else { Dialect::Envoy };
        let plugins = envoy::read(tree, "", dialect, &problems);
        if plugins.is_empty() {
            let at = tree.span.start..tree.span.start + 1;
            problems.add(Problem::new(By::Meshloom, at, "", "no Wasm plugin is in this document").warning());
        }
        self.run(plugins, &clusters(tree), &problems);
    }

    /// A configuration alone.
    fn bare(&mut self, configuration: Handed<'_>, span: Range<usize>) {
        let plugin = Plugin {
            name: String::new(),
            root_id: String::new(),
            span: span.clone(),
            path: String::new(),
            configuration,
            vm_configuration: Handed::nothing(span, ""),
            environment: Vec::new(),
            host_environment: Vec::new(),
            capabilities: Vec::new(),
            code: Code::Unsaid,
            names: Vec::new(),
            sha256: None,
        };
        self.run(vec![plugin], &[], &Problems::default());
    }

    /// Starts plugins, but for those whose configuration could not be read.
    fn run(&mut self, plugins: Vec<Plugin<'_>>, clusters: &[String], before: &Problems) {
        let before = before.take();
        for plugin in plugins {
            let unreadable = |handed: &Handed<'_>| {
                let of_it = |problem: &&Problem| {
                    problem.severity == Severity::Error && problem.path.starts_with(&handed.path)
                };
                !matches!(handed.form, Form::Absent)
                    && !handed.path.is_empty()
                    && before.iter().any(|p| of_it(&p))
            };
            // Where the document itself is wrong about its module, that is what there is to say.
            let unsaid = matches!(plugin.code, Code::Unsaid)
                && before.iter().any(|problem| problem.severity == Severity::Error);
            let asked = !unreadable(&plugin.configuration) && !unreadable(&plugin.vm_configuration);
            self.run_one(plugin, clusters, asked, unsaid);
        }
        before.into_iter().for_each(|problem| self.problems.add(problem));
    }

    fn run_one(&mut self, mut plugin: Plugin<'_>, clusters: &[String], asked: bool, unsaid: bool) {
        let found = self.checker.modules.find(&plugin);
        let (outcome, module) = match found {
            Err(Missing::Unknown(_)) if unsaid => (Outcome::NoModule, None),
            Err(Missing::Unknown(message)) => {
                let name = if plugin.name.is_empty() { String::new() } else { format!("{}: ", plugin.name) };
                self.unknown.push((plugin.span.start, format!("{name}{message}")));
                (Outcome::NoModule, None)
            }
            Err(Missing::Refused(message, hint)) => {
                self.problems.add(Problem {
                    plugin: Some(plugin.name.clone()),
                    hint,
                    ..Problem::new(By::Envoy, plugin.span.clone(), plugin.path.as_str(), message)
                });
                (Outcome::Refused, None)
            }
            Ok(found) => {
                if plugin.name.is_empty() {
                    plugin.name = found.module.name().to_owned();
                }
                self.compare(&plugin, &found.sha256, &found.shown);
                let surroundings = Surroundings { clusters, ..self.checker.surroundings };
                let outcome = match asked {
                    false => Outcome::NotAsked,
                    true if start(self.source, &plugin, &found.module, &surroundings, &self.problems) => {
                        Outcome::Started
                    }
                    true => Outcome::Refused,
                };
                (outcome, Some(found.shown))
            }
        };
        self.plugins.push(Checked {
            name: plugin.name,
            path: plugin.path,
            at: plugin.span.start,
            module,
            outcome,
        });
    }

    /// Whether the module that was found is the one that the document means.
    fn compare(&self, plugin: &Plugin<'_>, sha256: &str, shown: &str) {
        if let Some(expected) = &plugin.sha256
            && !expected.eq_ignore_ascii_case(sha256)
        {
            let message = format!(
                "checked against {shown}, whose SHA-256 is {sha256}, and not the one that this names"
            );
            let problem =
                Problem::new(By::Meshloom, plugin.span.clone(), plugin.path.as_str(), message).warning();
            self.problems.add(Problem { plugin: Some(plugin.name.clone()), ..problem });
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn is_yaml(source: &Source) -> bool {
    source.name.ends_with(".yaml")
        || source.name.ends_with(".yml")
        || !source.text.trim_start().starts_with(['{', '['])
}

/// What an empty file holds.
fn empty() -> Node {
    let scalar = tree::Scalar { text: String::new(), style: tree::Style::Plain };
    Node { span: 0..0, kind: tree::Kind::Scalar(scalar) }
}

/// The clusters that a bootstrap has, to which a plugin may call out while it starts.
fn clusters(tree: &Node) -> Vec<String> {
    let list = tree.get("static_resources").and_then(|resources| resources.get("clusters"));
    let clusters = list.and_then(Node::items).unwrap_or_default();
    clusters.iter().filter_map(|cluster| Some(cluster.get("name")?.text()?.to_owned())).collect()
}
