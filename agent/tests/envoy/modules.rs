//! A server of modules, which can be away, late, or lying.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshloom_lab::{Reply, Seen, Upstream};

/// Serves modules over HTTP at paths of their own.
pub(crate) struct Modules {
    server: Upstream,
    served: Arc<Mutex<BTreeMap<String, Answer>>>,
}

#[derive(Clone)]
enum Answer {
    Body(Vec<u8>),
    Status(u16),
    Slowly(Vec<u8>, Duration),
    Reset,
}

impl Modules {
    pub(crate) fn start() -> Self {
        let served: Arc<Mutex<BTreeMap<String, Answer>>> = Arc::default();
        let known = Arc::clone(&served);
        let server =
            Upstream::answering(move |seen: &Seen| match known.lock().unwrap().get(&seen.path).cloned() {
                Some(Answer::Body(body)) => Reply::new(200, body),
                Some(Answer::Status(status)) => Reply::new(status, "no module"),
                Some(Answer::Slowly(body, wait)) => Reply::new(200, body).after(wait),
                Some(Answer::Reset) => Reply::reset(),
                None => Reply::new(404, "no such module"),
            });
        Self { server, served }
    }

    /// Puts a module there; its URL.
    pub(crate) fn put(&self, path: &str, module: &[u8]) -> String {
        self.answer(path, Answer::Body(module.to_vec()))
    }

    /// Answers so late.
    pub(crate) fn put_slowly(&self, path: &str, module: &[u8], wait: Duration) -> String {
        self.answer(path, Answer::Slowly(module.to_vec(), wait))
    }

    /// Answers with that status.
    pub(crate) fn fail(&self, path: &str, status: u16) -> String {
        self.answer(path, Answer::Status(status))
    }

    /// Closes the connection without an answer.
    pub(crate) fn reset(&self, path: &str) -> String {
        self.answer(path, Answer::Reset)
    }

    fn answer(&self, path: &str, answer: Answer) -> String {
        self.served.lock().unwrap().insert(path.to_owned(), answer);
        format!("http://{}{path}", self.server.address())
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.server.seen().iter().filter(|seen| seen.path == path).count()
    }
}

/// The same filter with other bytes.
pub(crate) fn another(module: &[u8]) -> Vec<u8> {
    let mut module = module.to_vec();
    // A custom section without a name: id, size, length of the name.
    module.extend([0, 1, 0]);
    module
}

/// The same filter with so many bytes more, none of which is like the next.
pub(crate) fn larger(module: &[u8], by: u32) -> Vec<u8> {
    let mut larger = module.to_vec();
    // A custom section without a name; its size in LEB128, in five bytes however small.
    larger.push(0);
    let size = by + 1;
    larger.extend((0..5).map(|group| (size >> (7 * group)) as u8 & 0x7f | if group < 4 { 0x80 } else { 0 }));
    larger.push(0);
    larger.extend((0..by).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8));
    larger
}

/// A shipped module.
pub(crate) fn shipped(filter: &str) -> Vec<u8> {
    let path = meshloom_lab::root().join(format!("dist/{filter}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error} (make optimize)", path.display()))
}
