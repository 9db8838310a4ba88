//! What Envoy is sent: gRPC's frames around messages, of which the large ones are not copied.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::Stream;
use http::HeaderMap;
use hyper::body::{Body, Frame};
use tonic::{Code, Status};

use super::queue::Outgoing;

/// Bytes from which a message is passed on as it is. Smaller ones are gathered: pieces of their own cost more than copies.
const LARGE: usize = 16 * 1024;
/// Bytes that are gathered before they are passed on.
const GATHERED: usize = 32 * 1024;

/// The body of the answer to Envoy's call. tonic's own copies each message into a buffer that it makes for it.
#[derive(Debug)]
pub(super) struct Answer<S = Outgoing> {
    messages: S,
    /// A message whose head was passed on.
    next: Option<Bytes>,
    end: Option<Status>,
    ended: bool,
}

impl<S> Answer<S> {
    pub(super) fn of(messages: S) -> Self {
        Self { messages, next: None, end: None, ended: false }
    }
}

impl<S: Stream<Item = Result<Bytes, Status>> + Unpin> Body for Answer<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if let Some(message) = this.next.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        if this.ended {
            return Poll::Ready(None);
        }
        let mut gathered = BytesMut::new();
        while this.end.is_none() && this.next.is_none() && gathered.len() < GATHERED {
            match Pin::new(&mut this.messages).poll_next(context) {
                Poll::Ready(Some(Ok(message))) => this.take(message, &mut gathered),
                Poll::Ready(Some(Err(status))) => this.end = Some(status),
                Poll::Ready(None) => this.end = Some(Status::new(Code::Ok, "")),
                Poll::Pending if gathered.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if !gathered.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(gathered.freeze()))));
        }
        this.ended = true;
        Poll::Ready(this.end.take().map(|status| Ok(Frame::trailers(trailers(&status)))))
    }
}

impl<S> Answer<S> {
    fn take(&mut self, message: Bytes, gathered: &mut BytesMut) {
        let Ok(length) = u32::try_from(message.len()) else {
            let why = format!("a response of {} bytes, more than gRPC can say", message.len());
            self.end = Some(Status::out_of_range(why));
            return;
        };
        // Not compressed, and so long.
        gathered.put_u8(0);
        gathered.put_u32(length);
        if message.len() < LARGE {
            gathered.put(message);
        } else {
            self.next = Some(message);
        }
    }
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if let Err(unsaid) = status.add_header(&mut trailers) {
        // What its message holds cannot stand in a header; the other can.
        trailers.clear();
        _ = Status::new(unsaid.code(), "").add_header(&mut trailers);
    }
    trailers
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt as _;

    use super::*;

    /// The pieces of a body, and the status at its end.
    async fn pieces(messages: Vec<Result<Bytes, Status>>) -> (Vec<Bytes>, Option<String>) {
        let mut body = Answer::of(stream::iter(messages));
        let (mut pieces, mut status) = (Vec::new(), None);
        while let Some(frame) = body.frame().await {
            match frame.unwrap().into_data() {
                Ok(data) => pieces.push(data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap();
                    status = trailers.get("grpc-status").map(|code| code.to_str().unwrap().to_owned());
                }
            }
        }
        (pieces, status)
    }

    #[tokio::test]
    async fn a_large_message_is_passed_on_without_a_copy() {
        let large = Bytes::from(vec![7; LARGE]);
        let (pieces, status) = pieces(vec![Ok(large.clone())]).await;
        assert_eq!(pieces.len(), 2);
        assert_eq!(&pieces[0][..], &[0, 0, 0, 64, 0]);
        assert_eq!(pieces[1].as_ptr(), large.as_ptr());
        assert_eq!(status.as_deref(), Some("0"));
    }

    #[tokio::test]
    async fn messages_of_all_sizes_come_in_order_and_whole_and_small_ones_together() {
        let sizes =
            [0, 1, 100, LARGE - 1, LARGE, LARGE + 1, 5, 5, 5, 200_000, LARGE - 1, LARGE - 1, LARGE - 1];
        let messages = sizes.map(|size| Ok(Bytes::from(vec![size as u8; size])));
        let (pieces, _) = pieces(messages.into()).await;
        assert!(pieces.len() <= 10, "{}", pieces.len());
        let expected: Vec<u8> = sizes
            .iter()
            .flat_map(|size| {
                let length = u32::try_from(*size).unwrap().to_be_bytes();
                [&[0][..], &length, &vec![*size as u8; *size]].concat()
            })
            .collect();
        assert_eq!(pieces.concat(), expected);
    }

    #[tokio::test]
    async fn an_error_comes_after_all_that_was_sent_and_is_the_end() {
        let messages = vec![Ok(Bytes::from_static(b"a")), Err(Status::unavailable("gone")), Ok(Bytes::new())];
        let (pieces, status) = pieces(messages).await;
        assert_eq!(pieces, [Bytes::from_static(b"\0\0\0\0\x01a")]);
        assert_eq!(status.as_deref(), Some("14"));
    }
}
