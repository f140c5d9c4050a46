;; A WASI 0.3 command that makes streams without end and lets go of none.
(component
  (type $bytes (stream u8))
  (core func $new (canon stream.new $bytes))
  (core module $main_module
    (import "host" "new" (func $new (result i64)))
    (func (export "run") (result i32)
      (loop $again
        (drop (call $new))
        (br $again))
      (unreachable)))
  (core instance $main (instantiate $main_module (with "host" (instance (export "new" (func $new))))))
  (func $run async (result (result)) (canon lift (core func $main "run")))
  (instance (export "wasi:cli/run@0.3.0") (export "run" (func $run))))
