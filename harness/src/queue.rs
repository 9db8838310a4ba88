//! Queues between VMs (proxy-wasm-cpp-host, `SharedQueue`).

use std::collections::{HashMap, VecDeque};

use crate::abi::Status;

/// Every queue of a host.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    by_name: HashMap<(String, Vec<u8>), u32>,
    queues: HashMap<u32, Queue>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Vec<u8>>,
    owner: (String, u32),
}

/// A guest may enqueue without end; this much is kept, in bytes.
const MAX_BYTES: usize = 256 << 20;

impl Queues {
    /// Makes the queue or takes it over: whoever registered last is told of new items.
    ///
    /// # Errors
    ///
    /// `INTERNAL_FAILURE` if there are too many.
    pub(crate) fn register(
        &mut self,
        vm_id: &str,
        name: &[u8],
        vm_key: &str,
        root: u32,
    ) -> Result<u32, Status> {
        if self.resolve(vm_id, name).is_err() {
            let bytes = name.len() + std::mem::size_of::<Queue>();
            if self.bytes.saturating_add(bytes) > MAX_BYTES {
                return Err(Status::InternalFailure);
            }
            self.bytes += bytes;
        }
        let next = u32::try_from(self.by_name.len()).unwrap_or(u32::MAX).saturating_add(1);
        let id = *self.by_name.entry((vm_id.to_owned(), name.to_vec())).or_insert(next);
        self.queues.entry(id).or_default().owner = (vm_key.to_owned(), root);
        Ok(id)
    }

    pub(crate) fn resolve(&self, vm_id: &str, name: &[u8]) -> Result<u32, Status> {
        self.by_name.get(&(vm_id.to_owned(), name.to_vec())).copied().ok_or(Status::NotFound)
    }

    /// Adds an item; says which root context of which VM is to be told.
    pub(crate) fn enqueue(&mut self, id: u32, item: &[u8]) -> Result<(String, u32), Status> {
        let queue = self.queues.get_mut(&id).ok_or(Status::NotFound)?;
        if self.bytes + item.len() > MAX_BYTES {
            return Err(Status::InternalFailure);
        }
        // An item costs something even if it is empty.
        self.bytes += item.len() + std::mem::size_of::<Vec<u8>>();
        queue.items.push_back(item.to_vec());
        Ok(queue.owner.clone())
    }

    pub(crate) fn dequeue(&mut self, id: u32) -> Result<Vec<u8>, Status> {
        let queue = self.queues.get_mut(&id).ok_or(Status::NotFound)?;
        let item = queue.items.pop_front().ok_or(Status::Empty)?;
        self.bytes -= item.len() + std::mem::size_of::<Vec<u8>>();
        Ok(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_in_the_order_they_went_in() {
        let mut queues = Queues::default();
        let id = queues.register("vm", b"q", "key", 1).unwrap();
        assert_eq!(queues.register("vm", b"q", "key2", 2), Ok(id));
        queues.enqueue(id, b"a").unwrap();
        assert_eq!(queues.enqueue(id, b"b"), Ok(("key2".to_owned(), 2)));
        assert_eq!(queues.dequeue(id), Ok(b"a".to_vec()));
        assert_eq!(queues.dequeue(id), Ok(b"b".to_vec()));
        assert_eq!(queues.dequeue(id), Err(Status::Empty));
        assert_eq!(queues.dequeue(id + 1), Err(Status::NotFound));
    }

    #[test]
    fn a_queue_is_found_by_vm_id_and_name() {
        let mut queues = Queues::default();
        let id = queues.register("vm", b"q", "key", 1).unwrap();
        assert_eq!(queues.resolve("vm", b"q"), Ok(id));
        assert_eq!(queues.resolve("other", b"q"), Err(Status::NotFound));
    }
}
