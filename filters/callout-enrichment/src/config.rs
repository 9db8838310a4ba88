//! The configuration: whom to ask, what becomes of the answer, and what without one.

mod cache;
mod call;
mod map;
mod policy;

use std::ops::RangeInclusive;

use filter_kit::config::{self, Fields, Json, Node, Refusal};
use filter_kit::header;
use filter_kit::level::Level;
use filter_kit::metric::TagStyle;
use filter_kit::mode::{Mode, Share};
use filter_kit::template::Source;
use filter_kit::when::When;

use crate::breaker::Limits;
use crate::engine::{Cause, Deny, Policy, TELLING};
use crate::mapping::{self, Mapping, Target};
use crate::question::Call;
use crate::retry::Retry;

pub use cache::Kept;

/// Whom to ask about a request, and what becomes of the answer.
#[derive(Clone, Debug)]
pub struct Enrichment {
    /// Whether answers have consequences.
    pub mode: Mode,
    /// For how many requests they have.
    pub enforced: Share,
    /// How much is written into the proxy's log.
    pub log_level: Level,
    /// How its metrics are named.
    pub tag_style: TagStyle,
    /// The question.
    pub call: Call,
    /// The statuses of an answer that is used.
    pub ok: Vec<RangeInclusive<u16>>,
    /// The largest body that is read, in bytes. A larger one is no answer.
    pub max_response_bytes: u64,
    /// When a call is tried once more.
    pub retry: Option<Retry>,
    /// What is made of the answer; no two have the same target.
    pub map: Vec<Mapping>,
    /// Whether a part of the body is looked at.
    pub reads_body: bool,
    /// How answers are kept.
    pub cache: Option<Kept>,
    /// When the service is left alone.
    pub breaker: Option<Limits>,
    /// The header that says how a request was enriched.
    pub status_header: Option<Box<str>>,
    /// The only requests that are asked about.
    pub when: Option<When>,
    /// Requests that are enriched already.
    pub keep_if: Option<When>,
    /// How many requests are asked about, in hundredths of a percent.
    pub sample: u32,
    policies: [Policy; 4],
}

impl Enrichment {
    /// Reads plugin configuration such as
    /// `{"version": 1, "call": {"cluster": "metadata", "authority": "metadata", "path": "/"},
    /// "map": [{"from": "literal", "value": "1", "to": "x-meta"}]}`.
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
            let enforced = Share::field(fields);
            let call = fields.required("call", "The question that is asked about each request", call::read);
            let map = fields.required("map", "What is made of the answer", map::read);
            let asked = call.as_ref().map(|asked| &asked.call);
            let cache = fields.optional("cache", "How answers are kept for other requests; without it each asks for itself", |node| {
                cache::read(node, asked)
            });
            let [on_timeout, on_error, on_invalid, on_4xx] = policy::fields(fields);
            let breaker = policy::breaker(fields);
            let status_header = fields.or("status_header", "The request header that says how it was enriched; `false` for none", "x-enrich-status", |node| {
                node.text_or(
                    |node| node.parsed(header::SETTABLE_NAME, header::settable_name).map(|name| Some(name.into())),
                    |node| if node.boolean()? { node.expected("the name of a header, or false") } else { Some(None) },
                )
            });
            let when = fields.optional("when", "The only requests that are asked about", request);
            let keep_if = fields.optional("keep_if", "Requests that someone trusted has enriched: they pass as they are, with what the header names of `map` say. Only what no client can send may stand here", request);
            let sample = fields.or("sample_percent", "How many of them are asked about", 100, |node| node.percent());
            let tag_style = fields.or("metrics", "How metrics are named", Json::EMPTY_OBJECT, |node| node.object(TagStyle::field));
            let (map, cache, status_header) = (map?, cache?, status_header?);
            let asked = call?;
            unread(fields, &asked.call, cache.as_ref(), &map, status_header.as_deref())?;
            Some(Self {
                mode: mode?,
                enforced: enforced?,
                log_level: log_level?,
                tag_style: tag_style?,
                reads_body: map.iter().any(|mapping| matches!(mapping.source, mapping::Source::Body | mapping::Source::JsonPointer(_))),
                call: asked.call,
                ok: asked.ok,
                max_response_bytes: asked.max_response_bytes,
                retry: asked.retry,
                map,
                cache,
                breaker: breaker?,
                status_header,
                when: when?,
                keep_if: keep_if?,
                sample: sample?,
                policies: [on_timeout?, on_error?, on_invalid?, on_4xx?],
            })
        })
    }

    /// What becomes of a request for that cause.
    pub fn policy(&self, cause: Cause) -> &Policy {
        let [timeout, error, invalid, refused] = &self.policies;
        match cause {
            Cause::Timeout => timeout,
            Cause::Error => error,
            Cause::Invalid => invalid,
            Cause::Refused => refused,
        }
    }

    /// Whether an answer of that status is used.
    pub fn is_ok(&self, status: u16) -> bool {
        self.ok.iter().any(|range| range.contains(&status))
    }

    /// The request headers that are taken off whatever a client sends: those that are made here.
    pub fn stripped(&self) -> impl Iterator<Item = &str> {
        let made = self.map.iter().filter_map(|mapping| match &mapping.target {
            Target::Request(name) => Some(&**name),
            Target::Response(_) | Target::FilterState(_) => None,
        });
        made.chain(self.status_header.as_deref())
    }

    /// How much of the body of an answer is read, which has that status and is of that size.
    pub fn reads_of_body(&self, status: Option<u16>, size: usize) -> usize {
        let Some(status) = status else { return 0 };
        let is_passed_on = (400..500).contains(&status)
            && matches!(self.policy(Cause::Refused).deny, Some(Deny::AsAnswered(_)));
        let is_wanted = (self.reads_body && self.is_ok(status)) || is_passed_on;
        if is_wanted && size as u64 <= self.max_response_bytes {
            size
        } else if status >= 500 {
            // The beginning of a failure tells whether it is Envoy's own.
            size.min(TELLING)
        } else {
            0
        }
    }
}

/// A condition on requests.
fn request(node: Node<'_>) -> Option<When> {
    let when = When::read(node)?;
    if when.needs_response() {
        return node
            .problem("looks at the response, expected conditions on the request: there is no response yet");
    }
    Some(when)
}

/// Refuses to ask by a header that is made here: a client's value of it is taken off, so it means nothing.
fn unread(
    fields: &Fields<'_>,
    call: &Call,
    cache: Option<&Kept>,
    map: &[Mapping],
    status: Option<&str>,
) -> Option<()> {
    let mut made = map
        .iter()
        .filter_map(|mapping| match &mapping.target {
            Target::Request(name) => Some(&**name),
            Target::Response(_) | Target::FilterState(_) => None,
        })
        .chain(status);
    let keys = || cache.iter().flat_map(|cache| &cache.key).flat_map(|part| part.sources().cloned());
    let reads = |name: &str| {
        let is = |source: Source| matches!(source, Source::Header(other) | Source::Headers(other) if *other == *name);
        call.sources().any(is) || keys().any(is) || call.trace.iter().any(|other| **other == *name)
    };
    if let Some(name) = made.find(|name| reads(name)) {
        return fields.problem(format!(
            "`call` or `cache.key` reads {name:?}, which is made here: no client's value of it is believed"
        ));
    }
    if let Some(name) = status.filter(|status| {
        map.iter().any(|mapping| matches!(&mapping.target, Target::Request(name) if **name == **status))
    }) {
        return fields.problem(format!("`map` makes {name:?}, which is the `status_header`"));
    }
    Some(())
}

#[cfg(test)]
mod tests;
