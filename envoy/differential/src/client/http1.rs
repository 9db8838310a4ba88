//! An exchange in HTTP/1.1, written by hand so that names keep their case and chunks their places.

use std::net::SocketAddr;

use super::socket::{Received, Socket};
use crate::observation::{End, Message};
use crate::pace::Pace;
use crate::scenario::{Request, Text};

pub(crate) struct Exchange {
    pub(crate) socket: Socket,
    chunked: bool,
    bodiless: bool,
}

impl Exchange {
    pub(crate) async fn open(address: SocketAddr, request: &Request, end: bool, pace: Pace) -> Self {
        let bodiless = request.method == "HEAD";
        let whole =
            move |bytes: &[u8]| parse(bytes, bodiless).is_some_and(|message| message.end == End::Complete);
        let mut socket = Socket::connect(address, whole, pace).await;
        let has_length = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let chunked = !end && !has_length;
        let mut head =
            format!("{} {} HTTP/1.1\r\nhost: {}\r\n", request.method, request.path, request.authority);
        if chunked {
            head.push_str("transfer-encoding: chunked\r\n");
        }
        let mut head = head.into_bytes();
        write_lines(&mut head, &request.headers);
        head.extend(b"\r\n");
        socket.send(&head, false).await;
        Self { socket, chunked, bodiless }
    }

    pub(crate) async fn data(&mut self, bytes: &[u8], end: bool) {
        let mut out = Vec::new();
        if self.chunked {
            if !bytes.is_empty() {
                out.extend(format!("{:x}\r\n", bytes.len()).into_bytes());
                out.extend(bytes);
                out.extend(b"\r\n");
            }
            out.extend(if end { &b"0\r\n\r\n"[..] } else { b"" });
        } else {
            out.extend(bytes);
        }
        self.socket.send(&out, false).await;
    }

    pub(crate) async fn trailers(&mut self, trailers: &[(String, Text)]) {
        let mut out = b"0\r\n".to_vec();
        write_lines(&mut out, trailers);
        out.extend(b"\r\n");
        self.socket.send(&out, false).await;
    }

    pub(crate) fn seen(&self) -> Message {
        let Received { bytes, end } = self.socket.received();
        match parse(&bytes, self.bodiless) {
            Some(message) if message.end == End::Complete => message,
            Some(message) if end == End::Complete && !message.ends_by_closing() => {
                Message { end: End::Reset, ..message }
            }
            message => Message { end, ..message.unwrap_or_default() },
        }
    }
}

impl Message {
    /// Whether the end of the connection is the end of the body.
    fn ends_by_closing(&self) -> bool {
        let framed = ["transfer-encoding", "content-length"];
        !self.headers.iter().any(|(name, _)| framed.contains(&name.to_ascii_lowercase().as_str()))
    }
}

fn write_lines(out: &mut Vec<u8>, lines: &[(String, Text)]) {
    for (name, value) in lines {
        out.extend([name.as_bytes(), b": ", &value.bytes(), b"\r\n"].concat());
    }
}

/// The response as far as it came; `None` before its head is whole.
fn parse(bytes: &[u8], bodiless: bool) -> Option<Message> {
    let (head, rest) = split(bytes, b"\r\n\r\n")?;
    let (first, mut headers) = lines(head);
    let status = first.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    headers.insert(0, (":status".to_owned(), status.to_vec()));
    let mut message = Message { headers, ..Message::default() };
    let find = |name: &str| {
        let found = message.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    let chunked = find("transfer-encoding").is_some_and(|value| value == "chunked");
    let length = find("content-length").and_then(|value| value.parse::<usize>().ok());
    if bodiless || matches!(status, b"204" | b"304") || length == Some(0) {
        message.end = End::Complete;
    } else if chunked {
        dechunk(rest, &mut message);
    } else {
        if !rest.is_empty() {
            message.body = Some(rest.to_vec());
        }
        if length == Some(rest.len()) {
            message.end = End::Complete;
        }
    }
    Some(message)
}

fn dechunk(mut rest: &[u8], message: &mut Message) {
    while let Some((size, after)) = split(rest, b"\r\n") {
        let Ok(size) = usize::from_str_radix(&String::from_utf8_lossy(size), 16) else { return };
        if size == 0 {
            if let Some(b"") = after.strip_prefix(b"\r\n") {
                message.end = End::Complete;
            } else if let Some((trailers, _)) = split(after, b"\r\n\r\n") {
                message.trailers = lines(&[b"\r\n", trailers].concat()).1;
                message.end = End::Complete;
            }
            return;
        }
        let Some(part) = after.get(..size) else { return };
        message.body.get_or_insert_default().extend(part);
        rest = after.get(size + 2..).unwrap_or_default();
    }
}

/// The first line, and the names and values of the others.
fn lines(head: &[u8]) -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
    let mut rest = head;
    let mut first = None;
    let mut headers = Vec::new();
    while !rest.is_empty() {
        let (line, after) = split(rest, b"\r\n").unwrap_or((rest, b""));
        rest = after;
        match first {
            None => first = Some(line.to_vec()),
            Some(_) => {
                let (name, value) = split(line, b":").unwrap_or((line, b""));
                headers.push((name.escape_ascii().to_string(), value.trim_ascii().to_vec()));
            }
        }
    }
    (first.unwrap_or_default(), headers)
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..place], &bytes[place + at.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_response_with_trailers_is_read_whole() {
        let bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n2\r\n..\r\n0\r\nx-end: 1\r\n\r\n";
        let message = parse(bytes, false).unwrap();
        assert_eq!(message.body.as_deref(), Some(&b"one.."[..]));
        assert_eq!(message.trailers, [("x-end".to_owned(), b"1".to_vec())]);
        assert_eq!(message.end, End::Complete);
        assert_eq!(parse(&bytes[..bytes.len() - 3], false).unwrap().end, End::Open);
    }
}
