;; Computes until it is stopped.
(module
  (func (export "_start")
    (loop $again (br $again))))
