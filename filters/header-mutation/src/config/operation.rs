//! Reads operations.

mod value;

use filter_kit::config::{Alternative, Choice, Fields, Node, Text, VariantWith};
use filter_kit::header;
#[cfg(feature = "regex")]
use filter_kit::regex;
use filter_kit::when::Matcher;

use crate::cookie::Attributes;
use crate::host::Side;
use crate::name::{self, Allow, Field, Guard, Use};
use crate::operation::{Keep, Operation, Selector};
#[cfg(feature = "regex")]
use crate::rewrite::Rewrite;
use crate::table::{self, Table};
use crate::value::{Kind, Value};

/// How long lists within an operation may be.
const MOST: u32 = 64;
/// How many entries a table may have.
const MOST_ENTRIES: u32 = 1024;

type Read<'r> = &'r dyn Fn(&mut Fields<'_>) -> Option<Operation>;

pub(super) fn of_request(node: Node<'_>, allow: &Allow) -> Option<Operation> {
    node.defined("request_operation", "A change to the headers of a request", |node| {
        read(node, Guard { side: Side::Request, allow })
    })
}

pub(super) fn of_response(node: Node<'_>, allow: &Allow) -> Option<Operation> {
    node.defined("response_operation", "A change to the headers of a response", |node| {
        read(node, Guard { side: Side::Response, allow })
    })
}

pub(super) fn of_trailers(node: Node<'_>, guard: Guard<'_>) -> Option<Operation> {
    node.defined("trailer_operation", "A change to trailers", |node| read(node, guard))
}

#[inline(never)]
fn read(node: Node<'_>, guard: Guard<'_>) -> Option<Operation> {
    let valued = |fields: &mut Fields<'_>, make: fn(Field, Value) -> Operation, is_for| {
        let field = name(fields, guard, is_for);
        let kind = field.as_ref().map_or(Kind::Line, |field| field.kind);
        let value = value::read(fields, kind, guard.side);
        Some(make(field?, value?))
    };
    let set: Read<'_> = &|fields| valued(fields, Operation::Set, Use::Value);
    let set_if_present: Read<'_> = &|fields| valued(fields, Operation::SetIfPresent, Use::Value);
    let add: Read<'_> = &|fields| valued(fields, Operation::AddIfAbsent, Use::Lines);
    let append: Read<'_> = &|fields| valued(fields, Operation::Append, Use::Lines);
    let append_csv: Read<'_> = &|fields| {
        let field = name(fields, guard, Use::Lines);
        if let Some(field @ Field { name, .. }) = &field
            && matches!(&**name, b"set-cookie" | b"cookie")
        {
            let shown = String::from_utf8_lossy(&field.name).into_owned();
            fields.problem::<()>(format!(
                "commas in {shown:?} are no list, expected `append`, or `set_cookie`"
            ));
            value::read(fields, Kind::Line, guard.side);
            return None;
        }
        let value = value::read(fields, Kind::Line, guard.side);
        Some(Operation::AppendCsv(field?, value?))
    };
    let remove: Read<'_> = &|fields| Some(Operation::Remove(name(fields, guard, Use::Lines)?));
    let remove_match: Read<'_> = &|fields| remove_match(fields, guard);
    let rename: Read<'_> = &|fields| {
        let from = name(fields, guard, Use::Lines);
        let to = fields.required("to", "The new name", |node| guard.field(node, Use::Lines));
        Some(Operation::Rename(from?, to?))
    };
    let copy: Read<'_> = &|fields| {
        let from =
            fields.required("name", "The header that is copied", |node| name::source(node, guard.side));
        let to = fields.required("to", "What the copy is called", |node| guard.field(node, Use::Value));
        Some(Operation::Copy(from?, to?))
    };
    let dedupe: Read<'_> = &|fields| {
        let field = name(fields, guard, Use::Lines);
        let keep = fields.required("keep", "Which lines stay: `unique` is the first of each value", |node| {
            node.one_of(&Keep::WORDS)
        });
        Some(Operation::Dedupe(field?, keep?))
    };
    #[cfg(feature = "regex")]
    let rewrite: Read<'_> = &|fields| rewrite_of(fields, guard);
    let map: Read<'_> = &|fields| map_of(fields, guard);
    let mut variants: Vec<VariantWith<'_, Operation>> = vec![
        Choice::new("set", "One line with the value, in place of all", set),
        Choice::new("set_if_present", "The same, if the header is there", set_if_present),
        Choice::new("add_if_absent", "One line with the value, unless the header is there", add),
        Choice::new("add", "`add_if_absent` in short", add),
        Choice::new("append", "One more line with the value", append),
        Choice::new("append_csv", "One line: all values and this one, with commas between", append_csv),
        Choice::new("remove", "No line", remove),
        Choice::new("remove_match", "No line of any header whose name is taken", remove_match),
        Choice::new("rename", "Its lines under another name, in place of any there", rename),
        Choice::new("copy", "Its lines under another name as well, in place of any there", copy),
        Choice::new("dedupe", "One line of several", dedupe),
        #[cfg(feature = "regex")]
        Choice::new("rewrite", "In each value, every match of a regular expression is replaced", rewrite),
        Choice::new("map", "Each value becomes what a table has for it", map),
    ];
    let set_cookie: Read<'_> = &|fields| set_cookie(fields, guard.side);
    let remove_cookie: Read<'_> = &|fields| Some(Operation::RemoveCookie(cookie_name(fields)?));
    let attributes_of: Read<'_> = &cookie_attributes;
    let query_set: Read<'_> = &|fields| {
        let name = parameter(fields);
        let value = value::read(fields, Kind::Parameter, guard.side);
        Some(Operation::QuerySet(name?, value?))
    };
    let query_remove: Read<'_> = &|fields| Some(Operation::QueryRemove(parameter(fields)?));
    let query_rename: Read<'_> = &|fields| {
        let name = parameter(fields);
        let to = fields.required("to", "The new name", parameter_name);
        Some(Operation::QueryRename(name?, to?))
    };
    match guard.side {
        Side::Request => variants.extend([
            Choice::new("set_cookie", "A cookie of the request has this value", set_cookie),
            Choice::new("remove_cookie", "A cookie of the request goes", remove_cookie),
            Choice::new(
                "query_set",
                "One parameter of the query with this value, in place of all",
                query_set,
            ),
            Choice::new("query_remove", "No parameter of that name", query_remove),
            Choice::new(
                "query_rename",
                "A parameter under another name, in place of any there",
                query_rename,
            ),
        ]),
        Side::Response => variants.extend([
            Choice::new("set_cookie", "A line that sets a cookie, in place of any that sets it", set_cookie),
            Choice::new("remove_cookie", "No line that sets the cookie", remove_cookie),
            Choice::new("cookie_attributes", "Attributes for cookies that the response sets", attributes_of),
        ]),
        Side::RequestTrailers | Side::ResponseTrailers => {}
    }
    node.tagged_with("op", "What to do", &variants)
}

