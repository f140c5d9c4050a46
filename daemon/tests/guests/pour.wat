;; Writes 4 MiB of zeros to stdout in one piece.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 66)
  ;; One vector: 4194304 bytes from address 65536.
  (data (i32.const 0) "\00\00\01\00\00\00\40\00")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
