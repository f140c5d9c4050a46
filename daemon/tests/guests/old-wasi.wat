;; Preview 0: opens the file `note` of the first directory; sleeps for so many milliseconds. The results are WASI's error numbers.
(module
  (import "wasi_unstable" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_unstable" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 512) "note")
  (func (export "run") (param $milliseconds i32) (result i32)
    ;; A subscription: user data, the kind clock (0), an identifier, clock 1 (monotonic), timeout, precision, flags.
    (i32.store (i32.const 24) (i32.const 1))
    (i64.store (i32.const 32) (i64.mul (i64.extend_i32_u (local.get $milliseconds)) (i64.const 1000000)))
    (i32.add
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 512) (i32.const 4) (i32.const 0)
        (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 256))
      (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))
