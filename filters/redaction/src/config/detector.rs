//! Reads one detector.

use filter_kit::config::{Fields, Node, Text, Variant};
use filter_kit::metric;

use super::action;
use crate::action::Action;
use crate::detect::assignment::MAX_KEY;
use crate::detect::literal::Literals;
use crate::detect::regex::{Expression, MAX_LEN};
use crate::detect::{Boundary, Keys, Kind};
use crate::find::{Near, Pattern};
use crate::regex::Regex;
use crate::rules::{LooksFor, Pointer, Rule, Rules};

/// One detector as it is written.
pub(super) struct Detector {
    pub(super) name: String,
    pub(super) action: Action,
    looks_for: LooksFor,
}

const VARIANTS: [Variant<Detector>; 16] = [
    Variant::new(
        "credit_card",
        "Payment card numbers: 13 to 19 digits of a known issuer that pass Luhn's check",
        |f| pattern(f, "credit_card", Kind::CreditCard),
    ),
    Variant::new("us_ssn", "Social Security numbers with separators; with `near`, also nine digits", |f| {
        pattern(f, "us_ssn", Kind::UsSsn { plain: false })
    }),
    Variant::new("email", "E-mail addresses", |f| whole(f, "email", Kind::Email)),
    Variant::new("ipv4", "IP addresses of version 4", |f| pattern(f, "ipv4", Kind::Ipv4)),
    Variant::new("ipv6", "IP addresses of version 6", |f| pattern(f, "ipv6", Kind::Ipv6)),
    Variant::new("iban", "Bank account numbers of a known country that pass their check", |f| {
        pattern(f, "iban", Kind::Iban)
    }),
    Variant::new("phone_e164", "Telephone numbers with a plus sign and 8 to 15 digits", |f| {
        pattern(f, "phone_e164", Kind::PhoneE164)
    }),
    Variant::new("jwt", "JSON Web Tokens", |f| whole(f, "jwt", Kind::Jwt)),
    Variant::new("aws_access_key", "Access key IDs of Amazon Web Services", |f| {
        pattern(f, "aws_access_key", Kind::AwsAccessKey)
    }),
    Variant::new("private_key_pem", "Private keys in PEM, with all of their lines", |f| {
        whole(f, "private_key_pem", Kind::PrivateKeyPem)
    }),
    Variant::new("bearer", "Credentials after the word `Bearer`", |f| whole(f, "bearer", Kind::Bearer)),
    Variant::new("assignment", "Values after a key and `=`, or of a member of that name", assignment),
    Variant::new("literal", "Texts of a list", literal),
    Variant::new("regex", "What a regular expression matches, the longest from where it begins", regex),
    Variant::new("json_keys", "Values of JSON members of these names, whatever they are", json_keys),
    Variant::new("json_pointer", "Values at these places in JSON, whatever they are", json_pointer),
];

impl Detector {
    pub(super) fn read(node: Node<'_>) -> Option<Self> {
        node.tagged("kind", "What it finds", &VARIANTS)
    }

    /// How many places in JSON it is for.
    pub(super) fn paths(&self) -> usize {
        if let LooksFor::Pointers(paths) = &self.looks_for { paths.len() } else { 0 }
    }

    pub(super) fn into_rule(self) -> Rule {
        Rule { looks_for: self.looks_for, action: self.action }
    }
}

/// What every detector has.
fn common(fields: &mut Fields<'_>, kind: &str) -> (Option<String>, Option<Action>) {
    let name = fields.required("name", "A word for metrics", metric::word);
    let action = fields.optional(
        "action",
        "What becomes of a match; `[REDACTED]` stands in its place unless given",
        action::read,
    );
    let action = action.map(|action| action.unwrap_or_else(action::default));
    let action = action.map(|action| action::of(action, name.as_deref().unwrap_or_default(), kind));
    (name, action)
}

/// What every detector has that looks into texts and for which it may be said where words end.
fn places(fields: &mut Fields<'_>) -> (Option<Boundary>, Option<Option<Near>>) {
    let boundary = fields.or(
        "boundary",
        "`word`: a match does not stand in the middle of a word; `none`: it may",
        "word",
        |node| node.one_of(&[("word", Boundary::Word), ("none", Boundary::None)]),
    );
    (boundary, nearby(fields))
}

/// What every detector has that looks into texts.
fn nearby(fields: &mut Fields<'_>) -> Option<Option<Near>> {
    fields.optional("near", "What must stand before a match, or be the name of its JSON member", near)
}

fn near(node: Node<'_>) -> Option<Near> {
    node.object(|fields| {
        let words = fields.required("words", "One of these, compared without case", |node| {
            node.up_to(64, |node| node.parsed(Text::ANY.bytes(1, 64), short))
        });
        let within =
            fields.or("within", "How many bytes before it at most", 64, |node| node.integer(1..=256));
        Some(Rules::near(words?, usize::try_from(within?).ok()?))
    })
}

fn short(text: &str) -> Result<String, &'static str> {
    if (1..=64).contains(&text.len()) { Ok(text.to_owned()) } else { Err("a text of 1 to 64 bytes") }
}

fn pattern(fields: &mut Fields<'_>, word: &str, kind: Kind) -> Option<Detector> {
    let (name, action) = common(fields, word);
    let (boundary, near) = places(fields);
    let near = near?;
    let kind = match kind {
        Kind::UsSsn { .. } => Kind::UsSsn { plain: near.is_some() },
        kind => kind,
    };
    let looks_for = LooksFor::Pattern(Pattern { kind, boundary: boundary?, near, cap: 0 });
    Some(Detector { name: name?, action: action?, looks_for })
}

