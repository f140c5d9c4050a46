//! Which requests [`Access::admit`] lets in, and where.

use std::net::SocketAddr;

use hyper::header::{HOST, HeaderValue, ORIGIN};

use super::*;
use crate::functions::Registry;
use crate::http::route::Route;
use crate::http::settings::{Expose, Resolution};

/// Knows the tokens `nebula_invoke`, `nebula_deploy`, `nebula_operate`, and `nebula_shop`, which may deploy only `shop`.
fn access(mode: AccessMode, with_tokens: bool) -> Access {
    let token = |name: &str, role: &str, more: &str| {
        let hash = secret::written(&secret::hash(&format!("nebula_{name}")));
        format!("[tokens.{name}]\nhash = {hash:?}\nroles = [{role:?}]\n{more}\n")
    };
    let text = [
        token("invoke", "invoke", ""),
        token("deploy", "deploy", ""),
        token("operate", "operate", ""),
        token("shop", "deploy", "functions = [\"shop\"]"),
    ];
    let tokens = ArcSwap::from_pointee(Tokens::parse(&text.concat()).unwrap());
    Access {
        mode,
        file: with_tokens.then(|| TokensFile { path: "/t".into(), tokens, stamps: Stamps::of(&[]) }),
        origins: Origins::Own,
        names: Names::default(),
        page_key: PageKey::generate(),
        refusals: RefusalLog::default(),
        payers: Payers::default(),
    }
}

fn callers() -> Exposure {
    Exposure::of_callers(Resolution::STRANGERS, Expose::Callers, false)
}

fn listener(address: &str) -> Listener {
    Listener::for_callers(address.parse().unwrap(), callers(), false)
}

const HERE: &str = "127.0.0.1:8080";
const THERE: &str = "192.0.2.1:8080";

fn request(line: &str, token: Option<&str>) -> Request<()> {
    let (method, path) = line.split_once(' ').unwrap();
    let request = Request::builder().method(method).uri(path).header(HOST, "localhost");
    let request = token
        .into_iter()
        .fold(request, |request, token| request.header(AUTHORIZATION, format!("Bearer nebula_{token}")));
    request.body(()).unwrap()
}

fn admitted(access: &Access, listener: Listener, request: &mut Request<()>) -> Result<Visitor, Problem> {
    let remote: SocketAddr = "127.0.0.1:50000".parse().unwrap();
    let peers = Peers { remote, local: remote, https: false };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = Route::of(&method, &path, &Registry::default());
    access.admit(request, listener, peers, route.need())
}

/// `in`, or why not.
fn outcome(admitted: Result<Visitor, Problem>) -> String {
    match admitted {
        Ok(_) => "in".into(),
        Err(Problem::Denied(Denied::NeedsRole(role))) => format!("needs {role}"),
        Err(Problem::Denied(denied)) => denied.kind().1.into(),
        Err(Problem::OperatorsOnly) => "elsewhere".into(),
        Err(other) => panic!("{other:?}"),
    }
}

/// Asserts the same outcome for several requests.
fn expect(access: &Access, listener: Listener, token: Option<&str>, lines: &[&str], expected: &str) {
    for line in lines {
        let admitted = admitted(access, listener, &mut request(line, token));
        assert_eq!(outcome(admitted), expected, "{line} {token:?}");
    }
}

const CALLS: &[&str] = &["POST /invoke/a", "GET /a", "GET /", "GET /functions", "GET /functions/a", "GET /invocations"];
const CHANGES: &[&str] = &["PUT /functions/a", "DELETE /functions/a", "POST /functions", "POST /functions/a/rollback"];
const TOTALS: &[&str] = &["GET /metrics", "GET /energy", "GET /events", "GET /usage", "GET /metrics/of/tomorrow"];
const PROBES: &[&str] = &["GET /healthz", "GET /readyz"];

#[test]
fn where_a_token_is_needed_its_role_decides() {
    for (mode, address) in [(AccessMode::Auto, THERE), (AccessMode::Tokens, HERE)] {
        let access = access(mode, true);
        let expect = |token, lines, expected| expect(&access, listener(address), token, lines, expected);
        for (token, changes, totals) in
            [("invoke", "needs deploy", "needs operate"), ("deploy", "in", "needs operate"), ("operate", "in", "in")]
        {
            expect(Some(token), CALLS, "in");
            expect(Some(token), CHANGES, changes);
            expect(Some(token), TOTALS, totals);
        }
        expect(None, PROBES, "in");
        for lines in [CALLS, CHANGES, TOTALS] {
            expect(None, lines, "no-token");
            expect(Some("guess"), lines, "bad-token");
        }
    }
}

#[test]
fn local_clients_need_a_token_only_to_make_changes_once_there_are_tokens() {
    // In the mode `local`, remote clients count as local.
    for (mode, address) in [(AccessMode::Auto, HERE), (AccessMode::Local, THERE)] {
        for (with_tokens, changing) in [(false, "in"), (true, "no-token")] {
            let access = access(mode, with_tokens);
            for lines in [CALLS, TOTALS, &["POST /a"]] {
                expect(&access, listener(address), None, lines, "in");
            }
            expect(&access, listener(address), None, CHANGES, changing);
            expect(&access, listener(address), None, &["POST /metrics"], changing);
        }
        let access = access(mode, true);
        expect(&access, listener(address), Some("invoke"), CHANGES, "needs deploy");
        expect(&access, listener(address), Some("deploy"), CHANGES, "in");
    }
    expect(&access(AccessMode::Open, true), listener(THERE), None, CHANGES, "in");
}

