//! Outages by a clock that stands still unless somebody waits: what an agent does at the default policy, request by
//! request, and a thousand agents at once.

use futures_util::future::join_all;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep_until, timeout};

use super::*;
use crate::Reason;
use crate::fetch::{Attempts, BRISK, Failure, FetchOptions, beside, waiting};

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn unavailable(reason: Reason) -> Unavailable {
    Unavailable::new(reason, "no")
}

/// How a server is away.
#[derive(Clone, Copy, Debug)]
enum Away {
    /// Connections are refused at once.
    Refusing,
    /// Nothing answers, not even that.
    Silent,
}

/// When TCP sends the first packet of a connection again, in seconds after the first time.
const SYN_AGAIN: [f64; 3] = [1.0, 3.0, 7.0];

/// A connection to a server that is back at that time.
async fn connect(away: Away, back: Instant) {
    let begun = Instant::now();
    if begun >= back {
        return;
    }
    if let Away::Silent = away {
        for again in SYN_AGAIN.map(|again| begun + seconds(again)) {
            sleep_until(again).await;
            if again >= back {
                return;
            }
        }
    }
    std::future::pending().await
}

/// One request, by an agent with the options that it has unless it is told otherwise.
async fn request(brisk: bool, away: Away, back: Instant) -> Result<(), Failure> {
    if brisk {
        return exchange(true, away, back).await;
    }
    beside(exchange(false, away, back), || exchange(true, away, back)).await
}

/// One request along one connection.
async fn exchange(brisk: bool, away: Away, back: Instant) -> Result<(), Failure> {
    let allowed = if brisk { BRISK } else { FetchOptions::default().connect_timeout };
    let allowed = if matches!(away, Away::Refusing) { Duration::ZERO } else { allowed };
    let failed = || Failure { again: true, ..Failure::lasting(Reason::Unreachable, "away") };
    timeout(allowed, waiting(connect(away, back))).await.map_err(|_| failed())
}

/// When an agent asks for a module from 0 on, with all its requests, until it is there: the last succeeds. Seconds.
async fn requests(away: Away, back: f64, seed: u64) -> (Vec<f64>, f64) {
    let (start, options) = (Instant::now(), FetchOptions::default());
    let back = start + seconds(back);
    let (mut schedule, mut random) = (Schedule::default(), StdRng::seed_from_u64(seed));
    let mut requests = Vec::new();
    loop {
        let effort = schedule.begins(Instant::now().into_std());
        let deadline = Instant::now() + seconds(30.0);
        let mut attempts = Attempts::new(effort, options.attempts, options.backoff, deadline);
        let failure = loop {
            requests.push(start.elapsed().as_secs_f64());
            match request(attempts.are_brisk(), away, back).await {
                Ok(()) => return (requests, start.elapsed().as_secs_f64()),
                Err(failure) if attempts.next(&failure).await => {}
                Err(failure) => break failure,
            }
        };
        let due = schedule.failed(Instant::now().into_std(), &failure.cause, &mut random);
        sleep_until(Instant::from_std(due)).await;
    }
}

