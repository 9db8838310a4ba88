//! Metrics in Prometheus' text form.

/// The value of a counter, a gauge or a histogram's count without labels; `None` while Envoy does not show it.
///
/// # Panics
///
/// When several series have the name, or the value is no whole number.
#[track_caller]
pub fn metric(text: &str, name: &str) -> Option<u64> {
    let mut values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = rest.strip_prefix("{}").unwrap_or(rest).strip_prefix(' ')?;
        Some(value.parse().unwrap_or_else(|_| panic!("{line}: no whole number")))
    });
    let value = values.next();
    assert!(values.next().is_none(), "{name} stands more than once:\n{text}");
    value
}
