;; Takes all the table elements that it is given, then traps.
(module
  (table 1 funcref)
  (func (export "_start")
    (loop $more
      (br_if $more (i32.ne (table.grow (ref.null func) (i32.const 1000)) (i32.const -1))))
    unreachable))
