//! The guest that does what a test says, and how its log is read.

use proxy_wasm_harness::{Host, HostBuilder, Level, Module, Plugin, Response, Status};

pub(super) const CONFIGURE: u8 = 1;
pub(super) const REQUEST: u8 = 2;
pub(super) const BODY: u8 = 4;
pub(super) const RESPONSE: u8 = 8;
pub(super) const LOG: u8 = 16;
pub(super) const CONNECTION: u8 = 32;
pub(super) const DATA: u8 = 64;

/// What the guest does, in which phases.
#[derive(Default)]
pub(super) struct Steps(Vec<u8>);

impl Steps {
    pub(super) fn step(mut self, phases: u8, what: u8, first: &[u8], second: &[u8]) -> Self {
        self.0.extend([phases, what]);
        for text in [first, second] {
            self.0.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
        }
        self.0.extend_from_slice(first);
        self.0.extend_from_slice(second);
        self
    }

    /// A path is written with dots.
    pub(super) fn get(self, phases: u8, path: &str) -> Self {
        self.step(phases, 0, path.replace('.', "\0").as_bytes(), b"")
    }

    pub(super) fn set(self, phases: u8, name: &str, value: &str) -> Self {
        self.step(phases, 1, name.as_bytes(), value.as_bytes())
    }

    pub(super) fn call(self, phases: u8, name: &str, arguments: impl AsRef<[u8]>) -> Self {
        self.step(phases, 2, name.as_bytes(), arguments.as_ref())
    }

    pub(super) fn resolve(self, phases: u8, name: &str) -> Self {
        self.step(phases, 3, name.as_bytes(), b"")
    }

    pub(super) fn plugin(self) -> Plugin {
        let guest = include_bytes!("guest.wat");
        Plugin::new(&Module::from_bytes("guest", guest).unwrap()).configuration(self.0)
    }

    pub(super) fn on(self, host: HostBuilder) -> Host {
        host.plugin(self.plugin()).upstream(|_| Response::ok("hello")).start()
    }
}

/// What the host answered, step by step: a status and bytes.
pub(super) fn answers(host: &Host) -> Vec<(Status, Vec<u8>)> {
    let half = |letter: u8| letter - b'a';
    let read = |line: String| {
        let (status, bytes) = line.as_bytes().split_first().unwrap();
        let bytes = bytes.chunks(2).map(|pair| half(pair[0]) << 4 | half(pair[1])).collect();
        (Status::from_number(half(*status).into()).unwrap(), bytes)
    };
    host.logs(Level::Info).into_iter().map(read).collect()
}

pub(super) fn ok(value: impl AsRef<[u8]>) -> (Status, Vec<u8>) {
    (Status::Ok, value.as_ref().to_vec())
}

pub(super) fn number(value: i64) -> (Status, Vec<u8>) {
    ok(value.to_le_bytes())
}

pub(super) fn not(status: Status) -> (Status, Vec<u8>) {
    (status, Vec::new())
}
