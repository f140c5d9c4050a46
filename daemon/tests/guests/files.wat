;; Tries the directory of the given file descriptor; the first is 3. The result is WASI's error number.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $fd_prestat_get (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; One vector: 4 bytes from address 64.
  (data (i32.const 0) "\40\00\00\00\04\00\00\00")
  (data (i32.const 64) "left")
  (data (i32.const 512) "../note")
  ;; Opens `note`, which is at 515, or `../note`, at 512; the file descriptor comes to address 16.
  (func $open (param $fd i32) (param $path i32) (param $creating i32) (param $rights i64) (result i32)
    (call $path_open (local.get $fd) (i32.const 0) (local.get $path) (i32.sub (i32.const 519) (local.get $path))
      (local.get $creating) (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 16)))
  ;; Writes `left` into the file `note`, which it makes if it is not there.
  (func (export "write") (param $fd i32) (result i32) (local $error i32)
    (local.set $error (call $open (local.get $fd) (i32.const 515) (i32.const 1) (i64.const 64)))
    (if (local.get $error) (then (return (local.get $error))))
    (call $fd_write (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
  ;; The first letter of the file `note`, or 1000 and the error number.
  (func (export "read") (param $fd i32) (result i32) (local $error i32)
    (local.set $error (call $open (local.get $fd) (i32.const 515) (i32.const 0) (i64.const 2)))
    (if (local.get $error) (then (return (i32.add (i32.const 1000) (local.get $error)))))
    (drop (call $fd_read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.load8_u (i32.const 64)))
  ;; Opens `note` in the directory above.
  (func (export "climb") (param $fd i32) (result i32)
    (call $open (local.get $fd) (i32.const 512) (i32.const 0) (i64.const 2)))
  ;; Whether a directory was opened for it under this file descriptor.
  (func (export "run") (param $fd i32) (result i32)
    (call $fd_prestat_get (local.get $fd) (i32.const 32))))
