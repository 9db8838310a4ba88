;; The guest of ABI 0.1.0, the oldest there is, by hand. What only that version has: header callbacks without
;; `end_of_stream`, the configuration by `proxy_get_configuration`, and an absent header that reads as an empty one.
;; (`proxy_continue_request` and the two like it are imported so that a host has to have them; nothing pauses here.)
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_configuration" (func $get_configuration (param i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value"
    (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value"
    (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value"
    (func $replace_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $send_local_response (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_continue_request" (func $continue_request (result i32)))
  (import "env" "proxy_continue_response" (func $continue_response (result i32)))
  (import "env" "proxy_clear_route_cache" (func $clear_route_cache (result i32)))

  (memory (export "memory") 2)
  (data (i32.const 16) "x-name")
  (data (i32.const 32) "x-guest")
  (data (i32.const 48) ":path")
  (data (i32.const 64) "/reply")
  (data (i32.const 80) "abi-0-1-0")
  (data (i32.const 96) "denied by abi-0-1-0")
  (data (i32.const 128) "log")
  (data (i32.const 144) "configured: ")
  (data (i32.const 160) "hello ")
  (data (i32.const 176) "nobody")

  ;; Where the host writes an address and a size, and where a line to log is put together.
  (global $address i32 (i32.const 0))
  (global $size i32 (i32.const 4))
  (global $line i32 (i32.const 1024))
  (global $free (mut i32) (i32.const 65536))

  ;; The second page, from its beginning at each callback: nothing is kept from one to the next.
  (func (export "proxy_on_memory_allocate") (param $bytes i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $bytes)))
    (if (i32.gt_u (global.get $free) (i32.const 131072)) (then (unreachable))))
  (func $forget
    (global.set $free (i32.const 65536))
    (i64.store (global.get $address) (i64.const 0)))

  ;; Logs a literal and, after it, the bytes that the host wrote last.
  (func $info (param $text i32) (param $length i32) (param $more i32) (param $more_length i32)
    (memory.copy (global.get $line) (local.get $text) (local.get $length))
    (memory.copy (i32.add (global.get $line) (local.get $length)) (local.get $more) (local.get $more_length))
    (drop (call $log (i32.const 2) (global.get $line) (i32.add (local.get $length) (local.get $more_length)))))

  ;; Whether the bytes that the host wrote last are these.
  (func $written_is (param $text i32) (param $length i32) (result i32)
    (local $i i32)
    (if (i32.ne (i32.load (global.get $size)) (local.get $length)) (then (return (i32.const 0))))
    (loop $next
      (if (i32.eq (local.get $i) (local.get $length)) (then (return (i32.const 1))))
      (if (i32.ne (i32.load8_u (i32.add (i32.load (global.get $address)) (local.get $i)))
                  (i32.load8_u (i32.add (local.get $text) (local.get $i))))
        (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next))
    (unreachable))

  (func (export "proxy_abi_version_0_1_0"))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))

  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (call $forget)
    (drop (call $get_configuration (global.get $address) (global.get $size)))
    (call $info (i32.const 144) (i32.const 12) (i32.load (global.get $address)) (i32.load (global.get $size)))
    (i32.const 1))

  (func (export "proxy_on_request_headers") (param i32 i32) (result i32)
    (call $forget)
    (drop (call $get_header (i32.const 0) (i32.const 16) (i32.const 6) (global.get $address) (global.get $size)))
    (if (i32.load (global.get $size))
      (then
        (call $info (i32.const 160) (i32.const 6) (i32.load (global.get $address)) (i32.load (global.get $size))))
      (else (call $info (i32.const 160) (i32.const 6) (i32.const 176) (i32.const 6))))
    (drop (call $add_header (i32.const 0) (i32.const 32) (i32.const 7) (i32.const 80) (i32.const 9)))
    (drop (call $get_header (i32.const 0) (i32.const 48) (i32.const 5) (global.get $address) (global.get $size)))
    (if (call $written_is (i32.const 64) (i32.const 6))
      (then
        (drop (call $send_local_response
          (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 96) (i32.const 19)
          (i32.const 0) (i32.const 0) (i32.const -1)))
        (return (i32.const 1))))
    (i32.const 0))

  (func (export "proxy_on_response_headers") (param i32 i32) (result i32)
    (drop (call $replace_header (i32.const 2) (i32.const 32) (i32.const 7) (i32.const 80) (i32.const 9)))
    (i32.const 0))

  (func (export "proxy_on_log") (param i32)
    (drop (call $log (i32.const 2) (i32.const 128) (i32.const 3)))))
