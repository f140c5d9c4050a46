//! What functions may do and use: the files `NAME.toml` in their folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::client::{Response, request};
use crate::daemon::Daemon;
use crate::exchange::Exchange;
use crate::guests;
use crate::waiting::until;

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

static OPTIONS: LazyLock<[&str; 4]> =
    LazyLock::new(|| ["--source", "model", "--functions", FOLDER.path().to_str().unwrap()]);

fn daemon() -> std::sync::Arc<Daemon> {
    Daemon::shared(&*OPTIONS)
}

/// A line of the log that has all of these.
fn logged(log: &str, parts: &[&str]) {
    assert!(log.lines().any(|line| parts.iter().all(|part| line.contains(part))), "{parts:?}\n{log}");
}

#[test]
fn the_environment_has_what_the_manifest_says() {
    let daemon = daemon();
    let output = |target: &str| {
        let output = daemon.get(target).json()["output"].as_str().unwrap().to_owned();
        let mut variables: Vec<_> = output.split_terminator('\0').map(str::to_owned).collect();
        variables.sort();
        variables
    };
    assert_eq!(output("/invoke/given"), ["GREETING=hello", "LEVEL=1", "REQUEST_METHOD=MINE"]);
    let overridden = output("/invoke/given?LEVEL=9&more=x&GREETING=bye");
    assert_eq!(overridden, ["GREETING=hello", "LEVEL=1", "REQUEST_METHOD=MINE", "more=x"], "callers change nothing");
    let cgi = daemon.get("/fn/given?LEVEL=9");
    for expected in ["LEVEL=1", "REQUEST_METHOD=MINE", "QUERY_STRING=LEVEL=9"] {
        assert!(cgi.text().split('\0').any(|variable| variable == expected), "{expected}: {}", cgi.text());
    }
    assert_eq!(daemon.get("/invoke/hello-component?name=Eve").json()["output"], "Hello, Ada!\n", "built-in ones too");
}

#[test]
fn arguments_of_the_manifest_come_before_those_of_the_request() {
    let daemon = daemon();
    assert_eq!(daemon.get("/invoke/words").json()["output"], "words\0--fast\0x y\0");
    assert_eq!(daemon.get("/fn/words/p?k=v").text(), "words\0--fast\0x y\0/p\0k=v\0");
}

#[test]
fn what_a_manifest_says_is_shown_without_its_secrets() {
    let daemon = daemon();
    let given = daemon.get("/functions/given");
    assert_eq!(given.json()["manifest"]["env"], serde_json::json!(["GREETING", "LEVEL", "REQUEST_METHOD"]));
    assert!(!given.text().contains("hello"), "{}", given.text());
    let files = daemon.get("/functions/file-write");
    assert_eq!(files.json()["manifest"]["directories"][0], serde_json::json!({ "guest": "/data", "writable": true }));
    assert!(!files.text().contains(FOLDER.path().to_str().unwrap()), "{}", files.text());
    assert_eq!(daemon.get("/functions/frugal").json()["manifest"]["limits"]["cpu"], "50ms");
}

/// What a guest gets that tries its first, second, … directory.
fn tried(entry: &str, directory: usize) -> i32 {
    let envelope = daemon().get(&format!("/invoke/file-{entry}?input={}", 3 + directory)).json();
    envelope["output"].as_str().unwrap_or_else(|| panic!("{envelope}")).trim_end().parse().unwrap()
}

/// Numbers of WASI's errors. Source: `wasi_snapshot_preview1`, `errno`.
const SUCCESS: i32 = 0;
const BADF: i32 = 8;

#[test]
fn a_function_sees_the_directories_that_it_was_given_and_no_others() {
    assert_eq!([0, 1, 2, 3].map(|directory| tried("open", directory)), [SUCCESS, SUCCESS, SUCCESS, BADF]);
    assert_eq!(tried("read", 1), i32::from(b'c'), "the first letter of `shared/note`");
    assert_eq!(tried("alone", 0), 1000 + BADF, "without a manifest there is none");
}

