//! Deploying, replacing and removing functions while the daemon serves.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tempfile::TempDir;

use crate::guests::{folder_of, sample};
use crate::prelude::*;
use crate::small_disk::SmallDisk;

fn answers(number: u32) -> String {
    format!("(module (func (export \"run\") (result i32) (i32.const {number})))")
}

/// A module that is slow to compile. With a hundred functions it is slow on every machine.
fn slow_to_compile(functions: usize) -> String {
    let body = "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 3)) (i32.const 7)))".repeat(4000);
    let function = format!("(func (param i32) (result i32) {body} (local.get 0))");
    format!("(module (func (export \"run\") (result i32) (i32.const 1)) {})", function.repeat(functions))
}

impl Daemon {
    fn put(&self, name: &str, body: impl AsRef<[u8]>) -> Response {
        self.request("PUT", &format!("/functions/{name}"), &[], body)
    }
}

/// A daemon with a new state, in which nothing is compiled yet.
fn daemon(options: &[&str]) -> (TempDir, Daemon) {
    let state = temporary_folder();
    let daemon = start(&state, options);
    (state, daemon)
}

fn start(state: &TempDir, options: &[&str]) -> Daemon {
    Daemon::start(&[&["--state", state.path().to_str().unwrap()], options].concat())
}

fn etag(response: &Response) -> String {
    response.header("etag").unwrap().to_owned()
}

#[test]
fn a_function_is_deployed_replaced_rolled_back_and_removed() {
    let (state, daemon) = daemon(&[]);
    let first = daemon.put("number", answers(1));
    assert_eq!((first.status, first.header("location")), (201, Some("/functions/number")));
    assert_eq!(daemon.output("number"), "1\n");
    let same = daemon.put("number", answers(1));
    assert_eq!((same.status, &same.json()["changed"], etag(&same)), (200, &false.into(), etag(&first)));

    let second = daemon.put("number", answers(2));
    assert_eq!((second.status, &second.json()["version_before"]), (200, &first.json()["version"]));
    assert_eq!(daemon.output("number"), "2\n");
    let versions = daemon.get("/functions/number/versions").json();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 2);
    assert_eq!((&versions["versions"][0]["served"], &versions["version"]), (&true.into(), &second.json()["version"]));

    let back = daemon.request("POST", "/functions/number/rollback", &[], "");
    assert_eq!((back.status, etag(&back)), (200, etag(&first)));
    assert_eq!(daemon.output("number"), "1\n");
    let first_of_all = daemon.request("POST", "/functions/number/rollback", &[], "");
    assert_eq!(first_of_all.problem()["type"], "urn:nebula:no-such-version");
    let to = format!("/functions/number/rollback?to={}", &second.json()["version"].as_str().unwrap()[..12]);
    assert_eq!(daemon.request("POST", &to, &[], "").status, 200);
    assert_eq!(daemon.output("number"), "2\n");

    assert_eq!(daemon.request("DELETE", "/functions/number", &[], "").status, 204);
    assert_eq!(daemon.get("/invoke/number").status, 404);
    assert_eq!(daemon.request("DELETE", "/functions/number", &[], "").problem()["status"], 404);
    // Its calls are still known.
    assert_eq!(daemon.get("/invocations?function=number").json()["invocations"].as_array().unwrap().len(), 4);
    assert_eq!(daemon.request("POST", "/functions/number/rollback", &[], "").status, 201);
    assert_eq!(daemon.output("number"), "2\n");
    daemon.stop();

    let again = start(&state, &[]);
    assert_eq!(again.output("number"), "2\n");
    assert_eq!(etag(&again.get("/functions/number")), etag(&second));
}

#[test]
fn a_built_in_function_can_be_replaced_and_comes_back() {
    let (_state, daemon) = daemon(&[]);
    let built_in = etag(&daemon.get("/functions/answer"));
    assert_eq!(daemon.request("DELETE", "/functions/answer", &[], "").problem()["type"], "urn:nebula:built-in");
    assert_eq!(daemon.put("answer", answers(7)).status, 200);
    assert_eq!(daemon.output("answer"), "7\n");
    let back = daemon.request("POST", "/functions/answer/rollback", &[], "");
    assert_eq!((back.status, etag(&back), &back.json()["origin"]), (200, built_in.clone(), &"built-in".into()));
    assert_eq!(daemon.put("answer", answers(7)).status, 200);
    assert_eq!(daemon.request("DELETE", "/functions/answer", &[], "").status, 204);
    assert_eq!(etag(&daemon.get("/functions/answer")), built_in);
}

