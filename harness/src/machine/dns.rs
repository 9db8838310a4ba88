//! Names that are resolved: Envoy's own `envoy_resolve_dns` and `envoy_on_resolve_dns`.

use super::{Machine, size};
use crate::abi::Callback;

/// Seconds that an answer says it is good for.
const TTL: u32 = 60;

impl Machine {
    /// The resolver has answered; the guest reads the answer from the buffer of foreign arguments.
    pub(super) fn resolved(&mut self, vm: usize, root: u32, token: u32, name: &str) {
        if self.is_failed(vm) {
            return;
        }
        let answer = self.world().names.get(name).map(|addresses| written(addresses)).unwrap_or_default();
        let length = size(answer.len());
        let Some(known) = self.guest(vm).roots.get_mut(&root) else { return };
        known.resolved = Some(answer);
        self.world().transcript.stream = None;
        self.enter(vm, root, Callback::ResolveDns, &[token, length]);
        if let Some(known) = self.guest(vm).roots.get_mut(&root) {
            known.resolved = None;
        }
        self.after(vm);
    }
}

/// How many, a lifetime for each, each address with a port and a zero byte (`Context::onResolveDns`).
fn written(addresses: &[String]) -> Vec<u8> {
    let mut bytes = size(addresses.len()).to_le_bytes().to_vec();
    addresses.iter().for_each(|_| bytes.extend(TTL.to_le_bytes()));
    for address in addresses {
        let address = if address.contains(':') { format!("[{address}]:0") } else { format!("{address}:0") };
        bytes.extend(address.as_bytes());
        bytes.push(0);
    }
    bytes
}
