//! Reads a filter's JSON configuration and refuses it whole when anything in it is wrong.
//!
//! An operator who applies a configuration with three mistakes should read about three mistakes, each
//! with the path of the field, what was found there and what would be right. So the readers here never
//! stop at the first: they note the problem, answer `None`, and go on.
//!
//! ```
//! use filter_kit::config::{self, Node};
//!
//! struct Greeting { name: String, times: u64 }
//!
//! fn greeting(root: Node<'_>) -> Option<Greeting> {
//!     root.object(|fields| {
//!         fields.version(1);
//!         let name = fields.required("name", "Who is greeted", |node| node.text().map(str::to_owned));
//!         let times = fields.or("times", "How often", 1, |node| node.integer(1..=9));
//!         Some(Greeting { name: name?, times: times? })
//!     })
//! }
//!
//! let greeting_of = |json: &str| config::read(json.as_bytes(), greeting);
//! assert_eq!(greeting_of(r#"{"version": 1, "name": "Ada"}"#).unwrap().times, 1);
//!
//! let refusal = greeting_of(r#"{"version": 1, "nmae": "Ada", "times": 40}"#).err().unwrap();
//! assert_eq!(refusal.to_string(), "\
//! config field `nmae`: unknown field, expected one of `version`, `name`, `times`; \
//! config field `name`: missing; \
//! config field `times`: found 40, expected an integer from 1 to 9");
//! ```
//!
//! The same function says what it reads: [`schema`] runs it over no configuration at all and has each reader describe
//! what it would accept. So the names, defaults, ranges and words of a field stand in one place. That is native code
//! alone: a module has neither a schema nor the sentences of one.
//!
//! ```
//! # use filter_kit::config::{self, Node};
//! # fn greeting(root: Node<'_>) -> Option<()> {
//! #     root.object(|fields| {
//! #         fields.version(1);
//! #         fields.required("name", "Who is greeted", |node| node.text().map(str::to_owned));
//! #         fields.or("times", "How often", 1, |node| node.integer(1..=9)).map(|_| ())
//! #     })
//! # }
//! let schema = config::schema("greeting", "Greets.", greeting);
//! let schema: serde_json::Value = serde_json::from_str(&schema.to_string_pretty()).unwrap();
//! assert_eq!(schema["required"], serde_json::json!(["version", "name"]));
//! assert_eq!(schema["properties"]["times"], serde_json::json!({
//!     "description": "How often", "type": "integer", "minimum": 1, "maximum": 9, "default": 1,
//! }));
//! ```

#[cfg_attr(target_family = "wasm", expect(dead_code, reason = "a module has no schema"))]
mod draft;
mod fields;
mod json;
mod node;
mod problem;
mod unit;

pub use draft::Text;
pub use fields::{Alternative, Choice, Fields, Variant, VariantWith};
pub use json::Json;
pub use node::Node;
pub use problem::{Problem, Refusal};

use problem::Problems;

/// Reads `bytes` as JSON and builds a `T` from it.
///
/// `build` notes what is wrong through the [`Node`] it is given, and answers `None` when it cannot go on.
///
/// # Errors
///
/// Every problem that was noted; or the one problem that the bytes are no JSON, or are missing.
pub fn read<T>(bytes: &[u8], build: impl FnOnce(Node<'_>) -> Option<T>) -> Result<T, Refusal> {
    // Istio sends no configuration at all for an empty `pluginConfig` (istiod, extensions.go).
    if bytes.trim_ascii().is_empty() {
        return Err(Refusal::of(Problem::at_top("no configuration was given, expected a JSON object")));
    }
    let json: Json<'_> = match serde_json::from_slice(bytes) {
        Ok(json) => json,
        Err(error) => return Err(Refusal::of(Problem::at_top(format!("not valid JSON: {error}")))),
    };
    let problems = Problems::default();
    let built = build(Node::top(&json, &problems));
    match (built, problems.into_refusal()) {
        (_, Some(refusal)) => Err(refusal),
        (Some(built), None) => Ok(built),
        (None, None) => Err(Refusal::of(Problem::at_top("refused, but no reason was noted"))),
    }
}

/// The JSON Schema (draft 2020-12) of what `read` reads.
///
/// `title` is what the configuration is of, and `description` a sentence about it.
#[cfg(not(target_family = "wasm"))]
pub fn schema<T>(
    title: &'static str,
    description: &'static str,
    read: impl FnOnce(Node<'_>) -> Option<T>,
) -> Json<'static> {
    let (definitions, problems) = (draft::Definitions::default(), Problems::default());
    let draft = draft::Draft::new(&definitions);
    draft.set("$schema", "https://json-schema.org/draft/2020-12/schema");
    draft.set("title", title);
    draft.set("description", description);
    read(Node::top(&Json::Null, &problems).drafted(&draft));
    let Json::Object(mut members) = draft.into_schema() else { return Json::Null };
    if let Some(definitions) = definitions.into_json() {
        members.push(("$defs".into(), definitions));
    }
    Json::Object(members)
}
