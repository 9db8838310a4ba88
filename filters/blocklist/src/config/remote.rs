//! Where the entries of a list are fetched.

use filter_kit::config::{Node, Text};
use filter_kit::header::is_value;
use filter_kit::mode::Failure;

/// Where, how often, and how much.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Remote {
    /// The cluster, as Envoy knows it.
    pub cluster: String,
    /// Value of `:authority`.
    pub authority: String,
    /// Value of `:path`.
    pub path: String,
    /// Seconds between two fetches.
    pub interval_s: u32,
    /// How long an answer may take, in milliseconds.
    pub timeout_ms: u32,
    /// The largest body, in bytes.
    pub max_bytes: usize,
    /// The most entries.
    pub max_entries: usize,
    /// How many lines may be no entries.
    pub max_bad_lines: usize,
    /// What is asked of the last line.
    pub checksum: Checksum,
    /// Whether requests pass before the first fetch.
    pub passes_before: bool,
}

/// Whether the last line has to be a checksum of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// It is held to the lines if it is there.
    IfPresent,
    /// It must be there.
    Required,
}

const TARGET: Text = Text::pattern("^[!-~]+$").bytes(1, 4096);

/// Reads `remote`. `max_entries` is set by who knows it.
pub(super) fn read(node: Node<'_>, fail: Failure) -> Option<Remote> {
    node.object(|fields| {
        let cluster = fields.required("cluster", "The cluster, as Envoy knows it", |node| {
            node.parsed(TARGET.examples(&["outbound|80||lists.infra.svc.cluster.local"]), visible)
        });
        let authority =
            fields.required("authority", "Value of `:authority`", |node| node.parsed(TARGET, visible));
        let path = fields.required("path", "Value of `:path`", |node| {
            node.parsed(Text::pattern("^/[!-~]*$").bytes(1, 4096), |text| {
                visible(text)
                    .ok()
                    .filter(|text| text.starts_with('/'))
                    .ok_or("a path such as \"/egress.txt\", without white space")
            })
        });
        let interval = fields.or("interval", "Time between two fetches, in whole seconds", "5m", |node| {
            let ms = node.milliseconds(1_000..=86_400_000)?;
            u32::try_from(ms / 1_000).ok()
        });
        let timeout = fields.or("timeout", "How long an answer may take", "10s", |node| {
            u32::try_from(node.milliseconds(1..=600_000)?).ok()
        });
        let max_bytes = fields.or("max_bytes", "The largest body", "4MiB", |node| {
            usize::try_from(node.bytes(1..=256 << 20)?).ok()
        });
        let max_entries = fields.or("max_entries", "The most entries", 1_000_000, |node| {
            usize::try_from(node.integer(1..=10_000_000)?).ok()
        });
        let bad = fields.or(
            "max_bad_lines",
            "How many lines may be no entries; with more the list is refused whole",
            0,
            |node| usize::try_from(node.integer(0..=1_000_000)?).ok(),
        );
        let checksum = fields.or(
            "checksum",
            "Whether the last line has to be `# sha256: HEX`, of all the bytes before it",
            "if_present",
            |node| node.one_of(&[("if_present", Checksum::IfPresent), ("required", Checksum::Required)]),
        );
        let before = fields.optional(
            "on_initial_missing",
            "Whether requests pass until the first fetch succeeds; by `fail` if not given",
            |node| node.one_of(&Failure::WORDS),
        );
        Some(Remote {
            cluster: cluster?,
            authority: authority?,
            path: path?,
            interval_s: interval?,
            timeout_ms: timeout?,
            max_bytes: max_bytes?,
            max_entries: max_entries?,
            max_bad_lines: bad?,
            checksum: checksum?,
            passes_before: before?.unwrap_or(fail) == Failure::Open,
        })
    })
}

fn visible(text: &str) -> Result<String, &'static str> {
    let right = !text.is_empty() && text.len() <= 4096 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if right && is_value(text.as_bytes()) {
        Ok(text.to_owned())
    } else {
        Err("1 to 4096 visible characters of ASCII, without white space")
    }
}
