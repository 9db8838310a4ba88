//! One hostcall while it is being answered.

use wasmtime::{AsContextMut, Caller};

use super::memory::{slice, slice_mut};
use super::{Guest, Restriction};
use crate::abi::{Callback, Status};
use crate::transcript::Event;

/// How a hostcall ends early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// With this status.
    Status(Status),
    /// With the guest.
    Trap(wasmtime::Error),
}

impl From<Status> for Halt {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// What a byte that is read or written counts for, in instructions' worth.
const BYTE: u64 = 4;

/// What a handler gives back.
pub(crate) type Outcome = Result<Status, Halt>;

/// The guest that calls, and notes for the transcript.
pub(crate) struct Call<'a> {
    caller: Caller<'a, Guest>,
    /// The arguments as a transcript shows them; empty if none is kept.
    pub(crate) arguments: String,
    /// What the guest was given.
    pub(crate) result: String,
    pub(crate) noted: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn new(caller: Caller<'a, Guest>, noted: bool) -> Self {
        Self { caller, arguments: String::new(), result: String::new(), noted }
    }

    /// Notes the arguments in readable form, if anybody will read them.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.noted {
            self.arguments = text();
        }
    }

    /// Notes what the guest was given.
    pub(crate) fn gave(&mut self, text: impl FnOnce() -> String) {
        if self.noted {
            self.result = text();
        }
    }

    pub(crate) fn guest(&mut self) -> &mut Guest {
        self.caller.data_mut()
    }

    /// The guest's memory and the guest's state, both at once.
    pub(crate) fn split(&mut self) -> (&mut [u8], &mut Guest) {
        match self.caller.data().memory {
            Some(memory) => memory.data_and_store_mut(&mut self.caller),
            None => (&mut [], self.caller.data_mut()),
        }
    }

    /// Counts what the host does for the guest beside answering.
    pub(crate) fn spend(&mut self, work: u64) -> Result<(), Halt> {
        self.guest().spend(work).map_err(Halt::Trap)
    }

    /// Whether the guest names what is inside its memory.
    pub(crate) fn check(&mut self, pointer: u32, length: u32) -> Result<(), Halt> {
        slice(self.split().0, pointer, length)?;
        Ok(())
    }

    /// The bytes that the guest names, copied.
    pub(crate) fn copy(&mut self, pointer: u32, length: u32) -> Result<Vec<u8>, Halt> {
        self.check(pointer, length)?;
        self.spend(BYTE * u64::from(length))?;
        Ok(slice(self.split().0, pointer, length)?.to_vec())
    }

    /// Two texts at once, as most hostcalls have them, without a copy.
    pub(crate) fn with<T>(
        &mut self,
        pieces: &[(u32, u32)],
        act: impl FnOnce(&[&[u8]], &mut Guest) -> T,
    ) -> Result<T, Halt> {
        let noted = self.noted;
        for (pointer, length) in pieces {
            self.check(*pointer, *length)?;
            self.spend(BYTE * u64::from(*length))?;
        }
        let (memory, guest) = self.split();
        let memory = &*memory;
        // Four are enough for all but gRPC calls, and they need no heap.
        let mut few: [&[u8]; 4] = [&[]; 4];
        let mut many: Vec<&[u8]>;
        let slices: &mut [&[u8]] = if let Some(few) = few.get_mut(..pieces.len()) {
            few
        } else {
            many = vec![&[]; pieces.len()];
            &mut many
        };
        for (place, (pointer, length)) in slices.iter_mut().zip(pieces) {
            *place = slice(memory, *pointer, *length)?;
        }
        let note = noted.then(|| slices.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "));
        let result = act(slices, guest);
        if let Some(note) = note {
            self.arguments =
                if self.arguments.is_empty() { note } else { format!("{}, {note}", self.arguments) };
        }
        Ok(result)
    }

    pub(crate) fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Halt> {
        slice_mut(self.split().0, pointer, bytes.len())?.copy_from_slice(bytes);
        self.spend(BYTE * u64::try_from(bytes.len()).unwrap_or(u64::MAX / BYTE))?;
        Ok(())
    }

    pub(crate) fn write_u32(&mut self, pointer: u32, number: u32) -> Result<(), Halt> {
        self.write(pointer, &number.to_le_bytes())
    }

    pub(crate) fn write_u64(&mut self, pointer: u32, number: u64) -> Result<(), Halt> {
        self.write(pointer, &number.to_le_bytes())
    }

    /// Asks the guest for memory (`WasmBase::allocMemory`). The guest owns it from then on.
    ///
    /// # Errors
    ///
    /// `INVALID_MEMORY_ACCESS` if it answers 0 or what is not inside its memory; a trap if it traps.
    pub(crate) fn allocate(&mut self, length: usize) -> Result<u32, Halt> {
        let length = u32::try_from(length).map_err(|_| Status::InvalidMemoryAccess)?;
        let guest = self.guest();
        guest.cost.allocations += 1;
        guest.cost.allocated_bytes += u64::from(length);
        let refused = guest.world().faults.malloc_fails();
        let before = std::mem::replace(&mut guest.restriction, Restriction::Allocating);
        let malloc = guest.malloc.clone();
        let pointer = match malloc {
            Some(malloc) if !refused => {
                malloc.call(self.caller.as_context_mut(), length).map_err(Halt::Trap)?
            }
            _ => 0,
        };
        self.guest().restriction = before;
        if pointer == 0 {
            return Err(Status::InvalidMemoryAccess.into());
        }
        slice(self.split().0, pointer, length)?;
        Ok(pointer)
    }

    /// Calls the guest from within its own call, as Envoy does where it means not to.
    ///
    /// # Errors
    ///
    /// The trap that the guest ends with.
    pub(crate) fn reenter(&mut self, callback: Callback, arguments: &[u32; 3]) -> Result<(), Halt> {
        let export = self.caller.get_export(callback.export()).and_then(wasmtime::Extern::into_func);
        let Some(function) = export else { return Ok(()) };
        let Ok(function) = function.typed::<(u32, u32, u32), ()>(&self.caller) else { return Ok(()) };
        let (role, noted) = (self.guest().config.role, self.noted);
        let world = self.guest().world();
        world.coverage.callback(callback);
        if noted {
            let [a, b, c] = *arguments;
            world.transcript.push(Event::Enter { role, callback, arguments: [a, b, c, 0, 0], count: 3 });
        }
        let [a, b, c] = *arguments;
        function.call(self.caller.as_context_mut(), (a, b, c)).map_err(Halt::Trap)?;
        if noted {
            self.guest().world().transcript.push(Event::Return { value: None });
        }
        Ok(())
    }

    /// Gives the guest bytes: memory of its own that holds them, its address and length where it asked for them
    /// (`WasmBase::copyToPointerSize`). No bytes are a null pointer and need no memory.
    pub(crate) fn give(&mut self, bytes: &[u8], pointer_to: u32, length_to: u32) -> Outcome {
        self.gave(|| quoted(bytes));
        let pointer = if bytes.is_empty() {
            0
        } else {
            let pointer = self.allocate(bytes.len())?;
            self.write(pointer, bytes)?;
            pointer
        };
        self.write_u32(pointer_to, pointer)?;
        self.write_u32(length_to, u32::try_from(bytes.len()).unwrap_or(u32::MAX))?;
        Ok(Status::Ok)
    }
}

/// Bytes as a transcript shows them: in quotes, escaped, and cut where they grow long.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    const SHOWN: usize = 200;
    match bytes.split_at_checked(SHOWN) {
        Some((head, rest)) if !rest.is_empty() => {
            format!("\"{}\"... {} bytes more", head.escape_ascii(), rest.len())
        }
        _ => format!("\"{}\"", bytes.escape_ascii()),
    }
}
