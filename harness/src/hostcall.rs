//! A handler for every function that a guest may import; the table itself is the crate `proxy-wasm-abi`.

use std::borrow::Cow;

use proxy_wasm_abi::Space;
pub(crate) use proxy_wasm_abi::TABLE;
use wasmtime::{Caller, Linker};

use crate::abi::Status;
use crate::guest::{Call, Guest, Halt, Restriction};
use crate::transcript::Event;

mod buffer;
mod foreign;
mod general;
mod grpc;
mod header;
mod http_call;
mod metric;
mod property;
mod shared;
mod stream;
mod wasi;

/// What a handler returns to the guest.
trait Answer {
    fn number(&self) -> u32;
    fn text(&self) -> String;
    fn denied() -> Self;
    fn injected(status: Status) -> Self;
}

impl Answer for Status {
    fn number(&self) -> u32 {
        Self::number(*self)
    }

    fn text(&self) -> String {
        format!("{self:?}")
    }

    fn denied() -> Self {
        Self::InternalFailure
    }

    fn injected(status: Status) -> Self {
        status
    }
}

/// A WASI errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Errno(u32);

impl Answer for Errno {
    fn number(&self) -> u32 {
        self.0
    }

    fn text(&self) -> String {
        self.0.to_string()
    }

    fn denied() -> Self {
        // ENOTCAPABLE
        Self(76)
    }

    fn injected(status: Status) -> Self {
        Self(status.number())
    }
}

macro_rules! link {
    ($($space:ident $name:literal ($($parameter:ident: $type:ty),*) $versions:ident => $handler:path;)*) => {
        /// Makes every function of the table importable.
        pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
            let mut index = 0;
            $({
                let this = index;
                for space in Space::$space.names() {
                    linker.func_wrap(
                        space,
                        $name,
                        move |caller: Caller<'_, Guest> $(, $parameter: $type)*| {
                            answer(caller, this, |call| $handler(call $(, $parameter)*))
                        },
                    )?;
                }
                index += 1;
            })*
            debug_assert_eq!(index, TABLE.len());
            wasi::link_proc_exit(linker)?;
            general::link_memory_growth(linker)
        }
    };
}

proxy_wasm_abi::hostcalls!(link);

/// What may be called while `_initialize`, `_start` or `main` runs (proxy-wasm-cpp-host, `WasmBase::startVm`).
const WHILE_STARTING: &[&str] = &[
    "proxy_log",
    "fd_write",
    "args_sizes_get",
    "args_get",
    "environ_sizes_get",
    "environ_get",
    "fd_prestat_get",
    "fd_prestat_dir_name",
    "clock_time_get",
    "clock_res_get",
    "random_get",
    "poll_oneoff",
    "sched_yield",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_close",
    "fd_seek",
    "emscripten_notify_memory_growth",
    "pthread_equal",
];

/// What may be called while the host asks for memory (`WasmBase::allocMemory`).
const WHILE_ALLOCATING: &[&str] = &[
    "proxy_log",
    "fd_write",
    "clock_time_get",
    "poll_oneoff",
    "sched_yield",
    "emscripten_notify_memory_growth",
    "pthread_equal",
];

/// # Errors
///
/// The trap that ends a guest which calls what it may not call now.
fn permitted(restriction: Restriction, name: &str) -> wasmtime::Result<()> {
    let allowed = match restriction {
        Restriction::None => return Ok(()),
        Restriction::Starting => WHILE_STARTING,
        Restriction::Allocating => WHILE_ALLOCATING,
    };
    if allowed.contains(&name) {
        return Ok(());
    }
    let when = match restriction {
        Restriction::Starting => "while the module starts",
        _ => "while the host asks for memory",
    };
    Err(wasmtime::Error::msg(format!("restricted_callback: {name} may not be called {when}")))
}

/// A guest's text, cut where no name and no line is so long: what is not UTF-8 grows when it is replaced.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    const LONGEST: usize = 1 << 20;
    String::from_utf8_lossy(bytes.get(..LONGEST).unwrap_or(bytes))
}

/// What a hostcall counts for beside the bytes that it moves, in instructions' worth.
const HOSTCALL: u64 = 1_000;

/// Answers a hostcall: checks that it may be made, does it, and notes it.
#[inline]
fn answer<R: Answer + From<Status>>(
    mut caller: Caller<'_, Guest>,
    index: usize,
    handle: impl FnOnce(&mut Call<'_>) -> Result<R, Halt>,
) -> wasmtime::Result<u32> {
    let name = TABLE.get(index).map_or("", |entry| entry.name);
    let guest = caller.data_mut();
    if guest.restriction != Restriction::None {
        permitted(guest.restriction, name)?;
    }
    guest.cost.hostcalls += 1;
    guest.spend(HOSTCALL)?;
    let denied = guest.config.denies(name);
    let world = guest.world();
    let struck = world.faults.strike(name);
    let noted = world.transcript.is_kept();
    let mut call = Call::new(caller, noted);
    let outcome = if denied {
        general::complain(
            &mut call,
            &format!("the plugin may not call {name}: its capabilities are restricted"),
        );
        Ok(R::denied())
    } else if let Some(status) = struck {
        call.note(|| "fault injected".to_owned());
        Ok(R::injected(status))
    } else {
        handle(&mut call)
    };
    let result = match outcome {
        Ok(answer) => Ok(answer),
        Err(Halt::Status(status)) => Ok(R::from(status)),
        Err(Halt::Trap(error)) => Err(error),
    };
    let (arguments, given) = (std::mem::take(&mut call.arguments), std::mem::take(&mut call.result));
    let world = call.guest().world();
    match result {
        Ok(answer) => {
            world.coverage.hostcall(index, answer.number());
            if noted {
                let answer = answer.text();
                world.transcript.push(Event::Hostcall { name, arguments, answer, result: given });
            }
            Ok(answer.number())
        }
        Err(error) => {
            if noted {
                let answer = format!("trap: {error:#}");
                world.transcript.push(Event::Hostcall { name, arguments, answer, result: given });
            }
            Err(error)
        }
    }
}

/// A guest's bad pointer is `EFAULT` in WASI.
impl From<Status> for Errno {
    fn from(status: Status) -> Self {
        match status {
            Status::Ok => Self(0),
            Status::InvalidMemoryAccess => Self(21),
            // EINVAL
            _ => Self(28),
        }
    }
}
