//! Who may do what: listening addresses, tokens and their roles.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use rustix::process::Signal;

use crate::prelude::*;

/// A daemon that asks everybody for a token, also on this machine.
fn closed(tokens: &TokensFile, options: &[&str]) -> Daemon {
    Daemon::with_guests(&[&["--access tokens", "--tokens", &tokens.path_str()], options].concat())
}

#[test]
fn a_daemon_that_others_can_reach_asks_for_tokens_or_does_not_start() {
    let error = start_error(&["--listen 0.0.0.0:0 --admin-listen [::]:0 --window soon"], 64);
    for part in [
        "invalid value `0.0.0.0:0` for --listen",
        "invalid value `[::]:0` for --admin-listen",
        "`soon`",
        "`nebula token`",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(start_error(&["--access tokens"], 64).contains("there are no tokens"));

    let tokens = TokensFile::empty();
    let alice = tokens.add("alice", &[]);
    let daemon = Daemon::start(&["--listen 0.0.0.0:0", "--tokens", &tokens.path_str()]);
    // Local callers too: behind a proxy, everybody is local.
    daemon.get("/invoke/answer").expect_problem(401, "no-token");
    assert_eq!(daemon.get_with("/invoke/answer", &[&alice]).status, 200);
    assert_eq!([daemon.get("/healthz").status, daemon.get("/readyz").status], [200; 2]);
    assert!(daemon.stop().contains("tokens pass in the clear at 0.0.0.0"));
}

#[test]
fn a_wrong_file_of_tokens_stops_the_start() {
    let tokens = TokensFile::empty();
    let start = || start_error(&["--tokens", &tokens.path_str()], 64);
    fs::write(tokens.path(), "[tokens.alice]\nrols = [\"invoke\"]\n").unwrap();
    let error = start();
    assert!(error.contains("did you mean `roles`?") && error.contains("`tokens.alice.hash` is missing"), "{error}");
    fs::write(tokens.path(), "").unwrap();
    fs::set_permissions(tokens.path(), fs::Permissions::from_mode(0o666)).unwrap();
    assert!(start().contains("everybody can write"));
    fs::remove_file(tokens.path()).unwrap();
    assert!(start().contains("cannot read the tokens"));
}

#[test]
fn each_role_may_do_what_it_is_for_and_what_lower_roles_may() {
    let tokens = TokensFile::empty();
    let names = ["invoke", "deploy", "operate"];
    let roles = names.map(|role| tokens.add(role, &["--role", role]));
    let daemon = closed(&tokens, &[]);
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
        stranger.expect_problem(401, "no-token");
        for (role, header) in roles.iter().enumerate() {
            let response = daemon.request(method, target, &[header], b"");
            if role >= least {
                assert!(!matches!(response.status, 401 | 403), "{line} {role}: {response:?}");
                continue;
            }
            let needed = names[least];
            assert_detail(&response.expect_problem(403, "needs-role"), &format!("`{needed}`"));
            let challenge = response.header("www-authenticate").unwrap();
            assert!(challenge.contains(&format!("error=\"insufficient_scope\", scope=\"{needed}\"")), "{challenge}");
        }
    }
    for target in ["/invoke/nobody", "/metrics/of/tomorrow"] {
        assert_eq!(daemon.get(target).status, 401, "strangers do not learn whether {target} exists");
    }
}

#[test]
fn invalid_tokens_are_refused_however_they_are_written() {
    let tokens = TokensFile::empty();
    let good = tokens.add("alice", &[]);
    let token = good.strip_prefix("authorization: Bearer ").unwrap();
    let daemon = closed(&tokens, &[]);
    let ask = |headers: &[&str]| daemon.get_with("/invoke/answer", headers);
    for written in [format!("authorization: bearer {token}"), format!("Authorization: BEARER   {token} ")] {
        assert_eq!(ask(&[&written]).status, 200, "{written}");
    }
    let mut changed = token.to_owned();
    let last = if changed.pop() == Some('A') { 'B' } else { 'A' };
    changed.push(last);
    for wrong in [
        "",
        " ",
        " nebula_",
        &format!(" {changed}"),
        &format!(" {token}A"),
        &format!(" {}", token.trim_start_matches("nebula_")),
        &format!(" nebula_{}", "x".repeat(8000)),
    ] {
        let response = ask(&[&format!("authorization: Bearer{wrong}")]);
        response.expect_problem(401, "bad-token");
        let challenge = "Bearer realm=\"nebula\", error=\"invalid_token\"";
        assert_eq!(response.header("www-authenticate"), Some(challenge), "{wrong}");
    }
    // Of two, one may be somebody else's.
    ask(&[&good, &good]).expect_problem(401, "bad-token");
    ask(&["authorization: Basic bWU6c2VjcmV0"]).expect_problem(401, "no-token");
    let log = daemon.stop();
    assert!(log.contains("without a valid token") && log.contains("127.0.0.1"), "{log}");
    assert!(!log.contains(token), "the log shows a token");
}

