//! JSON into a tree: `serde_json` would say what is in it, and not where.

use super::{Broken, Key, Kind, MOST_NESTED, MOST_NODES, Node, Scalar, Style};

struct Reader<'a> {
    text: &'a str,
    at: usize,
    nodes: usize,
}

/// Reads one value and nothing after it.
///
/// # Errors
///
/// Where the text is no JSON, or nested too deep.
pub(super) fn parse(text: &str) -> Result<Node, Broken> {
    let mut reader = Reader { text, at: 0, nodes: 0 };
    let node = reader.value(0)?;
    reader.space();
    if reader.at < text.len() {
        reader.broken("found more after the value, expected the end")
    } else {
        Ok(node)
    }
}

impl Reader<'_> {
    fn broken<T>(&self, message: &str) -> Result<T, Broken> {
        Err(Broken { at: self.at, message: format!("not valid JSON: {message}") })
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Node, Broken> {
        self.space();
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return self.broken(&format!("the file has more than {MOST_NODES} values"));
        }
        if depth >= MOST_NESTED && matches!(self.peek(), Some(b'{' | b'[')) {
            return self.broken(&format!("nested deeper than {MOST_NESTED} levels"));
        }
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Kind::Scalar(Scalar { text: self.string()?, style: Style::DoubleQuoted }),
            Some(_) => self.plain()?,
            None => return self.broken("found the end, expected a value"),
        };
        Ok(Node { span: start..self.at, kind })
    }

    fn map(&mut self, depth: usize) -> Result<Kind, Broken> {
        self.at += 1;
        let mut entries = Vec::new();
        if self.take(b'}') {
            return Ok(Kind::Map(entries));
        }
        loop {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return self.broken("expected a name in double quotes");
            }
            let key = Key { name: self.string()?, span: start..self.at };
            if !self.take(b':') {
                return self.broken("expected `:` after a name");
            }
            entries.push((key, self.value(depth + 1)?));
            if self.take(b'}') {
                return Ok(Kind::Map(entries));
            }
            if !self.take(b',') {
                return self.broken("expected `,` or `}`");
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Kind, Broken> {
        self.at += 1;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Kind::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take(b']') {
                return Ok(Kind::List(items));
            }
            if !self.take(b',') {
                return self.broken("expected `,` or `]`");
            }
        }
    }

    fn string(&mut self) -> Result<String, Broken> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return self.broken("found the end inside of a text"),
            }
        }
        self.at += 1;
        // What stands between the quotes is decoded, and judged, by the one who knows all of it.
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(quoted).or_else(|error| {
            self.at = start;
            self.broken(&error.to_string())
        })
    }

    fn plain(&mut self) -> Result<Kind, Broken> {
        let end = self.rest().find([',', ']', '}', ' ', '\t', '\n', '\r', ':', '"', '{', '[']);
        let word = self.rest().get(..end.unwrap_or(self.rest().len())).unwrap_or_default().to_owned();
        let is_value = matches!(word.as_str(), "null" | "true" | "false")
            || serde_json::from_str::<serde_json::Number>(&word).is_ok();
        if !is_value {
            return self.broken("expected a value");
        }
        self.at += word.len();
        Ok(Kind::Scalar(Scalar { text: word, style: Style::Plain }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_and_each_name_knows_its_bytes() {
        let text = "{\"a\": [1, -2.5e3, {\"b\\\"\": \"x\\u00e9\"}], \"c\": null}";
        let tree = parse(text).unwrap();
        let items = tree.get("a").unwrap().items().unwrap();
        assert_eq!(&text[items[1].span.clone()], "-2.5e3");
        let (key, value) = items[2].entry("b\"").unwrap();
        assert_eq!(&text[key.span.clone()], "\"b\\\"\"");
        assert_eq!(value.text(), Some("xé"));
        assert_eq!(&text[tree.get("c").unwrap().span.clone()], "null");
    }

    #[test]
    fn what_serde_json_refuses_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{a: 1}",
            "01",
            "1.",
            "+1",
            "tru",
            "nul",
            "'a'",
            "\"\\x\"",
            "\"a\nb\"",
            "1 2",
            "{\"a\" 1}",
            "\"\\",
            "\"\\ud800\"",
            "NaN",
            "é",
        ] {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_ends_where_that_of_serde_json_does() {
        for (depth, fine) in [(127, true), (128, false), (1_000_000, false)] {
            let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), fine, "{depth}");
            assert_eq!(parse(&text).is_ok(), fine, "{depth}");
        }
    }
}
