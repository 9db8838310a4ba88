//! Scenario files: what is to happen to a module, and what is expected of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proxy_wasm_harness::{Level, Module, Profile, Value};

use crate::yaml::{At, Fields, Kind, Node, Problem, Problems};

pub(crate) mod cluster;
pub(crate) mod expect;
pub(crate) mod message;
pub(crate) mod plugin;
pub(crate) mod step;

use cluster::Cluster;
use message::Upstream;
use plugin::{Configuration, Plugin};
use step::{Action, Step};

/// One file.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) path: PathBuf,
    /// In the order of the chain; at least one.
    pub(crate) plugins: Vec<Plugin>,
    pub(crate) proxy: Proxy,
    pub(crate) clusters: BTreeMap<String, Cluster>,
    /// What the upstream answers where a test does not say.
    pub(crate) upstream: Upstream,
    pub(crate) properties: Vec<(String, Value)>,
    pub(crate) tests: Vec<Test>,
}

/// How the proxy is set up.
#[derive(Debug, Default)]
pub(crate) struct Proxy {
    pub(crate) profiles: Vec<Profile>,
    pub(crate) workers: Option<u64>,
    pub(crate) buffer_limit: Option<u64>,
    pub(crate) memory_limit: Option<u64>,
    pub(crate) fuel_limit: Option<u64>,
    pub(crate) log_level: Option<Level>,
    pub(crate) seed: Option<u64>,
    /// Seconds since 1970.
    pub(crate) time: Option<u64>,
}

/// One test: a proxy of its own, and what happens in it.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) at: At,
    pub(crate) name: String,
    /// In place of the plugin's.
    pub(crate) configuration: Option<Configuration>,
    /// In place of those of the same name.
    pub(crate) clusters: BTreeMap<String, Cluster>,
    /// Beside those of the file.
    pub(crate) properties: Vec<(String, Value)>,
    pub(crate) steps: Vec<Step>,
}

pub(crate) const FIELDS: [&str; 7] =
    ["plugin", "plugins", "proxy", "clusters", "upstream", "properties", "tests"];
pub(crate) const PROXY: [&str; 8] =
    ["profiles", "workers", "buffer_limit", "memory_limit", "fuel_limit", "log_level", "seed", "time"];
pub(crate) const TEST: [&str; 8] =
    ["name", "configuration", "clusters", "properties", "request", "response", "expect", "steps"];
pub(crate) const LEVELS: [(&str, Level); 6] = [
    ("trace", Level::Trace),
    ("debug", Level::Debug),
    ("info", Level::Info),
    ("warn", Level::Warn),
    ("error", Level::Error),
    ("critical", Level::Critical),
];

impl Scenario {
    /// Reads a file. `module` stands in for the module that it names.
    ///
    /// # Errors
    ///
    /// Every problem that it has.
    pub(crate) fn load(path: &Path, module: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let unread = |error: std::io::Error| {
            let at = At { line: 1, column: 1 };
            vec![Problem { path: path.to_owned(), at, message: error.to_string() }]
        };
        let text = std::fs::read_to_string(path).map_err(unread)?;
        let node = Node::parse(path, &text).map_err(|problem| vec![problem])?;
        let problems = Problems::of(path);
        let scenario = Self::read(path, &node, module, &problems);
        match scenario.filter(|_| problems.is_empty()) {
            Some(scenario) => Ok(scenario),
            None => Err(problems.into_all()),
        }
    }

    /// A GET that is answered 200, and nothing expected.
    pub(crate) fn of_module(path: &Path, module: &Module, configuration: Option<&[u8]>) -> Self {
        let plugin = proxy_wasm_harness::Plugin::new(module).configuration(configuration.unwrap_or_default());
        let plugin = Plugin { plugin, name: module.name().to_owned(), module: module.clone() };
        let action = Action::Request(Box::default(), None);
        let step = Step { at: At::default(), stream: None, action: Some(action), expect: None };
        let test = Test {
            at: At::default(),
            name: format!("{}: a GET answered 200", module.name()),
            configuration: None,
            clusters: BTreeMap::new(),
            properties: Vec::new(),
            steps: vec![step],
        };
        Self {
            path: path.to_owned(),
            plugins: vec![plugin],
            proxy: Proxy::default(),
            clusters: BTreeMap::new(),
            upstream: Upstream::default(),
            properties: Vec::new(),
            tests: vec![test],
        }
    }

    fn read(path: &Path, node: &Node, module: Option<&Path>, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "a scenario file", &FIELDS)?;
        let plugins = read_plugins(&fields, module, problems);
        let proxy = fields.get("proxy").and_then(|node| Proxy::read(node, problems)).unwrap_or_default();
        let clusters = clusters(&fields, problems);
        let upstream = fields.get("upstream").and_then(|node| Upstream::read(node, problems));
        let properties = properties(&fields, problems);
        let alone = plugins.len() == 1;
        let mut tests = Vec::new();
        match fields.get("tests") {
            Some(node) => {
                for item in problems.items(node, "a list of tests") {
                    tests.extend(Test::read(item, alone, problems));
                }
                if matches!(&node.kind, Kind::List(items) if items.is_empty()) {
                    problems.add::<()>(node.at, "found no test, expected at least one");
                }
            }
            None => return problems.add(fields.at, "`tests` is missing: a list of tests"),
        }
        for (index, test) in tests.iter().enumerate() {
            if let Some(other) = tests.iter().take(index).find(|other| other.name == test.name) {
                let (name, line) = (&test.name, other.at.line);
                problems.add::<()>(test.at, format!("another test is called {name:?}, in line {line}"));
            }
        }
        let upstream = upstream.unwrap_or_default();
        Some(Self { path: path.to_owned(), plugins, proxy, clusters, upstream, properties, tests })
    }
}