#[test]
fn only_a_writable_directory_is_written_to() {
    let exists = |path: &str| FOLDER.path().join(path).exists();
    assert_eq!(tried("write", 0), SUCCESS);
    assert_eq!(fs::read(FOLDER.path().join("data/note")).unwrap(), b"left");
    fs::rename(FOLDER.path().join("shared/note"), FOLDER.path().join("shared/kept")).unwrap();
    let made = tried("write", 1);
    fs::rename(FOLDER.path().join("shared/kept"), FOLDER.path().join("shared/note")).unwrap();
    assert!(made != SUCCESS, "a file was made where nothing may be written");
    assert!(tried("write", 1) != SUCCESS, "nor is one changed that is there");
    assert!(exists("shared/note") && fs::read(FOLDER.path().join("shared/note")).unwrap() == b"common");
}

#[test]
fn nothing_leads_out_of_a_directory() {
    for directory in 0..3 {
        assert_ne!(tried("climb", directory), SUCCESS, "{directory}");
    }
    assert!(tried("read", 2) >= 1000, "a link that leads out is not followed");
    assert_ne!(tried("write", 2), SUCCESS);
    assert_eq!(fs::read(FOLDER.path().join("note")).unwrap(), b"beside the functions");
}

#[test]
fn limits_of_a_manifest_hold_for_its_function() {
    let daemon = daemon();
    assert_eq!(daemon.get("/invoke/small?input=15").json()["output"], "1\n");
    assert_eq!(daemon.get("/invoke/small?input=16").json()["output"], "-1\n");
    assert_eq!(daemon.get("/invoke/hasty").problem()["type"], "urn:nebula:timeout");
    assert_eq!(daemon.post("/invoke/echo", "0123456789").json()["output"], "0123456789");
    assert_eq!(daemon.post("/invoke/echo", "0123456789a").problem()["type"], "urn:nebula:output-too-large");
}

#[test]
fn a_manifest_bounds_the_answer_of_a_function_that_speaks_http() {
    let daemon = daemon();
    let exact = "x".repeat(1024);
    assert_eq!(daemon.post("/invoke/http-echo", &exact).json()["output"], exact.as_str());
    let more = format!("{exact}x");
    assert_eq!(daemon.post("/invoke/http-echo", &more).problem()["type"], "urn:nebula:output-too-large");
    let mut echo = Exchange::begin(&daemon, "POST /fn/http-echo", &[]);
    echo.send(exact.as_bytes());
    assert_eq!((echo.head().status, echo.take(1024)), (200, exact.into_bytes()));
    echo.send(b"x");
    echo.end(&[]);
    assert!(echo.rest().is_err(), "an answer that is too long is not complete");
}

#[test]
fn a_limit_of_cpu_time_counts_what_a_call_computes_and_not_what_it_waits() {
    let daemon = daemon();
    assert_eq!(daemon.get("/invoke/patient?input=300").json()["output"], "0\n");
    let response = daemon.get("/invoke/frugal");
    let problem = response.problem();
    assert_eq!((response.status, &problem["type"]), (422, &"urn:nebula:over-cpu-budget".into()));
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("`limits.cpu`")), "{problem}");
    let cpu = problem["work"]["cpu_ns"].as_u64().unwrap();
    assert!(cpu > 50_000_000, "{problem}");
    let outcome = [("function", "frugal"), ("outcome", "over_budget")];
    assert_eq!(daemon.metrics().sum("nebula_invocations_total", &outcome), 1.0);
}

#[test]
fn a_route_leads_to_its_function_and_the_longest_wins() {
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
        let (response, _) = Response::parse(&daemon.send(&request("DELETE", target, &[], b"")));
        assert_eq!((response.header("echo-method"), response.header("echo-path")), (Some("DELETE"), Some(path)));
    }
}

#[test]
fn of_two_that_claim_a_route_the_first_has_it_and_the_other_is_told_of() {
    let daemon = daemon();
    logged(&daemon.log(), &["ERROR", "`usurper` is not served at `/shop`: `store` has that route"]);
    assert_eq!(daemon.get("/functions/usurper").status, 200, "it is served elsewhere");
}

#[test]
fn all_mistakes_of_a_manifest_are_told_at_once_and_its_function_alone_is_left_out() {
    let daemon = daemon();
    let log = daemon.log();
    logged(
        &log,
        &[
            "ERROR",
            "wrong.toml` cannot be used: ",
            "unknown key `memry` in a manifest",
            "unknown key `limits.wal` in a manifest; did you mean `limits.wall`?",
            "`args` must be a list, not text",
            "invalid value `1GiB` for `limits.memory`: the daemon allows at most 128MiB",
            "function=wrong",
        ],
    );
    logged(&log, &["sudoku.toml` cannot be used: line 1 is not TOML", "function=sudoku"]);
    logged(&log, &["asks for `reuse = \"serial\"`, but a command runs once", "function=serial"]);
    logged(&log, &["`_start`", "`walk`", "function=no-such-entry"]);
    for name in ["wrong", "sudoku", "serial", "no-such-entry"] {
        assert_eq!(daemon.get(&format!("/functions/{name}")).status, 404, "{name}");
        assert_eq!(daemon.get(&format!("/invoke/{name}")).problem()["type"], "urn:nebula:unknown-function", "{name}");
    }
    assert_eq!(daemon.get("/invoke/answer").json()["output"], "42\n");
}

