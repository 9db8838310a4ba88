//! From JSON to the words of a host's function, and back to text for the log.

use serde_json::Value;

use crate::abi::received;
use crate::program::recall;

/// What is longer is shown by its beginning and its size.
const SHOWN_BYTES: usize = 160;
/// A longer list is shown by its size.
const SHOWN_PAIRS: usize = 40;

/// The arguments of one call: words, what they point to, and how they are logged.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) words: Vec<i64>,
    pub(crate) shown: Vec<String>,
    // Pointed to by `words` until the call is over.
    owned: Vec<Vec<u8>>,
}

impl Arguments {
    /// Adds one argument by its letter; `context` is what `$self` stands for.
    pub(crate) fn push(&mut self, letter: char, value: &Value, context: i32) {
        match letter {
            'n' | 'l' => {
                let number = number(value, context);
                self.words.push(number);
                self.shown.push(number.to_string());
            }
            'w' => {
                let room = vec![0; usize::try_from(number(value, context)).unwrap_or_default()];
                self.shown.push(room.len().to_string());
                self.point(room);
            }
            _ if value.get("pointer").is_some() => {
                let word = |key| value.get(key).and_then(Value::as_i64).unwrap_or_default();
                let (pointer, size) = (word("pointer"), word("size"));
                self.words.extend([pointer, size]);
                self.shown.push(format!("@{pointer}+{size}"));
            }
            'p' => {
                let (pairs, shown) = pairs(value);
                self.shown.push(shown);
                self.point(pairs);
            }
            'v' => {
                let bytes = bytes(value);
                self.shown.push(show(&bytes));
                let vector = [bytes.as_ptr() as u32, bytes.len() as u32].map(u32::to_le_bytes).concat();
                self.words.extend([vector.as_ptr() as i64, 1]);
                self.owned.extend([bytes, vector]);
            }
            _ => {
                let bytes = bytes(value);
                self.shown.push(show(&bytes));
                self.point(bytes);
            }
        }
    }

    fn point(&mut self, bytes: Vec<u8>) {
        // No bytes are at no address, as the SDKs have it.
        let address = if bytes.is_empty() { 0 } else { bytes.as_ptr() as i64 };
        self.words.extend([address, bytes.len() as i64]);
        self.owned.push(bytes);
    }
}

/// A number, a variable (`$name`), or the context (`$self`).
pub(crate) fn number(value: &Value, context: i32) -> i64 {
    match value.as_str().and_then(|text| text.strip_prefix('$')) {
        Some("self") => context.into(),
        Some(name) => recall(name),
        None => value.as_i64().or_else(|| value.as_u64().map(|number| number as i64)).unwrap_or_default(),
    }
}

/// A text; parts that are joined by zero bytes, as a property's path is; `{hex}`; or `{repeat, times}`.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Array(parts) => parts.iter().map(bytes).collect::<Vec<_>>().join(&0),
        Value::Object(_) if value.get("repeat").is_some() => {
            let times = value.get("times").and_then(Value::as_u64).unwrap_or_default();
            value.get("repeat").map(bytes).unwrap_or_default().repeat(times as usize)
        }
        Value::Object(_) => {
            let hex = value.get("hex").and_then(Value::as_str).unwrap_or_default();
            let digits: Vec<u8> = hex.chars().filter_map(|digit| Some(digit.to_digit(16)? as u8)).collect();
            digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit)).collect()
        }
        _ => Vec::new(),
    }
}

/// A list of pairs as the host reads it, and as it is logged. `{pairs: n}` makes n of them.
fn pairs(value: &Value) -> (Vec<u8>, String) {
    let list: Vec<(Vec<u8>, Vec<u8>)> = match value {
        Value::Null => return (Vec::new(), "none".to_owned()),
        Value::Array(list) => {
            let part = |pair: &Value, at| pair.get(at).map(bytes).unwrap_or_default();
            list.iter().map(|pair| (part(pair, 0), part(pair, 1))).collect()
        }
        other if other.get("pairs").is_some() => {
            let count = other.get("pairs").and_then(Value::as_u64).unwrap_or_default();
            (0..count).map(|index| (format!("x-{index}").into_bytes(), b"v".to_vec())).collect()
        }
        other => {
            let bytes = bytes(other);
            return (bytes.clone(), show(&bytes));
        }
    };
    let mut out = (list.len() as u32).to_le_bytes().to_vec();
    for (name, value) in &list {
        out.extend([name.len() as u32, value.len() as u32].map(u32::to_le_bytes).concat());
    }
    for part in list.iter().flat_map(|(name, value)| [name, value]) {
        out.extend(part);
        out.push(0);
    }
    (out, show_pairs(&list))
}

