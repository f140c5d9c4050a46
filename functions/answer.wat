;; The smallest function: no WASI, no memory, no input. Its result is its reply.
(module
  (func (export "run") (result i32)
    i32.const 42))
