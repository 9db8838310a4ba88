//! Downloads that go on, each once.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};

type Flight<T> = Shared<BoxFuture<'static, T>>;

/// Futures by key: whoever asks for one that is not over waits for the same. It is dropped when nobody waits. With each
/// goes what tells those who wait how far it is.
pub(super) struct Flights<K, T, S>
where
    T: Clone + Send + 'static,
{
    all: Mutex<HashMap<K, Known<T, S>>>,
}

struct Known<T: Clone + Send + 'static, S> {
    flight: WeakShared<BoxFuture<'static, T>>,
    state: S,
}

impl<T: Clone + Send + Sync + 'static, S> Known<T, S> {
    /// Unless it is over. One that is has told all who waited; who comes then wants to know anew.
    fn going_on(&self) -> Option<Flight<T>> {
        self.flight.upgrade().filter(|flight| flight.peek().is_none())
    }
}

impl<K: Eq + Hash, T: Clone + Send + Sync + 'static, S: Clone> Flights<K, T, S> {
    pub(super) fn new() -> Self {
        Self { all: Mutex::default() }
    }

    /// The future of that key, what tells how far it is, and whether it was begun by somebody else.
    pub(super) fn join<F>(&self, key: K, begin: impl FnOnce() -> (F, S)) -> (Flight<T>, S, bool)
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((flight, state)) =
            all.get(&key).and_then(|known| Some((known.going_on()?, known.state.clone())))
        {
            return (flight, state, true);
        }
        all.retain(|_, known| known.going_on().is_some());
        let (future, state) = begin();
        let flight = future.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            all.insert(key, Known { flight: weak, state: state.clone() });
        }
        (flight, state, false)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn those_who_come_while_it_goes_on_get_the_same_and_those_after_it_anew() {
        let flights = Flights::new();
        let begun = Arc::new(AtomicU32::new(0));
        let begin = || {
            let begun = begun.clone();
            let future = async move {
                tokio::task::yield_now().await;
                begun.fetch_add(1, Ordering::Relaxed) + 1
            };
            (future, ())
        };
        let (first, (), joined) = flights.join("a", begin);
        assert!(!joined);
        let (second, (), joined) = flights.join("a", begin);
        assert!(joined);
        assert_eq!((first.await, second.await), (1, 1));
        assert_eq!(flights.join("a", begin).0.await, 2);
    }

    #[tokio::test]
    async fn one_who_gives_up_does_not_end_it_and_the_last_one_does() {
        let flights: Flights<&str, (), ()> = Flights::new();
        let alive = Arc::new(());
        let begin = || {
            let alive = alive.clone();
            let future = async move {
                std::future::pending::<()>().await;
                drop(alive);
            };
            (future, ())
        };
        let (mut first, ..) = flights.join("a", begin);
        let (second, ..) = flights.join("a", begin);
        assert!(futures_util::poll!(&mut first).is_pending());
        drop(first);
        assert_eq!(Arc::strong_count(&alive), 2);
        drop(second);
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
