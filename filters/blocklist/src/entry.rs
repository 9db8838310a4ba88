//! One line of a list.

use filter_kit::host;

/// Reads an entry as an operator typed it: a name with what it reaches, or one address.
///
/// # Errors
///
/// What a right entry would be, to follow "expected".
pub(crate) fn parse(typed: &str) -> Result<host::Pattern<'_>, &'static str> {
    let entry = host::Entry::parse(typed)?;
    if entry.port.is_some() {
        return Err("a host without a port: an entry covers every port");
    }
    if let host::Pattern::Network(network) = &entry.pattern
        && network.single().is_none()
    {
        return Err("a single address: networks are not covered yet");
    }
    Ok(entry.pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_covers_every_port_and_one_address() {
        for (typed, hint) in [
            ("ads.test:443", "without a port"),
            ("10.0.0.0/8", "single address"),
            ("ads.*", "wildcard in front only"),
        ] {
            let expected = parse(typed).unwrap_err();
            assert!(expected.contains(hint), "{typed}: {expected}");
        }
        assert!(parse("10.0.0.1/32").is_ok() && parse("*.ads.test").is_ok());
    }
}
