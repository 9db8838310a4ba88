//! What is read from files, and read again once they have changed.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// For so long after it was written a file may be written again without a sign of it: clocks of file systems are coarse.
const FRESH: Duration = Duration::from_secs(2);

/// What was read, and the files that it was read from.
pub(crate) struct Read<T> {
    pub(crate) value: T,
    pub(crate) files: Vec<PathBuf>,
}

type Reader<T> = Box<dyn Fn() -> Result<Read<T>, String> + Send + Sync>;

/// Something that was read from files. What they say now counts; what they say wrong does not.
pub(crate) struct Live<T> {
    state: Mutex<State<T>>,
    /// Nothing, for what is not from files.
    read: Option<Reader<T>>,
}

struct State<T> {
    value: Arc<T>,
    seen: Vec<(PathBuf, Seen)>,
    /// What was wrong when the files were read last.
    problem: Option<String>,
}

/// How a file was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Missing,
    /// It was written a moment ago.
    Fresh,
    /// Device, inode, size, and when it was written, in seconds and nanoseconds.
    Settled(u64, u64, u64, i64, i64),
}

impl Seen {
    fn of(path: &Path) -> Self {
        let Ok(found) = std::fs::metadata(path) else { return Self::Missing };
        let age = found.modified().ok().and_then(|written| SystemTime::now().duration_since(written).ok());
        if age.is_none_or(|age| age < FRESH) {
            return Self::Fresh;
        }
        Self::Settled(found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec())
    }
}

fn seen(files: Vec<PathBuf>) -> Vec<(PathBuf, Seen)> {
    files.into_iter().map(|path| (path.clone(), Seen::of(&path))).collect()
}

impl<T> Live<T> {
    /// Something that stays as it is.
    pub(crate) fn fixed(value: T) -> Self {
        let state = State { value: Arc::new(value), seen: Vec::new(), problem: None };
        Self { state: Mutex::new(state), read: None }
    }

    /// Something that was read before, and how it is read again.
    pub(crate) fn new(
        first: Read<T>,
        read: impl Fn() -> Result<Read<T>, String> + Send + Sync + 'static,
    ) -> Self {
        let state = State { value: Arc::new(first.value), seen: seen(first.files), problem: None };
        Self { state: Mutex::new(state), read: Some(Box::new(read)) }
    }

    /// As it was read last.
    pub(crate) fn current(&self) -> Arc<T> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).value.clone()
    }

    /// As the files say now. If they cannot be read, as they said before, and the log says why. Reads the disk.
    pub(crate) fn look(&self) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(read) = &self.read else { return state.value.clone() };
        let changed = |(path, before): &(PathBuf, Seen)| *before == Seen::Fresh || Seen::of(path) != *before;
        // What was wrong may be put right in a file that is not known here.
        if state.problem.is_none() && !state.seen.iter().any(changed) {
            return state.value.clone();
        }
        match read() {
            Ok(Read { value, files }) => {
                let files = seen(files);
                tracing::info!(files = ?files.iter().map(|(path, _)| path).collect::<Vec<_>>(), "read again");
                *state = State { value: Arc::new(value), seen: files, problem: None };
            }
            Err(problem) => {
                if state.problem.as_ref() != Some(&problem) {
                    tracing::error!(
                        "what was read before goes on to count, for now there is this: {problem}"
                    );
                }
                state.problem = Some(problem);
            }
        }
        state.value.clone()
    }
}

impl<T: fmt::Debug> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.current().fmt(f)
    }
}

impl<T: Default> Default for Live<T> {
    fn default() -> Self {
        Self::fixed(T::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(path: &Path) -> Live<u32> {
        let path = path.to_owned();
        let read = move || {
            let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
            let value = text.parse().map_err(|_| format!("{text:?} is no number"))?;
            Ok(Read { value, files: vec![path.clone()] })
        };
        Live::new(read().unwrap(), read)
    }

    /// As if it had been written so long ago.
    fn age(path: &Path, seconds: u64) {
        let then = SystemTime::now() - Duration::from_secs(seconds);
        std::fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn what_a_file_says_counts_once_it_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        std::fs::write(&path, "1").unwrap();
        age(&path, 100);
        let number = numbers(&path);
        let first = number.look();
        assert!(Arc::ptr_eq(&first, &number.look()), "what has not changed is not read again");
        std::fs::write(&path, "2").unwrap();
        assert_eq!((*number.current(), *number.look(), *number.current()), (1, 2, 2));
        // Within the same tick of the file system's clock.
        std::fs::write(&path, "3").unwrap();
        assert_eq!(*number.look(), 3);
    }

    #[test]
    fn what_cannot_be_read_changes_nothing_until_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        std::fs::write(&path, "1").unwrap();
        let number = numbers(&path);
        std::fs::write(&path, "one").unwrap();
        assert_eq!(*number.look(), 1);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(*number.look(), 1);
        std::fs::write(&path, "2").unwrap();
        age(&path, 100);
        assert_eq!(*number.look(), 2);
    }

    #[test]
    fn a_file_that_another_takes_the_place_of_is_read_again_though_it_is_as_old() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("number"), folder.path().join("other"));
        std::fs::write(&path, "1").unwrap();
        std::fs::write(&other, "2").unwrap();
        let number = numbers(&path);
        for file in [&path, &other] {
            age(file, 100);
        }
        assert_eq!(*number.look(), 1);
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(*number.look(), 2);
    }
}
