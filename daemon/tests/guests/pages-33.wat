;; Begins with one page more than 2 MiB of memory.
(module
  (memory 33)
  (func (export "run") (result i32)
    memory.size))
