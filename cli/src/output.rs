//! How reports are shown.

use clap::ValueEnum;

use crate::check::Report;

mod github;
mod json;
mod text;

/// For whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: each problem with its line
    #[default]
    Text,
    /// For programs: one JSON object, described in cli/README.md
    Json,
    /// For GitHub Actions: annotations
    Github,
}

/// Everything that is to be printed. `quiet` leaves out what is fine.
pub(crate) fn show(format: Format, reports: &[Report], envoy: &str, quiet: bool) -> String {
    match format {
        Format::Text => text::show(reports, envoy, quiet),
        Format::Json => json::show(reports, envoy),
        Format::Github => github::show(reports),
    }
}

/// A text without what would move a terminal's cursor. A module's log may hold anything.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|char| {
            let escaped = char.is_control().then(|| char.escape_default());
            let kept = escaped.is_none().then_some(char);
            escaped.into_iter().flatten().chain(kept)
        })
        .collect()
}
