//! What a scenario file says: who is there, and what happens when.
//!
//! Nothing here is about Envoy in particular. A driver needs a clock for `wait` and a network for the rest, and both
//! may be simulated.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One scenario, as a file of `scenarios/` has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What the scenario asks of a host, as a statement that may be true or not.
    pub statement: String,
    /// What Envoy answers, as the recording shows it.
    pub answer: String,
    /// Whether the plugins sit in an HTTP connection or in a TCP one.
    #[serde(default)]
    pub kind: Kind,
    /// The plugins, from the first that a request meets to the last.
    pub plugins: Vec<Plugin>,
    /// How the upstream answers: the first answer whose `path` fits. Without any, 200 and the body `hello`.
    ///
    /// A TCP upstream without an answer echoes. Otherwise it sends the body of the first answer, `after: headers`
    /// when it is connected, else when the other side has ended; with `reset` it then closes the connection.
    #[serde(default)]
    pub upstream: Vec<Answer>,
    /// Services that plugins call, by the names of their clusters. A name that is not here is an unknown cluster.
    #[serde(default)]
    pub clusters: BTreeMap<String, Cluster>,
    /// How many bytes are buffered of a message's body, by default 1 MiB.
    pub buffer_limit: Option<u32>,
    /// Beginnings of paths that have a route of their own, named as they are. All others have the route `route`.
    #[serde(default)]
    pub routes: Vec<String>,
    /// Metadata of the route, by filter.
    #[serde(default)]
    pub route_metadata: BTreeMap<String, Value>,
    /// Which way the listener's traffic goes.
    #[serde(default)]
    pub direction: Direction,
    /// Whether streams are logged when they begin as well, as access logs can be.
    #[serde(default)]
    pub logs_beginnings: bool,
    /// Whether the plugins load. If not, there are no steps, and what is observed is the log alone.
    #[serde(default = "yes")]
    pub starts: bool,
    /// Whether the proxy crashes: then the log alone is observed. A better host is not compared.
    #[serde(default)]
    pub crashes: bool,
    /// What happens, one after the other. Before each step, everything that the one before caused has happened.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Beginnings of the names of metrics that are observed at the end.
    #[serde(default)]
    pub metrics: Vec<String>,
}

/// A listener's `traffic_direction`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// As of a sidecar's listener for its own service.
    #[default]
    Inbound,
    /// As of a sidecar's listener for other services, and of Istio's gateways.
    Outbound,
    /// As of a listener of which nothing is said.
    Unspecified,
}

/// What the plugins filter.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// HTTP streams.
    #[default]
    Http,
    /// TCP connections.
    Tcp,
}

/// One plugin: the probe, with a program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// The plugin's name.
    #[serde(default = "probe")]
    pub name: String,
    /// The id that `plugin_root_id` has.
    #[serde(default)]
    pub root_id: String,
    /// Plugins with the same VM id, VM program and module share a VM.
    #[serde(default)]
    pub vm_id: String,
    /// What to do in callbacks that the plugin's own program does not have: the VM's configuration.
    pub vm_program: Option<Value>,
    /// What to do in which callback: the plugin's configuration.
    pub program: Option<Value>,
    /// The plugin's configuration, in place of a program.
    pub configuration: Option<String>,
    /// What becomes of requests when the VM has failed.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    /// For `reload`: the time before a VM is made anew, in milliseconds. By default a second.
    pub reload_backoff: Option<u64>,
    /// Whether a return value of 1 from a header callback leaves the body flowing to the plugin.
    pub allow_on_headers_stop_iteration: Option<bool>,
    /// The only functions that the plugin may import and export, if it is restricted.
    pub allowed_capabilities: Option<Vec<String>>,
    /// Environment variables of the VM.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// What becomes of requests when the VM has failed.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum FailurePolicy {
    /// They are answered 503.
    #[default]
    Closed,
    /// They pass.
    Open,
    /// They are answered 503 until there is a new VM.
    Reload,
    /// What the host does when nothing is said of it.
    Unspecified,
}

/// A service that plugins call.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Cluster {
    /// It answers: the first answer whose `path` fits.
    Answers(Vec<Answer>),
    /// Nobody listens.
    Refuses,
    /// It has no hosts.
    Empty,
}

/// What a server does with a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// The path that it is for; without it, any.
    pub path: Option<String>,
    /// When the server begins.
    pub after: After,
    /// How long it waits before it begins, in milliseconds.
    pub delay: u64,
    /// The status; 0 for a server that never answers.
    pub status: u16,
    /// The header lines.
    pub headers: Vec<(String, Text)>,
    /// The body's parts, delivered one by one. The last one ends the stream, unless there are trailers.
    pub body: Vec<Text>,
    /// The trailer lines.
    pub trailers: Vec<(String, Text)>,
    /// How long it waits after the headers and after each part, in milliseconds, beyond what it takes them to be seen.
    pub pause: u64,
    /// Breaks the stream off, in place of its end.
    pub reset: Option<Reset>,
}

