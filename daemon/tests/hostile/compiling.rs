//! Modules that are small and take gigabytes or minutes to compile, and more modules than there are accounts.

use std::fs;
use std::thread;

use crate::prelude::*;

/// A number as binaries have it. Source: WebAssembly Core Specification, "Integers".
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        bytes.push(if number == 0 { byte } else { byte | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &*leb(content.len()), content].concat()
}

/// A module whose function `run` has these locals and this body. A second type takes and gives `values`.
fn module(locals: usize, body: &[u8], values: usize) -> Vec<u8> {
    let values = [leb(values), vec![0x7f; values]].concat();
    let types = [&b"\x02\x60\0\0\x60"[..], &values, &values].concat();
    let locals = [leb(1), leb(locals), vec![0x7f]].concat();
    let code = [&locals, body, b"\x0b"].concat();
    let code = [&b"\x01"[..], &leb(code.len()), &code].concat();
    let (functions, exports) = (section(3, b"\x01\0"), section(7, b"\x01\x03run\0\0"));
    [&b"\0asm\x01\0\0\0"[..], &section(1, &types), &functions, &exports, &section(10, &code)].concat()
}

/// Loops side by side, each with values on the stack.
fn loops_with_values(loops: usize, values: usize) -> Vec<u8> {
    let body = [b"\x41\0".repeat(values), b"\x03\x01\x0b".repeat(loops), b"\x1a".repeat(values)].concat();
    module(0, &body, values)
}

fn nested_loops(depth: usize) -> Vec<u8> {
    module(1, &[b"\x03\x40".repeat(depth), b"\x0b".repeat(depth)].concat(), 0)
}

fn answer(number: usize) -> String {
    format!("(module (func (export \"run\") (result i32) (i32.const {number})))")
}

fn put(daemon: &Daemon, name: &str, body: impl AsRef<[u8]>) -> Response {
    daemon.request("PUT", &format!("/functions/{name}"), &[], body)
}

/// The most memory that the daemon has had, in KiB. Source: proc(5), `/proc/pid/status`.
fn peak_kib(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Source: proc(5), `/proc/pid/task/tid/children`: those that this thread started.
fn has_children(daemon: &Daemon) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.id())).unwrap();
    let children = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    children.into_iter().any(|children| !children.trim().is_empty())
}

#[test]
fn a_module_that_takes_too_much_memory_to_compile_is_refused_and_costs_the_daemon_none() {
    let daemon = Daemon::start(&["--deploy-memory 320MiB"]);
    assert_eq!(put(&daemon, "number", answer(1)).status, 201);
    let before = peak_kib(&daemon);
    let refused = put(&daemon, "number", loops_with_values(20_000, 1000)).expect_problem(422, "not-deployable");
    assert_detail(&refused, "`deploy.memory`");
    assert!(peak_kib(&daemon) < before + (64 << 10), "{} KiB after {before} KiB", peak_kib(&daemon));
    assert_eq!(daemon.output("number"), "1\n");
    assert_eq!(put(&daemon, "number", answer(2)).status, 200);
}

#[test]
fn a_compilation_that_takes_too_long_is_killed_and_leaves_its_place_to_the_next() {
    let options = "--deploy-time 3s --deploy-complexity 1000000000000 --deploy-queue 0";
    let state = temporary_folder();
    let daemon = Daemon::start(&["--state", state.path().to_str().unwrap(), options]);
    thread::scope(|scope| {
        let slow = scope.spawn(|| put(&daemon, "slow", nested_loops(100_000)));
        until("it is being compiled", || has_children(&daemon));
        put(&daemon, "number", answer(1)).expect_problem(503, "busy");
        assert_eq!(daemon.output("answer"), "42\n", "calls go on meanwhile");
        assert_detail(&slow.join().unwrap().expect_problem(422, "not-deployable"), "`deploy.time`");
    });
    until("the next one is compiled", || put(&daemon, "number", answer(1)).status == 201);
    until("no compiler is left", || !has_children(&daemon));
    // What it took is charged all the same, to nobody in particular: there is no such function.
    until("it is charged", || {
        let sums = daemon.get("/energy").json()["sums"]["functions"].clone();
        sums["other"]["preparing_microjoules"].as_u64() > sums["number"]["preparing_microjoules"].as_u64()
    });
}

#[test]
fn what_would_take_long_to_compile_is_refused_before() {
    let daemon = Daemon::start(&["--deploy-complexity 1000000 --limits-module 1MiB"]);
    let refuse = |body: &[u8], option: &str| {
        let refused = put(&daemon, "bomb", body).expect_problem(422, "not-deployable");
        assert_detail(&refused, option);
    };
    refuse(&module(1000, &b"\x03\x40\x0b".repeat(1000), 0), "`deploy.complexity`");
    refuse(&loops_with_values(1000, 1000), "`deploy.complexity`");
    refuse(&nested_loops(2000), "`deploy.complexity`");
    let nested = ["(component ", ")"].map(|part| part.repeat(40)).concat();
    refuse(nested.as_bytes(), "`deploy.nesting`");
}

#[test]
fn modules_that_do_not_compile_use_up_neither_accounts_nor_labels() {
    // There is room for one function besides those that come with the program.
    let daemon = Daemon::start(&["--limits-versions 23 --metrics-functions 23 --window 20ms"]);
    for number in 0..30 {
        let wrong = format!("(module (func (export \"run\") (result i64) (i32.const {number})))");
        put(&daemon, &format!("garbage-{number}"), wrong).expect_problem(422, "not-deployable");
    }
    assert_eq!(put(&daemon, "number", answer(1)).status, 201);
    assert_eq!(daemon.output("number"), "1\n");
    assert_eq!(daemon.calls("number", "ok"), 1.0);
    let metrics = daemon.get("/metrics").text().to_owned();
    assert!(!metrics.contains("garbage"), "{metrics}");
    put(&daemon, "number", answer(2)).expect_problem(507, "too-many-functions");
}

#[test]
fn errors_quote_no_more_than_the_beginning_of_what_a_module_says() {
    let daemon = Daemon::start(&[]);
    let name = "n".repeat(50_000);
    let manifest = |text: String| daemon.request("PUT", "/functions/answer/manifest", &[], text);
    let refused = [
        put(&daemon, "long", format!("(module (import \"{name}\" \"{name}\" (func)))")),
        put(&daemon, "long", format!("(module (import \"{name}\" \"x\" (func)) (func (export \"_start\")))")),
        put(&daemon, "long", format!("(component (core module $m) (export \"{}\" (core module $m)))", &name[..40_000])),
        put(&daemon, "long", format!("(module {name})")),
        manifest(format!("{name} = 1")),
        manifest(format!("env = {{ A = 1 }}\n[limits]\n{name} = 1")),
        manifest(format!("entry = \"{name}\"")),
        manifest(format!("routes = [\"/{name}?\"]")),
        manifest(format!("outbound = [\"ftp://{name}\"]")),
        manifest(format!("outbound = [\"https://{name}.example\"]")),
        manifest(format!("[[directories]]\nhost = \"/{name}\"\nguest = \"/x\"")),
    ];
    for refused in &refused {
        let detail = refused.expect_problem(422, "not-deployable")["detail"].as_str().unwrap().to_owned();
        let longest = detail.split(|character: char| character != 'n').map(str::len).max().unwrap();
        assert!(
            longest <= 200 && detail.len() < 2000,
            "{longest} of {}: {}",
            detail.len(),
            &detail[..detail.len().min(300)]
        );
    }
    let log = daemon.stop();
    assert!(log.lines().all(|line| line.len() < 4000), "a line of the log is long");
}
