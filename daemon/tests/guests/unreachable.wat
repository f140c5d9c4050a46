;; Does what WebAssembly forbids.
(module
  (func (export "_start")
    unreachable))
