//! Response flags: what went wrong with a stream, in Envoy's own words.

/// The short names of Envoy's response flags in the order of their bits (Envoy 1.36 to 1.40, `stream_info.h`,
/// `CoreResponseFlag`).
const NAMES: [&str; 30] = [
    "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC", "URX",
    "SI", "IH", "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR", "UDO",
];

/// Broken by the upstream, or on the way to it: LR, UR, UF, UC, UPE.
const UPSTREAM: u64 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 23;
/// Broken by the client: DC, DPE, DR.
const DOWNSTREAM: u64 = 1 << 14 | 1 << 18 | 1 << 28;

/// The flags of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u64);

impl Flags {
    /// Whether the connection to the upstream, or the stream on it, was broken.
    pub fn upstream_reset(self) -> bool {
        self.0 & UPSTREAM != 0
    }

    /// Whether the client broke its connection or the stream.
    pub fn downstream_reset(self) -> bool {
        self.0 & DOWNSTREAM != 0
    }

    /// The short names of those that are set, as Envoy's access log has them. One that is not known here is left out.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().enumerate().filter(move |(bit, _)| self.0 >> bit & 1 == 1).map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_named_and_say_who_broke_the_stream() {
        for (bits, names, upstream, downstream) in [
            (0, "", false, false),
            (0x4000, "DC", false, true),
            (1 << 28, "DR", false, true),
            (1 << 6 | 1 << 15, "UC,URX", true, false),
            (1 << 4 | 1 << 14, "UR,DC", true, true),
            (1 << 2, "UT", false, false),
            (1 << 63, "", false, false),
        ] {
            let flags = Flags(bits);
            assert_eq!(flags.names().collect::<Vec<_>>().join(","), names);
            assert_eq!((flags.upstream_reset(), flags.downstream_reset()), (upstream, downstream), "{names}");
        }
    }
}
