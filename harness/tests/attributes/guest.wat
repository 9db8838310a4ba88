;; Does what its configuration says, and logs what the host answers: the status as a letter from `a`, then each byte
;; of the answer as two letters.
;;
;; A step is six bytes and two texts: the phases it is done in, what is done, the lengths of both texts (two bytes
;; each), the texts.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_property" (func $set (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_call_foreign_function" (func $call (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "envoy_resolve_dns" (func $resolve (param i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  ;; 4 and 8: where the host writes an address and a length; 12: where it writes a token. From 16: the line. From 65536: what is allocated.
  (global $free (mut i32) (i32.const 65536))
  (global $steps (mut i32) (i32.const 0))
  (global $end (mut i32) (i32.const 0))

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))

  (func $say (param $status i32) (param $at i32) (param $size i32)
    (local $to i32) (local $last i32)
    (i32.store8 (i32.const 16) (i32.add (i32.const 97) (local.get $status)))
    (local.set $to (i32.const 17))
    (local.set $last (i32.add (local.get $at) (local.get $size)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $last)))
        (i32.store8 (local.get $to)
          (i32.add (i32.const 97) (i32.shr_u (i32.load8_u (local.get $at)) (i32.const 4))))
        (i32.store8 (i32.add (local.get $to) (i32.const 1))
          (i32.add (i32.const 97) (i32.and (i32.load8_u (local.get $at)) (i32.const 15))))
        (local.set $to (i32.add (local.get $to) (i32.const 2)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (drop (call $log (i32.const 2) (i32.const 16) (i32.sub (local.get $to) (i32.const 16)))))

  (func $run (param $phase i32)
    (local $at i32) (local $kind i32) (local $a i32) (local $as i32) (local $b i32) (local $bs i32)
    (local $status i32)
    (local.set $at (global.get $steps))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (global.get $end)))
        (local.set $kind (i32.load8_u offset=1 (local.get $at)))
        (local.set $as (i32.load16_u offset=2 (local.get $at)))
        (local.set $bs (i32.load16_u offset=4 (local.get $at)))
        (local.set $a (i32.add (local.get $at) (i32.const 6)))
        (local.set $b (i32.add (local.get $a) (local.get $as)))
        (if (i32.and (i32.load8_u (local.get $at)) (local.get $phase))
          (then
            (i32.store (i32.const 4) (i32.const 0))
            (i32.store (i32.const 8) (i32.const 0))
            (if (i32.eq (local.get $kind) (i32.const 0))
              (then (local.set $status (call $get
                (local.get $a) (local.get $as) (i32.const 4) (i32.const 8)))))
            (if (i32.eq (local.get $kind) (i32.const 1))
              (then (local.set $status (call $set
                (local.get $a) (local.get $as) (local.get $b) (local.get $bs)))))
            (if (i32.eq (local.get $kind) (i32.const 2))
              (then (local.set $status (call $call
                (local.get $a) (local.get $as) (local.get $b) (local.get $bs) (i32.const 4) (i32.const 8)))))
            (if (i32.eq (local.get $kind) (i32.const 3))
              (then (local.set $status (call $resolve (local.get $a) (local.get $as) (i32.const 12)))))
            (call $say (local.get $status) (i32.load (i32.const 4)) (i32.load (i32.const 8)))))
        (local.set $at (i32.add (local.get $b) (local.get $bs)))
        (br $next))))

  (func (export "proxy_on_configure") (param $root i32) (param $size i32) (result i32)
    (drop (call $buffer (i32.const 7) (i32.const 0) (local.get $size) (i32.const 4) (i32.const 8)))
    (global.set $steps (i32.load (i32.const 4)))
    (global.set $end (i32.add (i32.load (i32.const 4)) (i32.load (i32.const 8))))
    (call $run (i32.const 1))
    (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $run (i32.const 2)) (i32.const 0))
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
    (call $run (i32.const 4)) (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (call $run (i32.const 8)) (i32.const 0))
  (func (export "proxy_on_log") (param i32)
    (call $run (i32.const 16)))
  (func (export "proxy_on_new_connection") (param i32) (result i32)
    (call $run (i32.const 32)) (i32.const 0))
  (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32)
    (call $run (i32.const 64)) (i32.const 0))
  (func (export "envoy_on_resolve_dns") (param $root i32) (param $token i32) (param $size i32)
    (drop (call $buffer (i32.const 8) (i32.const 0) (local.get $size) (i32.const 4) (i32.const 8)))
    (call $say (local.get $token) (i32.load (i32.const 4)) (i32.load (i32.const 8)))))