/// Bytes as they are logged.
pub(crate) fn show(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN_BYTES) {
        Some(start) if bytes.len() > SHOWN_BYTES => {
            format!("\"{}\".. {} bytes", start.escape_ascii(), bytes.len())
        }
        _ => format!("\"{}\"", bytes.escape_ascii()),
    }
}

fn show_pairs(list: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> String {
    if list.len() > SHOWN_PAIRS {
        return format!("[{} pairs]", list.len());
    }
    let shown: Vec<String> = list
        .iter()
        .map(|(name, value)| format!("{}: {}", show(name.as_ref()), show(value.as_ref())))
        .collect();
    format!("[{}]", shown.join(", "))
}

/// A serialised map as it is logged. Those of properties come from hash tables, and are sorted.
fn show_map(map: &[u8], sorted: bool) -> String {
    let parsed = || {
        let word = |at: usize| Some(u32::from_le_bytes(map.get(at..at + 4)?.try_into().ok()?) as usize);
        let count = word(0)?;
        let mut at = 4 + count.checked_mul(8)?;
        let mut part = |size: usize| {
            let part = map.get(at..at + size)?;
            at += size + 1;
            Some(part)
        };
        let mut list = Vec::new();
        for index in 0..count {
            list.push((part(word(4 + index * 8)?)?, part(word(8 + index * 8)?)?));
        }
        Some(list)
    };
    match parsed() {
        Some(mut list) => {
            if sorted {
                list.sort();
            }
            show_pairs(&list)
        }
        None if map.is_empty() => "no bytes".to_owned(),
        None => format!("no map: {}", show(map)),
    }
}

/// The results of one call: where the host writes them, and how they are logged.
pub(crate) struct Results {
    letters: &'static str,
    slots: Vec<[u32; 16]>,
}

impl Results {
    pub(crate) fn new(letters: &'static str) -> Self {
        Self { letters, slots: letters.chars().map(|_| [0; 16]).collect() }
    }

    /// The words that say where to write.
    pub(crate) fn words(&mut self) -> Vec<i64> {
        let mut words = Vec::new();
        for (letter, slot) in self.letters.chars().zip(&mut self.slots) {
            let address = slot.as_mut_ptr() as i64;
            words.push(address);
            if matches!(letter, 'b' | 'm') {
                words.push(address + 4);
            }
        }
        words
    }

    /// The first number among them.
    pub(crate) fn number(&self) -> Option<i64> {
        let found = self.letters.chars().zip(&self.slots).find(|(letter, _)| matches!(letter, 'u' | 'l'));
        found.map(|(_, slot)| long(slot))
    }

    pub(crate) fn show(&self, how: Option<&str>) -> String {
        let mut out = String::new();
        for (letter, slot) in self.letters.chars().zip(&self.slots) {
            let [address, size, ..] = *slot;
            let shown = match (letter, how) {
                ('s', _) | (_, Some("status")) => continue,
                ('u' | 'l', Some("length")) => if long(slot) == 0 { "0" } else { "<some>" }.to_owned(),
                ('u' | 'l', _) => long(slot).to_string(),
                (_, Some("length")) => format!("<{size} bytes>"),
                ('m', _) => show_map(received(address, size), false),
                (_, Some("map")) => show_map(received(address, size), true),
                _ => show(received(address, size)),
            };
            out.push(' ');
            out.push_str(&shown);
        }
        out
    }
}

fn long(slot: &[u32; 16]) -> i64 {
    let [low, high, ..] = *slot;
    (u64::from(high) << 32 | u64::from(low)) as i64
}
