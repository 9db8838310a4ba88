;; The floor for Wasm: what a filter written by hand against the raw ABI costs when it does what header-mutation's
;; sample does, one header set each way, and nothing else. It exports the two callbacks it needs: Envoy calls
;; whatever callback a module exports, once per stream or more, so each one left out is a call saved.
;;
;; For benches only: it reads no configuration and allocates nothing.
(module
  ;; (map, name, name length, value, value length) -> status
  (import "env" "proxy_replace_header_map_value"
    (func $replace (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 16) "x-training")
  (data (i32.const 32) "envoy-wasm")

  ;; Says which ABI this is; never called.
  (func (export "proxy_abi_version_0_2_1"))

  ;; Envoy refuses a module without it, and would call it to hand over what a hostcall answers; none here does.
  (func (export "malloc") (param i32) (result i32)
    (i32.const 1024))

  ;; (context, headers, end of stream) -> 0: continue
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $replace (i32.const 0) (i32.const 16) (i32.const 10) (i32.const 32) (i32.const 10)))
    (i32.const 0))

  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $replace (i32.const 2) (i32.const 16) (i32.const 10) (i32.const 32) (i32.const 10)))
    (i32.const 0)))
