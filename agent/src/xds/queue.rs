//! Messages between the task of a stream and the two connections it serves.
//!
//! Envoy, the agent and the control plane send to each other in a ring. If any place in it stopped reading because it
//! cannot write, all three could wait for each other for ever, as Istio's agent once did (istio#39209). So requests are
//! always taken from Envoy and wait here, however many; only responses are held back at their source.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::Status;

/// Bytes of responses that wait for Envoy in a stream's outbox. Whatever is larger waits alone.
const ROOM: usize = 256 * 1024;

/// Requests on their way to the control plane: never refused, only counted.
#[derive(Debug)]
pub(super) struct Requests {
    sender: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<AtomicUsize>,
}

/// The other end of [`Requests`], as the transport pulls it.
#[derive(Debug)]
pub(super) struct PulledRequests {
    receiver: mpsc::UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
}

pub(super) fn requests() -> (Requests, PulledRequests) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::<AtomicUsize>::default();
    (Requests { sender, waiting: waiting.clone() }, PulledRequests { receiver, waiting })
}

impl Requests {
    /// Puts a request at the end. Says how many bytes wait now.
    pub(super) fn push(&self, request: Bytes) -> usize {
        // What a queued message takes besides its bytes counts too, or a flood of empty ones would weigh nothing.
        let weight = weight(&request);
        // The transport may have given up. Why is told by the stream of responses, so nothing is said here.
        match self.sender.send(request) {
            Ok(()) => self.waiting.fetch_add(weight, Ordering::Relaxed).saturating_add(weight),
            Err(_) => 0,
        }
    }
}

fn weight(request: &Bytes) -> usize {
    request.len().saturating_add(size_of::<Bytes>())
}

impl Stream for PulledRequests {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let polled = self.receiver.poll_recv(context);
        if let Poll::Ready(Some(request)) = &polled {
            // Wraps below zero for the moment in which the sender has not added yet, and comes back by that addition.
            self.waiting.fetch_sub(weight(request), Ordering::Relaxed);
        }
        polled
    }
}

/// Responses on their way to Envoy, of which only [`ROOM`] bytes wait.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    sender: mpsc::UnboundedSender<(Result<Bytes, Status>, Option<OwnedSemaphorePermit>)>,
    room: Arc<Semaphore>,
}

/// The other end of [`Outbox`], as the transport pulls it.
#[derive(Debug)]
pub(super) struct Outgoing(mpsc::UnboundedReceiver<(Result<Bytes, Status>, Option<OwnedSemaphorePermit>)>);

pub(super) fn responses() -> (Outbox, Outgoing) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Outbox { sender, room: Arc::new(Semaphore::new(ROOM)) }, Outgoing(receiver))
}

impl Outbox {
    /// Room for a message of that many bytes, if there is.
    pub(super) fn try_room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_many_owned(share(bytes)).ok()
    }

    /// Room for a message of that many bytes, when there is. Never, once Envoy is gone.
    pub(super) async fn room(&self, bytes: usize) -> OwnedSemaphorePermit {
        match self.room.clone().acquire_many_owned(share(bytes)).await {
            Ok(room) => room,
            Err(_) => std::future::pending().await, // it is never closed
        }
    }

    pub(super) fn send(&self, response: Bytes, room: OwnedSemaphorePermit) {
        // If Envoy is gone, `gone` says so.
        _ = self.sender.send((Ok(response), Some(room)));
    }

    /// Ends Envoy's stream with that status, after all that was sent. Dropping the outbox ends it with OK.
    pub(super) fn fail(&self, status: Status) {
        _ = self.sender.send((Err(status), None));
    }

    /// Until nobody pulls any more: Envoy has reset the stream, or its connection is lost.
    pub(super) async fn gone(&self) {
        self.sender.closed().await;
    }
}

/// A message as large as the room, or larger, takes all of it. None takes nothing, or empty messages would be
/// unlimited.
fn share(bytes: usize) -> u32 {
    u32::try_from(bytes.clamp(64, ROOM)).unwrap_or(u32::MAX)
}

impl Stream for Outgoing {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|pulled| pulled.map(|(response, _room)| response))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn requests_come_out_in_the_order_in_which_they_were_pushed_and_are_weighed_until_then() {
        let (queue, mut pulled) = requests();
        for number in 0..1000u32 {
            queue.push(Bytes::copy_from_slice(&number.to_be_bytes()));
        }
        let full = queue.push(Bytes::new());
        assert!(full >= 4000, "{full}");
        for number in 0..1000u32 {
            assert_eq!(pulled.next().await.unwrap(), number.to_be_bytes()[..]);
        }
        pulled.next().await.unwrap();
        assert_eq!(queue.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_queue_that_nobody_pulls_any_more_holds_nothing() {
        let (queue, pulled) = requests();
        drop(pulled);
        assert_eq!(queue.push(Bytes::from_static(b"request")), 0);
    }

    #[tokio::test]
    async fn the_room_for_responses_is_limited_and_comes_back_as_they_are_pulled() {
        let (outbox, mut outgoing) = responses();
        let mut sent = 0;
        while let Some(room) = outbox.try_room(1000) {
            outbox.send(Bytes::from(vec![0; 1000]), room);
            sent += 1;
        }
        assert_eq!(sent, ROOM / 1000);
        assert!(outbox.try_room(0).is_some_and(|_| true), "64 bytes are left");
        assert_eq!(outgoing.next().await.unwrap().unwrap().len(), 1000);
        assert!(outbox.try_room(1000).is_some());
    }

    #[tokio::test]
    async fn a_response_larger_than_the_room_waits_until_it_is_alone() {
        let (outbox, mut outgoing) = responses();
        outbox.send(Bytes::from_static(b"small"), outbox.try_room(5).unwrap());
        assert!(outbox.try_room(20_000_000).is_none());
        outgoing.next().await;
        outbox.send(Bytes::from(vec![0; 20_000_000]), outbox.room(20_000_000).await);
        assert!(outbox.try_room(1).is_none());
    }

    #[tokio::test]
    async fn the_end_comes_after_all_responses() {
        let (outbox, outgoing) = responses();
        outbox.send(Bytes::from_static(b"last"), outbox.try_room(4).unwrap());
        outbox.fail(Status::unavailable("over"));
        drop(outbox);
        let pulled: Vec<_> = outgoing.collect().await;
        assert_eq!(pulled.len(), 2);
        assert_eq!(pulled[0].as_ref().unwrap(), "last");
        assert_eq!(pulled[1].as_ref().unwrap_err().message(), "over");
    }
}
