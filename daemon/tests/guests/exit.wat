;; Exits with the code that it is given.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "run") (param i32)
    (call $proc_exit (local.get 0))))
