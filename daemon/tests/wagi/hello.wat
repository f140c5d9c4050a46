;; Three programs of CGI in one module.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "content-type: text/plain\n\nhello\n")
  (data (i32.const 128) "content-type: text/html\nstatus: 404 Gone\nx-word: bye\n\ngoodbye\n")
  (data (i32.const 256) "location: https://example.com/there\n\n")
  (func $write (param $at i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start") (call $write (i32.const 64) (i32.const 32)))
  (func (export "goodbye") (call $write (i32.const 128) (i32.const 62)))
  (func (export "moved") (call $write (i32.const 256) (i32.const 37))))
