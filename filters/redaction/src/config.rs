//! The configuration.

mod action;
mod body;
mod detector;

use filter_kit::config::{self, Json, Node, Refusal, Text};
use filter_kit::mode::{Failure, Mode};
use filter_kit::when::{Media, When};

use crate::eligibility::Eligible;
use crate::rules::{Allow, Common, Rules};
pub use body::{BodyMode, BodyPolicy, OnBlock, OnEtag, Otherwise};
use detector::Detector;

/// What is taken out of which messages, and how.
#[derive(Clone, Debug)]
pub struct Redaction {
    /// Whether findings have consequences.
    pub mode: Mode,
    /// What becomes of a body that cannot be looked into.
    pub fail: Failure,
    /// Whether bodies of requests are looked into.
    pub requests: bool,
    /// Whether bodies of responses are looked into.
    pub responses: bool,
    /// Headers whose values are looked into, in lower case, in the directions that bodies are.
    pub headers: Vec<String>,
    /// Messages that are left as they are.
    pub skip: Vec<When>,
    /// Which bodies are looked into.
    pub eligible: Eligible,
    /// Whether requests ask for responses that are not compressed.
    pub request_identity: bool,
    /// What becomes of a response that is compressed nevertheless.
    pub on_encoded: Otherwise,
    /// What becomes of requests for a part of a body, and of responses with one.
    pub on_range: Otherwise,
    /// How much of a body is there before anything leaves.
    pub body: BodyPolicy,
    /// What becomes of a message that is blocked.
    pub on_block: OnBlock,
    /// What becomes of the entity tag of a body that may be changed.
    pub etag: OnEtag,
    /// Whether bodies keep their length.
    pub keeps_length: bool,
    /// The names of the detectors, in order: metrics have them.
    pub names: Vec<String>,
    /// The detectors, ready to be applied.
    pub rules: Rules,
}

/// How many detectors there may be. Each has a metric.
const MOST: u32 = 64;

impl Redaction {
    /// Reads plugin configuration such as
    /// `{"version": 1, "detectors": [{"name": "secrets", "kind": "assignment", "keys": ["SECRET"]}]}`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        config::read(bytes, Self::from_node)
    }

    /// Reads the configuration, and natively describes it for `schema.json`.
    pub fn from_node(root: Node<'_>) -> Option<Self> {
        root.object(|fields| {
            fields.version(1);
            let mode = Mode::field(fields);
            let fail = Failure::field(fields, Failure::Closed);
            let detectors = fields.required(
                "detectors",
                "At least one. Matches do not overlap: the leftmost counts, of those the longest, of those the detector that is listed first",
                |node| node.up_to(MOST, Detector::read),
            );
            let allow = fields.or(
                "allow",
                "Matches that stay: texts, compared without case, digits without the separators of groups; what begins with `@` covers every address that ends so",
                Json::EMPTY_LIST,
                |node| node.list_of(|node| node.parsed(Text::ANY.bytes(1, 256), nonempty)),
            );
            let direction = fields.optional("direction", "Whose bodies are looked into; `response` unless given", |node| {
                node.some_of(|node| node.one_of(&[("request", true), ("response", false)]))
            });
            let headers = fields.or(
                "headers",
                "Headers whose values are looked into as text, in the directions of the bodies",
                Json::EMPTY_LIST,
                |node| node.list_of(header),
            );
            let skip = fields.or("skip", "Messages that are left as they are: one of these holds", Json::EMPTY_LIST, |node| {
                node.list_of(When::read)
            });
            let types = fields.optional(
                "content_types",
                "Media types that are looked into, in place of JSON, `text/*`, XML, forms, JavaScript, YAML, TOML and GraphQL",
                |node| node.up_to(MOST, Media::read),
            );
            let unknown = fields.or(
                "on_unknown_type",
                "What becomes of a body without a content-type: looked into as text, or not",
                "scan",
                |node| node.one_of(&[("scan", true), ("skip", false)]),
            );
            let encoding = fields.or("encoding", "What is done about compressed bodies", Json::EMPTY_OBJECT, body::encoding);
            let range = fields.or(
                "on_range",
                "Requests for a part of a body: `strip` has them ask for all of it, `skip` lets part and response pass, `block` answers",
                "strip",
                |node| node.one_of(&[("strip", Otherwise::Treat), ("skip", Otherwise::Skip), ("block", Otherwise::Block)]),
            );
            let policy = BodyPolicy::field(fields);
            let json = fields.or("json", "How JSON is looked into", Json::EMPTY_OBJECT, body::json);
            let on_block = OnBlock::field(fields);
            let etag = OnEtag::field(fields);
            let keeps_length = fields.or(
                "preserve_length",
                "Whether a body keeps its length, and the response its content-length: with actions that do",
                false,
                |node| node.boolean(),
            );
            let (mode, detectors, policy, json, keeps_length) = (mode?, detectors?, policy?, json?, keeps_length?);
            let mut names: Vec<String> = detectors.iter().map(|detector| detector.name.clone()).collect();
            names.sort();
            if names.windows(2).any(|pair| pair.first() == pair.last()) {
                return fields.problem("two detectors have the same name");
            }
            if keeps_length && !detectors.iter().all(|detector| detector.action.keeps_length()) {
                return fields.problem("`preserve_length` is there for the actions `mask`, `tag` and `block` alone");
            }
            let names = detectors.iter().map(|detector| detector.name.clone()).collect();
            let common = Common {
                allow: Allow::new(&allow?),
                scans_names: json.names,
                zero: json.zero,
                keeps_length,
                max_hold: policy.max_hold,
                reports: mode != Mode::Enforce,
            };
            let (request_identity, on_encoded) = encoding?;
            let direction = direction?.unwrap_or_else(|| vec![false]);
            Some(Self {
                mode,
                fail: fail?,
                requests: direction.contains(&true),
                responses: direction.contains(&false),
                headers: headers?,
                skip: skip?,
                eligible: Eligible { types: types?, unknown: unknown?, json: json.aware },
                request_identity,
                on_encoded,
                on_range: range?,
                body: policy,
                on_block: on_block?,
                etag: etag?,
                keeps_length,
                names,
                rules: Rules::new(detectors.into_iter().map(Detector::into_rule).collect(), common),
            })
        })
    }
}

/// Reads the name of a header whose value may be changed: none that frames or routes the message.
fn header(node: Node<'_>) -> Option<String> {
    node.parsed(filter_kit::header::SETTABLE_NAME, filter_kit::header::settable_name)
}

fn nonempty(text: &str) -> Result<String, &'static str> {
    if (1..=256).contains(&text.len()) { Ok(text.to_owned()) } else { Err("a text of 1 to 256 bytes") }
}

#[cfg(test)]
mod tests;
