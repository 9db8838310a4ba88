//! Booleans as every option and every variable has them.

/// Reads a boolean: what Istio's agent takes for one (`1`, `t`, `true`), and what other tools do, in any case.
///
/// # Errors
///
/// What was found, and what would be right.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "y" | "yes" | "on" => Ok(true),
        "0" | "f" | "false" | "n" | "no" | "off" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[test]
    fn a_boolean_is_what_istio_and_others_take_for_one() {
        for (yes, no) in [("1", "0"), ("t", "F"), ("True", "FALSE"), ("y", "n"), ("yes", "no"), ("ON", "off")]
        {
            assert_eq!((boolean(yes), boolean(no)), (Ok(true), Ok(false)), "{yes}, {no}");
        }
        for text in ["", "2", "enabled", "-1", "tru"] {
            assert_eq!(boolean(text), Err(format!("{text:?} is neither true nor false")));
        }
    }

    #[derive(Parser)]
    struct All {
        #[command(flatten)]
        xds: crate::xds::Options,
        #[command(flatten)]
        ecds: crate::ecds::Options,
        #[command(flatten)]
        library: crate::library::LibraryOptions,
        #[command(flatten)]
        admin: crate::admin::AdminOptions,
    }

    const ALL: [&str; 6] = [
        "xds-listen-anywhere",
        "file-mounted-certs",
        "wasm-conversion",
        "offline",
        "admin-anywhere",
        "admin-debug-anywhere",
    ];

    fn values(all: &All) -> [bool; 6] {
        [
            all.xds.xds_listen_anywhere,
            all.xds.file_mounted_certs,
            all.ecds.convert,
            all.library.offline,
            all.admin.admin_anywhere,
            all.admin.admin_debug_anywhere,
        ]
    }

    #[test]
    fn every_option_that_is_a_boolean_is_read_alike() {
        let parsed = |arguments: Vec<String>| {
            let arguments = std::iter::once("agent".to_owned()).chain(arguments);
            All::try_parse_from(arguments).map(|all| values(&all))
        };
        assert_eq!(parsed(ALL.map(|name| format!("--{name}")).into()).unwrap(), [true; 6]);
        for text in ["1", "t", "yes", "True"] {
            assert_eq!(parsed(ALL.map(|name| format!("--{name}={text}")).into()).unwrap(), [true; 6]);
        }
        for text in ["0", "F", "off"] {
            assert_eq!(parsed(ALL.map(|name| format!("--{name}={text}")).into()).unwrap(), [false; 6]);
        }
        for name in ALL {
            let refused = parsed(vec![format!("--{name}=maybe")]).unwrap_err().to_string();
            assert!(refused.contains("\"maybe\" is neither true nor false"), "{refused}");
        }
    }

    #[test]
    fn no_boolean_is_left_out_here() {
        let command = All::command();
        let booleans = command.get_arguments().filter(|argument| {
            let kind = argument.get_value_parser().type_id();
            kind == std::any::TypeId::of::<bool>()
        });
        let mut found: Vec<_> = booleans.filter_map(|argument| argument.get_long()).collect();
        let mut listed = ALL.to_vec();
        found.sort_unstable();
        listed.sort_unstable();
        assert_eq!(found, listed);
    }
}
