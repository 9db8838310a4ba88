;; A small guest by hand, for the examples and the tests of pwh.
;;
;; | request | what it does |
;; |---|---|
;; | any | adds `x-guest: wat`, logs `request`, counts `greeter_requests` |
;; | `/deny` | answers 403, `denied` |
;; | `/call` | asks the cluster `users` for `/who` within 100 ms, adds its status as `x-answer`, and goes on |
;; | `/trap` | traps |
;; | a piece of a body of 3 bytes | logs `three bytes`: what a filter should not depend on |
;;
;; A configuration of 3 bytes is refused.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_http_call"
    (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $in_context (param i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))

  (memory (export "memory") 2 16)
  (data (i32.const 0x100) ":path")
  (data (i32.const 0x110) "x-guest")
  (data (i32.const 0x120) "wat")
  (data (i32.const 0x130) "request")
  (data (i32.const 0x140) "greeter_requests")
  (data (i32.const 0x160) "denied")
  (data (i32.const 0x170) "users")
  (data (i32.const 0x180) ":status")
  (data (i32.const 0x190) "x-answer")
  (data (i32.const 0x1a0) "three bytes are no configuration")
  (data (i32.const 0x1d0) "three bytes")
  ;; The callout's headers as the ABI writes them: their number, their lengths, their texts.
  (data (i32.const 0x200)
    "\03\00\00\00" "\07\00\00\00\03\00\00\00" "\05\00\00\00\04\00\00\00" "\0a\00\00\00\05\00\00\00"
    ":method\00GET\00" ":path\00/who\00" ":authority\00users\00")

  (global $free (mut i32) (i32.const 0x10000))
  (global $metric (mut i32) (i32.const 0))
  ;; The stream that waits for the callout.
  (global $waiting (mut i32) (i32.const 0))

  ;; The second page, round and round: nothing is kept from one callback to the next.
  (func (export "proxy_on_memory_allocate") (param $bytes i32) (result i32)
    (local $at i32)
    (if (i32.gt_u (i32.add (global.get $free) (local.get $bytes)) (i32.const 0x1f000))
      (then (global.set $free (i32.const 0x10000))))
    (local.set $at (global.get $free))
    (global.set $free (i32.add (global.get $free) (local.get $bytes)))
    (local.get $at))

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_delete") (param i32))

  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    (drop (call $define (i32.const 0) (i32.const 0x140) (i32.const 16) (i32.const 0x48)))
    (global.set $metric (i32.load (i32.const 0x48)))
    (if (i32.eq (local.get $size) (i32.const 3))
      (then
        (drop (call $log (i32.const 4) (i32.const 0x1a0) (i32.const 32)))
        (return (i32.const 0))))
    (i32.const 1))

  (func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
    (local $second i32)
    (drop (call $log (i32.const 2) (i32.const 0x130) (i32.const 7)))
    (drop (call $increment (global.get $metric) (i64.const 1)))
    (drop (call $add (i32.const 0) (i32.const 0x110) (i32.const 7) (i32.const 0x120) (i32.const 3)))
    (drop (call $get (i32.const 0) (i32.const 0x100) (i32.const 5) (i32.const 0x40) (i32.const 0x44)))
    ;; The letter after the slash is enough to tell the paths apart.
    (if (i32.ge_u (i32.load (i32.const 0x44)) (i32.const 2))
      (then (local.set $second (i32.load8_u (i32.add (i32.load (i32.const 0x40)) (i32.const 1))))))
    (if (i32.eq (local.get $second) (i32.const 0x74)) (then unreachable))
    (if (i32.eq (local.get $second) (i32.const 0x64))
      (then
        (drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0x160) (i32.const 6)
          (i32.const 0) (i32.const 0) (i32.const -1)))
        (return (i32.const 1))))
    (if (i32.eq (local.get $second) (i32.const 0x63))
      (then
        (global.set $waiting (local.get $context))
        (drop (call $call (i32.const 0x170) (i32.const 5) (i32.const 0x200) (i32.const 68)
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 100) (i32.const 0x4c)))
        (return (i32.const 1))))
    (i32.const 0))

  (func (export "proxy_on_request_body") (param i32) (param $size i32) (param i32) (result i32)
    (if (i32.eq (local.get $size) (i32.const 3))
      (then (drop (call $log (i32.const 2) (i32.const 0x1d0) (i32.const 11)))))
    (i32.const 0))

  (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
    (local $status i32)
    (local.set $status
      (call $get (i32.const 6) (i32.const 0x180) (i32.const 7) (i32.const 0x40) (i32.const 0x44)))
    (drop (call $in_context (global.get $waiting)))
    (if (i32.eqz (local.get $status))
      (then (drop (call $add (i32.const 0) (i32.const 0x190) (i32.const 8)
        (i32.load (i32.const 0x40)) (i32.load (i32.const 0x44))))))
    (drop (call $continue (i32.const 0)))))
