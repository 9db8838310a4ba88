//! The one table of what a guest may import from Envoy.

/// Gives the table to another macro: a row for each function, in the order in which the specification has them.
///
/// A row is `Space "name" (parameter: type, ...) VERSIONS => handler;`, where the handler is a path that means something
/// only to a host. A host that implements the table is therefore complete, or does not compile.
#[macro_export]
macro_rules! hostcalls {
    ($then:ident) => {
        $then! {
            Env "proxy_log" (level: u32, message: u32, message_size: u32) ALL => general::log;
            Env "proxy_get_log_level" (level_to: u32) NEWEST => general::get_log_level;
            Env "proxy_get_current_time_nanoseconds" (time_to: u32) ALL => general::get_current_time_nanoseconds;
            Env "proxy_set_tick_period_milliseconds" (period: u32) ALL => general::set_tick_period_milliseconds;
            Env "proxy_get_configuration" (data_to: u32, size_to: u32) OLD => general::get_configuration;
            Env "proxy_get_status" (code_to: u32, message_to: u32, size_to: u32) ALL => general::get_status;
            Env "proxy_set_effective_context" (context_id: u32) ALL => general::set_effective_context;
            Env "proxy_done" () ALL => general::done;
            Env "pthread_equal" (left: u32, right: u32) ALL => general::pthread_equal;

            Env "proxy_continue_request" () OLD => stream::continue_request;
            Env "proxy_continue_response" () OLD => stream::continue_response;
            Env "proxy_clear_route_cache" () OLD => stream::clear_route_cache;
            Env "proxy_continue_stream" (stream_type: u32) NEW => stream::continue_stream;
            Env "proxy_close_stream" (stream_type: u32) NEW => stream::close_stream;
            Env "proxy_send_local_response" (
                status: u32, details: u32, details_size: u32, body: u32, body_size: u32,
                headers: u32, headers_size: u32, grpc_status: u32
            ) ALL => stream::send_local_response;

            Env "proxy_get_header_map_size" (map: u32, size_to: u32) ALL => header::size;
            Env "proxy_get_header_map_pairs" (map: u32, pairs_to: u32, size_to: u32) ALL => header::get_pairs;
            Env "proxy_set_header_map_pairs" (map: u32, pairs: u32, pairs_size: u32) ALL => header::set_pairs;
            Env "proxy_get_header_map_value" (
                map: u32, key: u32, key_size: u32, value_to: u32, size_to: u32
            ) ALL => header::get;
            Env "proxy_add_header_map_value" (
                map: u32, key: u32, key_size: u32, value: u32, value_size: u32
            ) ALL => header::add;
            Env "proxy_replace_header_map_value" (
                map: u32, key: u32, key_size: u32, value: u32, value_size: u32
            ) ALL => header::replace;
            Env "proxy_remove_header_map_value" (map: u32, key: u32, key_size: u32) ALL => header::remove;

            Env "proxy_get_buffer_bytes" (
                buffer: u32, start: u32, max_size: u32, data_to: u32, size_to: u32
            ) ALL => buffer::get;
            Env "proxy_get_buffer_status" (buffer: u32, length_to: u32, flags_to: u32) ALL => buffer::status;
            Env "proxy_set_buffer_bytes" (
                buffer: u32, start: u32, size: u32, data: u32, data_size: u32
            ) ALL => buffer::set;

            Env "proxy_http_call" (
                upstream: u32, upstream_size: u32, headers: u32, headers_size: u32, body: u32, body_size: u32,
                trailers: u32, trailers_size: u32, timeout_ms: u32, call_id_to: u32
            ) ALL => http_call::http_call;
            Env "proxy_grpc_call" (
                upstream: u32, upstream_size: u32, service: u32, service_size: u32, method: u32, method_size: u32,
                metadata: u32, metadata_size: u32, message: u32, message_size: u32, timeout_ms: u32, call_id_to: u32
            ) ALL => grpc::call;
            Env "proxy_grpc_stream" (
                upstream: u32, upstream_size: u32, service: u32, service_size: u32, method: u32, method_size: u32,
                metadata: u32, metadata_size: u32, call_id_to: u32
            ) ALL => grpc::stream;
            Env "proxy_grpc_send" (call_id: u32, message: u32, message_size: u32, end_of_stream: u32) ALL => grpc::send;
            Env "proxy_grpc_cancel" (call_id: u32) ALL => grpc::cancel;
            Env "proxy_grpc_close" (call_id: u32) ALL => grpc::close;

            Env "proxy_set_shared_data" (key: u32, key_size: u32, value: u32, value_size: u32, cas: u32) ALL => shared::set;
            Env "proxy_get_shared_data" (
                key: u32, key_size: u32, value_to: u32, size_to: u32, cas_to: u32
            ) ALL => shared::get;
            Env "proxy_register_shared_queue" (name: u32, name_size: u32, id_to: u32) ALL => shared::register_queue;
            Env "proxy_resolve_shared_queue" (
                vm_id: u32, vm_id_size: u32, name: u32, name_size: u32, id_to: u32
            ) ALL => shared::resolve_queue;
            Env "proxy_enqueue_shared_queue" (queue_id: u32, value: u32, value_size: u32) ALL => shared::enqueue;
            Env "proxy_dequeue_shared_queue" (queue_id: u32, value_to: u32, size_to: u32) ALL => shared::dequeue;

            Env "proxy_define_metric" (metric_type: u32, name: u32, name_size: u32, id_to: u32) ALL => metric::define;
            Env "proxy_increment_metric" (metric_id: u32, offset: i64) ALL => metric::increment;
            Env "proxy_record_metric" (metric_id: u32, value: u64) ALL => metric::record;
            Env "proxy_get_metric" (metric_id: u32, value_to: u32) ALL => metric::get;

            Env "proxy_get_property" (path: u32, path_size: u32, value_to: u32, size_to: u32) ALL => property::get;
            Env "proxy_set_property" (path: u32, path_size: u32, value: u32, value_size: u32) ALL => property::set;
            Env "proxy_call_foreign_function" (
                name: u32, name_size: u32, arguments: u32, arguments_size: u32, results_to: u32, size_to: u32
            ) ALL => foreign::call;
            Env "envoy_resolve_dns" (name: u32, name_size: u32, token_to: u32) ALL => foreign::resolve_dns;

            Wasi "fd_write" (fd: u32, iovs: u32, iovs_len: u32, written_to: u32) ALL => wasi::fd_write;
            Wasi "fd_read" (fd: u32, iovs: u32, iovs_len: u32, read_to: u32) ALL => wasi::fd_read;
            Wasi "fd_seek" (fd: u32, offset: i64, whence: u32, position_to: u32) ALL => wasi::fd_seek;
            Wasi "fd_tell" (fd: u32, position_to: u32) ALL => wasi::fd_tell;
            Wasi "fd_close" (fd: u32) ALL => wasi::fd_close;
            Wasi "fd_fdstat_get" (fd: u32, stat_to: u32) ALL => wasi::fd_fdstat_get;
            Wasi "fd_fdstat_set_flags" (fd: u32, flags: u32) ALL => wasi::fd_fdstat_set_flags;
            Wasi "fd_fdstat_set_rights" (fd: u32, base: u64, inheriting: u64) ALL => wasi::fd_fdstat_set_rights;
            Wasi "fd_filestat_get" (fd: u32, stat_to: u32) ALL => wasi::fd_filestat_get;
            Wasi "fd_filestat_set_size" (fd: u32, size: u64) ALL => wasi::fd_filestat_set_size;
            Wasi "fd_filestat_set_times" (fd: u32, atime: u64, mtime: u64, flags: u32) ALL => wasi::fd_filestat_set_times;
            Wasi "fd_prestat_get" (fd: u32, stat_to: u32) ALL => wasi::fd_prestat_get;
            Wasi "fd_prestat_dir_name" (fd: u32, path: u32, path_size: u32) ALL => wasi::fd_prestat_dir_name;
            Wasi "fd_pread" (fd: u32, iovs: u32, iovs_len: u32, offset: u64, read_to: u32) ALL => wasi::fd_pread;
            Wasi "fd_pwrite" (fd: u32, iovs: u32, iovs_len: u32, offset: u64, written_to: u32) ALL => wasi::fd_pwrite;
            Wasi "fd_readdir" (fd: u32, data: u32, data_size: u32, cookie: u64, used_to: u32) ALL => wasi::fd_readdir;
            Wasi "fd_advise" (fd: u32, offset: u64, length: u64, advice: u32) ALL => wasi::fd_advise;
            Wasi "fd_allocate" (fd: u32, offset: u64, length: u64) ALL => wasi::fd_allocate;
            Wasi "fd_datasync" (fd: u32) ALL => wasi::fd_datasync;
            Wasi "fd_sync" (fd: u32) ALL => wasi::fd_sync;
            Wasi "fd_renumber" (fd: u32, to: u32) ALL => wasi::fd_renumber;
            Wasi "path_open" (
                fd: u32, dirflags: u32, path: u32, path_size: u32, oflags: u32, base: u64, inheriting: u64,
                fdflags: u32, opened_to: u32
            ) ALL => wasi::path_open;
            Wasi "path_create_directory" (fd: u32, path: u32, path_size: u32) ALL => wasi::path_create_directory;
            Wasi "path_filestat_get" (
                fd: u32, flags: u32, path: u32, path_size: u32, stat_to: u32
            ) ALL => wasi::path_filestat_get;
            Wasi "path_filestat_set_times" (
                fd: u32, flags: u32, path: u32, path_size: u32, atime: u64, mtime: u64, fst_flags: u32
            ) ALL => wasi::path_filestat_set_times;
            Wasi "path_link" (
                old_fd: u32, old_flags: u32, old_path: u32, old_size: u32, new_fd: u32, new_path: u32, new_size: u32
            ) ALL => wasi::path_link;
            Wasi "path_readlink" (
                fd: u32, path: u32, path_size: u32, data: u32, data_size: u32, used_to: u32
            ) ALL => wasi::path_readlink;
            Wasi "path_remove_directory" (fd: u32, path: u32, path_size: u32) ALL => wasi::path_remove_directory;
            Wasi "path_rename" (
                fd: u32, old_path: u32, old_size: u32, new_fd: u32, new_path: u32, new_size: u32
            ) ALL => wasi::path_rename;
            Wasi "path_symlink" (
                old_path: u32, old_size: u32, fd: u32, new_path: u32, new_size: u32
            ) ALL => wasi::path_symlink;
            Wasi "path_unlink_file" (fd: u32, path: u32, path_size: u32) ALL => wasi::path_unlink_file;
            Wasi "sock_accept" (fd: u32, flags: u32, fd_to: u32) ALL => wasi::sock_accept;
            Wasi "sock_recv" (
                fd: u32, iovs: u32, iovs_len: u32, flags: u32, read_to: u32, flags_to: u32
            ) ALL => wasi::sock_recv;
            Wasi "sock_send" (fd: u32, iovs: u32, iovs_len: u32, flags: u32, sent_to: u32) ALL => wasi::sock_send;
            Wasi "sock_shutdown" (fd: u32, how: u32) ALL => wasi::sock_shutdown;
            Wasi "environ_get" (pointers_to: u32, text_to: u32) ALL => wasi::environ_get;
            Wasi "environ_sizes_get" (count_to: u32, size_to: u32) ALL => wasi::environ_sizes_get;
            Wasi "args_get" (pointers_to: u32, text_to: u32) ALL => wasi::args_get;
            Wasi "args_sizes_get" (count_to: u32, size_to: u32) ALL => wasi::args_sizes_get;
            Wasi "clock_res_get" (clock: u32, resolution_to: u32) ALL => wasi::clock_res_get;
            Wasi "clock_time_get" (clock: u32, precision: u64, time_to: u32) ALL => wasi::clock_time_get;
            Wasi "random_get" (data: u32, data_size: u32) ALL => wasi::random_get;
            Wasi "sched_yield" () ALL => wasi::sched_yield;
            Wasi "poll_oneoff" (subscriptions: u32, events: u32, count: u32, events_to: u32) ALL => wasi::poll_oneoff;
            Wasi "proc_raise" (signal: u32) ALL => wasi::proc_raise;
        }
    };
}