#[test]
fn refused_strangers_do_not_fill_the_log() {
    let daemon = closed(&TokensFile::empty(), &[]);
    let started = Instant::now();
    for _ in 0..200 {
        assert_eq!(daemon.get("/invoke/answer").status, 401);
    }
    let most = 11 + started.elapsed().as_secs() as usize;
    let lines = daemon.stop().lines().filter(|line| line.contains("without a valid token")).count();
    assert!((1..=most).contains(&lines), "{lines} lines, at most {most}");
}

#[test]
fn tokens_are_added_and_revoked_without_a_restart() {
    let tokens = TokensFile::empty();
    let daemon = closed(&tokens, &[]);
    let alice = tokens.add("alice", &[]);
    let status = || daemon.get_with("/invoke/answer", &[&alice]).status;
    until("the token is known", || status() == 200);

    let good = fs::read_to_string(tokens.path()).unwrap();
    fs::write(tokens.path(), format!("{good}\n[tokens.bob]\nhash = 1\n")).unwrap();
    until("the mistake is logged", || daemon.log().contains("tokens not reloaded"));
    assert_eq!(status(), 200, "the old ones stay valid");
    assert!(daemon.log().contains("`tokens.bob.roles` is missing"), "{}", daemon.log());

    fs::write(tokens.path(), "").unwrap();
    daemon.signal(Signal::HUP);
    until("the token is revoked", || status() == 401);
}

#[test]
fn a_token_for_some_functions_sees_no_others() {
    let tokens = TokensFile::empty();
    let (all, some) = (tokens.add("all", &[]), tokens.add("some", &["--function", "answer"]));
    let daemon = closed(&tokens, &[]);
    let ask = |target: &str, header: &str| daemon.get_with(target, &[header]);
    let id = ask("/invoke/add?input=1,2", &all).json()["invocation_id"].as_str().unwrap().to_owned();
    assert_eq!(ask("/invoke/answer", &some).status, 200);
    for target in ["/invoke/add?input=1,2", "/fn/add", "/add", "/api/add/1,2", "/functions/add"] {
        ask(target, &some).expect_problem(403, "other-functions");
    }
    let names = |of: Value, list: &str, name: &str| -> Vec<String> {
        let all = of[list].as_array().unwrap().iter();
        all.map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(ask("/functions", &some).json(), "functions", "name"), ["answer"]);
    assert!(names(ask("/functions", &all).json(), "functions", "name").len() > 1);
    assert_eq!(names(ask("/invocations", &some).json(), "invocations", "function"), ["answer"]);
    assert_eq!(names(ask("/invocations", &all).json(), "invocations", "function"), ["answer", "add"]);
    ask(&format!("/invocations/{id}"), &some).expect_problem(404, "unknown-invocation");
    assert_eq!(ask(&format!("/invocations/{id}"), &all).status, 200);
    let page = ask("/", &some);
    assert!(page.text().contains("/invoke/answer") && !page.text().contains("/invoke/add"));
}

#[test]
fn a_token_for_some_functions_may_use_only_their_routes() {
    let tokens = TokensFile::empty();
    let (shop, stock) = (tokens.add("shop", &["--function", "shop"]), tokens.add("stock", &["--function", "stock"]));
    let files = [("shop.wat", guests::source("environment")), ("shop.toml", "routes = ['/cart']".into())];
    let daemon = Daemon::with_files(&files, &["--access tokens", "--tokens", &tokens.path_str()]);
    for target in ["/cart", "/cart/items"] {
        assert_eq!(daemon.get_with(target, &[&shop]).status, 200, "{target}");
        daemon.get_with(target, &[&stock]).expect_problem(403, "other-functions");
    }
}

#[test]
fn local_callers_need_a_token_only_for_changes() {
    let tokens = TokensFile::empty();
    let (caller, deployer) = (tokens.add("caller", &[]), tokens.add("deployer", &["--role", "deploy"]));
    let daemon = Daemon::start(&["--tokens", &tokens.path_str()]);
    for target in ["/invoke/answer", "/", "/metrics", "/energy", "/functions", "/invocations"] {
        assert_eq!(daemon.get(target).status, 200, "{target}");
    }
    let remove = |daemon: &Daemon, headers: &[&str]| daemon.request("DELETE", "/functions/nobody", headers, b"");
    remove(&daemon, &[]).expect_problem(401, "no-token");
    remove(&daemon, &[&caller]).expect_problem(403, "needs-role");
    for allowed in [remove(&daemon, &[&deployer]), remove(&Daemon::shared(&[]), &[])] {
        assert!(!matches!(allowed.status, 401 | 403), "{allowed:?}");
    }
}

