//! Holds what a filter says of its configuration to the code that reads it: for tests alone.
//!
//! | document                                                     | is held to                                     |
//! |--------------------------------------------------------------|------------------------------------------------|
//! | `schema.json`, a JSON Schema for editors and CI              | what the filter's readers accept               |
//! | the table under `## Configuration` in `README.md`            | the same, field by field                       |
//! | samples: `envoy.yaml`, `istio.yaml`, JSON in `README.md`, `envoy/all.yaml`, `istio/` | schema and reader |
//!
//! A filter's test has a line for each:
//!
//! ```no_run
//! use filter_kit::config::Node;
//! # fn from_node(root: Node<'_>) -> Option<()> { root.object(|fields| fields.version(1)) }
//! let docs = filter_docs::docs!(from_node);
//! docs.assert_fresh();
//! docs.assert_samples();
//! docs.assert_accepted(&[r#"{"version": 1}"#]);
//! docs.assert_refused(&["{}", r#"{"version": 2}"#]);
//! docs.assert_each_mistake_is_told(r#"{"version": 1}"#);
//! docs.assert_survives_anything();
//! ```
//!
//! `PWH_UPDATE_SCHEMAS=1 cargo test` writes schema and table anew.
#![warn(missing_docs)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "all of this is part of tests: an expectation that is not met fails one"
)]

mod odd;
mod sample;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use filter_kit::config::{self, Json, Node};
use jsonschema::Validator;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Set, it has documents written and not asserted.
const UPDATE: &str = "PWH_UPDATE_SCHEMAS";

/// The documents of the package whose test says so, given the function that reads its configuration.
#[macro_export]
macro_rules! docs {
    ($read:expr) => {
        $crate::Docs::of(
            env!("CARGO_MANIFEST_DIR"),
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_DESCRIPTION"),
            $read,
        )
    };
}