#[test]
fn a_failed_precondition_changes_nothing() {
    let (_state, daemon) = daemon(&[]);
    let put = |header: &str, number| daemon.request("PUT", "/functions/number", &[header], answers(number));
    assert_eq!(put("if-match: *", 1).problem()["type"], "urn:nebula:version-conflict");
    let first = put("if-none-match: *", 1);
    assert_eq!(first.status, 201);
    assert_eq!(put("if-none-match: *", 2).status, 412);
    let second = put(&format!("if-match: {}", etag(&first)), 2);
    assert_eq!(second.status, 200);
    assert_eq!(put(&format!("if-match: {}", etag(&first)), 3).status, 412);
    assert_eq!(put("if-match: \"nonsense\"", 3).status, 400);
    assert_eq!(daemon.output("number"), "2\n");
    let delete = |tag: &str| daemon.request("DELETE", "/functions/number", &[&format!("if-match: {tag}")], "").status;
    assert_eq!((delete(&etag(&first)), delete(&etag(&second))), (412, 204));
}

#[test]
fn a_manifest_is_deployed_with_the_module_or_after_it() {
    let (_state, daemon) = daemon(&[]);
    let parts = b"--b\r\ncontent-disposition: form-data; name=\"manifest\"\r\n\r\n[limits]\nwall = \"2s\"\r\n--b\r\n\
                  content-disposition: form-data; name=\"module\"\r\n\r\n";
    let form = [&parts[..], &fs::read(sample("echo")).unwrap(), b"\r\n--b--\r\n"].concat();
    let wall = |put: &Response| put.json()["manifest"]["limits"]["wall"].clone();
    let put = daemon.request("PUT", "/functions/shop", &["content-type: multipart/form-data; boundary=b"], form);
    assert_eq!((put.status, wall(&put)), (201, "2s".into()));
    assert_eq!(wall(&daemon.put("shop", answers(1))), "2s", "a module alone keeps the manifest");

    let manifest = |text: &[u8]| daemon.request("PUT", "/functions/shop/manifest", &[], text);
    let put = manifest(b"[limits]\nwall = \"3s\"");
    assert_eq!((put.status, wall(&put)), (200, "3s".into()));
    let wrong = manifest(b"[limits]\nwal = \"3s\"").problem();
    assert_eq!(wrong["status"], 422);
    assert_detail(&wrong, "did you mean `limits.wall`");
    assert_eq!([(64 << 10) + 1, 64 << 10].map(|length| manifest(&vec![b'#'; length]).status), [413, 200]);
    assert_eq!(daemon.request("PUT", "/functions/nobody/manifest", &[], "").status, 404);
}

#[test]
fn a_deployed_manifest_opens_only_allowed_directories() {
    let (allowed, other) = (temporary_folder(), temporary_folder());
    let (_state, daemon) = daemon(&["--deploy-directories", allowed.path().to_str().unwrap()]);
    assert_eq!(daemon.put("shop", answers(1)).status, 201);
    let manifest = |host: &Path| {
        let text = format!("[[directories]]\nhost = {host:?}\nguest = \"/data\"");
        daemon.request("PUT", "/functions/shop/manifest", &[], text)
    };
    assert_eq!(manifest(allowed.path()).status, 200);
    std::os::unix::fs::symlink(other.path(), allowed.path().join("way-out")).unwrap();
    let way_out = allowed.path().join("way-out");
    for bad in [other.path(), Path::new("/"), &allowed.path().join(".."), &way_out, Path::new("../../..")] {
        let problem = manifest(bad).problem();
        assert_eq!(problem["status"], 422, "{}: {problem}", bad.display());
        let why = problem["detail"].as_str().unwrap();
        assert!(why.contains("`deploy.directories`") || why.contains("`..`"), "{why}");
    }
}

