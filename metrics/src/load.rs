//! A load that is the same each time: fast requests throughout, slow and failing ones for a while.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use meshloom_lab::Request;

/// What is asked of httpbin, how often, and when.
struct Stream {
    path: &'static str,
    /// Requests each second.
    rate: u32,
    /// Only during the bad time.
    bad: bool,
}

const STREAMS: [Stream; 6] = [
    Stream { path: "/get", rate: 20, bad: false },
    Stream { path: "/delay/0.15", rate: 4, bad: false },
    Stream { path: "/status/404", rate: 3, bad: false },
    Stream { path: "/redirect-to?url=/get", rate: 2, bad: false },
    Stream { path: "/status/503", rate: 6, bad: true },
    Stream { path: "/delay/0.8", rate: 5, bad: true },
];

/// The part of the load that is bad, from and to in shares of the whole.
pub(crate) const BAD: (f64, f64) = (0.4, 0.6);

/// Sends requests to `proxy` for that long, and says how many were answered.
pub(crate) fn run(proxy: SocketAddr, time: Duration) -> usize {
    let begun = Instant::now();
    let (from, to) = (time.mul_f64(BAD.0), time.mul_f64(BAD.1));
    std::thread::scope(|scope| {
        let senders: Vec<_> = STREAMS
            .iter()
            .map(|stream| {
                let (from, to) = if stream.bad { (from, to) } else { (Duration::ZERO, time) };
                scope.spawn(move || send(proxy, stream, begun + from, begun + to))
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap_or_default()).sum()
    })
}

/// Sends each request when its time comes, whether the ones before are answered or not.
fn send(proxy: SocketAddr, stream: &Stream, from: Instant, to: Instant) -> usize {
    std::thread::scope(|scope| {
        let mut waiting = Vec::new();
        let mut next = from;
        while next < to {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            waiting.push(scope.spawn(|| Request::new(proxy, "GET", stream.path).try_send().is_ok()));
            next += Duration::from_secs(1) / stream.rate;
        }
        waiting.into_iter().filter_map(|request| request.join().ok()).filter(|answered| *answered).count()
    })
}
