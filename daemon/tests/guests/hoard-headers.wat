;; Makes the host hold lists of headers, each as long as may be, until it is refused; then runs for ever.
(component
  (import "wasi:http/types@0.2.0" (instance $http
    (export "fields" (type $fields (sub resource)))
    (type $error' (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $error (eq $error')))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]fields.append" (func
      (param "self" (borrow $fields)) (param "name" string) (param "value" (list u8))
      (result (result (error $error)))))))
  (core module $libc (memory (export "memory") 2))
  (core instance $libc (instantiate $libc))
  (core func $fields (canon lower (func $http "[constructor]fields")))
  (core func $append (canon lower (func $http "[method]fields.append") (memory (core memory $libc "memory"))))
  (core module $main
    (import "libc" "memory" (memory 1))
    (import "http" "fields" (func $fields (result i32)))
    (import "http" "append" (func $append (param i32 i32 i32 i32 i32 i32)))
    (func (export "run") (result i32) (local $list i32) (local $count i32)
      (memory.fill (i32.const 0) (i32.const 97) (i32.const 65536))
      (loop $next
        (local.set $list (call $fields))
        ;; The name `a` with 60,000 times `a`, twice; whether it worked goes to address 65536.
        (call $append (local.get $list) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 60000) (i32.const 65536))
        (call $append (local.get $list) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 60000) (i32.const 65536))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $count) (i32.const 9900))))
      (loop $ever (br $ever))
      (i32.const 0)))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "http" (instance (export "fields" (func $fields)) (export "append" (func $append))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
