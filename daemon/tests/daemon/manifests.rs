//! What functions may do and use: the files `NAME.toml` in their folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::{Arc, LazyLock};
use std::thread;

use tempfile::TempDir;

use crate::prelude::*;

/// Functions with their guest and their manifest; without a guest, functions that come with the program.
const FUNCTIONS: &[(&str, Option<&str>, &str)] = &[
    ("given", Some("environment"), "env = { GREETING = 'hello', LEVEL = '1', REQUEST_METHOD = 'MINE' }"),
    ("words", Some("arguments"), "args = ['--fast', 'x y']"),
    ("file-write", Some("files"), "entry = 'write'\n#DIRECTORIES"),
    ("file-read", Some("files"), "entry = 'read'\n#DIRECTORIES"),
    ("file-climb", Some("files"), "entry = 'climb'\n#DIRECTORIES"),
    ("file-open", Some("files"), "#DIRECTORIES"),
    ("file-alone", Some("files"), "entry = 'read'"),
    ("small", Some("memory"), "limits.memory = '1MiB'"),
    ("hasty", Some("endless-loop"), "limits.wall = '200ms'"),
    ("frugal", Some("endless-loop"), "limits.cpu = '50ms'"),
    ("patient", Some("sleeper"), "limits.cpu = '50ms'"),
    ("store", Some("environment"), "routes = ['/shop', '/shop/cart']"),
    ("till", Some("environment"), "routes = ['/shop/cart/pay', '/given']"),
    ("usurper", Some("environment"), "routes = ['/shop', '/usurped']"),
    ("echo", None, "limits.output = '10'"),
    ("http-echo", None, "routes = ['/mirror']\nlimits.output = '1KiB'"),
    ("hello-component", None, "env = { name = 'Ada' }"),
    ("wrong", Some("scale"), "memry = 1\nargs = 'x'\n[limits]\nwal = '5s'\nmemory = '1GiB'"),
    ("sudoku", None, "what is this"),
    ("serial", Some("environment"), "reuse = 'serial'"),
    ("no-such-entry", Some("scale"), "entry = 'walk'"),
    ("nobody", None, "args = ['x']"),
];

const DIRECTORIES: &str = "
    [[directories]]
    host = 'data'
    guest = '/data'
    writable = true
    [[directories]]
    host = 'shared'
    guest = '/shared'
    [[directories]]
    host = 'links'
    guest = '/links'
    writable = true
";

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let mut files = vec![("note".to_owned(), "beside the functions".to_owned())];
    for (name, guest, manifest) in FUNCTIONS {
        files.extend(guest.map(|guest| (format!("{name}.wat"), guests::source(guest))));
        files.push((format!("{name}.toml"), manifest.replace("#DIRECTORIES", DIRECTORIES)));
    }
    let folder = guests::folder_of(&files.iter().map(|(name, text)| (name.as_str(), text)).collect::<Vec<_>>());
    for directory in ["data", "shared", "links"] {
        fs::create_dir(folder.path().join(directory)).unwrap();
    }
    fs::write(folder.path().join("shared/note"), "common").unwrap();
    symlink("../note", folder.path().join("links/note")).unwrap();
    folder
});

static OPTIONS: LazyLock<[&str; 2]> = LazyLock::new(|| ["--functions", FOLDER.path().to_str().unwrap()]);

fn daemon() -> Arc<Daemon> {
    Daemon::shared(&*OPTIONS)
}

/// A line of the log has all of these parts.
#[track_caller]
fn assert_logged(parts: &[&str]) {
    let log = daemon().log();
    assert!(log.lines().any(|line| parts.iter().all(|part| line.contains(part))), "{parts:?}\n{log}");
}