/// Compiling the second version takes far more CPU time than a call, so a charge that mixed them up would show.
#[test]
fn joules_per_call_do_not_include_compiling() {
    let (_state, daemon) = daemon(&["--window 20ms --usage-flush 100ms"]);
    let report = || daemon.get("/usage?since=all&by=version").json()["rows"].as_array().unwrap().clone();
    let mut charged = BTreeMap::new();
    for module in [answers(1), slow_to_compile(20)] {
        let put = daemon.put("number", module);
        for _ in 0..5 {
            let call = daemon.get("/invoke/number?settle=true").json();
            // On a busy machine the answer may have given up waiting for its charge.
            let joules = daemon.settled_invocation(&call)["energy"]["active_joules"].as_f64().unwrap();
            *charged.entry(etag(&put).trim_matches('"').to_owned()).or_insert(0.0) += joules;
        }
    }
    // A call is counted at its end, and its energy is stored once it is settled.
    until("every version is stored with the mean of its calls", || {
        let rows: Vec<_> = report().into_iter().filter(|row| row["function"] == "number").collect();
        let is_mean = |row: &Value| {
            let mean = charged[row["version"].as_str().unwrap()] / 5.0;
            row["calls"] == 5 && (row["joules_per_call"].as_f64().unwrap() - mean).abs() < 1e-6
        };
        rows.len() == 2 && rows.iter().all(|row| is_mean(row) && row["preparing_joules"].as_f64() > Some(0.0))
    });
}

#[test]
fn a_failed_compilation_is_charged_to_the_function_that_it_was_to_replace() {
    let (_state, daemon) = daemon(&["--window 20ms --usage-flush 100ms"]);
    assert_eq!(daemon.put("wrong", answers(1)).status, 201);
    let energy = || daemon.metrics().charged_to_functions(&[("function", "wrong")]);
    let preparing = || daemon.get("/functions/wrong").json()["cold_start"]["energy_joules"].as_f64();
    until("the first version is charged", || preparing().is_some());
    let before = energy();
    let wrong = slow_to_compile(2).replace("(result i32) (i32.const 1)", "(result i32) (i64.const 1)");
    assert_eq!(daemon.put("wrong", wrong).status, 422);
    until("it is charged", || energy() > before);
    let ledger = daemon.get("/energy").json()["sums"]["functions"].clone();
    assert!(ledger["wrong"]["preparing_microjoules"].as_u64() > Some(0), "{ledger}");
    assert!(ledger.as_object().unwrap().keys().all(|name| !name.starts_with('#')), "{ledger}");
    let (mut events, mut text) = (BufReader::new(daemon.begin("/events?types=watts,accounts")), String::new());
    // An empty line ends an event.
    while !(text.contains("event: accounts") && text.contains("event: watts") && text.ends_with("\n\n")) {
        events.read_line(&mut text).unwrap();
    }
    assert!(!text.contains("\"#"), "{text}");
    until("it is stored under its name", || {
        let rows = daemon.get("/usage?since=all").json()["rows"].clone();
        rows.as_array().unwrap().iter().any(|row| row["function"] == "wrong" && row["calls"] == 0)
    });
}

#[test]
fn a_refused_deployment_leaves_the_previous_version_serving() {
    let (state, daemon) = daemon(&["--limits-module 128KiB --limits-functions 23"]);
    assert_eq!(daemon.put("number", answers(1)).status, 201);
    let whole = fs::read(sample("echo")).unwrap();
    for cut in [1, 4, 7, 8, 9, whole.len() / 2, whole.len() - 1] {
        // Eight bytes are a module that does nothing, and has nothing to call.
        daemon.put("number", &whole[..cut]).expect_problem(422, "not-deployable");
    }
    assert_eq!(daemon.put("number", "").status, 400);
    assert_eq!(daemon.put("number", vec![0; 128 << 10]).status, 422);
    assert_eq!(daemon.put("number", vec![0; (128 << 10) + 1]).status, 413);
    for name in ["..", "%2e%2e%2fx", "a%2fb", "UPPER", "invoke", "-x", "a%00b", &"x".repeat(64)] {
        assert!([400, 404].contains(&daemon.put(name, answers(2)).status), "{name}");
    }
    assert_eq!(daemon.put("one-more", answers(2)).problem()["type"], "urn:nebula:too-many-functions");
    assert_eq!(daemon.output("number"), "1\n");
    assert_eq!(fs::read_dir(state.path().join("functions")).unwrap().count(), 1);
}

