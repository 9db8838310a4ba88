//! The configuration.

mod list;
mod remote;
mod reply;
mod source;
mod survey;

use std::cell::RefCell;
use std::io::Read;

use filter_kit::config::{self, Node, Refusal};
use filter_kit::level::Level;
use filter_kit::metric::TagStyle;
use filter_kit::mode::{Failure, Mode, Share};

pub use list::{Action, List};
pub use remote::{Checksum, Remote};
pub use reply::Reply;
pub use source::Source;

use crate::store::Key;
use survey::Lists;

/// What is blocked, and how it is answered.
#[derive(Debug)]
pub struct Blocklist {
    /// What names are compared by.
    pub key: Key,
    /// How much it writes into the log.
    pub log_level: Level,
    /// How its metrics are named.
    pub tag_style: TagStyle,
    /// Whether anything is blocked at all.
    pub mode: Mode,
    /// How many of the requests that would be are.
    pub share: Share,
    /// What becomes of a host that no list covers.
    pub default: Action,
    /// What becomes of a request without a host.
    pub on_missing_host: Action,
    /// What becomes of a request whose host is none.
    pub on_malformed_host: Action,
    /// The lists.
    pub lists: Vec<List>,
    /// Whether the TLS server name is held to the lists too.
    pub check_sni: bool,
    /// Whether `x-forwarded-host` is.
    pub check_forwarded_host: bool,
    /// What becomes of a request for another host than the TLS server name.
    pub sni_mismatch: Mode,
    /// What becomes of a request that went to an address on a list.
    pub check_upstream_ip: Mode,
    /// The answer to a blocked request.
    pub reply: Reply,
}

/// The most lists: as many as a word has bits.
const MAX_LISTS: u32 = 64;
/// The most entries of one list, unless it is said otherwise.
const MAX_ENTRIES: u32 = 1_000_000;

/// The most entries that may be asked for.
const MOST: usize = 10_000_000;

/// What else is held to the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Sni,
    ForwardedHost,
}

impl Blocklist {
    /// Reads plugin configuration such as
    /// `{"version": 1, "lists": [{"name": "ads", "entries": [".ads.test"]}]}`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        Self::from_reader(|| bytes, Key::new([0; 16]))
    }

    /// Reads plugin configuration piece by piece, and twice: first to see how much there is of what, so that then
    /// each list has from the start what memory it takes, and no more.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_reader<R: Read>(open: impl Fn() -> R, key: Key) -> Result<Self, Refusal> {
        let mut lists = Lists::new(key, &survey::plans(open()));
        let json = config::tree_taking(&mut open(), &survey::PATH, &mut lists)?;
        let lists = RefCell::new(lists);
        config::build(&json, |root| Self::read(root, key, &lists))
    }

    /// Reads the configuration as a tree, and describes it for `schema.json`.
    #[cfg(not(target_family = "wasm"))]
    pub fn from_node(root: Node<'_>) -> Option<Self> {
        let key = Key::new([0; 16]);
        Self::read(root, key, &RefCell::new(Lists::new(key, &[])))
    }

    fn read(root: Node<'_>, key: Key, lists: &RefCell<Lists>) -> Option<Self> {
        root.object(|fields| {
            fields.version(1);
            let level = Level::field(fields);
            let mode = Mode::field(fields);
            let share = Share::field(fields);
            let default =
                fields.or("default", "What becomes of a host that no list covers", "allow", |node| {
                    node.one_of(&Action::WORDS)
                });
            let fail = Failure::field(fields, Failure::Closed);
            let missing = fields.optional(
                "on_missing_host",
                "What becomes of a request without a host; by `fail` if not given",
                |node| node.one_of(&Action::WORDS),
            );
            let most = fields.or("max_entries", "The most entries of one list", MAX_ENTRIES, |node| {
                node.integer(1..=MOST as u64)
            });
            let by_fail = fail.unwrap_or(Failure::Closed);
            let named = fields.required("lists", "The lists", |node| {
                list::all(node, MAX_LISTS, by_fail, most.unwrap_or(u64::MAX), lists)
            });
            let inputs = fields.or(
                "also_check",
                "What is held to the lists beside the host",
                config::Json::EMPTY_LIST,
                |node| {
                    node.list_of(|node| {
                        node.one_of(&[("sni", Input::Sni), ("x-forwarded-host", Input::ForwardedHost)])
                    })
                },
            );
            let sni_mismatch = fields.or(
                "sni_mismatch",
                "What becomes of a request for another host than the TLS server name; `deny` answers 421",
                "off",
                |node| node.one_of(&[("off", Mode::Off), ("report", Mode::Report), ("deny", Mode::Enforce)]),
            );
            let upstream = fields.or(
                "check_upstream_ip",
                "What becomes of a request that went to an address on a list, once its response begins",
                "off",
                |node| node.one_of(&[("off", Mode::Off), ("report", Mode::Report), ("reset", Mode::Enforce)]),
            );
            let reply = fields.or(
                "reply",
                "The answer to a blocked request",
                config::Json::EMPTY_OBJECT,
                reply::read,
            );
            let tag_style = TagStyle::metrics(fields);
            let inputs = inputs?;
            let on_failure = Action::after(fail?);
            Some(Self {
                key,
                log_level: level?,
                tag_style: tag_style?,
                mode: mode?,
                share: share?,
                default: default?,
                on_missing_host: missing?.unwrap_or(on_failure),
                on_malformed_host: on_failure,
                lists: named?,
                check_sni: inputs.contains(&Input::Sni),
                check_forwarded_host: inputs.contains(&Input::ForwardedHost),
                sni_mismatch: sni_mismatch?,
                check_upstream_ip: upstream?,
                reply: reply?,
            })
        })
    }

    /// What is allowed and should be thought about again, each as a lowercase clause.
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if self.reply.lacks_uri() {
            warnings.push(
                "config field `reply.blocked_by_uri`: missing; a 451 should say who blocks (RFC 7725, section 4)",
            );
        }
        warnings
    }
}

#[cfg(test)]
mod tests;
