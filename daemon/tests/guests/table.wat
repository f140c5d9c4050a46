;; Grows its table of one element by so many elements; the result is the size before, or -1.
(module
  (table 1 funcref)
  (func (export "run") (param i32) (result i32)
    (table.grow (ref.null func) (local.get 0))))
