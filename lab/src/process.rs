//! Processes that are ended, gently first, when they are no longer wanted.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// How long a process may take to end after SIGTERM before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// A child process, ended when dropped.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Watches over `child`.
    pub fn new(child: Child) -> Self {
        Self(child)
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// The exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("a child can be waited for")
    }

    /// Leaves the process running when this is dropped.
    pub fn detach(self) -> u32 {
        let id = self.id();
        std::mem::forget(self);
        id
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        signal(self.id(), Signal::TERM);
        let begun = Instant::now();
        while self.ended().is_none() {
            if begun.elapsed() > PATIENCE {
                let _ = self.0.kill(); // it may just have ended by itself
                let _ = self.0.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Whether a process of that id is there and has not ended.
pub fn is_running(id: u32) -> bool {
    pid(id).is_some_and(|pid| test_kill_process(pid).is_ok()) && !has_ended(id)
}

/// When the process started, in the kernel's ticks since boot: with its id, what no later process has.
pub fn started(id: u32) -> Option<u64> {
    stat(id)?.split_whitespace().nth(19)?.parse().ok()
}

/// Whether it only waits for its parent to notice that it ended: a signal still finds such a process.
fn has_ended(id: u32) -> bool {
    stat(id).is_some_and(|fields| fields.starts_with(['Z', 'X']))
}

/// What the kernel says of a process, from its state on. Its name goes before that, in parentheses, and may hold
/// anything (proc(5)).
fn stat(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned())
}

/// Ends a process that is no child of this one, and waits until it is gone.
pub fn stop_gracefully(id: u32) {
    signal(id, Signal::TERM);
    let begun = Instant::now();
    while is_running(id) {
        if begun.elapsed() > PATIENCE {
            signal(id, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(id: u32, signal: Signal) {
    if let Some(pid) = pid(id) {
        let _ = kill_process(pid, signal); // it may just have ended by itself
    }
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_that_ended_unnoticed_is_not_running() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let id = child.id();
        assert!(is_running(id));
        stop_gracefully(id);
        assert!(!is_running(id));
        child.wait().unwrap();
    }
}
