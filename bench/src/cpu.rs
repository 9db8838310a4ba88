//! The CPU time of a process, and the CPU it is used on.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The CPU time, user and system, that all threads of a process have used.
///
/// It is the sum that `utime + stime` of `/proc/PID/stat` shows in ticks of 10 ms, read where Linux keeps it
/// in nanoseconds. A thread that ends takes its time along, which Envoy's do not do while it serves.
///
/// # Errors
///
/// When there is no such process.
pub fn time(process: u32) -> anyhow::Result<Duration> {
    let threads = Path::new("/proc").join(process.to_string()).join("task");
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(&threads).with_context(|| format!("{}", threads.display()))? {
        let path = thread?.path().join("schedstat");
        // A thread may end between the listing and the reading.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let field = text.split(' ').next().unwrap_or_default();
        nanoseconds += field.parse::<u64>().with_context(|| format!("{}: {text:?}", path.display()))?;
    }
    anyhow::ensure!(nanoseconds > 0, "{} has no CPU times (no schedstat in this kernel?)", threads.display());
    Ok(Duration::from_nanos(nanoseconds))
}

/// The CPU time, user and system, that the calling thread has used.
///
/// # Errors
///
/// When the kernel does not tell.
pub fn of_this_thread() -> anyhow::Result<Duration> {
    // Linux adds up what a thread used when it gives its CPU away.
    std::thread::sleep(Duration::from_micros(50));
    let text =
        std::fs::read_to_string("/proc/thread-self/schedstat").context("no schedstat in this kernel?")?;
    let field = text.split(' ').next().unwrap_or_default();
    Ok(Duration::from_nanos(field.parse().with_context(|| format!("schedstat: {text:?}"))?))
}

/// Keeps this process, and those it starts from now on, on one CPU: the last that it may use.
///
/// There client and Envoy take turns, a batch at a time. On two CPUs they race, so that the number of requests
/// per wake-up, and with it the cost of one, is another in every round: five times the spread, where measured.
///
/// # Errors
///
/// When the kernel does not allow it.
pub fn stay_on_one() -> anyhow::Result<()> {
    let allowed = sched_getaffinity(None).context("which CPUs may be used")?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu)).context("no CPU may be used")?;
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).context("staying on one CPU")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: Duration = Duration::from_millis(20);

    /// Works until `used` says that it was enough, however long a busy machine takes for that.
    fn work(used: impl Fn() -> Duration) {
        let (begun, before) = (std::time::Instant::now(), used());
        while used() - before < ENOUGH {
            assert!(begun.elapsed() < Duration::from_secs(60), "work took no CPU time");
            (0..100_000_u64).for_each(|number| {
                std::hint::black_box(number);
            });
        }
    }

    #[test]
    fn what_other_threads_use_is_not_of_this_one() {
        let before = of_this_thread().unwrap();
        std::thread::spawn(|| work(|| of_this_thread().unwrap())).join().unwrap();
        assert!(of_this_thread().unwrap() - before < ENOUGH);
    }

    #[test]
    fn work_takes_cpu_time() {
        work(|| time(std::process::id()).unwrap());
    }
}
