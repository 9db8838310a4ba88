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
//!     let fields = root.object(&["version", "name", "times"])?;
//!     fields.version(1);
//!     let name = fields.required("name").and_then(|node| node.text());
//!     let times = fields.or("times", 1, |node| node.integer(1..=9));
//!     Some(Greeting { name: name?.to_owned(), times: times? })
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

mod json;
mod node;
mod problem;
mod unit;

pub use json::Json;
pub use node::{Fields, Node};
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
    let json: Json = match serde_json::from_slice(bytes) {
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