/// What a filter says of its configuration.
pub struct Docs<T> {
    folder: PathBuf,
    name: &'static str,
    schema: Json<'static>,
    read: fn(Node<'_>) -> Option<T>,
}

impl<T> Docs<T> {
    /// The documents in `folder` of the filter `name`, that does what `about` says, by the reader of its
    /// configuration.
    pub fn of(
        folder: &str,
        name: &'static str,
        about: &'static str,
        read: fn(Node<'_>) -> Option<T>,
    ) -> Self {
        Self { folder: folder.into(), name, schema: config::schema(name, about, read), read }
    }

    /// Holds `schema.json` and the README's table to the reader, or writes them if `PWH_UPDATE_SCHEMAS` is set.
    ///
    /// # Panics
    ///
    /// If one of them differs from what the reader says, with the first line that does.
    #[track_caller]
    pub fn assert_fresh(&self) {
        let readme = self.folder.join("README.md");
        let text = read(&readme);
        let table = table::of(&self.schema);
        let fresh = table::replaced(&text, &table)
            .unwrap_or_else(|| panic!("{}: there is no `## Configuration` with a table", shown(&readme)));
        self.hold(&readme, &text, &fresh);
        let path = self.folder.join("schema.json");
        let text = fs::read_to_string(&path).unwrap_or_default();
        self.hold(&path, &text, &(self.schema.to_string_pretty() + "\n"));
    }

    #[track_caller]
    fn hold(&self, path: &Path, found: &str, fresh: &str) {
        if found == fresh {
            return;
        }
        if std::env::var_os(UPDATE).is_some_and(|value| !value.is_empty() && value != "0") {
            fs::write(path, fresh).unwrap_or_else(|error| panic!("{}: {error}", shown(path)));
            return;
        }
        let same = found.lines().zip(fresh.lines()).take_while(|(found, fresh)| found == fresh).count();
        let line = |text: &str| text.lines().nth(same).unwrap_or("nothing more").to_owned();
        panic!(
            "{}:{}: not what the reader says\n  found    {}\n  expected {}\n{UPDATE}=1 writes it anew",
            shown(path),
            same + 1,
            line(found),
            line(fresh)
        );
    }

    /// Holds every sample configuration of the filter to schema and reader.
    ///
    /// # Panics
    ///
    /// If one is refused by either, or there is none at all.
    #[track_caller]
    pub fn assert_samples(&self) {
        let samples = sample::all(&self.folder, self.name);
        assert!(!samples.is_empty(), "{}: there is no sample configuration", shown(&self.folder));
        for (path, json) in samples {
            let verdict = self.verdict(&json);
            assert_eq!(verdict, Verdict::default(), "{}: {json}", shown(&path));
        }
    }

    /// Holds schema and reader to accepting each of these configurations.
    ///
    /// # Panics
    ///
    /// If either refuses one.
    #[track_caller]
    pub fn assert_accepted(&self, configurations: &[&str]) {
        for json in configurations {
            assert_eq!(self.verdict(json), Verdict::default(), "{json}");
        }
    }

    /// Holds schema and reader to refusing each of these configurations.
    ///
    /// # Panics
    ///
    /// If either accepts one.
    #[track_caller]
    pub fn assert_refused(&self, configurations: &[&str]) {
        for json in configurations {
            let verdict = self.verdict(json);
            assert!(verdict.reader.is_some(), "the reader accepts {json}, but the schema: {verdict:?}");
            assert!(verdict.schema.is_some(), "the schema accepts {json}, but the reader: {verdict:?}");
        }
    }

    /// Holds the reader to refusing each of these configurations, and the schema to accepting them: what a schema has
    /// no words for, such as two names that must differ.
    ///
    /// # Panics
    ///
    /// If the reader accepts one, or the schema refuses it.
    #[track_caller]
    pub fn assert_refused_by_reader_alone(&self, configurations: &[&str]) {
        for json in configurations {
            let verdict = self.verdict(json);
            assert!(verdict.reader.is_some(), "the reader accepts {json}");
            assert_eq!(verdict.schema, None, "the schema has words for {json}");
        }
    }

    /// Makes one thing odd in every place of `sample`, which is best a configuration with every field, one after the
    /// other, and holds the reader to telling where: each problem's path leads into the configuration. What the reader
    /// accepts, the schema has to accept as well.
    ///
    /// # Panics
    ///
    /// If one is refused without a place, accepted against the schema, or makes the reader panic.
    #[track_caller]
    pub fn assert_each_mistake_is_told(&self, sample: &str) {
        assert_eq!(self.verdict(sample), Verdict::default(), "{sample}");
        let sample = serde_json::from_str(sample).expect("JSON");
        let schema = serde_json::to_value(&self.schema).expect("a tree is JSON");
        let validator = validator(&schema);
        let (mut refused, mut accepted) = (0, 0);
        odd::each(&sample, &mut |place, configuration| {
            match self.problems(&configuration) {
                Ok(()) => {
                    accepted += 1;
                    // To a reader what is null is not there; a schema has no word for that.
                    let is_null = configuration.pointer(place).is_some_and(serde_json::Value::is_null);
                    let error = validator.iter_errors(&configuration).next();
                    assert!(
                        is_null || error.is_none(),
                        "at {place} the reader accepts what the schema does not ({error:?}): {configuration}"
                    );
                }
                Err(problem) => {
                    refused += 1;
                    assert_eq!(problem, "", "at {place}: {configuration}");
                }
            }
        });
        assert!(refused > accepted, "{refused} were refused, {accepted} accepted");
    }

    /// Holds the reader to telling what is wrong, and where, whatever JSON it is given.
    ///
    /// # Panics
    ///
    /// If it does not, or panics.
    #[track_caller]
    pub fn assert_survives_anything(&self) {
        let schema = serde_json::to_value(&self.schema).expect("a tree is JSON");
        let mut runner = TestRunner::new(Config { cases: 128, ..Config::default() });
        let run = runner.run(&odd::anything(&schema), |configuration| match self.problems(&configuration) {
            Ok(()) => Ok(()),
            Err(problem) if problem.is_empty() => Ok(()),
            Err(problem) => Err(TestCaseError::fail(problem)),
        });
        run.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Whether a configuration is accepted; if not, what is wrong with how that is told: nothing, if it is told well.
    fn problems(&self, configuration: &serde_json::Value) -> Result<(), String> {
        let Err(refusal) = config::read(configuration.to_string().as_bytes(), self.read) else {
            return Ok(());
        };
        if refusal.problems().is_empty() {
            return Err("refused without a problem".to_owned());
        }
        for problem in refusal.problems() {
            let is_count = problem.message.starts_with("and ") && problem.path.is_empty();
            if problem.message.is_empty() || problem.message.contains("no reason was noted") {
                return Err(format!("a problem without a reason: {refusal}"));
            }
            if !is_count && !odd::leads_somewhere(configuration, &problem.path) {
                return Err(format!("a path that leads nowhere: {:?} of {refusal}", problem.path));
            }
        }
        Err(String::new())
    }

    /// Holds a compiled module to containing none of the schema's sentences and patterns.
    ///
    /// # Panics
    ///
    /// If one is in it.
    #[track_caller]
    pub fn assert_not_in(&self, module: &[u8]) {
        let mut sentences = Vec::new();
        sentences_of(&self.schema, &mut sentences);
        assert!(sentences.len() > 3, "the schema says nothing: {sentences:?}");
        for sentence in sentences {
            let there = module.windows(sentence.len()).any(|window| window == sentence.as_bytes());
            assert!(!there, "the module has a schema's {sentence:?}");
        }
    }

    fn verdict(&self, json: &str) -> Verdict {
        let schema = serde_json::to_value(&self.schema).expect("a tree is JSON");
        let value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        Verdict {
            schema: validator(&schema).iter_errors(&value).next().map(|error| error.to_string()),
            reader: config::read(json.as_bytes(), self.read).err().map(|refusal| refusal.to_string()),
        }
    }
}

/// Why a configuration is refused, if it is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    schema: Option<String>,
    reader: Option<String>,
}

fn validator(schema: &serde_json::Value) -> Validator {
    assert!(jsonschema::meta::is_valid(schema), "the schema itself is none: {schema}");
    jsonschema::validator_for(schema).expect("a schema that is one")
}

/// Every description, and every pattern, that is long enough to be found by no chance.
fn sentences_of<'a>(schema: &'a Json<'_>, sentences: &mut Vec<&'a str>) {
    match schema {
        Json::List(items) => items.iter().for_each(|item| sentences_of(item, sentences)),
        Json::Object(members) => {
            for (key, value) in members {
                match value {
                    Json::String(text) if matches!(&**key, "description" | "pattern") && text.len() > 9 => {
                        sentences.push(text);
                    }
                    value => sentences_of(value, sentences),
                }
            }
        }
        _ => {}
    }
}

#[track_caller]
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", shown(path)))
}

