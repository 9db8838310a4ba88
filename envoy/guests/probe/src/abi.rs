//! The host's functions: one table of names, signatures and imports.
//!
//! A signature has a letter for each argument, and after it one for each result that the host writes to memory:
//!
//! | letter | argument | words |
//! |---|---|---|
//! | `n` | a number | 1, i32 |
//! | `l` | a long number | 1, i64 |
//! | `b` | bytes | address and size |
//! | `p` | a list of pairs, serialised | address and size |
//! | `v` | bytes, by one `iovec` of WASI | address of the iovec, and 1 |
//! | `w` | room for so many bytes | address and size |
//!
//! | letter | result | words |
//! |---|---|---|
//! | `u` | a u32 | its address |
//! | `l` | a u64 | its address |
//! | `b` | bytes that the host allocates | addresses of their address and of their size |
//! | `m` | the same, a serialised map | the same |
//! | `s` | a structure of at most 64 bytes, not looked at | its address |

#![expect(
    unsafe_code,
    reason = "imports and exports are foreign functions, and pointers are what this module is about"
)]

/// A function of the host.
pub(crate) struct Hostcall {
    pub(crate) name: &'static str,
    pub(crate) takes: &'static str,
    pub(crate) gives: &'static str,
    pub(crate) call: fn(&[i64]) -> i32,
}

macro_rules! imports {
    ($($module:literal { $($name:ident($($word:ty),*) $takes:literal => $gives:literal;)* })*) => {
        mod imported {
            $(#[link(wasm_import_module = $module)]
            unsafe extern "C" {
                $(pub(super) fn $name($(_: $word),*) -> i32;)*
            })*
        }

        pub(crate) const HOSTCALLS: &[Hostcall] = &[$($(Hostcall {
            name: stringify!($name),
            takes: $takes,
            gives: $gives,
            call: |words| {
                let mut words = words.iter();
                let _ = &mut words; // for those without arguments
                // SAFETY: the host checks every pointer, and a scenario may pass bad ones on purpose.
                unsafe { imported::$name($(words.next().map_or(0, |word| *word as $word)),*) }
            },
        },)*)*];
    };
}

