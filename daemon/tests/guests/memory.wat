;; Grows its memory of one page by so many pages; the result is the size before, or -1.
(module
  (memory 1)
  (func (export "run") (param i32) (result i32)
    (memory.grow (local.get 0))))
