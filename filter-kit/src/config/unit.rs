//! Times and sizes as people write them.

const BYTES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
// "ms" stands before "s", which is a suffix of it.
const MILLISECONDS: [(&str, u64); 3] = [("ms", 1), ("s", 1_000), ("m", 60_000)];

/// `"250ms"`, `"5s"` or `"1m"` in milliseconds.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    scaled(text, &MILLISECONDS)
}

/// `"512B"`, `"64KiB"`, `"1MiB"` or `"1GiB"` in bytes.
pub(super) fn bytes(text: &str) -> Option<u64> {
    scaled(text, &BYTES)
}

/// The shortest way to write a number of bytes with a unit.
pub(super) fn show_bytes(bytes: u64) -> String {
    let (unit, size) =
        BYTES.iter().find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size)).unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / size)
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (digits, size) =
        units.iter().find_map(|(unit, size)| text.strip_suffix(unit).map(|digits| (digits, size)))?;
    // `parse` alone would take a leading plus sign.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(*size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_and_a_known_unit_make_a_quantity() {
        assert_eq!(milliseconds("0ms"), Some(0));
        assert_eq!(milliseconds("2m"), Some(120_000));
        assert_eq!(bytes("2GiB"), Some(2 << 30));
        for wrong in [
            "",
            "ms",
            "5",
            "5 ms",
            "+5ms",
            "-5ms",
            "1.5s",
            "5h",
            "99999999999999999999s",
            "9999999999999999999s",
        ] {
            assert_eq!(milliseconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bytes_are_shown_in_the_largest_whole_unit() {
        assert_eq!(show_bytes(0), "0B");
        assert_eq!(show_bytes(1025), "1025B");
        assert_eq!(show_bytes(65_536), "64KiB");
        assert_eq!(show_bytes(3 << 20), "3MiB");
    }
}
