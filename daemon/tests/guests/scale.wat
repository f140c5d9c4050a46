;; A function of numbers of two types: their product.
(module
  (func (export "run") (param i32 f64) (result f64)
    (f64.mul (f64.convert_i32_s (local.get 0)) (local.get 1))))
