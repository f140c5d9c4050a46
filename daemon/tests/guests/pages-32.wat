;; Begins with 2 MiB of memory.
(module
  (memory 32)
  (func (export "run") (result i32)
    memory.size))