/// The longest that it takes from the server's return until a request of one of so many agents is answered.
async fn slowest(away: Away, backs: &[f64]) -> f64 {
    let agents = backs.iter().flat_map(|back| (0..200).map(move |seed| (*back, seed)));
    let seen = join_all(agents.map(async |(back, seed)| requests(away, back, seed).await.1 - back)).await;
    seen.into_iter().fold(0.0, f64::max)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_back_within_a_minute_is_seen_within_two_seconds() {
    // Up to the first attempt's end it is that attempt which sees it.
    let refused = slowest(Away::Refusing, &[8.0, 11.1, 20.0, 30.0, 42.5, 58.0, 59.9]).await;
    assert!(refused <= 1.05, "{refused}");
    let silent = slowest(Away::Silent, &[10.5, 12.0, 13.3, 15.0, 20.0, 31.7, 45.0, 58.0, 59.9]).await;
    assert!(silent <= 1.4, "{silent}");
    println!("refused {refused:.2} s, silent {silent:.2} s");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_back_during_the_first_attempt_is_seen_by_it() {
    let refused = slowest(Away::Refusing, &[0.1, 0.5, 1.0, 2.0, 3.0, 5.0]).await;
    assert!(refused <= 1.1, "{refused}");
    // The first connection of all is waited for, as long as it may take: its server may only be slow. Beside it there
    // are others.
    let silent = slowest(Away::Silent, &[0.1, 0.5, 1.2, 3.2, 5.0, 7.1, 9.0]).await;
    assert!(silent <= 1.45, "{silent}");
    println!("refused {refused:.2} s, silent {silent:.2} s");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_back_after_long_is_seen_within_half_a_minute() {
    for away in [Away::Refusing, Away::Silent] {
        let seen = slowest(away, &[100.0, 600.0, 3_600.0]).await;
        assert!(seen <= 25.1, "{away:?}: {seen}");
        println!("{away:?}: {seen:.1} s");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_an_hour_costs_a_request_in_about_a_quarter_of_a_minute() {
    let hour = requests(Away::Refusing, 3_600.0, 1).await.0.len();
    assert!((200..500).contains(&hour), "{hour}");
}

/// The most requests of a thousand agents within 100 ms, from then on, after all began at the same instant.
async fn peak(away: Away, from: f64, back: f64) -> usize {
    let agents = join_all((0..1000).map(|seed| requests(away, back, seed))).await;
    let mut per_tenth = std::collections::BTreeMap::<u64, usize>::new();
    for at in agents.into_iter().flat_map(|(requests, _)| requests).filter(|at| *at >= from) {
        *per_tenth.entry((at * 10.0) as u64).or_default() += 1;
    }
    per_tenth.into_values().max().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_agents_that_failed_together_do_not_come_back_together() {
    // In step it would be 1,000.
    for (away, from, back, most) in [
        (Away::Refusing, 0.1, 45.0, 350),
        (Away::Refusing, 8.0, 45.0, 250),
        (Away::Silent, 60.0, 70.0, 400),
        (Away::Refusing, 1_200.0, 1_300.0, 30),
        (Away::Silent, 1_200.0, 1_300.0, 30),
    ] {
        let found = peak(away, from, back).await;
        println!("{away:?} from {from} s: {found}");
        assert!(found < most, "{away:?} from {from} s: {found}");
    }
}

#[test]
fn what_the_source_asks_for_is_granted_up_to_five_minutes_and_a_fifth() {
    let now = std::time::Instant::now();
    let mut random = StdRng::seed_from_u64(1);
    for (asked, least, most) in [(10.0, 10.0, 12.0), (86_400.0, 300.0, 360.0), (0.0, 0.33, 1.0)] {
        for _ in 0..100 {
            let failure = Unavailable { retry_after: Some(seconds(asked)), ..unavailable(Reason::Throttled) };
            let delay = Schedule::default().failed(now, &failure, &mut random) - now;
            assert!((seconds(least)..=seconds(most)).contains(&delay), "{asked}: {delay:?}");
        }
    }
}

#[test]
fn what_will_not_pass_by_itself_is_tried_in_steps_from_a_quarter_of_a_minute_to_five() {
    use Reason::*;
    let mut random = StdRng::seed_from_u64(1);
    for reason in [ChecksumMismatch, NotAModule, TooLarge, Unsigned, Denied, Blocked, Manifest] {
        let (mut schedule, mut now) = (Schedule::default(), std::time::Instant::now());
        for expected in [15.0, 30.0, 60.0, 120.0, 240.0, 300.0, 300.0] {
            schedule.begins(now);
            let due = schedule.failed(now, &unavailable(reason), &mut random);
            let of_expected = (due - now).as_secs_f64() / expected;
            assert!((0.66..=1.34).contains(&of_expected), "{reason:?}: {of_expected} of {expected} s");
            now = due;
        }
        assert_eq!(schedule.begins(now), Effort::Once);
        // Then it is away, and comes back as from any outage.
        let due = schedule.failed(now, &unavailable(Unreachable), &mut random);
        assert!(due - now <= seconds(25.0));
        let due = schedule.failed(now, &unavailable(reason), &mut random);
        assert!(due - now <= seconds(20.1), "the steps begin anew");
    }
}
