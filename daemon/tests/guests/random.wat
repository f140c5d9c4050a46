;; Asks for so many random bytes; the result is WASI's error number.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "run") (param i32) (result i32)
    (call $random_get (i32.const 0) (local.get 0))))
