//! Which files become functions, and why others do not.

use std::fs;

use crate::prelude::*;

/// The built-in functions.
const SAMPLES: usize = nebula::functions::SAMPLES.len();

#[test]
fn files_that_cannot_be_served_are_logged_and_the_others_are_served() {
    let good = guests::source("scale");
    let good = good.as_bytes();
    let largest = format!("{}{}", guests::source("scale"), " ".repeat(2000 - good.len()));
    let files: [(&str, &[u8]); 15] = [
        ("good.wat", good),
        ("largest.wat", largest.as_bytes()),
        ("too-large.wat", &[largest.as_bytes(), b" "].concat()),
        ("Upper.wat", good),
        ("metrics.wat", good),
        ("twice.wat", good),
        ("twice.wasm", &fs::read(guests::sample("hello-world")).unwrap()[..100]),
        ("no-module.wasm", b"not WebAssembly at all"),
        ("component.wasm", b"\0asm\x0d\0\x01\0"),
        ("component-as-text.wat", b"(component)"),
        ("\x1b[2Jescape.wat", good),
        ("no-entry.wat", b"(module)"),
        ("vectors.wat", b"(module (func (export \"run\") (param v128)))"),
        ("imports.wat", b"(module (import \"env\" \"secret\" (func)) (func (export \"_start\")))"),
        ("readme.txt", b"not a function"),
    ];
    let daemon = Daemon::with_files(&files, &["--limits-module 2000"]);
    let names = daemon.function_names();
    assert!(["good", "largest"].iter().all(|served| names.contains(&(*served).into())), "{names:?}");
    let log = daemon.log();
    for (refused, why) in [
        ("too-large", "`limits.module` allows 2000"),
        ("Upper.wat", "lower-case letters"),
        ("metrics.wat", "`metrics` is reserved for the daemon"),
        ("twice", "both a `.wasm` and a `.wat` file have its name"),
        ("no-module", "cannot compile it"),
        ("component", "it is a component"),
        ("component-as-text", "it is a component"),
        ("\\u{1b}[2Jescape", "lower-case letters"),
        ("no-entry", "it exports neither `_start`"),
        ("vectors", "its export `run` takes or gives a `v128`"),
        ("imports", "cannot link it"),
    ] {
        assert!(log.lines().any(|line| line.contains(refused) && line.contains(why)), "{refused}: {why}\n{log}");
        assert!(refused == "twice" || !names.contains(&refused.into()), "{refused}");
    }
    let one_line = |line: &str| line.contains("INFO") || line.contains("ERROR");
    assert!(log.lines().all(one_line) && !log.contains('\x1b'), "{log}");
    assert_eq!(log.matches("lower-case letters").count(), 2, "each cause is logged once: {log}");
    assert_eq!(names.len(), SAMPLES + 2 + usize::from(names.contains(&"twice".into())));
}

#[test]
fn a_file_replaces_a_built_in_function_of_its_name() {
    let module = "(module (func (export \"run\") (result i32) i32.const 43))";
    // Just as many functions as are allowed, since the file replaces one.
    let options = ["--limits-functions", &SAMPLES.to_string()];
    let daemon = Daemon::with_files(&[("answer.wat", module)], &options);
    assert_eq!(daemon.output("answer"), "43\n");
    assert_eq!(daemon.get("/functions/answer").json()["origin"], "file");
    assert_eq!(daemon.metric("nebula_functions", &[]), SAMPLES as f64);
}

#[test]
fn too_many_functions_stop_the_start() {
    let folder = guests::folder_of(&[("another.wat", guests::source("scale"))]);
    let options = ["--functions", folder.path().to_str().unwrap(), "--limits-functions", &SAMPLES.to_string()];
    let expected = format!("there are {} functions, and `limits.functions` allows", SAMPLES + 1);
    assert!(start_error(&options, 1).contains(&expected));
}
