;; Allocates an array of so many mebibytes; the result is its length in bytes.
(module
  (type $bytes (array (mut i8)))
  (func (export "run") (param $mebibytes i32) (result i32)
    (array.len (array.new_default $bytes (i32.shl (local.get $mebibytes) (i32.const 20))))))