imports! {
    "env" {
        proxy_log(i32, i32, i32) "nb" => "";
        proxy_get_log_level(i32) "" => "u";
        proxy_get_current_time_nanoseconds(i32) "" => "l";
        proxy_set_tick_period_milliseconds(i32) "n" => "";
        proxy_continue_stream(i32) "n" => "";
        proxy_close_stream(i32) "n" => "";
        proxy_get_status(i32, i32, i32) "" => "ub";
        proxy_set_effective_context(i32) "n" => "";
        proxy_done() "" => "";
        proxy_send_local_response(i32, i32, i32, i32, i32, i32, i32, i32) "nbbpn" => "";
        proxy_set_buffer_bytes(i32, i32, i32, i32, i32) "nnnb" => "";
        proxy_get_buffer_bytes(i32, i32, i32, i32, i32) "nnn" => "b";
        proxy_get_buffer_status(i32, i32, i32) "n" => "uu";
        proxy_get_header_map_size(i32, i32) "n" => "u";
        proxy_get_header_map_pairs(i32, i32, i32) "n" => "m";
        proxy_set_header_map_pairs(i32, i32, i32) "np" => "";
        proxy_get_header_map_value(i32, i32, i32, i32, i32) "nb" => "b";
        proxy_add_header_map_value(i32, i32, i32, i32, i32) "nbb" => "";
        proxy_replace_header_map_value(i32, i32, i32, i32, i32) "nbb" => "";
        proxy_remove_header_map_value(i32, i32, i32) "nb" => "";
        proxy_http_call(i32, i32, i32, i32, i32, i32, i32, i32, i32, i32) "bpbpn" => "u";
        proxy_grpc_call(i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32) "bbbpbn" => "u";
        proxy_grpc_stream(i32, i32, i32, i32, i32, i32, i32, i32, i32) "bbbp" => "u";
        proxy_grpc_send(i32, i32, i32, i32) "nbn" => "";
        proxy_grpc_cancel(i32) "n" => "";
        proxy_grpc_close(i32) "n" => "";
        proxy_set_shared_data(i32, i32, i32, i32, i32) "bbn" => "";
        proxy_get_shared_data(i32, i32, i32, i32, i32) "b" => "bu";
        proxy_register_shared_queue(i32, i32, i32) "b" => "u";
        proxy_resolve_shared_queue(i32, i32, i32, i32, i32) "bb" => "u";
        proxy_enqueue_shared_queue(i32, i32, i32) "nb" => "";
        proxy_dequeue_shared_queue(i32, i32, i32) "n" => "b";
        proxy_define_metric(i32, i32, i32, i32) "nb" => "u";
        proxy_increment_metric(i32, i64) "nl" => "";
        proxy_record_metric(i32, i64) "nl" => "";
        proxy_get_metric(i32, i32) "n" => "l";
        proxy_get_property(i32, i32, i32, i32) "b" => "b";
        proxy_set_property(i32, i32, i32, i32) "bb" => "";
        proxy_call_foreign_function(i32, i32, i32, i32, i32, i32) "bb" => "b";
    }
    "wasi_snapshot_preview1" {
        fd_write(i32, i32, i32, i32) "nv" => "u";
        fd_read(i32, i32, i32, i32) "nv" => "u";
        fd_close(i32) "n" => "";
        fd_seek(i32, i64, i32, i32) "nln" => "l";
        fd_fdstat_get(i32, i32) "n" => "s";
        fd_prestat_get(i32, i32) "n" => "s";
        // Not `clock_res_get`: Envoy 1.36 does not have it, and loads no module that imports it.
        clock_time_get(i32, i64, i32) "nl" => "l";
        random_get(i32, i32) "w" => "";
        environ_sizes_get(i32, i32) "" => "uu";
        environ_get(i32, i32) "" => "ss";
        args_sizes_get(i32, i32) "" => "uu";
        args_get(i32, i32) "" => "ss";
        sched_yield() "" => "";
        poll_oneoff(i32, i32, i32, i32) "nnn" => "u";
        path_open(i32, i32, i32, i32, i32, i64, i64, i32, i32) "nnbnlln" => "u";
    }
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    // The one that returns nothing. Envoy's comes back.
    #[link_name = "proc_exit"]
    fn import_proc_exit(code: i32);
}

/// Asks the host to end the program.
pub(crate) fn proc_exit(code: i32) {
    // SAFETY: takes no pointer.
    unsafe { import_proc_exit(code) }
}

/// Logs a line.
pub(crate) fn log(line: &str) {
    // SAFETY: the line outlives the call.
    unsafe { imported::proxy_log(2, line.as_ptr() as i32, line.len() as i32) };
}

/// The bytes that the host allocated, which are the guest's from now on. They are never freed: a scenario is short.
pub(crate) fn received(address: u32, size: u32) -> &'static [u8] {
    if address == 0 || size == 0 {
        return &[];
    }
    // SAFETY: the host got this room from `malloc` below.
    unsafe { std::slice::from_raw_parts(address as *const u8, size as usize) }
}

/// A configuration, without a line in the log.
pub(crate) fn configuration(buffer: i32) -> Option<&'static [u8]> {
    let (mut address, mut size) = (0u32, 0u32);
    // SAFETY: both out-pointers are locals.
    let status = unsafe {
        imported::proxy_get_buffer_bytes(buffer, 0, i32::MAX, &raw mut address as i32, &raw mut size as i32)
    };
    (status == 0 && size > 0).then(|| received(address, size))
}

/// The request's path, without a line in the log.
pub(crate) fn path() -> Option<&'static [u8]> {
    let (mut address, mut size, key) = (0u32, 0u32, ":path");
    // SAFETY: both out-pointers are locals.
    let status = unsafe {
        imported::proxy_get_header_map_value(
            0,
            key.as_ptr() as i32,
            key.len() as i32,
            &raw mut address as i32,
            &raw mut size as i32,
        )
    };
    (status == 0).then(|| received(address, size))
}

/// Where the host puts what it returns.
#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut u8 {
    Vec::leak(Vec::with_capacity(size.max(1))).as_mut_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    crate::operation::initialize();
}
