;; Opens the file `note` of its directory until it is refused, and exits with 1 unless that is for their number. Before, it exits
;; with 1 if it can open `fifo`.
(component
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (type $lookup' (flags "symlink-follow"))
    (export "path-flags" (type $lookup (eq $lookup')))
    (type $how' (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $how (eq $how')))
    (type $flags' (flags
      "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $flags (eq $flags')))
    (type $error' (enum
      "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist" "file-too-large"
      "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop" "too-many-links"
      "message-size" "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory" "insufficient-space"
      "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device" "overflow" "not-permitted"
      "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error (eq $error')))
    (export "[method]descriptor.open-at" (func
      (param "self" (borrow $descriptor)) (param "path-flags" $lookup) (param "path" string) (param "open-flags" $how)
      (param "flags" $flags) (result (result (own $descriptor) (error $error)))))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (export "descriptor" (type $given (eq $descriptor)))
    (export "get-directories" (func (result (list (tuple (own $given) string)))))))
  (core module $libc
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.get $free)
      (global.set $free (i32.add (global.get $free) (local.get 3)))))
  (core instance $libc (instantiate $libc))
  (core func $directories (canon lower (func $preopens "get-directories")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $open (canon lower (func $types "[method]descriptor.open-at") (memory (core memory $libc "memory"))))
  (core module $main
    (import "libc" "memory" (memory 1))
    (import "files" "directories" (func $directories (param i32)))
    (import "files" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (data (i32.const 64) "note")
    (data (i32.const 68) "fifo")
    (func $error (param $path i32) (result i32)
      ;; The first directory is at the address that stands at 0; the result goes to address 16.
      (call $open (i32.load (i32.load (i32.const 0))) (i32.const 1) (local.get $path) (i32.const 4) (i32.const 0)
        (i32.const 1) (i32.const 16))
      (if (result i32) (i32.load8_u (i32.const 16))
        (then (i32.load8_u (i32.const 20)))
        (else (i32.const -1))))
    (func (export "run") (result i32) (local $error i32)
      (call $directories (i32.const 0))
      ;; The error `access` is 0.
      (if (call $error (i32.const 68)) (then (return (i32.const 1))))
      (loop $next
        (local.set $error (call $error (i32.const 64)))
        (br_if $next (i32.eq (local.get $error) (i32.const -1))))
      ;; The error `quota` is 6.
      (i32.ne (local.get $error) (i32.const 6))))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "files" (instance (export "directories" (func $directories)) (export "open" (func $open))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
