//! Where Envoy writes what a hostcall answers.

use std::cell::{Ref, RefCell};
use std::ptr::null_mut;

thread_local! {
    static INBOXES: Inboxes = const { Inboxes([const { RefCell::new(Vec::new()) }; 4]) };
}

/// Nearly always the first is used: each hostcall here has one answer, and it is read before the next call. The others are for
/// hostcalls that are made while an answer is read. Each keeps the size of its largest answer, up to a bound.
struct Inboxes([RefCell<Vec<u8>>; 4]);

impl Inboxes {
    fn first(&self) -> &RefCell<Vec<u8>> {
        let [first, ..] = &self.0;
        first
    }

    #[cold]
    fn other_room(&self, size: usize) -> *mut u8 {
        let mut free = self.0.iter().filter_map(|inbox| inbox.try_borrow_mut().ok());
        match free.next() {
            // They stay as large as they were once.
            Some(mut inbox) if size <= KEPT => room(&mut inbox, size),
            _ => null_mut(),
        }
    }

    /// The one whose bytes are there. Elsewhere is nothing that this module gave.
    #[inline(always)]
    fn at(&self, at: *const u8) -> Option<Ref<'_, Vec<u8>>> {
        match self.first().try_borrow() {
            Ok(inbox) if std::ptr::eq(inbox.as_ptr(), at) => Some(inbox),
            _ => self.other_at(at),
        }
    }

    #[cold]
    fn other_at(&self, at: *const u8) -> Option<Ref<'_, Vec<u8>>> {
        let mut others = self.0.iter().filter_map(|inbox| inbox.try_borrow().ok());
        others.find(|inbox| std::ptr::eq(inbox.as_ptr(), at))
    }
}

/// The largest inbox that is kept, in bytes: larger than the headers of any request that Envoy takes.
const KEPT: usize = 256 << 10;

/// Says which ABI this is; never called.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Called by Envoy within a hostcall that has an answer. Null, which fails that hostcall, if there is no room.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    INBOXES.with(|inboxes| match inboxes.first().try_borrow_mut() {
        Ok(mut inbox) => room(&mut inbox, size),
        Err(_) => inboxes.other_room(size),
    })
}

fn room(inbox: &mut Vec<u8>, size: usize) -> *mut u8 {
    if inbox.len() < size && !grow(inbox, size) {
        return null_mut();
    }
    inbox.as_mut_ptr()
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

/// Hands `read` what a hostcall answered; `None` if the host has anything against answering.
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
    INBOXES.with(|inboxes| {
        let answer = inboxes.at(at)?.get(..size).map(read);
        if size > KEPT {
            give_back(Vec::new());
        }
        answer
    })
}

/// A copy of what a hostcall answered; empty if the host has anything against answering.
pub(crate) fn copy(hostcall: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Vec<u8> {
    let (mut at, mut size) = (null_mut(), 0);
    let status = hostcall(&raw mut at, &raw mut size);
    copy_of(status, at, size)
}

/// By itself, that there is one of it for all hostcalls.
#[inline(never)]
fn copy_of(status: u32, at: *const u8, size: usize) -> Vec<u8> {
    if status != 0 || size == 0 {
        return Vec::new();
    }
    let copy = INBOXES.with(|inboxes| inboxes.at(at)?.get(..size).map(<[u8]>::to_vec));
    if size > KEPT {
        give_back(Vec::new());
    }
    copy.unwrap_or_default()
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
    INBOXES.with(|inboxes| {
        // Another one is not given away, but copied.
        let is_first = |inbox: &Vec<u8>| std::ptr::eq(inbox.as_ptr(), at) && inbox.len() >= size;
        let Some(mut inbox) = inboxes.first().try_borrow_mut().ok().filter(|inbox| is_first(inbox)) else {
            return inboxes.other_at(at)?.get(..size).map(<[u8]>::to_vec);
        };
        let mut answer = std::mem::take(&mut *inbox);
        answer.truncate(size);
        Some(answer)
    })
}

/// Has the next answer written there, unless it is too large to be kept.
#[inline(never)]
pub(crate) fn give_back(room: Vec<u8>) {
    INBOXES.with(|inboxes| {
        if room.capacity() <= KEPT
            && let Ok(mut inbox) = inboxes.first().try_borrow_mut()
        {
            *inbox = room;
        }
    });
}
