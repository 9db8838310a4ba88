//! What a proxy does around a body that is held: its buffer, and what has left.

use redaction::{Body, Buffer, Coding, Events, Flow, Held, Redaction};

/// A proxy with one body on its way.
pub(crate) struct Proxy<'a> {
    redaction: &'a Redaction,
    held: Held,
    buffer: Host,
    /// What has left.
    pub(crate) out: Vec<u8>,
    /// Whether nothing more may leave.
    pub(crate) blocked: bool,
    /// Whether the message was broken off.
    pub(crate) broken: bool,
    stopped: bool,
}

#[derive(Default)]
struct Host {
    bytes: Vec<u8>,
    resumed: bool,
    /// In trailers there is no buffer unless the piece before them was stopped.
    gone: bool,
    reads: u32,
    writes: u32,
    emptied: bool,
}

impl Buffer for Host {
    fn read(&mut self) -> Option<Vec<u8>> {
        self.reads += 1;
        (!self.gone).then(|| self.bytes.clone())
    }

    fn write(&mut self, bytes: &[u8]) -> bool {
        if self.gone {
            return false;
        }
        // What was compressed may be emptied after a part of it was written, for the rest is broken.
        self.writes += u32::from(!bytes.is_empty());
        self.emptied = bytes.is_empty();
        self.bytes = bytes.to_vec();
        true
    }

    fn append(&mut self, bytes: &[u8]) -> bool {
        assert!(
            self.writes == 1 && !self.emptied,
            "what is added stands behind what the same callback has written"
        );
        self.bytes.extend_from_slice(bytes);
        true
    }

    fn resume(&mut self) -> bool {
        self.resumed = true;
        true
    }
}

impl<'a> Proxy<'a> {
    pub(crate) fn new(redaction: &'a Redaction, body: Body, coding: Coding) -> Self {
        let held = Held::new(&redaction.rules, redaction.body, body, coding, false);
        Self {
            redaction,
            held,
            buffer: Host::default(),
            out: Vec::new(),
            blocked: false,
            broken: false,
            stopped: false,
        }
    }

    /// A piece comes.
    pub(crate) fn data(&mut self, piece: &[u8], end: bool) -> Events {
        self.buffer.bytes.extend_from_slice(piece);
        let size = self.buffer.bytes.len();
        let (flow, events) = self.held.data(&self.redaction.rules, &mut self.buffer, size, end);
        self.after(flow);
        assert!(!end || self.blocked || !self.stopped, "the last piece is never stopped");
        events
    }

    /// Trailers come, and what is held leaves with them.
    pub(crate) fn trailers(&mut self) {
        let was_stopped = self.stopped;
        self.buffer.gone = !was_stopped;
        let writes = self.buffer.writes;
        let (flow, _) = self.held.trailers(&self.redaction.rules, &mut self.buffer);
        assert!(was_stopped || self.buffer.writes == writes, "without a buffer nothing can be written");
        assert!(flow != Flow::Pause, "trailers are never stopped");
        self.after(flow);
    }

    /// How many bytes the proxy has that have not left.
    pub(crate) fn buffered(&self) -> usize {
        self.buffer.bytes.len()
    }

    fn after(&mut self, flow: Flow) {
        let Host { reads, writes, .. } = self.buffer;
        assert!(
            reads <= 1 && writes <= 1,
            "a buffer is read once and its content replaced at most once in a callback"
        );
        (self.buffer.reads, self.buffer.writes, self.buffer.emptied) = (0, 0, false);
        let resumed = std::mem::take(&mut self.buffer.resumed);
        self.stopped = flow == Flow::Pause;
        assert!(flow != Flow::Broken || self.buffer.gone, "this proxy refuses nothing that is there");
        self.broken |= flow == Flow::Broken;
        self.blocked |= flow == Flow::Block;
        if flow != Flow::Pause || resumed {
            self.out.append(&mut self.buffer.bytes);
        }
    }
}