/// A path as it stands in the repository, if it does.
fn shown(path: &Path) -> String {
    let root = sample::root();
    path.strip_prefix(&root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use filter_kit::host::{ENTRY, Entry};
    use filter_kit::template::Template;
    use filter_kit::when::When;

    use super::*;

    fn docs<T>(read: fn(Node<'_>) -> Option<T>) -> Docs<T> {
        Docs::of("/none", "test", "Tests.", read)
    }

    #[test]
    fn conditions_are_described_as_they_are_read() {
        let docs = docs(When::read);
        docs.assert_accepted(&[
            r#"{"hosts": ["*.example.com", "[::1]:443"], "paths": [{"prefix": "/a"}], "methods": ["M-SEARCH"]}"#,
            r#"{"headers": [{"name": "X-A"}, {"name": "x", "present": false}, {"name": "x", "suffix": "b"}]}"#,
            r#"{"status": ["5xx", 404.0], "content_types": ["text/*", "application/*+json"]}"#,
            r#"{"not": {"not": {"direction": "inbound"}}, "route_names": ["main"]}"#,
        ]);
        docs.assert_refused(&[
            "{}",
            r#"{"not": {}}"#,
            r#"{"hosts": []}"#,
            r#"{"hosts": ["api.*.test"]}"#,
            r#"{"paths": [{}]}"#,
            r#"{"paths": [{"exact": "/", "prefix": "/"}]}"#,
            r#"{"paths": [{"exact": ""}]}"#,
            r#"{"methods": ["get"]}"#,
            r#"{"headers": [{"exact": "x"}]}"#,
            r#"{"headers": [{"name": ":path"}]}"#,
            r#"{"headers": [{"name": "x", "present": true, "exact": "y"}]}"#,
            r#"{"headers": [{"name": "x", "suffix": "y", "exact": "y"}]}"#,
            r#"{"status": ["6xx"]}"#,
            r#"{"status": [600]}"#,
            r#"{"content_types": ["text"]}"#,
            r#"{"direction": "up"}"#,
            r#"{"stauts": [200]}"#,
        ]);
        docs.assert_refused_by_reader_alone(&[
            r#"{"hosts": ["10.0.0.1/8"]}"#,
            r#"{"hosts": ["a.test:65536"]}"#,
        ]);
    }

    #[test]
    fn entries_and_templates_are_described_as_they_are_read() {
        let entries = docs(|node| node.parsed(ENTRY, |typed| Entry::parse(typed).map(Entry::into_owned)));
        for typed in [
            "a",
            "A.test.",
            "*.a.test",
            ".a.test:80",
            "||a.test^",
            "10.0.0.0/8",
            "::1",
            "fd00::/8",
            "[::1]:80",
        ] {
            entries.assert_accepted(&[&format!("{typed:?}")]);
        }
        for typed in ["", ".", "a b", "a/b", "http://a", "a:", "*a", "a^", "b\u{fc}cher.test", "[a]"] {
            entries.assert_refused(&[&format!("{typed:?}")]);
        }
        let templates = docs(Template::read);
        templates.assert_accepted(&["\"\"", "\"a $$ ${path}${default:x y}\"", "\"${header:x}\""]);
        templates.assert_refused(&["\"$\"", "\"${path\"", "\"$path\"", "\"${}\"", "7"]);
        templates.assert_refused_by_reader_alone(&["\"${user}\"", "\"${default:x}\""]);
    }

    #[test]
    fn quantities_are_described_as_they_are_read() {
        let wait = docs(|node| node.milliseconds(1..=5000));
        wait.assert_accepted(&["1", "5000", "5e2", "\"250ms\"", "\"5s\""]);
        wait.assert_refused(&["0", "5001", "1.5", "\"5h\"", "\"ms\"", "null"]);
        wait.assert_refused_by_reader_alone(&["\"6s\""]);
        let size = docs(|node| node.bytes(0..=1 << 20));
        size.assert_accepted(&["0", "\"1MiB\""]);
        size.assert_refused(&["-1", "\"1MB\""]);
        let share = docs(|node| node.percent());
        share.assert_accepted(&["0", "99.99", "100"]);
        share.assert_refused(&["-0.01", "100.01", "\"5%\""]);
        share.assert_refused_by_reader_alone(&["0.001"]);
    }

    #[test]
    fn a_document_that_is_stale_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let readme = "# x\n\n## Configuration\n\n| old |\n\n```json\n{\"version\": 2}\n```\n";
        fs::write(folder.path().join("README.md"), readme).unwrap();
        let path = folder.path().to_str().unwrap().to_owned();
        let stale = move || {
            Docs::of(&path, "x", "Xs.", |root| root.object(|fields| fields.version(1))).assert_fresh();
        };
        let message = std::panic::catch_unwind(stale).unwrap_err();
        let message = message.downcast_ref::<String>().unwrap();
        assert!(message.contains("README.md:5: not what the reader says"), "{message}");

        let path = folder.path().to_str().unwrap().to_owned();
        let refused = move || {
            Docs::of(&path, "x", "Xs.", |root| root.object(|fields| fields.version(1))).assert_samples();
        };
        assert!(std::panic::catch_unwind(refused).is_err());
    }
}