#[test]
fn variables_and_arguments_of_the_manifest_go_before_those_of_the_request() {
    let daemon = daemon();
    let output = |call: &str| {
        let output = daemon.output(call);
        let mut variables: Vec<_> = output.as_str().unwrap().split_terminator('\0').map(str::to_owned).collect();
        variables.sort();
        variables
    };
    assert_eq!(output("given"), ["GREETING=hello", "LEVEL=1", "REQUEST_METHOD=MINE"]);
    let overridden = output("given?LEVEL=9&more=x&GREETING=bye");
    assert_eq!(overridden, ["GREETING=hello", "LEVEL=1", "REQUEST_METHOD=MINE", "more=x"]);
    let cgi = daemon.get("/fn/given?LEVEL=9");
    for expected in ["LEVEL=1", "REQUEST_METHOD=MINE", "QUERY_STRING=LEVEL=9"] {
        assert!(cgi.text().split('\0').any(|variable| variable == expected), "{expected}: {}", cgi.text());
    }
    assert_eq!(daemon.output("hello-component?name=Eve"), "Hello, Ada!\n", "built-in functions too");
    assert_eq!(daemon.output("words"), "words\0--fast\0x y\0");
    assert_eq!(daemon.get("/fn/words/p?k=v").text(), "words\0--fast\0x y\0/p\0k=v\0");
}

#[test]
fn a_manifest_is_shown_without_values_of_variables_and_host_paths() {
    let daemon = daemon();
    let given = daemon.get("/functions/given");
    assert_eq!(given.json()["manifest"]["env"], json!(["GREETING", "LEVEL", "REQUEST_METHOD"]));
    assert!(!given.text().contains("hello"), "{}", given.text());
    let files = daemon.get("/functions/file-write");
    assert_eq!(files.json()["manifest"]["directories"][0], json!({ "guest": "/data", "writable": true }));
    assert!(!files.text().contains(FOLDER.path().to_str().unwrap()), "{}", files.text());
    assert_eq!(daemon.get("/functions/frugal").json()["manifest"]["limits"]["cpu"], "50ms");
}

/// What a guest gets from trying its directory of this number.
fn tried(entry: &str, directory: usize) -> i32 {
    let output = daemon().output(&format!("file-{entry}?input={}", 3 + directory));
    output.as_str().unwrap().trim_end().parse().unwrap()
}

/// Numbers of WASI's errors. Source: `wasi_snapshot_preview1`, `errno`.
const SUCCESS: i32 = 0;
const BADF: i32 = 8;

#[test]
fn a_function_reaches_only_its_directories_and_writes_only_to_writable_ones() {
    let path = |path: &str| FOLDER.path().join(path);
    assert_eq!([0, 1, 2, 3].map(|directory| tried("open", directory)), [SUCCESS, SUCCESS, SUCCESS, BADF]);
    assert_eq!(tried("read", 1), i32::from(b'c'), "the first letter of `shared/note`");
    assert_eq!(tried("alone", 0), 1000 + BADF, "without a manifest there is none");

    assert_eq!((tried("write", 0), fs::read(path("data/note")).unwrap()), (SUCCESS, b"left".to_vec()));
    fs::rename(path("shared/note"), path("shared/kept")).unwrap();
    let made = tried("write", 1);
    fs::rename(path("shared/kept"), path("shared/note")).unwrap();
    assert_ne!(made, SUCCESS, "a file was made in a directory that is not writable");
    assert_ne!(tried("write", 1), SUCCESS, "a file was changed in a directory that is not writable");
    assert_eq!(fs::read(path("shared/note")).unwrap(), b"common");

    for directory in 0..3 {
        assert_ne!(tried("climb", directory), SUCCESS, "{directory}");
    }
    assert!(tried("read", 2) >= 1000, "a link that leads out is not followed");
    assert_ne!(tried("write", 2), SUCCESS);
    assert_eq!(fs::read(path("note")).unwrap(), b"beside the functions");
}

#[test]
fn limits_of_a_manifest_hold_for_its_function() {
    let daemon = daemon();
    assert_eq!(daemon.output("small?input=15"), "1\n");
    assert_eq!(daemon.output("small?input=16"), "-1\n");
    daemon.get("/invoke/hasty").expect_problem(504, "timeout");
    let exact = "x".repeat(1024);
    for (function, longest) in [("echo", "0123456789"), ("http-echo", &exact)] {
        let target = format!("/invoke/{function}");
        assert_eq!(daemon.post(&target, longest).output(), longest);
        daemon.post(&target, format!("{longest}x")).expect_problem(500, "output-too-large");
    }
    let mut echo = Exchange::begin(&daemon, "POST /fn/http-echo", &[]);
    echo.send(exact.as_bytes());
    assert_eq!((echo.head().status, echo.take(1024)), (200, exact.into_bytes()));
    echo.send(b"x");
    echo.end(&[]);
    assert!(echo.rest().is_err(), "an answer that is too long is not complete");
}

