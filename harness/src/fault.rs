//! Faults that a test injects.

use std::collections::HashMap;

use crate::abi::Status;

/// What is to go wrong, and when.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    hostcalls: HashMap<String, Vec<Fault>>,
    malloc: Option<u64>,
    any: bool,
}

#[derive(Debug)]
struct Fault {
    /// Calls of that name that still go well.
    after: u64,
    /// How many then fail.
    times: u64,
    status: Status,
}

impl Faults {
    /// Lets calls of `name` fail with `status`, after `after` of them, `times` times.
    pub(crate) fn fail(&mut self, name: &str, after: u64, times: u64, status: Status) {
        self.any = true;
        self.hostcalls.entry(name.to_owned()).or_default().push(Fault { after, times, status });
    }

    /// Lets `malloc` answer 0 after so many calls.
    pub(crate) fn fail_malloc_after(&mut self, calls: u64) {
        self.malloc = Some(calls);
    }

    pub(crate) fn heal(&mut self) {
        *self = Self::default();
    }

    /// The status that this call is to get instead of being done.
    pub(crate) fn strike(&mut self, name: &str) -> Option<Status> {
        if !self.any {
            return None;
        }
        let faults = self.hostcalls.get_mut(name)?;
        for fault in faults {
            if fault.after > 0 {
                fault.after -= 1;
            } else if fault.times > 0 {
                fault.times -= 1;
                return Some(fault.status);
            }
        }
        None
    }

    pub(crate) fn malloc_fails(&mut self) -> bool {
        match &mut self.malloc {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_call_fails_and_the_next_goes_well() {
        let mut faults = Faults::default();
        faults.fail("proxy_log", 1, 2, Status::InternalFailure);
        let struck: Vec<bool> = (0..5).map(|_| faults.strike("proxy_log").is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert_eq!(faults.strike("proxy_done"), None);
    }
}
