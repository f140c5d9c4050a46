;; A module whose routes nobody learns.
(module
  (func (export "_start"))
  (func (export "_routes") unreachable))
