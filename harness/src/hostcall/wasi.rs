//! WASI as Envoy provides it: standard output is the log, time and chance are the host's, there are no files.

use wasmtime::{Caller, Linker};

use super::general::say;
use super::{Errno, Restriction};
use crate::abi::{Level, Status};
use crate::guest::{Call, Guest, Halt};
use crate::random::Random;

type Outcome = Result<Errno, Halt>;

const SUCCESS: Errno = Errno(0);
const BAD_FD: Errno = Errno(8);
const INVALID: Errno = Errno(28);
const NO_ENTRY: Errno = Errno(44);
const NOT_IMPLEMENTED: Errno = Errno(52);
const NOT_A_DIRECTORY: Errno = Errno(54);
const NOT_SUPPORTED: Errno = Errno(58);

/// A line longer than this is cut; it would be a guest's mistake.
const MAX_LINE: usize = 1 << 20;
/// More pieces than this are no line any more.
const MAX_PIECES: u32 = 4096;

pub(super) fn fd_write(call: &mut Call<'_>, fd: u32, iovs: u32, count: u32, written_to: u32) -> Outcome {
    call.note(|| format!("{fd}, {count} pieces"));
    let level = match fd {
        1 => Level::Info,
        2 => Level::Error,
        _ => return Ok(BAD_FD),
    };
    if count > MAX_PIECES {
        return Ok(INVALID);
    }
    let mut line = Vec::new();
    let mut written: u32 = 0;
    for index in 0..count {
        let at = iovs.checked_add(index * 8).ok_or(Halt::Status(Status::InvalidMemoryAccess))?;
        let piece = call.copy(at, 8)?;
        let (pointer, length) = piece.split_at(4);
        let (pointer, length) = (number(pointer), number(length));
        // Each piece may be all of the memory: only what is kept is copied.
        call.check(pointer, length)?;
        let room = u32::try_from(MAX_LINE.saturating_sub(line.len())).unwrap_or(u32::MAX);
        line.extend(call.copy(pointer, length.min(room))?);
        written = written.saturating_add(length);
    }
    if written > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        call.gave(|| crate::guest::quoted(text));
        say(call.guest(), level, text);
    }
    call.write_u32(written_to, written)?;
    Ok(SUCCESS)
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

pub(super) fn fd_fdstat_get(call: &mut Call<'_>, fd: u32, stat_to: u32) -> Outcome {
    call.note(|| fd.to_string());
    if fd != 1 && fd != 2 {
        return Ok(BAD_FD);
    }
    // Type unknown, no flags, the right to write.
    let mut stat = [0; 24];
    if let Some(rights) = stat.get_mut(8) {
        *rights = 64;
    }
    call.write(stat_to, &stat)?;
    Ok(SUCCESS)
}

pub(super) fn clock_time_get(call: &mut Call<'_>, clock: u32, _precision: u64, time_to: u32) -> Outcome {
    let world = call.guest().world();
    let now = match clock {
        0 => world.clock.wall(),
        1 => world.clock.monotonic(),
        _ => return Ok(NOT_SUPPORTED),
    };
    call.note(|| clock.to_string());
    call.gave(|| now.to_string());
    call.write_u64(time_to, now)?;
    Ok(SUCCESS)
}

pub(super) fn clock_res_get(call: &mut Call<'_>, clock: u32, resolution_to: u32) -> Outcome {
    if clock > 1 {
        return Ok(NOT_SUPPORTED);
    }
    call.write_u64(resolution_to, 1)?;
    Ok(SUCCESS)
}

/// proxy-wasm-cpp-host gives at most 64 KiB at a time (`PROXY_WASM_HOST_WASI_RANDOM_GET_MAX_SIZE_BYTES`).
const MAX_RANDOM: u32 = 64 * 1024;

