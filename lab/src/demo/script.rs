//! What a reader of the demo sees: each request as a command, what came back, and ticks and crosses.

use std::io::IsTerminal;

use meshloom_lab::Response;

use crate::stack::Stack;

/// The demo as it goes.
pub(super) struct Script<'a> {
    stack: &'a Stack,
    colours: bool,
    ticks: usize,
    crosses: Vec<String>,
}

/// How many lines of a body are shown.
const LINES: usize = 14;

impl<'a> Script<'a> {
    pub(super) fn new(stack: &'a Stack) -> Self {
        let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { stack, colours, ticks: 0, crosses: Vec::new() }
    }

    /// Begins a lab.
    pub(super) fn lab(&self, title: &str) {
        println!("\n{}", self.colour("1", title));
    }

    /// Says something about what follows.
    pub(super) fn say(&self, text: &str) {
        println!("\n  {text}");
    }

    /// Shows something that came back.
    pub(super) fn show(&self, text: &str) {
        println!("      {text}");
    }

    /// Sends a request and shows it as the command that would, and then the response.
    pub(super) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut command = "curl -i".to_owned();
        let mut request = self.stack.request(method, path);
        if method != "GET" {
            command.push_str(&format!(" -X {method}"));
        }
        let host = format!("localhost:{}", self.stack.proxy_port());
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", &host);
        }
        for (name, value) in headers {
            command.push_str(&format!(" -H '{name}: {value}'"));
            request = request.header(name, value);
        }
        println!("\n  $ {command} '{host}{path}'");
        let response = request.send();
        self.show(&format!("HTTP/1.1 {}", response.status));
        for (name, value) in &response.headers {
            self.show(&format!("{name}: {}", value.escape_ascii()));
        }
        match String::from_utf8(response.body()) {
            Ok(text) => {
                for line in text.lines().take(LINES) {
                    self.show(line);
                }
                let more = text.lines().count().saturating_sub(LINES);
                if more > 0 {
                    self.show(&format!("... and {more} more lines"));
                }
            }
            Err(bytes) => self.show(&format!("({} bytes that are no text)", bytes.as_bytes().len())),
        }
        response
    }

    /// Reads metrics of the admin interface and shows those with a value.
    pub(super) fn stats(&self, filter: &str) -> String {
        println!("\n  $ curl 'localhost:{}/stats/prometheus?filter={filter}'", self.stack.admin_port());
        let stats = self.stack.admin(&format!("/stats/prometheus?filter={}", filter.replace('|', "%7C")));
        for line in stats.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0")) {
            self.show(line);
        }
        stats
    }

    /// Gives a tick or a cross.
    pub(super) fn check(&mut self, what: &str, right: bool) {
        if right {
            self.ticks += 1;
            println!("    {} {what}", self.colour("32", "✔"));
        } else {
            self.crosses.push(what.to_owned());
            println!("    {} {what}", self.colour("31", "✘"));
        }
    }

    /// Sums up, and answers the number of crosses.
    pub(super) fn finish(self) -> usize {
        println!("\n{} ticks, {} crosses", self.ticks, self.crosses.len());
        for cross in &self.crosses {
            println!("  {} {cross}", self.colour("31", "✘"));
        }
        self.crosses.len()
    }

    fn colour(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