/// What is only ever found whole: its own characters say where it begins and ends.
fn whole(fields: &mut Fields<'_>, word: &str, kind: Kind) -> Option<Detector> {
    let (name, action) = common(fields, word);
    let near = nearby(fields);
    let looks_for = LooksFor::Pattern(Pattern { kind, boundary: Boundary::Word, near: near?, cap: 0 });
    Some(Detector { name: name?, action: action?, looks_for })
}

fn keys(fields: &mut Fields<'_>) -> Option<Keys> {
    fields.required("keys", "At least one; compared without case", |node| node.some_of(key)).map(Keys::new)
}

fn key(node: Node<'_>) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let expected =
        format_args!("a key: 1 to {MAX_KEY} letters, digits, `_`, `-` or `.`, without the `=`").to_string();
    node.parsed(Text::pattern("^[A-Za-z0-9_.-]+$").bytes(1, 64), |text| {
        let right = (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(allowed);
        if right { Ok(text.to_owned()) } else { Err(expected) }
    })
}

fn assignment(fields: &mut Fields<'_>) -> Option<Detector> {
    let (name, action) = common(fields, "assignment");
    let keys = keys(fields)?;
    let pattern =
        Pattern { kind: Kind::Assignment(keys.clone()), boundary: Boundary::Word, near: None, cap: 0 };
    Some(Detector { name: name?, action: action?, looks_for: LooksFor::Assignment(pattern, keys) })
}

fn literal(fields: &mut Fields<'_>) -> Option<Detector> {
    let (name, action) = common(fields, "literal");
    let texts = fields.required("literals", "At least one; the longest counts", |node| {
        node.up_to(4096, |node| {
            node.parsed(Text::ANY.bytes(1, 256), |text| {
                if (1..=256).contains(&text.len()) {
                    Ok(text.as_bytes().to_vec())
                } else {
                    Err("a text of 1 to 256 bytes")
                }
            })
        })
    });
    let any_case = any_case(fields);
    let (boundary, near) = places(fields);
    let kind = Kind::Literal(Literals::new(texts?, any_case?));
    let looks_for = LooksFor::Pattern(Pattern { kind, boundary: boundary?, near: near?, cap: 0 });
    Some(Detector { name: name?, action: action?, looks_for })
}

fn regex(fields: &mut Fields<'_>) -> Option<Detector> {
    let (name, action) = common(fields, "regex");
    let any_case = any_case(fields);
    let pattern =
        fields.required("pattern", PATTERN_DOC, |node| expression(node, any_case.unwrap_or_default()));
    let max_len = fields.optional(
        "max_len",
        "How long a match is at most, in bytes; required of a pattern that has no longest match, of which so much counts",
        |node| node.integer(1..=1024),
    );
    let (boundary, near) = places(fields);
    let (regex, max_len) = (pattern?, max_len?);
    let max_len = match (regex.longest(), max_len.and_then(|length| usize::try_from(length).ok())) {
        (Some(longest), None) if longest <= MAX_LEN => longest,
        (Some(longest), Some(most)) if longest <= most => longest,
        (Some(longest), _) => {
            return fields.problem(format!("a match of `pattern` may have {longest} bytes: `max_len` is smaller, or would be more than {MAX_LEN}"));
        }
        (None, Some(most)) => most,
        (None, None) => {
            return fields.problem("`pattern` has no longest match: say in `max_len` how much of one counts");
        }
    };
    let kind = Kind::Regex(Expression { regex, max_len });
    let looks_for = LooksFor::Pattern(Pattern { kind, boundary: boundary?, near: near?, cap: 0 });
    Some(Detector { name: name?, action: action?, looks_for })
}

const PATTERN_DOC: &str = "A regular expression without anchors, captures, lookaround and lazy repetition: each byte takes the same time";

/// Reads a regular expression.
pub(super) fn expression(node: Node<'_>, any_case: bool) -> Option<Regex> {
    node.parsed(Text::ANY.bytes(1, 512), |text| Regex::new(text, any_case))
}

fn any_case(fields: &mut Fields<'_>) -> Option<bool> {
    fields.or("any_case", "Whether ASCII letters are compared without case", false, |node| node.boolean())
}

fn json_keys(fields: &mut Fields<'_>) -> Option<Detector> {
    let (name, action) = common(fields, "json_keys");
    let keys = fields.required("keys", "At least one; compared without case", |node| {
        node.some_of(|node| node.parsed(Text::ANY.bytes(1, 128), member))
    });
    Some(Detector { name: name?, action: action?, looks_for: LooksFor::Keys(Keys::new(keys?)) })
}

fn member(text: &str) -> Result<String, &'static str> {
    if (1..=128).contains(&text.len()) { Ok(text.to_owned()) } else { Err("a name of 1 to 128 bytes") }
}

fn json_pointer(fields: &mut Fields<'_>) -> Option<Detector> {
    let (name, action) = common(fields, "json_pointer");
    let paths = fields.required(
        "paths",
        "At least one, such as `/users/*/email`; `*` is any member or item",
        |node| {
            node.up_to(16, |node| {
                node.parsed(Text::pattern("^/.*$").bytes(1, 512), |text| {
                    let pointer = if text.len() <= 512 { Pointer::parse(text) } else { None };
                    pointer.ok_or("a path that begins with `/`, of at most 512 bytes")
                })
            })
        },
    );
    Some(Detector { name: name?, action: action?, looks_for: LooksFor::Pointers(paths?) })
}
