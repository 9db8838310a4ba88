//! Requests and responses as a scenario writes them.

use proxy_wasm_harness::{Chunks, HeaderMap, Response, Value};

use crate::yaml::{At, Fields, Kind, Node, Problems};

/// A request of a client.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authority: Option<String>,
    pub(crate) headers: Headers,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) cut: Cut,
    pub(crate) trailers: Headers,
    pub(crate) http2: bool,
    pub(crate) properties: Vec<(String, Value)>,
    /// Whether this is all of it.
    pub(crate) end: bool,
}

/// What the upstream does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Upstream {
    Reply(Reply),
    /// Its connection breaks.
    Reset,
    /// It is silent.
    Nothing,
}

/// What an upstream or a cluster answers.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) response: Response,
    pub(crate) cut: Cut,
    pub(crate) end: bool,
}

/// More of a message whose beginning was sent.
#[derive(Clone, Debug)]
pub(crate) struct More {
    pub(crate) body: Vec<u8>,
    pub(crate) cut: Cut,
    pub(crate) trailers: Headers,
    pub(crate) end: bool,
}

/// Names and values, a line each.
pub(crate) type Headers = Vec<(String, Vec<u8>)>;

/// How a body is cut into the pieces that the filters see.
#[derive(Clone, Debug)]
pub(crate) enum Cut {
    Plan(Chunks),
    /// In every way: what is expected must hold for each. Known by its place in the file.
    Any(At),
}

pub(crate) const REQUEST: [&str; 10] =
    ["method", "path", "authority", "headers", "body", "chunks", "trailers", "http2", "properties", "end"];
pub(crate) const REPLY: [&str; 6] = ["status", "headers", "body", "chunks", "trailers", "end"];
pub(crate) const MORE: [&str; 4] = ["body", "chunks", "trailers", "end"];
pub(crate) const BODY: [&str; 6] = ["text", "json", "file", "hex", "repeat", "times"];

impl Default for Upstream {
    fn default() -> Self {
        Self::Reply(Reply { response: Response::new(200), cut: Cut::whole(), end: true })
    }
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            authority: None,
            headers: Headers::new(),
            body: None,
            cut: Cut::whole(),
            trailers: Headers::new(),
            http2: false,
            properties: Vec::new(),
            end: true,
        }
    }
}

impl Cut {
    pub(crate) fn whole() -> Self {
        Self::Plan(Chunks::Whole)
    }

    fn read(fields: &Fields<'_>, problems: &Problems) -> Self {
        fields.get("chunks").and_then(|node| Self::of(node, problems)).unwrap_or_else(Self::whole)
    }

    fn of(node: &Node, problems: &Problems) -> Option<Self> {
        const WHAT: &str = "`whole`, `any`, {of: BYTES} or {at: [PLACES]}";
        match node.scalar().as_deref() {
            Some("whole") => return Some(Self::whole()),
            Some("any") => return Some(Self::Any(node.at)),
            Some(_) => return problems.expected(node, WHAT),
            None => {}
        }
        let fields = problems.fields(node, "chunks", &["of", "at"])?;
        let place = |node: &Node| {
            let number = problems.unsigned(node, "a number of bytes")?;
            usize::try_from(number).ok().or_else(|| problems.expected(node, "a number of bytes"))
        };
        match (fields.get("of"), fields.get("at")) {
            (Some(of), None) => match place(of)? {
                0 => problems.expected(of, "at least 1 byte"),
                bytes => Some(Self::Plan(Chunks::Of(bytes))),
            },
            (None, Some(at)) => {
                let places = problems.items(at, "a list of places").iter().map(place);
                Some(Self::Plan(Chunks::At(places.collect::<Option<_>>()?)))
            }
            _ => problems.expected(node, WHAT),
        }
    }
}

/// A map of names to a value or a list of values.
pub(crate) fn headers(fields: &Fields<'_>, field: &str, problems: &Problems) -> Headers {
    let Some(node) = fields.get(field) else { return Headers::new() };
    let mut headers = Headers::new();
    for (key, node) in problems.entries(node, "a map of names to values") {
        if key.name.starts_with(':') {
            let what = "`method`, `path`, `authority` and `status` beside `headers`";
            problems.add::<()>(key.at, format!("`{}` is no header, expected {what}", key.name));
        } else if !is_name(&key.name) {
            problems.add::<()>(key.at, format!("{:?} cannot be the name of a header", key.name));
        }
        let values: &[Node] = match &node.kind {
            Kind::List(items) => items,
            _ => std::slice::from_ref(node),
        };
        for value in values {
            headers.extend(header_value(value, problems).map(|value| (key.name.clone(), value)));
        }
    }
    headers
}

fn header_value(node: &Node, problems: &Problems) -> Option<Vec<u8>> {
    if let Kind::Map(_) = node.kind {
        let fields = problems.fields(node, "a header's value", &["hex"])?;
        return fields.get("hex").and_then(|node| hex(node, problems));
    }
    problems.text(node, "a text, a list of texts or {hex: BYTES}").map(String::into_bytes)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Bytes as two digits each, with or without space between them.
fn hex(node: &Node, problems: &Problems) -> Option<Vec<u8>> {
    const WHAT: &str = "bytes in hexadecimal, such as `00 ff`";
    let digits: String = problems.text(node, WHAT)?.split_whitespace().collect();
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return problems.expected(node, WHAT);
    }
    let pairs = (0..digits.len()).step_by(2).map(|at| digits.get(at..at + 2));
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect();
    bytes.or_else(|| problems.expected(node, WHAT))
}