fn read_plugins(fields: &Fields<'_>, module: Option<&Path>, problems: &Problems) -> Vec<Plugin> {
    match (fields.entry("plugin"), fields.entry("plugins")) {
        (Some((_, node)), None) => Plugin::read(node, module, problems).into_iter().collect(),
        (None, Some((key, node))) => {
            let items = problems.items(node, "a list of plugins");
            if items.is_empty() {
                problems.add::<()>(key.at, "`plugins` has none, expected at least one");
            }
            if module.is_some() && items.len() > 1 {
                let what = "--module is for one plugin, here are several: name their modules in the file";
                problems.add::<()>(key.at, what);
            }
            items.iter().filter_map(|node| Plugin::read(node, module, problems)).collect()
        }
        (Some(_), Some((key, _))) => {
            problems.add::<()>(key.at, "`plugin` and `plugins` are both there, expected one of them");
            Vec::new()
        }
        (None, None) => match module {
            Some(module) => Plugin::of_module(module, fields.at, problems).into_iter().collect(),
            None => {
                problems.add::<()>(fields.at, "`plugin` is missing: a map with at least `module`");
                Vec::new()
            }
        },
    }
}

fn clusters(fields: &Fields<'_>, problems: &Problems) -> BTreeMap<String, Cluster> {
    let Some(node) = fields.get("clusters") else { return BTreeMap::new() };
    let entries = problems.entries(node, "a map of clusters by name");
    entries
        .iter()
        .filter_map(|(key, node)| Some((key.name.clone(), Cluster::read(node, problems)?)))
        .collect()
}

/// Properties by their path joined with dots.
pub(crate) fn properties(fields: &Fields<'_>, problems: &Problems) -> Vec<(String, Value)> {
    let Some(node) = fields.get("properties") else { return Vec::new() };
    let entries = problems.entries(node, "a map of properties, such as `source.address: 10.0.0.1:5000`");
    entries.iter().map(|(key, node)| (key.name.clone(), property(node))).collect()
}

fn property(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Bytes(Vec::new()),
        Kind::Bool(value) => Value::Bool(*value),
        Kind::Int(value) => Value::Int(*value),
        Kind::Uint(value) => i64::try_from(*value).map_or(Value::Uint(*value), Value::Int),
        Kind::Float(value) => Value::Double(*value),
        Kind::Text(text) => Value::Bytes(text.as_bytes().to_vec()),
        Kind::List(items) => Value::List(items.iter().map(property).collect()),
        Kind::Map(fields) => {
            Value::Map(fields.iter().map(|(key, node)| (key.name.clone(), property(node))).collect())
        }
    }
}

impl Proxy {
    fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "proxy", &PROXY)?;
        let number = |name: &str| {
            fields.get(name).and_then(|node| problems.unsigned(node, "a number that is not negative"))
        };
        let size = |name: &str| fields.get(name).and_then(|node| problems.size(node));
        let mut profiles = Vec::new();
        if let Some(node) = fields.get("profiles") {
            let words: Vec<(String, Profile)> =
                Profile::ALL.iter().map(|profile| (profile.to_string(), *profile)).collect();
            let words: Vec<(&str, Profile)> =
                words.iter().map(|(name, profile)| (name.as_str(), *profile)).collect();
            for item in problems.items(node, "a list of profiles") {
                profiles.extend(problems.word(item, &words));
            }
        }
        Some(Self {
            profiles,
            workers: number("workers"),
            buffer_limit: size("buffer_limit"),
            memory_limit: size("memory_limit"),
            fuel_limit: number("fuel_limit"),
            log_level: fields.get("log_level").and_then(|node| problems.word(node, &LEVELS)),
            seed: number("seed"),
            time: number("time"),
        })
    }
}

impl Test {
    /// How many requests it sends.
    pub(crate) fn requests(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step.action, Some(Action::Request(..)))).count()
    }

    fn read(node: &Node, alone: bool, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "a test", &TEST)?;
        let name = match fields.get("name") {
            Some(node) => problems.text(node, "a sentence"),
            None => problems.add(fields.at, "`name` is missing: a sentence that says what is so"),
        };
        let configuration = fields.entry("configuration").and_then(|(key, node)| {
            if !alone {
                return problems.add(key.at, "`configuration` of a test is for one plugin, here are several");
            }
            Some(Configuration::read(node))
        });
        let steps = Self::steps(&fields, problems);
        for step in steps.iter().filter(|step| matches!(step.action, Some(Action::Reconfigure(_)))) {
            if !alone {
                problems.add::<()>(step.at, "`reconfigure` is for one plugin, here are several");
            }
        }
        if steps.iter().all(|step| step.expect.is_none()) && problems.is_empty() {
            problems.add::<()>(fields.at, "`expect` is missing: a test that expects nothing shows nothing");
        }
        Some(Self {
            at: fields.at,
            name: name?,
            configuration,
            clusters: clusters(&fields, problems),
            properties: properties(&fields, problems),
            steps,
        })
    }

    /// The steps; a test without them is one step itself.
    fn steps(fields: &Fields<'_>, problems: &Problems) -> Vec<Step> {
        let Some((key, node)) = fields.entry("steps") else {
            return Step::of_test(fields, problems).into_iter().collect();
        };
        for name in fields.present(&["request", "response", "expect"]) {
            problems
                .add::<()>(key.at, format!("`steps` and `{name}` are both there: put `{name}` into a step"));
        }
        let items = problems.items(node, "a list of steps");
        items.iter().filter_map(|item| Step::read(item, problems)).collect()
    }
}
