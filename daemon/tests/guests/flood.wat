;; Writes zeros to stdout until it is stopped.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; One vector: 4096 bytes from address 1024.
  (data (i32.const 0) "\00\04\00\00\00\10\00\00")
  (func (export "_start")
    (loop $more
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br $more))))