#[test]
fn a_command_learns_who_calls_but_not_the_token() {
    let tokens = TokensFile::empty();
    let alice = tokens.add("alice", &[]);
    let response = closed(&tokens, &[]).get_with("/fn/environment", &[&alice]);
    let got = variables(response.text());
    assert_eq!((got["AUTH_TYPE"], got["REMOTE_USER"]), ("Bearer", "alice"));
    assert!(!response.text().contains("nebula_"), "{got:?}");
}

#[test]
fn a_daemon_with_an_admin_address_is_managed_only_there() {
    let daemon = Daemon::start(&["--admin-listen 127.0.0.1:0"]);
    // Differences of totals would reveal what a single call took.
    for target in ["/metrics", "/energy"] {
        assert_detail(&daemon.get(target).expect_problem(403, "operators-only"), "`admin.listen`");
        assert_eq!(daemon.get_as_operator(target).status, 200, "{target}");
    }
    for method in ["PUT", "DELETE", "POST"] {
        daemon.request(method, "/functions/nobody", &[], b"").expect_problem(403, "operators-only");
    }
    for target in ["/functions", "/functions/answer", "/invoke/answer", "/"] {
        assert_eq!([daemon.get(target).status, daemon.get_as_operator(target).status], [200; 2], "{target}");
    }
}

#[test]
fn an_operators_token_shows_figures_in_full() {
    let tokens = TokensFile::empty();
    let (caller, operator) = (tokens.add("caller", &[]), tokens.add("operator", &["--role", "operate"]));
    let daemon = closed(&tokens, &["--energy-expose operators --window 20ms"]);
    let ask = |target: &str, header: &str| daemon.get_with(target, &[header]);
    eventually("joules are known", || ask("/invoke/answer", &operator).json()["energy_joules"].as_f64());
    assert!(ask("/invoke/answer", &caller).json()["energy_joules"].is_null());
    ask("/invocations", &caller).expect_problem(403, "operators-only");
    assert_eq!(ask("/invocations", &operator).status, 200);
}

#[test]
fn a_token_has_a_quota_of_its_own() {
    let tokens = TokensFile::empty();
    let (bounded, free) = (tokens.add("bounded", &[]), tokens.add("free", &[]));
    let text = fs::read_to_string(tokens.path()).unwrap();
    let quota = "roles = [\"invoke\"]\nquota = { calls_per_second = 1 }\n";
    fs::write(tokens.path(), text.replacen("roles = [\"invoke\"]\n", quota, 1)).unwrap();
    let daemon = closed(&tokens, &[]);
    for target in ["/invoke/answer", "/fn/answer", "/fn/environment", "/fn/hello-http", "/invoke/hello-http"] {
        let refused = eventually("the quota is reached", || {
            Some(daemon.get_with(target, &[&bounded])).filter(|response| response.status != 200)
        });
        assert_eq!(refused.status, 429, "{target}: {refused:?}");
        assert!(refused.header("retry-after").is_some());
        assert_eq!(daemon.get_with(target, &[&free]).status, 200, "{target}");
    }
}

#[test]
fn tokens_are_printed_once_and_kept_as_hashes() {
    let tokens = TokensFile::empty();
    fs::remove_file(tokens.path()).unwrap();
    let token = make(&tokens.path(), "alice", &["--role", "deploy", "--function", "shop"]);
    let text = fs::read_to_string(tokens.path()).unwrap();
    assert!(text.starts_with("[tokens.alice]\nhash = \"blake3:") && !text.contains(&token), "{text}");
    assert!(text.contains("roles = [\"deploy\"]\nfunctions = [\"shop\"]\n"), "{text}");
    assert_eq!(fs::metadata(tokens.path()).unwrap().permissions().mode() & 0o777, 0o600);

    for (arguments, code, error) in [
        (&["alice", "--tokens", &tokens.path_str()][..], 1, "already has a token `alice`"),
        (&["a b"], 64, "letters, digits"),
        (&["bob", "--function", "../x"], 64, "`../x`"),
        (&["bob", "--role", "root"], 64, ""),
    ] {
        let output = run(nebula().arg("token").args(arguments));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{}", stderr(&output));
        assert!(stderr(&output).contains(error), "{error}: {}", stderr(&output));
    }
    assert_eq!(fs::read_to_string(tokens.path()).unwrap(), text);

    let output = run(nebula().args(["token", "bob"]));
    assert!(stderr(&output).contains("[tokens.bob]\nhash = \"blake3:"), "{}", stderr(&output));
}
