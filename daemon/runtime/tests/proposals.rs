//! The proposals to WebAssembly that are on, as `daemon/README.md` lists them.

#![allow(clippy::expect_used, reason = "a test ends where something is wrong")]

use std::time::Duration;

use nebula_runtime::{Grants, Limits, Pool, Program, Runtime};

/// The proposal as the table calls it, whether it is on, and a module that needs it.
const PROPOSALS: &[(&str, bool, &str)] = &[
    (
        "SIMD and relaxed SIMD",
        true,
        "(func (export \"run\") (drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0))))",
    ),
    ("tail calls", true, "(func $next) (func (export \"run\") return_call $next)"),
    ("extended constants", true, "(global i32 (i32.add (i32.const 1) (i32.const 2))) (func (export \"run\"))"),
    (
        "typed function references",
        true,
        "(type $type (func)) (func $f) (elem declare func $f) (func (export \"run\") (call_ref $type (ref.func $f)))",
    ),
    ("garbage collection", true, "(type $empty (struct)) (func (export \"run\") (drop (struct.new $empty)))"),
    ("exceptions", true, "(tag $tag) (func (export \"run\") (throw $tag))"),
    ("64-bit memory", true, "(memory i64 1) (func (export \"run\"))"),
    ("several memories", false, "(memory 1) (memory 1) (func (export \"run\"))"),
    ("threads", false, "(memory 1 1 shared) (func (export \"run\"))"),
    ("exceptions of the first draft", false, "(tag $tag) (func (export \"run\") (try (do (throw $tag)) (catch_all)))"),
    ("custom page sizes", false, "(memory 1 (pagesize 1)) (func (export \"run\"))"),
    ("wide arithmetic", false, "(func (export \"run\") (i64.mul_wide_u (i64.const 1) (i64.const 2)) drop drop)"),
];

#[test]
fn the_proposals_are_on_that_the_readme_lists() {
    let limits =
        Limits { wall: Duration::from_secs(1), memory: 16 << 20, table_elements: 100, stdout: 0, stderr: 0, files: 0 };
    let runtime = Runtime::new(limits, Pool::Slots(1), Duration::from_secs(1)).expect("an engine");
    let readme = include_str!("../../README.md");
    for (proposal, on, module) in PROPOSALS {
        let compiled = Program::compile(&runtime, format!("(module {module})").as_bytes(), Grants::of(limits));
        assert_eq!(compiled.is_ok(), *on, "{proposal}: {:?}", compiled.err());
        let row = format!("| {proposal} | {} |", if *on { "yes" } else { "no" });
        assert!(readme.contains(&row), "daemon/README.md has no row that begins with `{row}`");
    }
}
