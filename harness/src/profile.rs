//! Which host is imitated.

use std::fmt;

/// The host whose behaviour a [`Host`](crate::Host) has. The default is the newest Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Profile {
    /// The Proxy-Wasm specification 0.2.1 to the letter, where it differs from Envoy: a stream ends with
    /// `on_done`, `on_log`, `on_delete`; Pause from a header callback stops headers alone; a buffer may be
    /// written in its middle.
    Spec,
    /// Envoy 1.36
    Envoy1_36,
    /// Envoy 1.37
    Envoy1_37,
    /// Envoy 1.38
    Envoy1_38,
    /// Envoy 1.39
    Envoy1_39,
    /// Envoy 1.40
    #[default]
    Envoy1_40,
}

impl Profile {
    /// Every one that there is.
    pub const ALL: &'static [Self] =
        &[Self::Spec, Self::Envoy1_36, Self::Envoy1_37, Self::Envoy1_38, Self::Envoy1_39, Self::Envoy1_40];

    /// The supported Envoys, oldest first.
    pub const ENVOYS: &'static [Self] =
        &[Self::Envoy1_36, Self::Envoy1_37, Self::Envoy1_38, Self::Envoy1_39, Self::Envoy1_40];

    /// Reads the name that is printed: `spec`, or such as `envoy-1.40`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|profile| profile.to_string() == name)
    }

    /// Whether a body callback that paused still collects the next part after the stream was resumed from elsewhere,
    /// and so loses it.
    pub(crate) fn loses_the_part_after_a_resume(self) -> bool {
        self == Self::Envoy1_36
    }

    /// Whether the body of the proxy's own 503 says why no connection could be made.
    pub(crate) fn tells_why_no_connection_was_made(self) -> bool {
        self == Self::Envoy1_36
    }

    /// Whether `poll_oneoff` is there.
    pub(crate) fn can_poll(self) -> bool {
        self != Self::Envoy1_36
    }

    pub(crate) fn is_envoy(self) -> bool {
        self != Self::Spec
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Spec => "spec",
            Self::Envoy1_36 => "envoy-1.36",
            Self::Envoy1_37 => "envoy-1.37",
            Self::Envoy1_38 => "envoy-1.38",
            Self::Envoy1_39 => "envoy-1.39",
            Self::Envoy1_40 => "envoy-1.40",
        })
    }
}
