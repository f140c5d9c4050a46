;; Answers with the file `page` of the first directory that it sees.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; Two vectors: the fields, and what is read.
  (data (i32.const 0) "\40\00\00\00\1a\00\00\00\00\04\00\00\00\04\00\00")
  (data (i32.const 64) "content-type: text/plain\n\n")
  (data (i32.const 128) "page")
  (func (export "_start")
    (if (call $path_open (i32.const 3) (i32.const 0) (i32.const 128) (i32.const 4) (i32.const 0) (i64.const 2)
          (i64.const 0) (i32.const 0) (i32.const 32))
      (then (unreachable)))
    (drop (call $fd_read (i32.load (i32.const 32)) (i32.const 8) (i32.const 1) (i32.const 36)))
    (i32.store (i32.const 12) (i32.load (i32.const 36)))
    ;; A host may write the first vector alone.
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 40)))
    (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 40)))))
