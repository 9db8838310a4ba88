//! Where Envoy writes what a hostcall answers.

use std::cell::RefCell;
use std::ptr::null_mut;

thread_local! {
    /// One place is enough: each hostcall here has one answer, and it is read before the next call. It keeps the size of
    /// the largest answer there was, up to a bound.
    static INBOX: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The largest inbox that is kept, in bytes: larger than the headers of any request that Envoy takes.
const KEPT: usize = 256 << 10;

/// Says which ABI this is; never called.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Called by Envoy within a hostcall that has an answer. Null, which fails that hostcall, if there is no room.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    INBOX.with(|inbox| {
        let Ok(mut inbox) = inbox.try_borrow_mut() else { return null_mut() };
        if inbox.len() < size && !grow(&mut inbox, size) {
            return null_mut();
        }
        inbox.as_mut_ptr()
    })
}

#[cold]
fn grow(inbox: &mut Vec<u8>, size: usize) -> bool {
    if inbox.capacity() < size {
        // What was in it need not be copied.
        *inbox = Vec::new();
        if inbox.try_reserve_exact(size).is_err() {
            return false;
        }
    }
    inbox.resize(size, 0);
    true
}

/// Hands `read` what a hostcall answered; `None` if the host has anything against answering. Where `read` itself makes a
/// hostcall that has an answer, that one fails: there is one place for answers.
#[inline]
pub(crate) fn answer<R>(
    hostcall: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
    read: impl FnOnce(&[u8]) -> R,
) -> Option<R> {
    let (mut at, mut size) = (null_mut(), 0);
    if hostcall(&raw mut at, &raw mut size) != 0 {
        return None;
    }
    if size == 0 {
        return Some(read(&[])); // Envoy asks for no memory then, and answers a null pointer.
    }
    INBOX.with(|inbox| {
        let answer = {
            let inbox = inbox.try_borrow().ok()?;
            // Elsewhere is nothing that this module gave.
            if !std::ptr::eq(inbox.as_ptr(), at) {
                return None;
            }
            inbox.get(..size).map(read)
        };
        if size > KEPT {
            give_back(Vec::new());
        }
        answer
    })
}

/// What a hostcall answered, without a copy of it. To be [given back](give_back) where that is easy: otherwise the next
/// answer needs a new allocation.
pub(crate) fn owned(hostcall: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    let (mut at, mut size) = (null_mut(), 0);
    if hostcall(&raw mut at, &raw mut size) != 0 {
        return None;
    }
    if size == 0 {
        return Some(Vec::new());
    }
    INBOX.with(|inbox| {
        let mut inbox = inbox.try_borrow_mut().ok()?;
        if !std::ptr::eq(inbox.as_ptr(), at) || inbox.len() < size {
            return None;
        }
        let mut answer = std::mem::take(&mut *inbox);
        answer.truncate(size);
        Some(answer)
    })
}

/// Has the next answer written there, unless it is too large to be kept.
pub(crate) fn give_back(room: Vec<u8>) {
    INBOX.with(|inbox| {
        if room.capacity() <= KEPT
            && let Ok(mut inbox) = inbox.try_borrow_mut()
        {
            *inbox = room;
        }
    });
}
