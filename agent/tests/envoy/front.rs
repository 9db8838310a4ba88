//! A way to a registry, on which something can be done at any byte: such as killing the registry.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// When something is done, once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// A request with that text in it comes, and has not reached the registry.
    Asked(&'static str),
    /// The answer to such a request has come so far, in bytes.
    Answered(&'static str, usize),
}

type Deed = Box<dyn FnOnce() + Send>;
type Plan = Arc<Mutex<Option<(Moment, Deed)>>>;

/// Passes bytes on, both ways, until its moment.
pub(crate) struct Front {
    address: SocketAddr,
    plan: Plan,
}

impl Front {
    /// A way to that address, for as long as the test goes on.
    pub(crate) fn to(registry: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, plan) = (listener.local_addr().unwrap(), Plan::default());
        let plans = Arc::clone(&plan);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let plan = Arc::clone(&plans);
                std::thread::spawn(move || {
                    // Where nobody listens any more, the client sees its connection end.
                    if let Ok(server) = TcpStream::connect(registry) {
                        pass(&client, &server, &plan);
                    }
                });
            }
        });
        Self { address, plan }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Does that at that moment, and ends the connection on which it was.
    pub(crate) fn at(&self, moment: Moment, deed: impl FnOnce() + Send + 'static) {
        *self.plan.lock().unwrap() = Some((moment, Box::new(deed)));
    }

    /// Whether its moment has come.
    pub(crate) fn is_done(&self) -> bool {
        self.plan.lock().unwrap().is_none()
    }
}

fn pass(client: &TcpStream, server: &TcpStream, plan: &Plan) {
    // How much of an answer may pass, once it is the one.
    let left = Mutex::new(None);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            each(client, server, |bytes| {
                let text = String::from_utf8_lossy(bytes);
                let mut plan = plan.lock().unwrap();
                match plan.as_ref().map(|(moment, _)| *moment) {
                    Some(Moment::Asked(what)) if text.contains(what) => {
                        plan.take().unwrap().1();
                        0
                    }
                    Some(Moment::Answered(what, so_far)) if text.contains(what) => {
                        *left.lock().unwrap() = Some(so_far);
                        bytes.len()
                    }
                    _ => bytes.len(),
                }
            });
        });
        each(server, client, |bytes| {
            let mut left = left.lock().unwrap();
            let Some(left) = left.as_mut() else { return bytes.len() };
            let passes = bytes.len().min(*left);
            *left -= passes;
            if *left == 0
                && let Some((_, deed)) = plan.lock().unwrap().take()
            {
                deed();
            }
            passes
        });
    });
}

/// Passes on as much of each piece as `so_much` says, and ends both ways when that is not all.
fn each(from: &TcpStream, to: &TcpStream, mut so_much: impl FnMut(&[u8]) -> usize) {
    let (mut source, mut target) = (from, to);
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = source.read(&mut buffer) {
        let passes = so_much(&buffer[..count]);
        if target.write_all(&buffer[..passes]).is_err() || passes < count {
            break;
        }
    }
    // Whoever is gone has closed it already.
    _ = from.shutdown(Shutdown::Both);
    _ = to.shutdown(Shutdown::Both);
}
