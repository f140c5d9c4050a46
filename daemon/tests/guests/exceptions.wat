;; Throws an exception so many times and catches each; the result is how often.
(module
  (tag $thrown (param i32))
  (func $throw (param i32) (throw $thrown (local.get 0)))
  (func (export "run") (param $times i32) (result i32) (local $caught i32)
    (loop $next
      (block $handler (result i32)
        (try_table (catch $thrown $handler) (call $throw (i32.const 1)))
        (i32.const 0))
      (local.set $caught (i32.add (local.get $caught)))
      (br_if $next (i32.lt_u (local.get $caught) (local.get $times))))
    (local.get $caught)))
