//! Reads `cache`.

use filter_kit::config::Node;
use filter_kit::template::{Source, Template};

use super::call;
use crate::key;
use crate::question::Call;

/// How answers are kept for other requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What requests have in common that share an answer.
    pub key: Vec<Template>,
    /// How long an answer is fresh, in milliseconds; 0 keeps none.
    pub ttl_ms: u64,
    /// The same for a 404.
    pub negative_ttl_ms: u64,
    /// How long it is used after that while it is asked for again.
    pub stale_while_revalidate_ms: u64,
    /// How long it is used after that if asking fails.
    pub stale_if_error_ms: u64,
    /// How many answers are kept in each VM.
    pub max_entries: usize,
    /// How many bytes they have together.
    pub max_bytes: usize,
}

/// A day: a longer one is a mistake.
const LONGEST: u64 = 86_400_000;

pub(super) fn read(node: Node<'_>, call: Option<&Call>) -> Option<Kept> {
    node.object(|fields| {
        let key = fields.required("key", "What requests have in common that share an answer: templates, each with at most one source", |node| {
            let key = node.up_to(32, part)?;
            covers(node, &key, call)?;
            Some(key)
        });
        let ttl = fields.required("ttl", "How long an answer is fresh; less if its `cache-control` says so. `0` keeps none, and requests still share a call", |node| {
            node.milliseconds(0..=LONGEST)
        });
        let negative = fields.or("negative_ttl", "The same for a 404, whose `on_4xx` is then applied at once", 0, |node| {
            node.milliseconds(0..=LONGEST)
        });
        let revalidate = fields.or("stale_while_revalidate", "How long it is used after that while it is asked for again", 0, |node| {
            node.milliseconds(0..=LONGEST)
        });
        let on_error = fields.or("stale_if_error", "How long it is used after that if asking fails and the policy is `stale`", 0, |node| {
            node.milliseconds(0..=LONGEST)
        });
        let entries = fields.or("max_entries", "How many answers each VM keeps", 1000, |node| node.integer(1..=1_000_000));
        let bytes = fields.or("max_bytes", "How many bytes they have together", "1MiB", |node| node.bytes(1024..=256 << 20));
        Some(Kept {
            key: key?,
            ttl_ms: ttl?,
            negative_ttl_ms: negative?,
            stale_while_revalidate_ms: revalidate?,
            stale_if_error_ms: on_error?,
            max_entries: usize::try_from(entries?).ok()?,
            max_bytes: usize::try_from(bytes?).ok()?,
        })
    })
}

fn part(node: Node<'_>) -> Option<Template> {
    let template = call::value(node)?;
    // "a" and "bc" run together are "ab" and "c"; and a default is one more value that means something else.
    if template.sources().count() > 1 {
        return node.expected("one source in each part of the key: list the parts");
    }
    if node.text().is_some_and(|text| text.contains("${default:")) {
        return node.expected("no default: in a key, what is missing is told from all that is there");
    }
    Some(template)
}

/// Refuses a key that lets requests share an answer although they ask different questions.
fn covers(node: Node<'_>, key: &[Template], call: Option<&Call>) -> Option<()> {
    let Some(call) = call else { return Some(()) };
    for source in call.sources() {
        if !key::tells_apart(key, &source) {
            let shown = shown(&source);
            return node.problem(format!(
                "`call` reads {shown}, which is not in the key: requests that differ in it would share an answer"
            ));
        }
    }
    Some(())
}

/// As it is typed.
fn shown(source: &Source) -> String {
    let (word, argument) = match source {
        Source::Header(name) => ("header", Some(&**name)),
        Source::Headers(name) => ("headers", Some(&**name)),
        Source::Query(name) => ("query", Some(&**name)),
        Source::Cookie(name) => ("cookie", Some(&**name)),
        Source::Attribute(_, path) => {
            return format!("`${{prop:{}}}`", path.replace('\0', ".").escape_debug());
        }
        Source::Method => ("method", None),
        Source::Path => ("path", None),
        Source::PathNoQuery => ("path_no_query", None),
        Source::Authority => ("authority", None),
        Source::Host => ("host", None),
        _ => ("a source", None),
    };
    argument.map_or_else(|| format!("`${{{word}}}`"), |argument| format!("`${{{word}:{argument}}}`"))
}