#[test]
fn changes_in_the_directory_are_deployed() {
    let folder = folder_of(&[("old.wat", answers(1))]);
    let (_state, daemon) = daemon(&["--functions", folder.path().to_str().unwrap()]);
    let file = |name: &str| folder.path().join(name);
    fs::write(file("new.wat"), answers(2)).unwrap();
    until("a file dropped in is deployed", || daemon.get("/invoke/new").status == 200);
    fs::write(file("new.wat"), answers(3)).unwrap();
    until("a changed file replaces", || daemon.output("new") == "3\n");

    fs::write(file("new.wat"), "(module (func").unwrap();
    fs::write(file("Wrong Name.wasm"), "").unwrap();
    let broken = || daemon.get("/functions").json()["broken"].as_array().unwrap().clone();
    until("broken files are listed", || broken().len() == 2);
    let of_new = broken().into_iter().find(|broken| broken["name"] == "new").unwrap();
    assert!(of_new["reason"].as_str().unwrap().contains("cannot compile it"), "{of_new}");
    assert!(of_new["version_served"].is_string());
    assert_eq!(daemon.output("new"), "3\n");
    assert!(daemon.get("/metrics").text().contains("nebula_broken_functions 2\n"));

    fs::write(file("new.toml"), "[limits]\nwall = \"4s\"").unwrap();
    fs::write(file("new.wat"), answers(4)).unwrap();
    until("the function is repaired", || daemon.output("new") == "4\n");
    until("its manifest counts", || {
        daemon.get("/functions/new").json()["manifest"]["limits"]["wall"] == "4s" && broken().len() == 1
    });

    fs::remove_file(file("new.wat")).unwrap();
    fs::remove_file(file("new.toml")).unwrap();
    until("a deleted file is removed", || daemon.get("/invoke/new").status == 404);
    // The version that was there from the start is kept too, before it is replaced.
    let kept = |name| daemon.get(&format!("/functions/{name}/versions")).json()["versions"].as_array().map(Vec::len);
    until("it is kept", || kept("old") == Some(1));
    fs::write(file("old.wat"), answers(5)).unwrap();
    until("it is replaced", || daemon.output("old") == "5\n");
    assert_eq!(daemon.request("POST", "/functions/old/rollback", &[], "").status, 200);
    assert_eq!(daemon.output("old"), "1\n");
    assert_eq!(fs::read_to_string(file("old.wat")).unwrap(), answers(1));
}

#[test]
fn a_new_version_takes_over_between_two_calls() {
    let (_state, daemon) = daemon(&[]);
    assert_eq!(daemon.put("number", answers(0)).status, 201);
    let done = AtomicBool::new(false);
    let calls: usize = thread::scope(|scope| {
        let call = || {
            let mut stream = daemon.connect();
            let (mut calls, mut last) = (0, 0);
            while !done.load(Ordering::Relaxed) {
                stream.write_all(b"GET /number HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
                let answer = read_answer(&mut stream);
                assert_eq!(answer.status, 200, "{}", answer.text());
                let number: u32 = answer.text().trim().parse().unwrap();
                assert!(number >= last, "{number} after {last}");
                (last, calls) = (number, calls + 1);
            }
            assert!(last > 0, "no new version was met");
            calls
        };
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(call)).collect();
        for number in 1..=10 {
            assert_eq!(daemon.put("number", answers(number)).status, 200);
        }
        until("the last one serves", || daemon.output("number") == "10\n");
        done.store(true, Ordering::Relaxed);
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    assert!(calls > 40, "{calls}");
    // All versions are counted as one function.
    assert!(daemon.calls("number", "ok") >= calls as f64);
}

#[test]
fn a_function_that_does_not_fit_on_the_disk_is_not_deployed() {
    let Some(disk) = SmallDisk::mount("64k") else { return };
    let (_state, daemon) = daemon(&["--functions", disk.path().to_str().unwrap()]);
    assert_eq!(daemon.put("number", answers(1)).status, 201);
    let large = format!("{};;{}", answers(2), "x".repeat(100 << 10));
    daemon.put("number", large).expect_problem(507, "not-written");
    assert_eq!(daemon.output("number"), "1\n");
    let names: Vec<_> = fs::read_dir(disk.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["number.wat"]);
}
