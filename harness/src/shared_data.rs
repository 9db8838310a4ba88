//! Key-value pairs that VMs of one `vm_id` share, with compare-and-swap (proxy-wasm-cpp-host, `SharedData`).

use std::collections::HashMap;

use crate::abi::Status;

/// A value and the number of the write that made it.
type Stored = (Vec<u8>, u32);

/// The pairs of every `vm_id`.
#[derive(Debug, Default)]
pub(crate) struct SharedData {
    values: HashMap<String, HashMap<Vec<u8>, Stored>>,
    last_cas: u32,
    bytes: usize,
}

/// A guest may store without end; this much is kept, in bytes of keys and values.
const MAX_BYTES: usize = 256 << 20;
/// What a pair costs beside its bytes.
const ENTRY: usize = 128;

impl SharedData {
    pub(crate) fn get(&self, vm_id: &str, key: &[u8]) -> Option<(&[u8], u32)> {
        self.values.get(vm_id)?.get(key).map(|(value, cas)| (&value[..], *cas))
    }

    /// # Errors
    ///
    /// `CAS_MISMATCH` if `cas` is neither 0 nor the one of the last write; a key that is not there has none to
    /// mismatch.
    pub(crate) fn set(&mut self, vm_id: &str, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        if !self.values.contains_key(vm_id) {
            self.values.insert(vm_id.to_owned(), HashMap::new());
        }
        let values = self.values.entry(vm_id.to_owned()).or_default();
        let present = values.get_mut(key);
        if let Some((_, current)) = &present
            && cas != 0
            && cas != *current
        {
            return Err(Status::CasMismatch);
        }
        let freed = present.as_ref().map_or(0, |(old, _)| old.len() + key.len() + ENTRY);
        let bytes = self.bytes - freed + key.len() + value.len() + ENTRY;
        if bytes > MAX_BYTES {
            return Err(Status::InternalFailure);
        }
        self.bytes = bytes;
        // 0 means "whatever it is", so it is never one.
        self.last_cas = self.last_cas.checked_add(1).unwrap_or(1);
        match present {
            Some(entry) => *entry = (value.to_vec(), self.last_cas),
            None => {
                values.insert(key.to_vec(), (value.to_vec(), self.last_cas));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_after_anothers_write_is_refused() {
        let mut shared = SharedData::default();
        shared.set("vm", b"k", b"1", 0).unwrap();
        let (_, cas) = shared.get("vm", b"k").unwrap();
        shared.set("vm", b"k", b"2", cas).unwrap();
        assert_eq!(shared.set("vm", b"k", b"3", cas), Err(Status::CasMismatch));
        assert_eq!(shared.get("vm", b"k").unwrap().0, b"2");
    }

    #[test]
    fn a_cas_for_a_key_that_is_not_there_is_no_mismatch() {
        assert_eq!(SharedData::default().set("vm", b"k", b"1", 99), Ok(()));
    }

    #[test]
    fn another_vm_id_sees_nothing() {
        let mut shared = SharedData::default();
        shared.set("a", b"k", b"1", 0).unwrap();
        assert!(shared.get("b", b"k").is_none());
    }
}
