//! Who may come in: addresses, tokens and their roles.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use rustix::process::Signal;
use serde_json::Value;

use crate::client::Response;
use crate::daemon::{Daemon, nebula, run, stderr};
use crate::guests;
use crate::tokens::{TokensFile, make};
use crate::waiting::{eventually, until};

fn refused(options: &[&str]) -> String {
    let output = run(nebula().args(["serve", "--source", "model"]).args(options));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0), "{}", stderr(&output));
    stderr(&output)
}

/// A daemon that asks everybody, on this machine.
fn asking(tokens: &TokensFile, options: &[&str]) -> Daemon {
    let ours = ["--source", "model", "--access", "tokens", "--tokens", &tokens.shown()];
    Daemon::with_guests(&[&ours[..], options].concat())
}

fn kind(response: &Response) -> (u16, String) {
    (response.status, response.problem()["type"].as_str().unwrap().trim_start_matches("urn:nebula:").to_owned())
}

#[test]
fn a_daemon_that_others_can_reach_asks_who_they_are_or_does_not_start() {
    let told = refused(&["--listen", "0.0.0.0:0", "--admin-listen", "[::]:0", "--window", "soon"]);
    for part in [
        "invalid value `0.0.0.0:0` for --listen",
        "invalid value `[::]:0` for --admin-listen",
        "`soon`",
        "`nebula token`",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(refused(&["--access", "tokens", "--listen", "127.0.0.1:0"]).contains("there are no tokens"));

    let tokens = TokensFile::empty();
    let alice = tokens.add("alice", &[]);
    let mut command = nebula();
    command.args(["serve", "--source", "model", "--listen", "0.0.0.0:0", "--tokens", &tokens.shown()]);
    let daemon = Daemon::start_command(&mut command);
    // Also for those who come from this machine: where a proxy stands, all do.
    assert_eq!(kind(&daemon.get("/invoke/answer")), (401, "no-token".into()));
    assert_eq!(daemon.request("GET", "/invoke/answer", &[&alice], b"").status, 200);
    assert_eq!([daemon.get("/healthz").status, daemon.get("/readyz").status], [200; 2]);
    assert!(daemon.stop().contains("tokens pass in the clear at 0.0.0.0"));
}

#[test]
fn a_file_of_tokens_that_is_wrong_is_told_before_anything_is_served() {
    let tokens = TokensFile::empty();
    let start = || refused(&["--listen", "127.0.0.1:0", "--tokens", &tokens.shown()]);
    fs::write(tokens.path(), "[tokens.alice]\nrols = [\"invoke\"]\n").unwrap();
    let told = start();
    assert!(told.contains("did you mean `roles`?") && told.contains("`tokens.alice.hash` is missing"), "{told}");
    fs::write(tokens.path(), "").unwrap();
    fs::set_permissions(tokens.path(), fs::Permissions::from_mode(0o666)).unwrap();
    assert!(start().contains("everybody can write"));
    fs::remove_file(tokens.path()).unwrap();
    assert!(start().contains("cannot read the tokens"));
}

#[test]
fn each_role_may_do_what_is_its_own() {
    let tokens = TokensFile::empty();
    let roles = ["invoke", "deploy", "operate"].map(|role| tokens.add(role, &["--role", role]));
    let daemon = asking(&tokens, &[]);
    for (line, least) in [
        ("GET /invoke/answer", 0),
        ("GET /api/answer/", 0),
        ("GET /fn/answer", 0),
        ("GET /answer", 0),
        ("GET /", 0),
        ("GET /functions", 0),
        ("GET /functions/answer", 0),
        ("GET /invocations", 0),
        ("DELETE /functions/nobody", 1),
        ("GET /metrics", 2),
        ("GET /energy", 2),
    ] {
        let (method, target) = line.split_once(' ').unwrap();
        let stranger = daemon.request(method, target, &[], b"");
        assert_eq!(stranger.header("www-authenticate"), Some("Bearer realm=\"nebula\""), "{line}");
        assert_eq!(kind(&stranger), (401, "no-token".into()), "{line}");
        for (role, header) in roles.iter().enumerate() {
            let response = daemon.request(method, target, &[header], b"");
            if role >= least {
                assert!(!matches!(response.status, 401 | 403), "{line} {role}: {response:?}");
                continue;
            }
            let needed = ["invoke", "deploy", "operate"][least];
            assert_eq!(kind(&response), (403, "needs-role".into()), "{line}");
            assert!(response.problem()["detail"].as_str().unwrap().contains(&format!("`{needed}`")), "{line}");
            let challenge = response.header("www-authenticate").unwrap();
            assert!(challenge.contains(&format!("error=\"insufficient_scope\", scope=\"{needed}\"")), "{challenge}");
        }
    }
    for target in ["/invoke/nobody", "/metrics/of/tomorrow"] {
        assert_eq!(daemon.get(target).status, 401, "who is not known learns nothing of {target}");
    }
}

#[test]
fn what_is_no_token_of_ours_is_refused_however_it_is_written() {
    let tokens = TokensFile::empty();
    let good = tokens.add("alice", &[]);
    let token = good.strip_prefix("authorization: Bearer ").unwrap();
    let daemon = asking(&tokens, &[]);
    let ask = |headers: &[&str]| daemon.request("GET", "/invoke/answer", headers, b"");
    for written in [format!("authorization: bearer {token}"), format!("Authorization: BEARER   {token} ")] {
        assert_eq!(ask(&[&written]).status, 200, "{written}");
    }
    let mut changed = token.to_owned();
    let last = if changed.pop() == Some('A') { 'B' } else { 'A' };
    changed.push(last);
    let invalid = Some("Bearer realm=\"nebula\", error=\"invalid_token\"");
    for wrong in [
        "authorization: Bearer".to_owned(),
        "authorization: Bearer ".to_owned(),
        "authorization: Bearer nebula_".to_owned(),
        format!("authorization: Bearer {changed}"),
        format!("authorization: Bearer {token}A"),
        format!("authorization: Bearer {}", token.trim_start_matches("nebula_")),
        format!("authorization: Bearer nebula_{}", "x".repeat(8000)),
    ] {
        let response = ask(&[&wrong]);
        assert_eq!(
            (kind(&response), response.header("www-authenticate")),
            ((401, "bad-token".into()), invalid),
            "{wrong}"
        );
    }
    assert_eq!(kind(&ask(&[&good, &good])), (401, "bad-token".into()), "one of them may be somebody else's");
    let digest = "authorization: Basic bWU6c2VjcmV0";
    assert_eq!(kind(&ask(&[digest])), (401, "no-token".into()));
    let log = daemon.stop();
    assert!(log.contains("without a valid token") && log.contains("127.0.0.1"), "{log}");
    assert!(!log.contains(token), "a log is read by many");
}

#[test]
fn strangers_do_not_fill_the_log() {
    let tokens = TokensFile::empty();
    let daemon = asking(&tokens, &[]);
    let started = std::time::Instant::now();
    for _ in 0..200 {
        assert_eq!(daemon.get("/invoke/answer").status, 401);
    }
    let most = 11 + started.elapsed().as_secs() as usize;
    let lines = daemon.stop().lines().filter(|line| line.contains("without a valid token")).count();
    assert!((1..=most).contains(&lines), "{lines} lines, at most {most}");
}

#[test]
fn tokens_that_are_added_and_revoked_count_without_a_restart() {
    let tokens = TokensFile::empty();
    let daemon = asking(&tokens, &[]);
    let alice = tokens.add("alice", &[]);
    let status = || daemon.request("GET", "/invoke/answer", &[&alice], b"").status;
    until("the token is known", || status() == 200);

    let good = fs::read_to_string(tokens.path()).unwrap();
    fs::write(tokens.path(), format!("{good}\n[tokens.bob]\nhash = 1\n")).unwrap();
    until("the mistake is told", || daemon.log().contains("tokens not reloaded"));
    assert_eq!(status(), 200, "the old ones count");
    assert!(daemon.log().contains("`tokens.bob.roles` is missing"), "{}", daemon.log());

    fs::write(tokens.path(), "").unwrap();
    daemon.signal(Signal::HUP);
    until("the token is revoked", || status() == 401);
}

#[test]
fn a_token_for_some_functions_sees_no_others() {
    let tokens = TokensFile::empty();
    let (all, some) = (tokens.add("all", &[]), tokens.add("some", &["--function", "answer"]));
    let daemon = asking(&tokens, &[]);
    let ask = |target: &str, header: &str| daemon.request("GET", target, &[header], b"");
    let id = ask("/invoke/add?input=1,2", &all).json()["invocation_id"].as_str().unwrap().to_owned();
    assert_eq!(ask("/invoke/answer", &some).status, 200);
    for target in ["/invoke/add?input=1,2", "/fn/add", "/add", "/api/add/1,2", "/functions/add"] {
        assert_eq!(kind(&ask(target, &some)), (403, "other-functions".into()), "{target}");
    }
    let names = |of: Value, list: &str, name: &str| -> Vec<String> {
        let all = of[list].as_array().unwrap().iter();
        all.map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(ask("/functions", &some).json(), "functions", "name"), ["answer"]);
    assert!(names(ask("/functions", &all).json(), "functions", "name").len() > 1);
    assert_eq!(names(ask("/invocations", &some).json(), "invocations", "function"), ["answer"]);
    assert_eq!(names(ask("/invocations", &all).json(), "invocations", "function"), ["answer", "add"]);
    assert_eq!(kind(&ask(&format!("/invocations/{id}"), &some)), (404, "unknown-invocation".into()));
    assert_eq!(ask(&format!("/invocations/{id}"), &all).status, 200);
    let page = ask("/", &some);
    assert!(page.text().contains("/invoke/answer") && !page.text().contains("/invoke/add"));
}

#[test]
fn a_route_leads_a_token_to_its_own_functions_only() {
    let tokens = TokensFile::empty();
    let (shop, stock) = (tokens.add("shop", &["--function", "shop"]), tokens.add("stock", &["--function", "stock"]));
    let functions =
        guests::folder_of(&[("shop.wat", guests::source("environment")), ("shop.toml", "routes = ['/cart']".into())]);
    let folder = functions.path().to_str().unwrap();
    let daemon =
        Daemon::start(&["--source", "model", "--access", "tokens", "--tokens", &tokens.shown(), "--functions", folder]);
    for target in ["/cart", "/cart/items"] {
        assert_eq!(daemon.request("GET", target, &[&shop], b"").status, 200, "{target}");
        assert_eq!(kind(&daemon.request("GET", target, &[&stock], b"")), (403, "other-functions".into()), "{target}");
    }
}

#[test]
fn on_this_machine_only_changes_need_a_token() {
    let tokens = TokensFile::empty();
    let (caller, deployer) = (tokens.add("caller", &[]), tokens.add("deployer", &["--role", "deploy"]));
    let daemon = Daemon::start(&["--source", "model", "--tokens", &tokens.shown()]);
    for target in ["/invoke/answer", "/", "/metrics", "/energy", "/functions", "/invocations"] {
        assert_eq!(daemon.get(target).status, 200, "{target}");
    }
    let remove = |headers: &[&str]| daemon.request("DELETE", "/functions/nobody", headers, b"");
    assert_eq!(kind(&remove(&[])), (401, "no-token".into()));
    assert_eq!(kind(&remove(&[&caller])), (403, "needs-role".into()));
    assert!(!matches!(remove(&[&deployer]).status, 401 | 403));
    assert!(!matches!(
        Daemon::shared(&["--source", "model"]).request("DELETE", "/functions/nobody", &[], b"").status,
        401 | 403
    ));
}

#[test]
fn a_command_is_told_who_asks_and_not_by_what_token() {
    let tokens = TokensFile::empty();
    let alice = tokens.add("alice", &[]);
    let daemon = asking(&tokens, &[]);
    let told = daemon.request("GET", "/fn/environment", &[&alice], b"");
    let told: Vec<_> = told.text().split_terminator('\0').collect();
    assert!(told.contains(&"AUTH_TYPE=Bearer") && told.contains(&"REMOTE_USER=alice"), "{told:?}");
    assert!(told.iter().all(|variable| !variable.contains("nebula_")), "{told:?}");
}

#[test]
fn the_daemon_is_managed_at_one_address_where_there_are_two() {
    let daemon = Daemon::start(&["--source", "model", "--admin-listen", "127.0.0.1:0"]);
    for target in ["/metrics", "/energy"] {
        let refused = daemon.get(target);
        assert_eq!(kind(&refused), (403, "operators-only".into()));
        assert!(refused.problem()["detail"].as_str().unwrap().contains("`admin.listen`"));
        assert_eq!(daemon.get_as_operator(target).status, 200, "{target}");
    }
    for method in ["PUT", "DELETE", "POST"] {
        assert_eq!(
            kind(&daemon.request(method, "/functions/nobody", &[], b"")),
            (403, "operators-only".into()),
            "{method}"
        );
    }
    for target in ["/functions", "/functions/answer", "/invoke/answer", "/"] {
        assert_eq!([daemon.get(target).status, daemon.get_as_operator(target).status], [200; 2], "{target}");
    }
}

#[test]
fn an_operators_token_shows_figures_in_full() {
    let tokens = TokensFile::empty();
    let (caller, operator) = (tokens.add("caller", &[]), tokens.add("operator", &["--role", "operate"]));
    let options = ["--energy-expose", "operators", "--window", "20ms"];
    let daemon = asking(&tokens, &options);
    let ask = |target: &str, header: &str| daemon.request("GET", target, &[header], b"");
    eventually("joules are known", || ask("/invoke/answer", &operator).json()["energy_joules"].as_f64());
    assert!(ask("/invoke/answer", &caller).json()["energy_joules"].is_null());
    assert_eq!(kind(&ask("/invocations", &caller)), (403, "operators-only".into()));
    assert_eq!(ask("/invocations", &operator).status, 200);
}

#[test]
fn a_token_has_a_quota_of_its_own() {
    let tokens = TokensFile::empty();
    let (bounded, free) = (tokens.add("bounded", &[]), tokens.add("free", &[]));
    let text = fs::read_to_string(tokens.path()).unwrap();
    let quota = "roles = [\"invoke\"]\nquota = { calls_per_second = 1 }\n";
    fs::write(tokens.path(), text.replacen("roles = [\"invoke\"]\n", quota, 1)).unwrap();
    let daemon = asking(&tokens, &[]);
    for target in ["/invoke/answer", "/fn/answer", "/fn/environment", "/fn/hello-http", "/invoke/hello-http"] {
        let refused = eventually("the quota is reached", || {
            Some(daemon.request("GET", target, &[&bounded], b"")).filter(|response| response.status != 200)
        });
        assert_eq!(refused.status, 429, "{target}: {refused:?}");
        assert!(refused.header("retry-after").is_some());
        assert_eq!(daemon.request("GET", target, &[&free], b"").status, 200, "{target}");
    }
}

#[test]
fn tokens_are_told_once_and_kept_as_hashes() {
    let tokens = TokensFile::empty();
    fs::remove_file(tokens.path()).unwrap();
    let token = make(&tokens.path(), "alice", &["--role", "deploy", "--function", "shop"]);
    let text = fs::read_to_string(tokens.path()).unwrap();
    assert!(text.starts_with("[tokens.alice]\nhash = \"blake3:") && !text.contains(&token), "{text}");
    assert!(text.contains("roles = [\"deploy\"]\nfunctions = [\"shop\"]\n"), "{text}");
    assert_eq!(fs::metadata(tokens.path()).unwrap().permissions().mode() & 0o777, 0o600);

    let failed = |arguments: &[&str], code| -> String {
        let output: Output = run(nebula().arg("token").args(arguments));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{}", stderr(&output));
        stderr(&output)
    };
    let shown = tokens.shown();
    assert!(failed(&["alice", "--tokens", &shown], 1).contains("already has a token `alice`"));
    assert!(failed(&["a b"], 64).contains("letters, digits"));
    assert!(failed(&["bob", "--function", "../x"], 64).contains("`../x`"));
    failed(&["bob", "--role", "root"], 64);
    assert_eq!(fs::read_to_string(tokens.path()).unwrap(), text);

    let output = run(nebula().args(["token", "bob"]));
    assert!(stderr(&output).contains("[tokens.bob]\nhash = \"blake3:"), "{}", stderr(&output));
}
