//! What a scalar stands for, which differs between those who read YAML.

use super::{Scalar, Style};

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// JSON: no two opinions.
    Json,
    /// `kubectl` (sigs.k8s.io/yaml, YAML 1.1): `yes` is true and `010` is eight.
    Kubernetes,
    /// Envoy (yaml-cpp, `MessageUtil::loadFromYaml`): booleans as above; a number that is not a whole one of 32 bits
    /// remains a text.
    Envoy,
}

/// A scalar's meaning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

impl Scalar {
    pub(crate) fn value(&self, dialect: Dialect) -> Value {
        if self.style != Style::Plain {
            return Value::Text(self.text.clone());
        }
        let text = self.text.as_str();
        if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
            return Value::Null;
        }
        let boolean = if dialect == Dialect::Json { json_boolean(text) } else { boolean(text) };
        if let Some(value) = boolean {
            return Value::Bool(value);
        }
        let number = match dialect {
            Dialect::Json => text.parse().ok(),
            Dialect::Kubernetes => integer(text).or_else(|| float(text)),
            Dialect::Envoy => integer(text).filter(|value| i32_range(*value)),
        };
        number.map_or_else(|| Value::Text(self.text.clone()), Value::Number)
    }
}

fn json_boolean(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// YAML 1.1's, as both go-yaml and yaml-cpp have them: in lower case, upper case, or with a capital.
fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let mut chars = text.chars();
    let capital = chars.next().is_some_and(|first| first.is_ascii_uppercase());
    let rest = chars.as_str();
    let usual =
        text == lower || text == text.to_ascii_uppercase() || capital && rest == rest.to_ascii_lowercase();
    match lower.as_str() {
        _ if !usual => None,
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers are doubles on the way to a filter")]
fn integer(text: &str) -> Option<f64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).ok()? as f64;
    Some(if negative { -value } else { value })
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn float(text: &str) -> Option<f64> {
    let usual = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    let begins =
        text.trim_start_matches(['+', '-']).starts_with(|first: char| first == '.' || first.is_ascii_digit());
    let value: f64 = (begins && text.bytes().all(usual)).then(|| text.parse().ok())??;
    value.is_finite().then_some(value)
}

fn i32_range(value: f64) -> bool {
    (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, dialect: Dialect) -> Value {
        Scalar { text: text.to_owned(), style: Style::Plain }.value(dialect)
    }

    #[test]
    fn kubectl_reads_yaml_of_the_older_kind() {
        for (text, value) in [
            ("yes", Value::Bool(true)),
            ("Off", Value::Bool(false)),
            ("yEs", Value::Text("yEs".to_owned())),
            ("010", Value::Number(8.0)),
            ("0x1f", Value::Number(31.0)),
            ("-7", Value::Number(-7.0)),
            ("1.10", Value::Number(1.1)),
            ("1e3", Value::Number(1000.0)),
            (".5", Value::Number(0.5)),
            ("1.2.3", Value::Text("1.2.3".to_owned())),
            ("250ms", Value::Text("250ms".to_owned())),
            ("-", Value::Text("-".to_owned())),
            ("e5", Value::Text("e5".to_owned())),
            ("~", Value::Null),
        ] {
            assert_eq!(of(text, Dialect::Kubernetes), value, "{text}");
        }
    }

    #[test]
    fn envoy_keeps_a_fraction_and_a_large_number_as_text() {
        assert_eq!(of("5", Dialect::Envoy), Value::Number(5.0));
        assert_eq!(of("1.5", Dialect::Envoy), Value::Text("1.5".to_owned()));
        assert_eq!(of("4294967296", Dialect::Envoy), Value::Text("4294967296".to_owned()));
    }

    #[test]
    fn quotes_make_a_text_of_anything() {
        let scalar = Scalar { text: "yes".to_owned(), style: Style::SingleQuoted };
        assert_eq!(scalar.value(Dialect::Kubernetes), Value::Text("yes".to_owned()));
    }
}