#[test]
fn a_limit_of_cpu_time_does_not_count_waiting() {
    let daemon = daemon();
    assert_eq!(daemon.output("patient?input=300"), "0\n");
    let problem = daemon.get("/invoke/frugal").expect_problem(422, "over-cpu-budget");
    assert_detail(&problem, "`limits.cpu`");
    assert!(problem["work"]["cpu_ns"].as_u64() > Some(50_000_000), "{problem}");
    assert_eq!(daemon.calls("frugal", "over_budget"), 1.0);
}

#[test]
fn the_longest_matching_route_wins() {
    let daemon = daemon();
    for (target, expected) in [
        ("/shop", ["SCRIPT_NAME=/shop", "QUERY_STRING="].as_slice()),
        ("/shop/", &["SCRIPT_NAME=/shop", "PATH_INFO=/"]),
        ("/shop/a%20b?k=v", &["SCRIPT_NAME=/shop", "PATH_INFO=/a b", "QUERY_STRING=k=v", "k=v"]),
        ("/shop/carts", &["SCRIPT_NAME=/shop", "PATH_INFO=/carts"]),
        ("/shop/cart/1", &["SCRIPT_NAME=/shop/cart", "PATH_INFO=/1"]),
        ("/shop/cart/pay", &["SCRIPT_NAME=/shop/cart/pay"]),
        ("/shop/cart/pay/now", &["SCRIPT_NAME=/shop/cart/pay", "PATH_INFO=/now"]),
        ("/given", &["SCRIPT_NAME=/given", "QUERY_STRING="]),
        ("/usurped", &["SCRIPT_NAME=/usurped"]),
    ] {
        let response = daemon.request("PATCH", target, &[], b"");
        assert_eq!(response.status, 200, "{target}: {response:?}");
        let variables: Vec<_> = response.text().split('\0').collect();
        assert!(expected.iter().all(|variable| variables.contains(variable)), "{target}: {variables:?}");
        let has_path = expected.iter().any(|variable| variable.starts_with("PATH_INFO"));
        assert_eq!(variables.iter().any(|variable| variable.starts_with("PATH_INFO")), has_path, "{target}");
    }
    for target in ["/shopping", "/shop2/cart", "/sho", "/usurped2"] {
        assert_eq!(daemon.get(target).problem()["type"], "urn:nebula:no-route", "{target}");
    }
    let function = |target: &str| {
        let id = daemon.get(target).header("nebula-invocation-id").unwrap().to_owned();
        daemon.get(&format!("/invocations/{id}")).json()["function"].clone()
    };
    assert_eq!(function("/shop/cart/1"), "store");
    assert_eq!(function("/shop/cart/pay/1"), "till");
    assert_eq!(function("/given"), "till", "a route goes before a name");
    assert_eq!(function("/fn/given"), "given");
}

#[test]
fn a_function_that_speaks_http_sees_the_path_below_its_route() {
    let daemon = daemon();
    for (target, path) in [("/mirror", "/"), ("/mirror/", "/"), ("/mirror/a%20b/c?k=v", "/a%20b/c?k=v")] {
        // The answer is streamed: only its head is of interest.
        let (response, _) = Response::parse(&daemon.send(&request("DELETE", target, &[], b"")));
        assert_eq!((response.header("echo-method"), response.header("echo-path")), (Some("DELETE"), Some(path)));
    }
}