#[inline(never)]
fn name(fields: &mut Fields<'_>, guard: Guard<'_>, is_for: Use) -> Option<Field> {
    fields.required("name", "The header, in any case; sent in lower case", |node| guard.field(node, is_for))
}

fn remove_match(fields: &mut Fields<'_>, guard: Guard<'_>) -> Option<Operation> {
    const PATTERNS: &[Alternative<Matcher>] = &[
        Alternative::new("prefix", "The name begins with this", |node| part(node).map(Matcher::Prefix)),
        Alternative::new("suffix", "The name ends with this", |node| part(node).map(Matcher::Suffix)),
        #[cfg(feature = "regex")]
        Alternative::new("regex", "This matches somewhere in the name, which is in lower case", |node| {
            regex::read(node).map(Matcher::Regex)
        }),
    ];
    let matcher = fields.exactly_one(PATTERNS);
    let except = fields.or("except", "Those that stay", filter_kit::config::Json::EMPTY_LIST, |node| {
        node.list_up_to(MOST, |node| header::name(node).map(|name| name.into_bytes().into()))
    });
    Some(Operation::RemoveMatch(Selector { matcher: matcher?, except: except?, spared: guard.spares() }))
}

/// A part of a name, in lower case.
fn part(node: Node<'_>) -> Option<Box<[u8]>> {
    node.parsed(header::NAME, |typed| {
        let part = typed.to_ascii_lowercase().into_bytes();
        if header::is_name(&part) {
            Ok(part.into())
        } else {
            Err("a part of a name: letters, digits, hyphens")
        }
    })
}

#[cfg(feature = "regex")]
fn rewrite_of(fields: &mut Fields<'_>, guard: Guard<'_>) -> Option<Operation> {
    let field = name(fields, guard, Use::Value);
    let regex = fields.required("regex", "What is replaced, wherever in the value it matches", regex::read);
    let rewrite = fields.required(
        "value",
        "What stands in its place; `$1`, `${1}` or `${name}` is what a group matched, `$$` a dollar sign",
        |node| {
            node.parsed(header::SETTABLE_VALUE, |typed| {
                if !header::is_value(typed.as_bytes()) {
                    return Err("a part of a header value: no control bytes, at most 8192 bytes");
                }
                // Without its regular expression there is nothing to hold it to.
                regex.map(|regex| Rewrite::new(regex, typed)).transpose()
            })
        },
    );
    Some(Operation::Rewrite(field?, rewrite??))
}

fn map_of(fields: &mut Fields<'_>, guard: Guard<'_>) -> Option<Operation> {
    let field = name(fields, guard, Use::Value);
    let kind = field.as_ref().map_or(Kind::Line, |field| field.kind);
    let entries = fields.required("values", "What becomes of a value; each at most once", |node| {
        node.up_to(MOST_ENTRIES, |node| {
            node.object(|fields| {
                let from = fields.required("from", "The whole value", table::from);
                let to = fields.required("to", "What it becomes", |node| value::literal(node, kind));
                Some((from?, to?))
            })
        })
    });
    let default = fields.optional("default", "What any other value becomes; else it stays", |node| {
        value::literal(node, kind)
    });
    let table = Table::new(entries?, default?);
    if let Some(repeated) = table.repeated() {
        return fields.problem(format!("{:?} is there twice in `values`", String::from_utf8_lossy(repeated)));
    }
    Some(Operation::Map(field?, table))
}

