//! The configuration.

mod action;
mod body;
mod detector;

use filter_kit::config::{self, Json, Node, Refusal, Text};
use filter_kit::level::Level;
use filter_kit::metric::TagStyle;
use filter_kit::mode::{Failure, Mode, Share};
use filter_kit::when::{Media, When};

use crate::action::Action;
use crate::eligibility::Eligible;
use crate::rules::{Allow, Allowed, Common, MOST_POINTERS, Rules};
pub use body::{BodyMode, BodyPolicy, OnBlock, OnEtag, Otherwise};
use detector::Detector;

/// What is taken out of which messages, and how.
#[derive(Clone, Debug)]
pub struct Redaction {
    /// Whether findings have consequences.
    pub mode: Mode,
    /// On how many messages `enforce` acts.
    pub share: Share,
    /// What becomes of a body that cannot be looked into.
    pub fail: Failure,
    /// Whether bodies of requests are looked into.
    pub requests: bool,
    /// Whether bodies of responses are looked into.
    pub responses: bool,
    /// Whether tokens stand in place of what is found in requests, and are looked for in responses.
    pub tokenizes: bool,
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
    /// The trailer that tells what was found, in lower case.
    pub dlp_trailer: Option<String>,
    /// How metrics are named.
    pub tag_style: TagStyle,
    /// How much is written into the proxy's log.
    pub log_level: Level,
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
            let log_level = Level::field(fields);
            let share = Share::field(fields);
            let fail = Failure::field(fields, Failure::Closed);
            let detectors = fields.required(
                "detectors",
                "At least one. Matches do not overlap: the leftmost counts, of those the longest, of those the detector that is listed first",
                |node| {
                    let detectors = node.up_to(MOST, Detector::read)?;
                    let paths: usize = detectors.iter().map(Detector::paths).sum();
                    if paths > MOST_POINTERS {
                        return node.problem(format!("found {paths} paths of `json_pointer` in all, expected at most {MOST_POINTERS}"));
                    }
                    Some(detectors)
                },
            );
            let allow = fields.or(
                "allow",
                "Matches that stay: texts, compared without case, digits without the separators of groups; what begins with `@` covers every match of `email` that ends so; or regular expressions that all of a match is",
                Json::EMPTY_LIST,
                |node| node.list_of(allowed),
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
            let policy = BodyPolicy::field(fields, fail.unwrap_or(Failure::Closed));
            let json = fields.or("json", "How JSON is looked into", Json::EMPTY_OBJECT, body::json);
            let on_block = OnBlock::field(fields);
            let etag = OnEtag::field(fields);
            let keeps_length = fields.or(
                "preserve_length",
                "Whether a body keeps its length, and the response its content-length: with actions that do",
                false,
                |node| node.boolean(),
            );
            let trailer = fields.optional(
                "dlp_trailer",
                "A trailer of the response that tells what was found in it and its request, such as `cards=2,mail=1`; in HTTP/1.1 where the listener enables trailers",
                header,
            );
            let tag_style = fields.or("metrics", "How metrics are named", Json::EMPTY_OBJECT, |node| node.object(TagStyle::field));
            let (mode, detectors, policy, json, keeps_length) = (mode?, detectors?, policy?, json?, keeps_length?);
            let mut names: Vec<String> = detectors.iter().map(|detector| detector.name.clone()).collect();
            names.sort();
            if names.windows(2).any(|pair| pair.first() == pair.last()) {
                return fields.problem("two detectors have the same name");
            }
            if keeps_length && !detectors.iter().all(|detector| detector.action.keeps_length()) {
                return fields.problem("`preserve_length` is there for the actions `mask`, `tag` and `block` alone");
            }
            let direction = direction?.unwrap_or_else(|| vec![false]);
            let (requests, responses) = (direction.contains(&true), direction.contains(&false));
            let tokenizes = detectors.iter().any(|detector| matches!(detector.action, Action::Tokenize(_)));
            if tokenizes && !requests {
                return fields.problem("the action `tokenize` is one for requests, and `direction` has no `request`");
            }
            let names = detectors.iter().map(|detector| detector.name.clone()).collect();
            let common = Common {
                allow: Allow::new(allow?),
                scans_names: json.names,
                zero: json.zero,
                keeps_length,
                max_hold: policy.max_hold,
                releases: policy.fail == Failure::Open,
            };
            let (request_identity, on_encoded) = encoding?;
            Some(Self {
                mode,
                share: share?,
                fail: fail?,
                requests,
                responses,
                tokenizes,
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
                dlp_trailer: trailer?,
                tag_style: tag_style?,
                log_level: log_level?,
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

/// Reads a match that stays.
fn allowed(node: Node<'_>) -> Option<Allowed> {
    node.text_or(
        |node| node.parsed(Text::ANY.bytes(1, 256), nonempty).map(Allowed::Text),
        |node| {
            node.object(|fields| {
                fields
                    .required("regex", "A regular expression that all of a match is", |node| {
                        detector::expression(node, false)
                    })
                    .map(Allowed::Like)
            })
        },
    )
}

fn nonempty(text: &str) -> Result<String, &'static str> {
    if (1..=256).contains(&text.len()) { Ok(text.to_owned()) } else { Err("a text of 1 to 256 bytes") }
}

#[cfg(test)]
mod tests;
