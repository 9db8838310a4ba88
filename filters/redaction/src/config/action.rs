//! Reads `action`.

use filter_kit::config::{Alternative, Fields, Node, Text, Variant};

use crate::action::hash::SHORTEST;
use crate::action::{Action, Key, MARKER, Mask};

/// The longest replacement, in bytes.
const MAX_REPLACEMENT: usize = 256;

const VARIANTS: [Variant<Action>; 7] = [
    Variant::new("mask", "Its characters give way to another: a body keeps its length", mask),
    Variant::new("replace", "It gives way to a text", replace),
    Variant::new("remove", "It goes; a JSON value that goes as a whole becomes `null`", |_| {
        Some(Action::Remove)
    }),
    Variant::new("hash", "It gives way to 16 hexadecimal digits of its HMAC-SHA-256", hash),
    Variant::new(
        "tokenize",
        "In a request it gives way to a token such as `[mail_1_9f3c]`, and the token to it in the response",
        // The detector's name is not known here.
        |_| Some(Action::Tokenize(Box::default())),
    ),
    Variant::new("tag", "It stays, and is counted", |_| Some(Action::Tag)),
    Variant::new("block", "The message does not go on: see `on_block`", |_| Some(Action::Block)),
];

/// Reads what becomes of a match.
pub(super) fn read(node: Node<'_>) -> Option<Action> {
    node.defined("action", "What becomes of a match", |node| {
        node.tagged("type", "What becomes of a match", &VARIANTS)
    })
}

/// The action with the name and the kind of its detector put in.
pub(super) fn of(action: Action, name: &str, kind: &str) -> Action {
    match action {
        Action::Tokenize(_) => Action::Tokenize(name.into()),
        Action::Replace(with) if with.contains(KIND) => {
            Action::Replace(with.replace(KIND, &kind.to_ascii_uppercase()).into())
        }
        action => action,
    }
}

/// What the kind of the detector stands in place of.
const KIND: &str = "{kind}";

/// What becomes of a match unless something is said.
pub(super) fn default() -> Action {
    Action::Replace(MARKER.into())
}

fn mask(fields: &mut Fields<'_>) -> Option<Action> {
    let byte = fields.or("char", "What stands in place of each byte that is hidden", "*", |node| {
        node.parsed(Text::pattern(r"^[!#-%(-;=?-\[\]-~]$"), |text| match text.as_bytes() {
            [byte] if byte.is_ascii_graphic() && !b"\"'\\&<>".contains(byte) => Ok(*byte),
            _ => Err("one visible ASCII character other than quotes, `\\`, `&`, `<` and `>`"),
        })
    });
    let first = fields.or(
        "keep_first",
        "How many characters stay at the beginning; never more than a quarter",
        0,
        kept,
    );
    let last = fields.or("keep_last", "How many stay at the end; at least half of all is hidden", 0, kept);
    let separators = fields.or(
        "keep_separators",
        "Whether white space, `-`, `.`, `:`, `@`, `/`, `_` and brackets stay, and are not counted",
        true,
        |node| node.boolean(),
    );
    Some(Action::Mask(Mask {
        byte: byte?,
        keep_first: first?,
        keep_last: last?,
        keep_separators: separators?,
    }))
}

fn kept(node: Node<'_>) -> Option<usize> {
    node.integer(0..=64).and_then(|count| usize::try_from(count).ok())
}

fn replace(fields: &mut Fields<'_>) -> Option<Action> {
    fields
        .or(
            "with",
            "What stands in its place; `{kind}` in it is the kind of the detector, in capitals",
            MARKER,
            replacement,
        )
        .map(Action::Replace)
}

fn replacement(node: Node<'_>) -> Option<Box<str>> {
    // It must be able to stand in JSON, in XML and in a URL, and not to end what it stands for.
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\&<>=:".contains(&byte);
    node.parsed(REPLACEMENT, |text| {
        // Angle brackets around a word are what other tools write.
        let word = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
        let right = (1..=MAX_REPLACEMENT).contains(&word.len()) && word.bytes().all(allowed);
        if right { Ok(text.into()) } else { Err(EXPECTED_REPLACEMENT) }
    })
}

const REPLACEMENT: Text = Text::pattern(r#"^([!#-%(-9;?-\[\]-~]{1,256}|<[!#-%(-9;?-\[\]-~]{1,256}>)$"#);
const EXPECTED_REPLACEMENT: &str = "1 to 256 visible ASCII characters without quotes, `\\`, `&`, `<`, `>`, `=` and `:`, or such in `<` and `>`";

fn hash(fields: &mut Fields<'_>) -> Option<Action> {
    let choices: [Alternative<Key>; 2] = [
        Alternative::new("key", "The key, of 16 to 1024 bytes", |node| {
            // What was found is not shown: it is a secret.
            let key = node.parsed(Text::ANY.bytes(16, 1024), |text| Ok::<_, &str>(text.as_bytes()))?;
            if (SHORTEST..=1024).contains(&key.len()) {
                Some(Key::new(key))
            } else {
                node.problem("expected a key of 16 to 1024 bytes")
            }
        }),
        Alternative::new("key_env", "The variable of the VM's environment that has the key", |node| {
            let name = node.parsed(Text::pattern("^[A-Za-z_][A-Za-z0-9_]{0,127}$"), variable)?;
            match crate::environment::variable(&name) {
                Some(key) if (SHORTEST..=1024).contains(&key.len()) => Some(Key::new(&key)),
                Some(_) => node.problem("the variable has no key of 16 to 1024 bytes"),
                None => node.problem("the VM's environment has no such variable"),
            }
        }),
    ];
    fields.exactly_one(&choices).map(Action::Hash)
}

fn variable(name: &str) -> Result<String, &'static str> {
    let right = (1..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if right { Ok(name.to_owned()) } else { Err("the name of a variable: letters, digits and `_`") }
}