#[test]
fn mistakes_in_manifests_are_logged_and_leave_out_only_their_functions() {
    let daemon = daemon();
    for parts in [
        &[
            "ERROR",
            "wrong.toml` cannot be used: ",
            "unknown key `memry` in a manifest",
            "unknown key `limits.wal` in a manifest; did you mean `limits.wall`?",
            "`args` must be a list, not text",
            "invalid value `1GiB` for `limits.memory`: the daemon allows at most 128MiB",
            "function=wrong",
        ][..],
        &["sudoku.toml` cannot be used: line 1 is not TOML", "function=sudoku"],
        &["asks for `reuse = \"serial\"`, but a command runs once", "function=serial"],
        &["`_start`", "`walk`", "function=no-such-entry"],
        &["ERROR", "nobody.toml` cannot be served: it is a manifest without a function"],
        &["ERROR", "`usurper` is not served at `/shop`: `store` has that route"],
    ] {
        assert_logged(parts);
    }
    for name in ["wrong", "sudoku", "serial", "no-such-entry"] {
        assert_eq!(daemon.get(&format!("/functions/{name}")).status, 404, "{name}");
        daemon.get(&format!("/invoke/{name}")).expect_problem(404, "unknown-function");
    }
    assert_eq!(daemon.output("answer"), "42\n");
    assert_eq!(daemon.get("/functions/usurper").status, 200, "it is served, but not at that route");
}

/// A daemon with one function, of which one call runs at a time.
fn one_at_a_time(options: &[&str]) -> Daemon {
    let files = [("single.wat", guests::source("sleeper")), ("single.toml", "limits.concurrency = 1".into())];
    Daemon::with_files(&files, options)
}

#[test]
fn a_manifest_bounds_how_many_calls_of_its_function_run_at_once() {
    let daemon = one_at_a_time(&["--limits-queue 1 --limits-queue-wait 20s"]);
    thread::scope(|scope| {
        let first = scope.spawn(|| daemon.get("/invoke/single?input=1500").json());
        until("the first runs", || daemon.in_flight() == 1.0);
        let others = ["/fn/single", "/invoke/single"].map(|target| scope.spawn(|| daemon.get(target)));
        assert_eq!(daemon.output("answer"), "42\n", "other functions have places of their own");
        let first = first.join().unwrap();
        assert_eq!(first["output"], "0\n");
        assert!(first["timing"]["queue_us"].as_u64() < Some(500_000), "{first}");
        let mut answers = others.map(|call| call.join().unwrap());
        answers.sort_by_key(|answer| answer.status);
        let [waited, refused] = &answers;
        assert_eq!(waited.status, 400, "it had its turn, but no input: {answers:?}");
        refused.expect_problem(503, "busy");
        assert_eq!(refused.header("retry-after"), Some("1"));
    });
    assert_eq!(daemon.calls("single", "rejected"), 1.0);
}

#[test]
fn waiting_for_a_turn_is_reported_apart_from_the_call() {
    let daemon = one_at_a_time(&[]);
    thread::scope(|scope| {
        let first = scope.spawn(|| daemon.get("/invoke/single?input=1000").json());
        until("the first runs", || daemon.in_flight() == 1.0);
        let second = daemon.get("/invoke/single?input=1").json();
        let first = first.join().unwrap();
        let time = |envelope: &Value, name: &str| envelope["timing"][name].as_u64().unwrap();
        assert!(time(&second, "queue_us") > 100_000 && time(&second, "execution_us") >= 1_000, "{second}");
        assert!(time(&second, "total_us") < time(&second, "queue_us"), "a call begins with its turn: {second}");
        assert!(time(&first, "execution_us") >= 1_000_000 && time(&first, "queue_us") < 500_000, "{first}");
    });
    let metrics = daemon.metrics();
    let of_single = [("function", "single")];
    // Calls of all functions wait in one queue.
    for (name, labels, least) in [("queue", &[][..], 0.1), ("duration", &of_single, 1.0), ("startup", &of_single, 1e-9)]
    {
        let name = format!("nebula_invocation_{name}_seconds");
        assert_eq!(metrics.sum(&format!("{name}_count"), labels), 2.0, "{name}");
        let sum = metrics.sum(&format!("{name}_sum"), labels);
        assert!(sum >= least, "{name}: {sum}");
    }
}

#[test]
fn a_missing_directory_fails_the_call_but_not_the_daemon() {
    let manifest = "directories = [{ host = 'nowhere', guest = '/data' }]";
    let files = [("files.wat", guests::source("files")), ("files.toml", manifest.into())];
    let daemon = Daemon::with_files(&files, &[]);
    let problem = daemon.get("/invoke/files?input=3").problem();
    assert_eq!(problem["status"], 500, "{problem}");
    assert!(!problem.to_string().contains(env!("CARGO_TARGET_TMPDIR")), "{problem}");
    assert_eq!(daemon.output("answer"), "42\n");
}
