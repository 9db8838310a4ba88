//! The upstream of TCP connections.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::observation::{End, Message};
use crate::pace::Pace;
use crate::scenario::{After, Answer};

/// Serves one connection: sends the answer's parts at once or after the other side's end, or else echoes.
pub(super) async fn serve(
    mut stream: TcpStream,
    answer: Option<Answer>,
    seen: Arc<Mutex<Vec<Message>>>,
    pace: Pace,
) {
    let index = {
        let mut seen = seen.lock().expect("no panic while this is held");
        seen.push(Message::default());
        seen.len() - 1
    };
    let change = |change: &dyn Fn(&mut Message)| {
        change(&mut seen.lock().expect("no panic while this is held")[index]);
        pace.event();
    };
    pace.event();
    if let Some(answer) = answer.as_ref().filter(|answer| answer.after == After::Headers) {
        send(&mut stream, answer, &pace).await;
        if answer.reset.is_some() {
            return;
        }
    }
    let mut part = vec![0; 1 << 16];
    let mut mark = pace.mark();
    loop {
        match stream.read(&mut part).await {
            Ok(0) => break change(&|message| message.end = End::Complete),
            Err(_) => return change(&|message| message.end = End::Reset),
            Ok(size) => {
                mark = pace.mark();
                change(&|message| message.body.get_or_insert_default().extend(&part[..size]));
                if answer.is_none() {
                    let _ = stream.write_all(&part[..size]).await; // the other side may have left
                }
            }
        }
    }
    // So that what was sent last does not arrive together with the end.
    pace.settle_server(mark).await;
    if let Some(answer) = answer.as_ref().filter(|answer| answer.after == After::End) {
        send(&mut stream, answer, &pace).await;
    }
}

async fn send(stream: &mut TcpStream, answer: &Answer, pace: &Pace) {
    pace.pass(answer.delay).await;
    for part in &answer.body {
        let mark = pace.mark();
        let _ = stream.write_all(&part.bytes()).await; // the other side may have left
        pace.settle_server(mark).await;
        pace.pass(answer.pause).await;
    }
}
