//! The configuration: rules, each with lists of operations, and what holds for all of them.

mod operation;
mod rule;

pub(crate) use rule::Rule;

use filter_kit::config::{self, Json, Node, Refusal};
use filter_kit::level::Level;
use filter_kit::metric::TagStyle;
use filter_kit::mode::{Mode, Share};

use crate::host::Side;
use crate::name::{Allow, Guard, Pattern, Pseudo, Spared, Use};
use crate::plan::Plan;
use crate::value::{Judge, OnInvalid};

/// How many rules there may be.
const MOST_RULES: u32 = 256;
/// How many patterns may be stripped.
const MOST_PATTERNS: u32 = 64;

/// What to do to the headers of each request and response.
#[derive(Clone, Debug)]
pub struct Mutations {
    /// How much it writes into the log.
    pub log_level: Level,
    /// How its metrics are named.
    pub tag_style: TagStyle,
    /// Whether changes are made, only counted, or not even looked for.
    pub(crate) mode: Mode,
    /// For how many requests they are made.
    pub(crate) share: Share,
    pub(crate) judge: Judge,
    pub(crate) strip_client: Vec<Pattern>,
    /// What stripping passes over.
    pub(crate) spared: Spared,
    pub(crate) once_header: Option<Box<[u8]>>,
    pub(crate) skip_local_replies: bool,
    /// Whether the names of the rules that changed something are kept for the access log.
    pub(crate) access_log: bool,
    /// In the order in which they are applied.
    pub(crate) rules: Vec<Rule>,
    pub(crate) plan: Plan,
}

impl Mutations {
    /// Reads plugin configuration such as
    /// `{"version": 1, "rules": [{"request": [{"op": "set", "name": "x-a", "value": "b"}]}]}`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        config::read(bytes, Self::from_node)
    }

    /// Reads the configuration, and natively describes it for `schema.json`.
    pub fn from_node(root: Node<'_>) -> Option<Self> {
        let mut mutations = root.object(|fields| {
            fields.schema(DOES_SOMETHING);
            fields.version(1);
            let level = Level::field(fields);
            let mode = Mode::field(fields);
            let share = Share::field(fields);
            let on_invalid = fields.or(
                "on_invalid",
                "A value that may not be sent, or is too long: its operation is skipped, the bytes are dropped, or the request is answered 400 (in a response and in trailers the operation is skipped)",
                "skip",
                |node| node.one_of(&OnInvalid::WORDS),
            );
            let most = fields.or(
                "max_value_bytes",
                "The longest value that is put together for a message",
                "8KiB",
                |node| node.bytes(1..=65_536),
            );
            let pseudo = fields.or(
                "allow_pseudo",
                "Pseudo-headers whose values may be changed",
                Json::EMPTY_LIST,
                |node| node.list_of(|node| node.one_of(&Pseudo::WORDS)),
            );
            let internal = fields.or(
                "allow_internal",
                "Whether `x-envoy-...` and `x-forwarded-client-cert` may be changed, which Envoy trusts",
                false,
                |node| node.boolean(),
            );
            let grpc_trailers = fields.or(
                "allow_grpc_trailers",
                "Whether `grpc-...` of a response may be changed, which says how a call went",
                false,
                |node| node.boolean(),
            );
            let allow = Allow {
                pseudo: pseudo.unwrap_or_default(),
                internal: internal.unwrap_or_default(),
                grpc_trailers: grpc_trailers.unwrap_or_default(),
            };
            let guard = Guard { side: Side::Request, allow: &allow };
            let strip_client = fields.or(
                "strip_client",
                "Request headers that go before all else, every line of them: a name, or its beginning and `*`",
                Json::EMPTY_LIST,
                |node| node.list_up_to(MOST_PATTERNS, |node| Pattern::read(node, &allow)),
            );
            let once_header = fields.optional(
                "once_header",
                "The request header that marks a request as done, so that Envoy's own redirects do not have it done twice",
                |node| guard.field(node, Use::Lines).map(|field| field.name),
            );
            let skip_local_replies = fields.or(
                "skip_local_replies",
                "Whether responses that Envoy or a filter made are left as they are",
                false,
                |node| node.boolean(),
            );
            let access_log = fields.or(
                "access_log",
                "Whether the names of the rules that changed something are kept for the access log, as `%FILTER_STATE(wasm.header_mutation:PLAIN)%`",
                false,
                |node| node.boolean(),
            );
            let rules = fields.or(
                "rules",
                "Applied one after the other",
                Json::EMPTY_LIST,
                |node| node.list_up_to(MOST_RULES, |node| rule::read(node, &allow)),
            );
            let tag_style = TagStyle::metrics(fields);
            let spared = guard.spares();
            Some(Self {
                log_level: level?,
                tag_style: tag_style?,
                mode: mode?,
                share: share?,
                judge: Judge { on_invalid: on_invalid?, most: usize::try_from(most?).ok()? },
                strip_client: strip_client?,
                spared,
                once_header: once_header?,
                skip_local_replies: skip_local_replies?,
                access_log: access_log?,
                rules: rules?,
                plan: Plan::default(),
            })
        })?;
        if mutations.rules.is_empty() && mutations.strip_client.is_empty() {
            return root
                .problem("changes nothing, expected a rule in `rules` or a pattern in `strip_client`");
        }
        mutations.plan = Plan::of(&mutations);
        Some(mutations)
    }
}

/// That there is a rule, or a pattern.
const DOES_SOMETHING: &str = r#"{"anyOf": [
    {"required": ["rules"], "properties": {"rules": {"minItems": 1}}},
    {"required": ["strip_client"], "properties": {"strip_client": {"minItems": 1}}}]}"#;

#[cfg(test)]
mod tests;