#[test]
fn a_manifest_of_nothing_is_told_of() {
    logged(&daemon().log(), &["ERROR", "nobody.toml` cannot be served: it is a manifest without a function"]);
}

#[test]
fn a_manifest_bounds_how_many_calls_of_its_function_run_at_once() {
    let files = [("single.wat", guests::source("sleeper")), ("single.toml", "limits.concurrency = 1".into())];
    let folder = guests::folder_of(&files);
    let functions = folder.path().to_str().unwrap();
    let options = ["--source", "model", "--functions", functions, "--limits-queue", "1", "--limits-queue-wait", "20s"];
    let daemon = Daemon::start(&options);
    let in_flight = || daemon.metrics().sum("nebula_in_flight_invocations", &[]);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| daemon.get("/invoke/single?input=1500").json());
        until("the first runs", || in_flight() == 1.0);
        let second = scope.spawn(|| daemon.get("/fn/single"));
        let third = scope.spawn(|| daemon.get("/invoke/single"));
        assert_eq!(daemon.get("/invoke/answer").json()["output"], "42\n", "others have their own places");
        let first = first.join().unwrap();
        assert_eq!(first["output"], "0\n");
        assert!(first["timing"]["queue_us"].as_u64() < Some(500_000), "{first}");
        let mut answers = [second.join().unwrap(), third.join().unwrap()];
        answers.sort_by_key(|answer| answer.status);
        // Neither was given how long to sleep, which is no matter of queues.
        let [waited, refused] = &answers;
        assert_eq!((waited.status, refused.status), (400, 503), "{answers:?}");
        assert_eq!(refused.problem()["type"], "urn:nebula:busy");
        assert_eq!(refused.header("retry-after"), Some("1"));
    });
    let rejected = [("function", "single"), ("outcome", "rejected")];
    assert_eq!(daemon.metrics().sum("nebula_invocations_total", &rejected), 1.0);
}

#[test]
fn the_time_that_a_call_waited_for_its_turn_is_told_apart() {
    let files = [("single.wat", guests::source("sleeper")), ("single.toml", "limits.concurrency = 1".into())];
    let folder = guests::folder_of(&files);
    let daemon = Daemon::start(&["--source", "model", "--functions", folder.path().to_str().unwrap()]);
    let in_flight = || daemon.metrics().sum("nebula_in_flight_invocations", &[]);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| daemon.get("/invoke/single?input=1000").json());
        until("the first runs", || in_flight() == 1.0);
        let waited = [scope.spawn(|| daemon.get("/invoke/single?input=1").json())].map(|call| call.join().unwrap());
        let first = first.join().unwrap();
        let time = |envelope: &serde_json::Value, name: &str| envelope["timing"][name].as_u64().unwrap();
        assert!(time(&waited[0], "queue_us") > 100_000, "{waited:?}");
        assert!(time(&waited[0], "execution_us") >= 1_000, "{waited:?}");
        assert!(
            time(&waited[0], "total_us") < time(&waited[0], "queue_us"),
            "the call begins with its turn: {waited:?}"
        );
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
fn a_folder_of_a_directory_that_is_gone_fails_the_call_and_not_the_daemon() {
    let files = [
        ("files.wat", guests::source("files")),
        ("files.toml", "directories = [{ host = 'nowhere', guest = '/data' }]".into()),
    ];
    let folder = guests::folder_of(&files);
    assert!(!Path::new(folder.path()).join("nowhere").exists());
    let daemon = Daemon::start(&["--source", "model", "--functions", folder.path().to_str().unwrap()]);
    let problem = daemon.get("/invoke/files?input=3").problem();
    assert_eq!(problem["status"], 500, "{problem}");
    assert!(!problem.to_string().contains(folder.path().to_str().unwrap()), "{problem}");
    assert_eq!(daemon.get("/invoke/answer").json()["output"], "42\n");
}
