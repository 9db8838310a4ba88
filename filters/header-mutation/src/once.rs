//! The mark of a request that has been through here: Envoy sends a request through the chain again when it follows a
//! redirect itself.
//!
//! A mark that a client could guess would let it pass by every rule. So it is random, made by each VM for itself, and
//! another every half a minute; the one before is still known. An upstream that shows its clients what it was sent can
//! give a mark away for as long.

use std::cell::{Cell, RefCell};

use crate::host::Host;

/// How long a mark is given to requests, in milliseconds. It is known for as long again.
const PERIOD_MS: u64 = 30_000;

/// The marks of a VM.
#[derive(Debug, Default)]
pub struct Once {
    /// The one that is given, and the one before it.
    tokens: RefCell<[Vec<u8>; 2]>,
    /// When it was made.
    made_ms: Cell<u64>,
}

impl Once {
    /// None yet.
    pub const fn new() -> Self {
        Self { tokens: RefCell::new([Vec::new(), Vec::new()]), made_ms: Cell::new(0) }
    }

    /// The mark that a request is given now.
    pub(crate) fn token(&self, host: &dyn Host) -> Vec<u8> {
        self.renew(host);
        let [token, _] = &*self.tokens.borrow();
        token.clone()
    }

    /// Whether `value` is a mark of this VM that is still known.
    pub(crate) fn knows(&self, value: &[u8], host: &dyn Host) -> bool {
        self.renew(host);
        !value.is_empty() && self.tokens.borrow().iter().any(|token| token == value)
    }

    fn renew(&self, host: &dyn Host) {
        let now = host.now_ms();
        let mut tokens = self.tokens.borrow_mut();
        let [token, before] = &mut *tokens;
        // The clock may be set back: then the mark is renewed as well.
        let age = now.checked_sub(self.made_ms.get());
        if !token.is_empty() && age.is_some_and(|age| age < PERIOD_MS) {
            return;
        }
        let is_recent = age.is_some_and(|age| age < 2 * PERIOD_MS);
        let fresh = format!("{:032x}", u128::from_le_bytes(host.random())).into_bytes();
        *before = if is_recent { std::mem::take(token) } else { Vec::new() };
        *token = fresh;
        self.made_ms.set(now);
    }
}
