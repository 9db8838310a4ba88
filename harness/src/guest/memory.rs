//! Looking into a guest's memory without trusting a pointer.

use crate::abi::Status;

/// The part of `memory` that a guest named.
///
/// # Errors
///
/// `INVALID_MEMORY_ACCESS` if it is not all inside.
pub(crate) fn slice(memory: &[u8], pointer: u32, length: u32) -> Result<&[u8], Status> {
    let start = usize::try_from(pointer).map_err(|_| Status::InvalidMemoryAccess)?;
    let length = usize::try_from(length).map_err(|_| Status::InvalidMemoryAccess)?;
    let end = start.checked_add(length).ok_or(Status::InvalidMemoryAccess)?;
    memory.get(start..end).ok_or(Status::InvalidMemoryAccess)
}

/// The same, to write.
pub(crate) fn slice_mut(memory: &mut [u8], pointer: u32, length: usize) -> Result<&mut [u8], Status> {
    let start = usize::try_from(pointer).map_err(|_| Status::InvalidMemoryAccess)?;
    let end = start.checked_add(length).ok_or(Status::InvalidMemoryAccess)?;
    memory.get_mut(start..end).ok_or(Status::InvalidMemoryAccess)
}
