//! The client: a few connections kept alive, each with one request under way, from one thread.
//!
//! A batch is one request on every connection, written before the first answer is read. So Envoy finds about
//! as many requests waiting in every batch and every round, whatever else the machine does: how many requests
//! it serves per wake-up is a large part of what one costs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

/// How many connections there are.
pub const CONNECTIONS: u32 = 8;

/// How long an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Set when the run should end.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What every request asks: a GET of a path, with these headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The path.
    pub path: String,
    /// Its headers, `host` among them.
    pub headers: Vec<(String, String)>,
}

impl Question {
    /// A request that has what every client sends, and nothing else.
    pub fn plain(path: &str) -> Self {
        let headers = [("host", "localhost"), ("user-agent", "meshloom-bench"), ("accept", "*/*")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { path: path.to_owned(), headers }
    }

    /// Sets a header, in the place of one that is there.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.headers.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.headers.push((name.to_owned(), value.to_owned())),
        }
    }

    /// The request as it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let lines: String =
            self.headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
        format!("GET {} HTTP/1.1\r\n{lines}\r\n", self.path).into()
    }
}

/// Connections to one Envoy.
pub struct Load {
    connections: Vec<BufReader<TcpStream>>,
    request: Vec<u8>,
}

impl Load {
    /// Connects; every request will ask that.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub fn connect(address: SocketAddr, question: &Question) -> anyhow::Result<Self> {
        let connect = || -> std::io::Result<_> {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(BufReader::with_capacity(64 * 1024, stream))
        };
        let connections = (0..CONNECTIONS).map(|_| connect()).collect::<std::io::Result<_>>()?;
        Ok(Self { connections, request: question.bytes() })
    }

    /// Sends `requests`, rounded up to whole batches, and reads every answer; says how many were sent.
    ///
    /// # Errors
    ///
    /// At the first answer that is not a 200 with a body of at least `least` bytes.
    pub fn run(&mut self, requests: u32, least: u64) -> anyhow::Result<u32> {
        let mut sent = 0;
        while sent < requests {
            ensure!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
            for connection in &mut self.connections {
                connection.get_mut().write_all(&self.request)?;
                sent += 1;
            }
            for connection in &mut self.connections {
                let body = answer(connection)?;
                ensure!(body >= least, "an answer of {body} bytes, expected {least} or more");
            }
        }
        Ok(sent)
    }
}

/// Reads one answer and says how long its body was.
fn answer(from: &mut impl BufRead) -> anyhow::Result<u64> {
    match head(from)? {
        Framing::Length(length) => skip(from, length).map(|()| length),
        Framing::Chunks => chunks(from, &mut String::new()),
    }
}

/// An answer, and when its body came.
pub(crate) struct Timed {
    pub(crate) length: u64,
    /// When the first byte of the body was there.
    pub(crate) first: Instant,
    /// When the last one was.
    pub(crate) last: Instant,
}

/// Reads one answer with a body.
pub(crate) fn timed(from: &mut impl BufRead) -> anyhow::Result<Timed> {
    let framing = head(from)?;
    // Where the body comes in chunks, the size of the first one is sent along with its bytes.
    ensure!(!from.fill_buf()?.is_empty(), "the connection was closed in place of a body");
    let first = Instant::now();
    let length = match framing {
        Framing::Length(length) => skip(from, length).map(|()| length),
        Framing::Chunks => chunks(from, &mut String::new()),
    }?;
    Ok(Timed { length, first, last: Instant::now() })
}

/// How the end of a body is known.
enum Framing {
    Length(u64),
    Chunks,
}

/// Reads the head of an answer that is a 200.
fn head(from: &mut impl BufRead) -> anyhow::Result<Framing> {
    let mut line = String::new();
    next_line(from, &mut line)?;
    ensure!(line.starts_with("HTTP/1.1 200 "), "an answer other than 200: {line:?}");
    let mut length = None;
    let mut chunked = false;
    loop {
        next_line(from, &mut line)?;
        if line.is_empty() {
            break;
        }
        // Envoy writes names in lower case.
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = Some(value.parse().with_context(|| format!("{line:?}"))?);
        }
        chunked |= line == "transfer-encoding: chunked";
    }
    match length {
        Some(length) => Ok(Framing::Length(length)),
        None if chunked => Ok(Framing::Chunks),
        None => bail!("an answer with neither content-length nor chunks"),
    }
}

fn chunks(from: &mut impl BufRead, line: &mut String) -> anyhow::Result<u64> {
    let mut total = 0;
    loop {
        next_line(from, line)?;
        let size = u64::from_str_radix(line, 16).with_context(|| format!("chunk size {line:?}"))?;
        skip(from, size)?;
        next_line(from, line)?;
        total += size;
        if size == 0 {
            return Ok(total);
        }
    }
}

fn next_line(from: &mut impl BufRead, line: &mut String) -> anyhow::Result<()> {
    line.clear();
    ensure!(from.read_line(line)? > 0, "the connection was closed in place of an answer");
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(())
}

fn skip(from: &mut impl BufRead, length: u64) -> anyhow::Result<()> {
    let skipped = std::io::copy(&mut from.take(length), &mut std::io::sink())?;
    ensure!(skipped == length, "a body of {length} bytes ended after {skipped}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<u64, String> {
        let mut from = text.as_bytes();
        let length = answer(&mut from).map_err(|error| error.to_string())?;
        assert_eq!(from, b"next", "the answer was read to its end and no further");
        Ok(length)
    }

    #[test]
    fn a_question_has_each_header_once() {
        let mut question = Question::plain("/a?b=c");
        question.set("host", "shop.example.com");
        question.set("x-tenant", "acme");
        let expected = "GET /a?b=c HTTP/1.1\r\nhost: shop.example.com\r\nuser-agent: meshloom-bench\r\naccept: */*\r\n\
                        x-tenant: acme\r\n\r\n";
        assert_eq!(String::from_utf8(question.bytes()).unwrap(), expected);
    }

    #[test]
    fn both_framings_are_read_to_their_end() {
        assert_eq!(read("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcnext"), Ok(3));
        assert_eq!(
            read(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n10\r\n0123456789abcdef\r\n0\r\n\r\nnext"
            ),
            Ok(17)
        );
    }

    #[test]
    fn what_is_no_whole_200_is_an_error() {
        for wrong in [
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
            "",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