pub(super) fn random_get(call: &mut Call<'_>, data: u32, size: u32) -> Outcome {
    call.note(|| format!("{size} bytes"));
    if size > MAX_RANDOM {
        return Ok(INVALID);
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    // What the module draws while it starts must not depend on how many VMs started before it.
    if call.guest().restriction == Restriction::Starting {
        Random::seeded(0).fill(&mut bytes);
    } else {
        call.guest().world().random.fill(&mut bytes);
    }
    call.write(data, &bytes)?;
    Ok(SUCCESS)
}

pub(super) fn environ_sizes_get(call: &mut Call<'_>, count_to: u32, size_to: u32) -> Outcome {
    let config = call.guest().config.clone();
    let size: usize = config.environment.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    call.write_u32(count_to, u32::try_from(config.environment.len()).unwrap_or(u32::MAX))?;
    call.write_u32(size_to, u32::try_from(size).unwrap_or(u32::MAX))?;
    Ok(SUCCESS)
}

pub(super) fn environ_get(call: &mut Call<'_>, pointers_to: u32, text_to: u32) -> Outcome {
    let config = call.guest().config.clone();
    let (mut pointer, mut text) = (pointers_to, text_to);
    for (name, value) in &config.environment {
        let variable = format!("{name}={value}\0");
        call.write_u32(pointer, text)?;
        call.write(text, variable.as_bytes())?;
        let length = u32::try_from(variable.len()).unwrap_or(u32::MAX);
        text = text.checked_add(length).ok_or(Halt::Status(Status::InvalidMemoryAccess))?;
        pointer = pointer.checked_add(4).ok_or(Halt::Status(Status::InvalidMemoryAccess))?;
    }
    Ok(SUCCESS)
}

pub(super) fn args_sizes_get(call: &mut Call<'_>, count_to: u32, size_to: u32) -> Outcome {
    call.write_u32(count_to, 0)?;
    call.write_u32(size_to, 0)?;
    Ok(SUCCESS)
}

/// `proc_exit` is an error in the log and nothing else: the guest goes on (Envoy neither traps nor stops it).
pub(super) fn link_proc_exit(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    for space in ["wasi_unstable", "wasi_snapshot_preview1"] {
        linker.func_wrap(
            space,
            "proc_exit",
            |mut caller: Caller<'_, Guest>, code: u32| -> wasmtime::Result<()> {
                caller.data_mut().cost.hostcalls += 1;
                super::permitted(caller.data().restriction, "proc_exit")?;
                caller.data_mut().spend(super::HOSTCALL)?;
                say(caller.data_mut(), Level::Error, format!("wasi_unstable proc_exit: {code}").as_bytes());
                Ok(())
            },
        )?;
    }
    Ok(())
}

/// What is not there: the name, what it is given, and what it answers.
macro_rules! absent {
    ($($name:ident($($type:ty),*) => $errno:expr;)*) => {
        $(#[allow(clippy::too_many_arguments, reason = "WASI has them")]
        pub(super) fn $name(_: &mut Call<'_> $(, _: $type)*) -> Outcome { Ok($errno) })*
    };
}

absent! {
    args_get(u32, u32) => SUCCESS;
    sched_yield() => SUCCESS;
    fd_read(u32, u32, u32, u32) => NOT_IMPLEMENTED;
    fd_seek(u32, i64, u32, u32) => SUCCESS;
    fd_close(u32) => SUCCESS;
    fd_fdstat_set_flags(u32, u32) => NOT_IMPLEMENTED;
    fd_prestat_get(u32, u32) => BAD_FD;
    fd_prestat_dir_name(u32, u32, u32) => NOT_IMPLEMENTED;
    fd_filestat_get(u32, u32) => BAD_FD;
    fd_pread(u32, u32, u32, u64, u32) => NOT_IMPLEMENTED;
    fd_pwrite(u32, u32, u32, u64, u32) => NOT_IMPLEMENTED;
    fd_readdir(u32, u32, u32, u64, u32) => NOT_A_DIRECTORY;
    fd_tell(u32, u32) => NOT_SUPPORTED;
    fd_renumber(u32, u32) => NOT_SUPPORTED;
    path_open(u32, u32, u32, u32, u32, u64, u64, u32, u32) => NO_ENTRY;
    path_create_directory(u32, u32, u32) => NOT_SUPPORTED;
    path_filestat_get(u32, u32, u32, u32, u32) => NOT_SUPPORTED;
    path_filestat_set_times(u32, u32, u32, u32, u64, u64, u32) => NOT_SUPPORTED;
    path_link(u32, u32, u32, u32, u32, u32, u32) => NOT_SUPPORTED;
    path_readlink(u32, u32, u32, u32, u32, u32) => NOT_SUPPORTED;
    path_remove_directory(u32, u32, u32) => NOT_SUPPORTED;
    path_rename(u32, u32, u32, u32, u32, u32) => NOT_SUPPORTED;
    path_symlink(u32, u32, u32, u32, u32) => NOT_SUPPORTED;
    path_unlink_file(u32, u32, u32) => NOT_SUPPORTED;
    sock_accept(u32, u32, u32) => NOT_SUPPORTED;
    sock_recv(u32, u32, u32, u32, u32, u32) => NOT_SUPPORTED;
    sock_send(u32, u32, u32, u32, u32) => NOT_SUPPORTED;
    sock_shutdown(u32, u32) => NOT_SUPPORTED;
    proc_raise(u32) => NOT_SUPPORTED;
}

/// Standard output and error take what others refuse.
macro_rules! of_output {
    ($($name:ident($($type:ty),*);)*) => {
        $(pub(super) fn $name(_: &mut Call<'_>, fd: u32 $(, _: $type)*) -> Outcome {
            Ok(if fd == 1 || fd == 2 { SUCCESS } else { BAD_FD })
        })*
    };
}

of_output! {
    fd_advise(u64, u64, u32);
    fd_allocate(u64, u64);
    fd_datasync();
    fd_sync();
    fd_fdstat_set_rights(u64, u64);
    fd_filestat_set_size(u64);
    fd_filestat_set_times(u64, u64, u32);
}

/// Nothing is waited for: no event has come, and that is fine.
pub(super) fn poll_oneoff(call: &mut Call<'_>, _: u32, _: u32, _: u32, events_to: u32) -> Outcome {
    call.write_u32(events_to, 0)?;
    Ok(SUCCESS)
}
