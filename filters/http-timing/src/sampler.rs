//! Which streams are logged, of those that may be: by chance, and no more in a second than allowed.

use crate::config::Log;

/// Chance and the count of this second's lines; one for each VM.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    /// Never 0.
    state: u64,
    second: u64,
    lines: u32,
}

/// What becomes of a stream that may be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Logged,
    /// It was not drawn.
    NotDrawn,
    /// It was, but there were enough lines in this second.
    Dropped,
}

impl Sampler {
    /// Of that seed, so that Envoys do not all draw alike.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed | 1, second: 0, lines: 0 }
    }

    /// Decides on a stream. `now_ms` is asked only for one that was drawn.
    pub fn decide(&mut self, log: &Log, now_ms: impl FnOnce() -> u64) -> (Verdict, u64) {
        if log.sample_per_10k < 10_000 && self.draw() % 10_000 >= u64::from(log.sample_per_10k) {
            return (Verdict::NotDrawn, 0);
        }
        let now_ms = now_ms();
        let second = now_ms / 1000;
        if second != self.second {
            (self.second, self.lines) = (second, 0);
        }
        if self.lines >= log.max_per_second {
            return (Verdict::Dropped, now_ms);
        }
        self.lines += 1;
        (Verdict::Logged, now_ms)
    }

    /// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled"); its upper half.
    fn draw(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(sample_per_10k: u32, max_per_second: u32) -> Log {
        let json = format!(
            r#"{{"enabled": true, "sample_per_10k": {sample_per_10k}, "max_per_second": {max_per_second}}}"#
        );
        filter_kit::config::read(json.as_bytes(), Log::read).unwrap().unwrap()
    }

    #[test]
    fn as_many_are_drawn_as_asked_for() {
        for (seed, share) in [(0, 100), (1, 5_000), (7, 1), (u64::MAX, 9_999)] {
            let (mut sampler, log) = (Sampler::new(seed), log(share, 100_000));
            let mut drawn = 0_u32;
            for second in 0..1_000_000_u64 {
                let (verdict, _) = sampler.decide(&log, || second * 1000);
                drawn += u32::from(verdict == Verdict::Logged);
            }
            let expected = share * 100;
            // Five deviations of a fair draw.
            let bound = f64::from(expected).sqrt() * 5.0;
            assert!((f64::from(drawn) - f64::from(expected)).abs() <= bound, "{drawn} of {expected}");
        }
    }

    #[test]
    fn a_second_has_no_more_lines_than_allowed() {
        let (mut sampler, log) = (Sampler::new(1), log(10_000, 3));
        let mut logged = |ms: u64| sampler.decide(&log, || ms).0;
        assert_eq!(
            [999; 4].map(&mut logged),
            [Verdict::Logged, Verdict::Logged, Verdict::Logged, Verdict::Dropped]
        );
        assert_eq!(logged(1000), Verdict::Logged);
        // A clock that goes back begins another second.
        assert_eq!(logged(5), Verdict::Logged);
    }

    #[test]
    fn the_time_is_asked_only_for_what_was_drawn() {
        let (mut sampler, log) = (Sampler::new(1), log(1, 3));
        let asked = (0..100).filter(|_| {
            let mut asked = false;
            sampler.decide(&log, || {
                asked = true;
                0
            });
            asked
        });
        assert!(asked.count() <= 3);
    }
}
