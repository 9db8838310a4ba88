//! Words for people: of states, of failures, of sizes and times.

use std::fmt;
use std::time::Duration;

use crate::Reason;
use crate::status::{ResourceState, Serving, Standing};

/// How serious a state is. Shown by a colour, and never by that alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    Good,
    Busy,
    Poor,
    Bad,
}

impl Tone {
    /// The class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Poor => "poor",
            Self::Bad => "bad",
        }
    }
}

/// A state in a word or two, and in a sentence.
pub(super) fn state(state: &ResourceState) -> (Tone, &'static str, &'static str) {
    match (state.serving, state.standing) {
        (_, Standing::Malformed) => {
            (Tone::Bad, "malformed", "The resource cannot be read; the control plane was told so.")
        }
        (_, Standing::Refused) => (Tone::Bad, "refused", "Envoy refuses what it was sent; see its log."),
        (Serving::Wanted, Standing::Sent) => {
            (Tone::Busy, "sent", "Envoy has been sent the module and has not answered yet.")
        }
        (Serving::Wanted, _) => (Tone::Good, "serving", "Envoy runs the module that was asked for."),
        (Serving::LastGood, _) => {
            (Tone::Poor, "earlier module", "Envoy runs an earlier module, because the new one is not there.")
        }
        (Serving::Allow, _) => {
            (Tone::Bad, "allows all", "Requests pass without the filter, because its module is not there.")
        }
        (Serving::Deny, _) => {
            (Tone::Bad, "denies all", "Every request is denied, because the filter's module is not there.")
        }
        (Serving::Nothing, Standing::Fetching) => (Tone::Busy, "fetching", "Envoy waits for the module."),
        (Serving::Nothing, _) => (Tone::Poor, "waiting", "Envoy waits for the module, which is not there."),
    }
}

/// What somebody can do about a failure.
pub(super) fn fix(reason: Reason) -> &'static str {
    match reason {
        Reason::Unreachable => "check that the source runs, and that this machine can reach it",
        Reason::TimedOut => "check how fast the source answers, or allow more time in the resource's timeout",
        Reason::NotFound => "check the URL or the tag, or push the module there",
        Reason::Denied => "check the pull secret or the registry's credentials",
        Reason::Throttled => "nothing: the source asks for patience, or give credentials with a higher limit",
        Reason::Manifest => "check that the reference is that of an image or an artifact with a module in it",
        Reason::ChecksumMismatch => "set the checksum to that of the module, or find out who moved the tag",
        Reason::TooLarge => "make the module smaller, or raise the limit",
        Reason::NotAModule => "build the module for Proxy-Wasm; `meshloom-agent verify` tells what is amiss",
        Reason::Unsigned => "sign the module with a key that the agent trusts",
        Reason::Blocked => "use another address, or allow this one",
        Reason::Unusable => "correct the URL in the resource",
        Reason::Disk => "make room on the disk, and check who may write to the store",
        Reason::Offline => "put the module into the store by a bundle, or let the agent use the network",
    }
}

/// Bytes, in the largest unit of which there is at least one.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

/// A time, to the second and in one unit or two.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_millis() >= 500);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// So many of them.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Text of theirs within HTML, in an element or a quoted attribute. What would be invisible or turn the text around is
/// shown by its number.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0.chars().try_for_each(|letter| match letter {
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '&' => f.write_str("&amp;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
                write!(f, "\\u{{{:x}}}", u32::from(letter))
            }
            letter if letter.is_control() => write!(f, "{}", letter.escape_default()),
            letter => f.write_char(letter),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_as_people_say_them() {
        assert_eq!(
            [0, 1023, 1024, 1 << 20, 1_610_612_736].map(size),
            ["0 bytes", "1023 bytes", "1.0 KiB", "1.0 MiB", "1.5 GiB"]
        );
        assert!(size(u64::MAX).ends_with("GiB"));
        assert_eq!(
            [0, 59, 61, 3660, 90_000].map(|seconds| span(Duration::from_secs(seconds))),
            ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]
        );
    }

    #[test]
    fn text_of_others_can_neither_leave_its_place_nor_hide() {
        let hostile = "<script>'\"&\u{202e}\u{0}\n\u{200b}é";
        let shown = Escaped(hostile).to_string();
        assert_eq!(shown, "&lt;script&gt;&#39;&quot;&amp;\\u{202e}\\u{0}\\n\\u{200b}é");
    }
}