#[test]
fn a_foreign_host_name_is_refused_where_clients_count_as_local() {
    for (mode, expected) in [(AccessMode::Local, "foreign-host"), (AccessMode::Open, "in")] {
        for line in CALLS.iter().chain(CHANGES).chain(TOTALS) {
            let mut request = request(line, None);
            request.headers_mut().insert(HOST, HeaderValue::from_static("evil.example"));
            assert_eq!(outcome(admitted(&access(mode, false), listener(THERE), &mut request)), expected, "{line}");
        }
    }
}

#[test]
fn with_an_address_for_operators_the_daemon_is_managed_only_there() {
    let access = access(AccessMode::Auto, false);
    let here = Listener::for_callers(HERE.parse().unwrap(), callers(), true);
    let admin = Listener::for_operators(HERE.parse().unwrap(), callers());
    for (lines, expected) in [(CHANGES, "elsewhere"), (TOTALS, "elsewhere"), (CALLS, "in"), (PROBES, "in")] {
        expect(&access, here, None, lines, expected);
        expect(&access, admin, None, lines, "in");
    }
}

#[test]
fn a_token_for_some_functions_is_refused_for_others() {
    let access = access(AccessMode::Tokens, true);
    let own =
        ["POST /invoke/shop", "POST /invoke/sho%70", "GET /fn/shop/other", "PUT /functions/shop", "GET /functions"];
    let others = [
        "POST /invoke/other",
        "GET /fn/other/shop",
        "GET /api/other/shop",
        "GET /functions/other",
        "PUT /functions/other",
        "PUT /functions/other/manifest",
        "POST /functions",
    ];
    expect(&access, listener(HERE), Some("shop"), &own, "in");
    expect(&access, listener(HERE), Some("shop"), &others, "other-functions");
    let visitor = admitted(&access, listener(HERE), &mut request("GET /", Some("shop"))).unwrap();
    assert!(visitor.is_restricted() && visitor.may_use("shop") && !visitor.may_use("other"));
    assert!(visitor.check_function("shop").is_ok() && visitor.check_function("other").is_err());
    // Where no token is needed, showing one takes nothing away.
    let open = super::Access { mode: AccessMode::Auto, ..access };
    expect(&open, listener(HERE), Some("shop"), &["POST /invoke/other"], "in");
}

#[test]
fn a_function_sees_the_credentials_of_its_callers_but_no_token_of_the_daemon() {
    let kept = |access: &Access, field: &'static str| {
        let mut request = request("GET /fn/a", None);
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static(field));
        let visitor = admitted(access, listener(HERE), &mut request).unwrap();
        (request.headers().contains_key(AUTHORIZATION), visitor.name().map(str::to_owned))
    };
    let (open, asking) = (access(AccessMode::Auto, true), access(AccessMode::Tokens, true));
    for access in [&open, &asking] {
        assert_eq!(kept(access, "Bearer nebula_invoke"), (false, Some("invoke".into())));
    }
    assert_eq!(kept(&open, "Bearer nebula_revoked"), (false, None));
    assert_eq!(kept(&open, "Bearer of.its.own"), (true, None));
    assert_eq!(kept(&open, "Basic bWU6c2VjcmV0"), (true, None));
}

#[test]
fn only_operators_see_exact_figures() {
    let fine = |access: &Access, listener: Listener, token| {
        let exposure = admitted(access, listener, &mut request("GET /invocations", token)).unwrap().exposure;
        exposure.rounded(nebula_metering::Joules(0.000_123)) == 0.000_123
    };
    let asking = access(AccessMode::Tokens, true);
    let admin = Listener::for_operators(THERE.parse().unwrap(), callers());
    for listener in [listener(HERE), admin] {
        assert!(fine(&asking, listener, Some("operate")));
        assert!(!fine(&asking, listener, Some("invoke")) && !fine(&asking, listener, Some("deploy")));
    }
    let open = access(AccessMode::Auto, true);
    assert!(fine(&open, Listener::for_operators(HERE.parse().unwrap(), callers()), None));
    assert!(!fine(&open, listener(HERE), None) && fine(&open, listener(HERE), Some("operate")));
}

#[test]
fn a_foreign_page_may_call_but_not_make_changes() {
    let access = access(AccessMode::Auto, false);
    let from = |line: &str| {
        let mut request = request(line, None);
        request.headers_mut().insert(ORIGIN, HeaderValue::from_static("https://evil.example"));
        admitted(&access, listener(HERE), &mut request).is_ok()
    };
    assert!(!from("PUT /functions/a") && !from("DELETE /functions/a") && !from("POST /functions"));
    assert!(from("POST /invoke/a") && from("GET /functions"));
}
