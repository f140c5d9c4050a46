;; Opens a file of the first directory so many times and closes none. The result is WASI's error number of the last.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "note")
  (data (i32.const 68) "fifo")
  (func $open (param $path i32) (result i32)
    (call $path_open (i32.const 3) (i32.const 1) (local.get $path) (i32.const 4) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)))
  (func (export "run") (param $times i32) (result i32) (local $error i32)
    (loop $next
      (local.set $error (call $open (i32.const 64)))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $next (i32.and (i32.eqz (local.get $error)) (i32.gt_s (local.get $times) (i32.const 0)))))
    (local.get $error))
  ;; Opens the file `fifo`.
  (func (export "fifo") (param i32) (result i32)
    (call $open (i32.const 68))))