/// A body: a text, or a map that says what it is made of.
pub(crate) fn body(fields: &Fields<'_>, problems: &Problems) -> Option<Vec<u8>> {
    /// Nobody wants to wait for more.
    const MOST: usize = 256 << 20;
    let node = fields.get("body")?;
    if let Some(text) = node.scalar() {
        return Some(text.into_bytes());
    }
    let fields = problems.fields(node, "a body", &BODY)?;
    let present = fields.present(&["text", "json", "file", "hex", "repeat"]);
    let [kind] = present.as_slice() else {
        return problems.expected(node, "one of `text`, `json`, `file`, `hex` or `repeat` with `times`");
    };
    let node = fields.get(kind)?;
    let times = fields.entry("times");
    if let Some((key, _)) = times.filter(|_| *kind != "repeat") {
        return problems.add(key.at, format!("`times` goes with `repeat`, not with `{kind}`"));
    }
    match *kind {
        "text" => problems.text(node, "a text").map(String::into_bytes),
        "json" => Some(node.to_json().to_string().into_bytes()),
        "file" => problems.file(node),
        "hex" => hex(node, problems),
        _ => {
            let Some((_, times)) = times else {
                return problems.add(node.at, "`times` is missing: how often to repeat it");
            };
            let text = problems.text(node, "a text")?;
            let count = usize::try_from(problems.unsigned(times, "a number of times")?).unwrap_or(usize::MAX);
            if text.len().saturating_mul(count) > MOST {
                return problems.expected(times, "a body of at most 256MiB");
            }
            Some(text.repeat(count).into_bytes())
        }
    }
}

fn end(fields: &Fields<'_>, problems: &Problems) -> bool {
    fields.get("end").and_then(|node| problems.bool(node)).unwrap_or(true)
}

impl Request {
    pub(crate) fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "a request", &REQUEST)?;
        let text = |name: &str| fields.get(name).and_then(|node| problems.text(node, "a text"));
        let body = body(&fields, problems);
        let method = text("method").unwrap_or_else(|| if body.is_some() { "POST" } else { "GET" }.to_owned());
        let http2 = fields.get("http2").and_then(|node| problems.bool(node)).unwrap_or_default();
        Some(Self {
            method,
            path: text("path").unwrap_or_else(|| "/".to_owned()),
            authority: text("authority"),
            headers: headers(&fields, "headers", problems),
            body,
            cut: Cut::read(&fields, problems),
            trailers: headers(&fields, "trailers", problems),
            http2,
            properties: super::properties(&fields, problems),
            end: end(&fields, problems),
        })
    }
}

impl Upstream {
    /// How its body is cut, and its length.
    pub(crate) fn body(&self) -> Option<(&Cut, usize)> {
        match self {
            Self::Reply(reply) => Some((&reply.cut, reply.response.body.len())),
            Self::Reset | Self::Nothing => None,
        }
    }

    pub(crate) fn read(node: &Node, problems: &Problems) -> Option<Self> {
        match node.scalar().as_deref() {
            Some("reset") => Some(Self::Reset),
            Some("nothing") => Some(Self::Nothing),
            Some(_) => problems.expected(node, "a response, `reset` or `nothing`"),
            None => Reply::read(node, problems).map(Self::Reply),
        }
    }
}

impl Reply {
    fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "a response", &REPLY)?;
        let response = response(&fields, problems);
        Some(Self { response: response?, cut: Cut::read(&fields, problems), end: end(&fields, problems) })
    }
}

/// Status, headers, body and trailers of a response.
pub(crate) fn response(fields: &Fields<'_>, problems: &Problems) -> Option<Response> {
    let status = match fields.get("status") {
        Some(node) => status(node, problems),
        None => Some(200),
    };
    let headers = headers(fields, "headers", problems);
    let trailers = self::headers(fields, "trailers", problems);
    let body = body(fields, problems);
    let mut response = Response::new(status?);
    headers.iter().for_each(|(name, value)| response.headers.add(name, value));
    let said = response.headers.get("content-length").map(<[u8]>::to_vec);
    if let Some(body) = body {
        response = response.with_body(body);
    }
    // A length that is wrong is what the author wants to see the module meet.
    if let Some(said) = said {
        response.headers.replace("content-length", said);
    }
    if !trailers.is_empty() {
        response.trailers = Some(trailers.iter().map(|(name, value)| (name, value)).collect::<HeaderMap>());
    }
    Some(response)
}

pub(crate) fn status(node: &Node, problems: &Problems) -> Option<u32> {
    const WHAT: &str = "a status from 100 to 599";
    let status = u32::try_from(problems.unsigned(node, WHAT)?).ok();
    status.filter(|status| (100..600).contains(status)).or_else(|| problems.expected(node, WHAT))
}

impl More {
    pub(crate) fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "more of a message", &MORE)?;
        Some(Self {
            body: body(&fields, problems).unwrap_or_default(),
            cut: Cut::read(&fields, problems),
            trailers: headers(&fields, "trailers", problems),
            end: end(&fields, problems),
        })
    }
}