/// When a server begins to answer.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// Once it has the whole request.
    #[default]
    End,
    /// Once it has the headers.
    Headers,
}

/// Where a server breaks a stream off.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// In place of the headers.
    BeforeHeaders,
    /// After the body's parts that it has.
    AfterBody,
}

/// Bytes.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Text {
    /// As they stand.
    Plain(String),
    /// A text many times.
    Repeated {
        /// The text.
        repeat: String,
        /// How often.
        times: usize,
    },
    /// Two hexadecimal digits for each.
    Hex {
        /// The digits.
        hex: String,
    },
    /// A message as gRPC frames it.
    Grpc {
        /// The message.
        grpc: String,
    },
}

/// What happens at the client, or how long nothing does.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// A whole exchange: sends the request, and waits until its response has ended.
    Request(Request),
    /// Sends a request's beginning, and leaves it open for other steps.
    Open(Request),
    /// Sends a part of an open request's body, or of a TCP connection's bytes.
    Data(Data),
    /// Ends an open request by trailers.
    Trailers(Trailers),
    /// Waits until the response of an open request has ended, or a TCP connection was closed.
    Finish(String),
    /// Resets an open stream.
    Reset(String),
    /// Closes the connection that an open stream has.
    Disconnect(String),
    /// Opens a TCP connection of that name.
    Connect(String),
    /// Lets time pass, in milliseconds.
    Wait(u64),
    /// Waits until the log has so many of a line.
    Until(Until),
}

/// A request, or its beginning.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// What other steps and the recording call it.
    pub name: String,
    /// How it is sent.
    pub protocol: Protocol,
    /// The method.
    pub method: String,
    /// The path and query.
    pub path: String,
    /// The authority, in HTTP/1 the host.
    pub authority: String,
    /// The header lines.
    pub headers: Vec<(String, Text)>,
    /// The body's parts, delivered one by one. The last one ends the request, unless there are trailers.
    pub body: Vec<Text>,
    /// The trailer lines.
    pub trailers: Vec<(String, Text)>,
    /// For `open`: whether the request ends with what is here. `request` always ends it.
    pub end: bool,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/2, where each part of a body is a frame, and the last one can say that it is the last.
    #[default]
    Http2,
    /// HTTP/1.1, with chunks unless there is a content-length.
    Http1,
}

/// A part of a body.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Whose.
    pub name: String,
    /// The bytes.
    pub bytes: Text,
    /// Whether it is the last.
    #[serde(default)]
    pub end: bool,
}

/// A request's trailers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trailers {
    /// Whose.
    pub name: String,
    /// The lines.
    pub lines: Vec<(String, Text)>,
}

/// A line that the log will have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Until {
    /// What the line contains.
    pub line: String,
    /// How many of them.
    #[serde(default = "once")]
    pub times: usize,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn parse(yaml: &str) -> Result<Self, serde_saphyr::Error> {
        // As in YAML 1.2, where `y` and `no` are texts.
        let options = serde_saphyr::options! { strict_booleans: true };
        serde_saphyr::from_str_with_options(yaml, options)
    }
}

impl Text {
    /// The bytes themselves.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Plain(text) => text.clone().into_bytes(),
            Self::Repeated { repeat, times } => repeat.repeat(*times).into_bytes(),
            Self::Hex { hex } => {
                let digits: Vec<u8> =
                    hex.chars().filter_map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
                digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
            }
            Self::Grpc { grpc } => {
                let size = u32::try_from(grpc.len()).unwrap_or(u32::MAX);
                [&[0][..], &size.to_be_bytes(), grpc.as_bytes()].concat()
            }
        }
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            path: None,
            after: After::End,
            delay: 0,
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
            trailers: Vec::new(),
            pause: 0,
            reset: None,
        }
    }
}

impl Answer {
    /// What an upstream answers that nothing is said about: 200 and `hello`.
    pub fn hello() -> Self {
        Self { body: vec![Text::Plain("hello".to_owned())], ..Self::default() }
    }
}

impl Default for Request {
    fn default() -> Self {
        Self {
            name: "a".to_owned(),
            protocol: Protocol::Http2,
            method: "GET".to_owned(),
            path: "/".to_owned(),
            authority: "localhost".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            trailers: Vec::new(),
            end: false,
        }
    }
}

fn yes() -> bool {
    true
}

fn once() -> usize {
    1
}

fn probe() -> String {
    "probe".to_owned()
}
