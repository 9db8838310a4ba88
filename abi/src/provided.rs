//! What Envoy provides, by name and version.

use std::ops::RangeInclusive;

use crate::AbiVersion;

/// A function that a host provides.
#[derive(Debug)]
pub struct Hostcall {
    /// Where it is imported from.
    pub space: Space,
    /// Its name.
    pub name: &'static str,
    /// Names of the parameters, and their types as Rust writes them.
    pub parameters: &'static [(&'static str, &'static str)],
    /// The versions of the ABI that have it.
    pub versions: RangeInclusive<AbiVersion>,
}

/// Where guests import from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// `env`: Proxy-Wasm itself and what emscripten adds.
    Env,
    /// WASI, which Envoy provides under both names that it has had.
    Wasi,
}

impl Space {
    /// The names of the module that they are imported from.
    #[must_use]
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Env => &["env"],
            Self::Wasi => &["wasi_unstable", "wasi_snapshot_preview1"],
        }
    }
}

const ALL: RangeInclusive<AbiVersion> = AbiVersion::V0_1_0..=AbiVersion::V0_2_1;
const OLD: RangeInclusive<AbiVersion> = AbiVersion::V0_1_0..=AbiVersion::V0_1_0;
const NEW: RangeInclusive<AbiVersion> = AbiVersion::V0_2_0..=AbiVersion::V0_2_1;
const NEWEST: RangeInclusive<AbiVersion> = AbiVersion::V0_2_1..=AbiVersion::V0_2_1;

macro_rules! table {
    ($($space:ident $name:literal ($($parameter:ident: $type:ty),*) $versions:ident => $handler:path;)*) => {
        /// Every function, in the order in which the specification has them.
        pub static TABLE: &[Hostcall] = &[$(Hostcall {
            space: Space::$space,
            name: $name,
            parameters: &[$((stringify!($parameter), stringify!($type))),*],
            versions: $versions,
        }),*];
    };
}

hostcalls!(table);

/// What stands beside the table, because it returns nothing: WASI's `proc_exit` and emscripten's hook.
const SILENT: [(Space, &str); 2] =
    [(Space::Wasi, "proc_exit"), (Space::Env, "emscripten_notify_memory_growth")];

/// Whether a host of that ABI version provides the function.
#[must_use]
pub fn is_provided(space: &str, name: &str, abi: AbiVersion) -> bool {
    TABLE.iter().any(|entry| {
        entry.name == name && entry.space.names().contains(&space) && entry.versions.contains(&abi)
    }) || SILENT.iter().any(|(silent, known)| *known == name && silent.names().contains(&space))
}

/// A function that a host provides, for whoever reads a module without running it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provided {
    /// The first version of the ABI that has it.
    pub since: AbiVersion,
    /// The last one.
    pub until: AbiVersion,
    /// What its parameters are called.
    pub parameters: Vec<&'static str>,
    /// Its type as WebAssembly writes it, such as `(i32 i64) -> i32`.
    pub signature: String,
}

/// The function of that name, if any version of the ABI has it.
#[must_use]
pub fn provided(space: &str, name: &str) -> Option<Provided> {
    let (first, last) = (*ALL.start(), *ALL.end());
    if let Some((_, name)) = SILENT.iter().find(|(of, known)| *known == name && of.names().contains(&space)) {
        let parameters = vec![if *name == "proc_exit" { "exit_code" } else { "memory" }];
        return Some(Provided { since: first, until: last, parameters, signature: "(i32)".to_owned() });
    }
    let entry = TABLE.iter().find(|entry| entry.name == name && entry.space.names().contains(&space))?;
    let written = |kind: &&'static str| if kind.ends_with("64") { "i64" } else { "i32" };
    let types: Vec<&str> = entry.parameters.iter().map(|(_, kind)| written(kind)).collect();
    Some(Provided {
        since: *entry.versions.start(),
        until: *entry.versions.end(),
        parameters: entry.parameters.iter().map(|(name, _)| *name).collect(),
        signature: format!("({}) -> i32", types.join(" ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_function_stands_in_the_table_twice() {
        for (index, entry) in TABLE.iter().enumerate() {
            let again = TABLE.iter().skip(index + 1).any(|other| other.name == entry.name);
            assert!(!again, "{}", entry.name);
        }
    }

    #[test]
    fn each_version_has_the_functions_that_it_has() {
        use AbiVersion::{V0_1_0, V0_2_0, V0_2_1};
        for (name, expected) in [
            ("proxy_log", [true, true, true]),
            ("proxy_get_configuration", [true, false, false]),
            ("proxy_continue_stream", [false, true, true]),
            ("proxy_get_log_level", [false, false, true]),
            ("proxy_unheard_of", [false, false, false]),
        ] {
            assert_eq!([V0_1_0, V0_2_0, V0_2_1].map(|abi| is_provided("env", name, abi)), expected, "{name}");
        }
    }

    #[test]
    fn wasi_is_provided_under_both_names() {
        for space in ["wasi_unstable", "wasi_snapshot_preview1"] {
            assert!(is_provided(space, "fd_write", AbiVersion::V0_2_1));
            assert!(is_provided(space, "proc_exit", AbiVersion::V0_2_1));
        }
        assert!(!is_provided("env", "fd_write", AbiVersion::V0_2_1));
    }

    #[test]
    fn a_function_is_described_as_webassembly_writes_it() {
        let metric = provided("env", "proxy_increment_metric").unwrap();
        assert_eq!(metric.signature, "(i32 i64) -> i32");
        assert_eq!(metric.parameters, ["metric_id", "offset"]);
        let stream = provided("env", "proxy_continue_stream").unwrap();
        assert_eq!((stream.since, stream.until), (AbiVersion::V0_2_0, AbiVersion::V0_2_1));
        assert_eq!(provided("wasi_unstable", "proc_exit").unwrap().signature, "(i32)");
        assert_eq!(provided("env", "proxy_unheard_of"), None);
    }
}
