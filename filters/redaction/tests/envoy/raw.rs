//! A client that writes its bytes itself.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Opens a connection, sends these bytes one after the other, and reads until the other side ends or is silent.
pub(crate) fn exchange(to: SocketAddr, pieces: &[&[u8]]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for piece in pieces {
        stream.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(3));
    }
    let mut seen = Vec::new();
    // An end by a reset is one as well.
    let _ = stream.read_to_end(&mut seen);
    seen
}

/// Posts a chunked body of two chunks.
pub(crate) fn post_in_two(to: SocketAddr, content_type: &str, first: &[u8], second: &[u8]) -> String {
    let head = format!(
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    let last = [chunk(second), b"0\r\n\r\n".to_vec()].concat();
    String::from_utf8(exchange(to, &[head.as_bytes(), &chunk(first), &last])).unwrap()
}
