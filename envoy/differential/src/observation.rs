//! What was seen in a scenario, as text that is the same each time.

use std::collections::BTreeMap;
use std::fmt;

/// What was seen. Its text has a section for each field that is not empty, see [`sections`].
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// The plugins' lines on the worker that serves, in order. With several plugins each begins with its name.
    pub log: Vec<String>,
    /// The same on the main thread, which loads every plugin as well, but serves nobody.
    pub main_log: Vec<String>,
    /// What the worker's plugins log when the proxy ends.
    pub shutdown: Vec<String>,
    /// The requests that the upstream saw, in the order of their headers.
    pub upstream: Vec<Message>,
    /// What each client saw, by the stream's name.
    pub downstream: BTreeMap<String, Message>,
    /// The requests that clusters for callouts saw.
    pub callouts: BTreeMap<String, Vec<Message>>,
    /// Metrics, a line each.
    pub metrics: Vec<String>,
}

/// A request or a response, as far as it came.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The header lines in order, pseudo headers first.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body's parts, merged. `None` while there was not even an empty part.
    pub body: Option<Vec<u8>>,
    /// The trailer lines in order.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// How it ended.
    pub end: End,
}

/// How a message ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Not at all, as far as was seen.
    #[default]
    Open,
    /// As it should.
    Complete,
    /// The stream was reset, or its connection broken.
    Reset,
}

/// Headers that are not the same each time, or that only say which proxy this is.
const VOLATILE: [&str; 4] = ["date", "server", "x-forwarded-for", "x-envoy-upstream-service-time"];

/// Bodies are shown whole up to this size, and by their beginning from there on.
const SHOWN: usize = 2000;

impl Message {
    /// The lines of its text.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = shown(&self.headers);
        if let Some(body) = &self.body {
            lines.push(match body.get(..SHOWN) {
                Some(start) if body.len() > SHOWN => {
                    format!(
                        "body of {} bytes: {}..",
                        body.len(),
                        start.get(..60).unwrap_or(start).escape_ascii()
                    )
                }
                _ => format!("body: {}", body.escape_ascii()),
            });
        }
        if !self.trailers.is_empty() {
            lines.push("trailers".to_owned());
            lines.extend(shown(&self.trailers));
        }
        lines.push(match self.end {
            End::Open => "-- open".to_owned(),
            End::Complete => "-- end".to_owned(),
            End::Reset => "-- reset".to_owned(),
        });
        lines
    }
}

fn shown(headers: &[(String, Vec<u8>)]) -> Vec<String> {
    let stable = headers.iter().filter(|(name, _)| !VOLATILE.contains(&name.to_ascii_lowercase().as_str()));
    stable.map(|(name, value)| format!("{name}: {}", value.escape_ascii())).collect()
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = |title: &str, lines: &[String]| -> fmt::Result {
            if lines.is_empty() {
                return Ok(());
            }
            writeln!(f, "# {title}")?;
            lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
            writeln!(f)
        };
        let requests =
            |messages: &[Message]| -> Vec<String> { messages.iter().flat_map(Message::lines).collect() };
        section("log", &self.log)?;
        section("upstream", &requests(&self.upstream))?;
        for (cluster, messages) in &self.callouts {
            section(&format!("callouts to {cluster}"), &requests(messages))?;
        }
        for (name, message) in &self.downstream {
            section(&format!("downstream {name}"), &message.lines())?;
        }
        section("metrics", &self.metrics)?;
        section("log at shutdown", &self.shutdown)?;
        section("log of the main thread", &self.main_log)
    }
}

/// The sections of an observation's text, by their titles: a host that has no main thread leaves that one out.
pub fn sections(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut title = String::new();
    for line in text.lines() {
        if let Some(next) = line.strip_prefix("# ") {
            next.clone_into(&mut title);
            sections.entry(title.clone()).or_default();
        } else if !line.is_empty() {
            sections.entry(title.clone()).or_default().push(line.to_owned());
        }
    }
    sections
}

/// What differs between two texts, as far as the first lines that do and a few around them; `None` if nothing does.
pub fn difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let (expected, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let same = expected.iter().zip(&found).take_while(|(left, right)| left == right).count();
    let tail = |list: &[&str]| list.len() - same;
    let same_end =
        expected.iter().rev().zip(found.iter().rev()).take_while(|(left, right)| left == right).count();
    let same_end = same_end.min(tail(&expected)).min(tail(&found));
    let mut out = String::new();
    let mut show = |mark: char, lines: &[&str]| {
        for line in lines.iter().take(30) {
            out.push_str(&format!("  {mark} {line}\n"));
        }
        if lines.len() > 30 {
            out.push_str(&format!("  {mark} and {} more\n", lines.len() - 30));
        }
    };
    show(' ', expected.get(same.saturating_sub(4)..same).unwrap_or_default());
    show('-', expected.get(same..expected.len() - same_end).unwrap_or_default());
    show('+', found.get(same..found.len() - same_end).unwrap_or_default());
    show(
        ' ',
        expected
            .get(expected.len() - same_end..)
            .unwrap_or_default()
            .get(..same_end.min(2))
            .unwrap_or_default(),
    );
    Some(out)
}