fn parameter(fields: &mut Fields<'_>) -> Option<Box<[u8]>> {
    fields.required("name", "The parameter, without escapes", parameter_name)
}

fn parameter_name(node: Node<'_>) -> Option<Box<[u8]>> {
    node.parsed(Text::ANY.bytes(1, 256), |typed| {
        if (1..=256).contains(&typed.len()) { Ok(typed.as_bytes().into()) } else { Err("1 to 256 bytes") }
    })
}

#[inline(never)]
fn cookie_name(fields: &mut Fields<'_>) -> Option<Box<[u8]>> {
    fields.required("name", "The cookie, in its own case", cookie)
}

#[inline(never)]
fn cookie(node: Node<'_>) -> Option<Box<[u8]>> {
    node.parsed(Text::pattern("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$"), |typed| {
        if header::is_name(typed.to_ascii_lowercase().as_bytes()) {
            Ok(typed.as_bytes().into())
        } else {
            Err("the name of a cookie: letters, digits and hyphens, up to 256 of them")
        }
    })
}

fn set_cookie(fields: &mut Fields<'_>, side: Side) -> Option<Operation> {
    let name = cookie_name(fields);
    let value = value::read(fields, Kind::Cookie, side);
    if side == Side::Request {
        return Some(Operation::SetCookie(name?, value?, Attributes::default()));
    }
    let path =
        fields.optional("path", "For which paths it is: those that begin so", |node| attribute(node, true));
    let domain = fields.optional("domain", "For which hosts it is, beside the one that sets it", |node| {
        attribute(node, false)
    });
    let max_age = fields.optional("max_age", "How long it is kept, in seconds; 0 ends it", |node| {
        node.integer(0..=400 * 86_400)
    });
    let flags = flags(fields);
    let (name, path, domain) = (name?, path?, domain?);
    let mut attributes = flags?;
    let needs = |needed: bool, what: &str, prefix: &str| {
        if needed { Some(()) } else { fields.problem(format!("a cookie `{prefix}...` {what}")) }
    };
    // A browser drops what breaks the rules of its prefix (RFC 6265bis, section 4.1.3).
    if name.starts_with(b"__Secure-") {
        needs(attributes.secure, "needs `secure`", "__Secure-")?;
    }
    if name.starts_with(b"__Host-") {
        let right = attributes.secure && domain.is_none() && path.as_deref() == Some("/");
        needs(right, "needs `secure`, `path` \"/\" and no `domain`", "__Host-")?;
    }
    let mut scope = String::new();
    for (name, value) in
        [("Path", path), ("Domain", domain), ("Max-Age", max_age?.map(|seconds| seconds.to_string()))]
    {
        if let Some(value) = value {
            scope.extend(["; ", name, "=", &value]);
        }
    }
    attributes.scope = scope.into_bytes().into();
    Some(Operation::SetCookie(name, value?, attributes))
}

fn attribute(node: Node<'_>, is_path: bool) -> Option<String> {
    node.parsed(Text::pattern("^[!-:<-~]{1,1024}$"), |typed| {
        let right = |byte: u8| byte.is_ascii_graphic() && byte != b';';
        let is_right = (1..=1024).contains(&typed.len()) && typed.bytes().all(right);
        match is_right && (!is_path || typed.starts_with('/')) {
            true => Ok(typed.to_owned()),
            false if is_path => Err("a path: a slash, then no space and no `;`"),
            false => Err("a host: no space and no `;`"),
        }
    })
}

fn flags(fields: &mut Fields<'_>) -> Option<Attributes> {
    let secure = fields.or("secure", "Whether it is sent by TLS alone", false, |node| node.boolean());
    let http_only = fields.or("http_only", "Whether scripts cannot read it", false, |node| node.boolean());
    let partitioned =
        fields.or("partitioned", "Whether it is kept apart for each embedding site", false, |node| {
            node.boolean()
        });
    let same_site = fields.optional("same_site", "Whether requests from other sites have it", |node| {
        node.one_of(&[("strict", "Strict"), ("lax", "Lax"), ("none", "None")])
    });
    let (secure, partitioned, same_site) = (secure?, partitioned?, same_site?);
    if !secure && (same_site == Some("None") || partitioned) {
        return fields
            .problem("`same_site` \"none\" and `partitioned` need `secure`: browsers drop the cookie else");
    }
    Some(Attributes { scope: Box::default(), secure, http_only: http_only?, partitioned, same_site })
}

fn cookie_attributes(fields: &mut Fields<'_>) -> Option<Operation> {
    let name = fields.optional("name", "The cookie; all of them, if it is not given", cookie);
    let attributes = flags(fields)?;
    if attributes == Attributes::default() {
        return fields.problem("gives nothing, expected `secure`, `http_only`, `partitioned` or `same_site`");
    }
    Some(Operation::CookieAttributes(name?, attributes))
}
