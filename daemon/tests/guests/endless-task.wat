;; A WASI 0.3 command that never returns.
(component
  (core module $main_module (func (export "run") (result i32) (loop $again (br $again)) (unreachable)))
  (core instance $main (instantiate $main_module))
  (func $run async (result (result)) (canon lift (core func $main "run")))
  (instance (export "wasi:cli/run@0.3.0") (export "run" (func $run))))
