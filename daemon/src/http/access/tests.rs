//! Whom [`Access::admit`] lets in, and where.

use std::net::SocketAddr;

use hyper::header::{HOST, ORIGIN};

use super::*;
use crate::functions::Registry;
use crate::http::route::Route;
use crate::http::settings::{Expose, Resolution};

/// The tokens `nebula_invoke`, `nebula_deploy`, `nebula_operate`, and `nebula_shop`, which may deploy nothing but `shop`.
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
    let file = TokensFile { path: "/t".into(), tokens, stamps: Stamps::of(&[]) };
    let file = with_tokens.then_some(file);
    Access {
        mode,
        file,
        origins: Origins::Own,
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
fn outcome(access: &Access, listener: Listener, line: &str, token: Option<&str>) -> String {
    outcome_of(admitted(access, listener, &mut request(line, token)))
}

fn outcome_of(admitted: Result<Visitor, Problem>) -> String {
    match admitted {
        Ok(_) => "in".into(),
        Err(Problem::Denied(denied)) => match denied {
            Denied::NeedsRole(role) => format!("needs {role}"),
            other => other.kind().1.into(),
        },
        Err(Problem::OperatorsOnly) => "elsewhere".into(),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn where_all_are_asked_each_role_may_do_what_is_its_own() {
    let asking =
        [(access(AccessMode::Auto, true), listener(THERE)), (access(AccessMode::Tokens, true), listener(HERE))];
    let strangers = [(None, "no-token"), (Some("guess"), "bad-token")];
    for (access, listener) in asking {
        for line in ["GET /healthz", "GET /readyz"] {
            assert_eq!(outcome(&access, listener, line, None), "in", "{line}");
        }
        for (line, expected) in [
            ("POST /invoke/a", ["in", "in", "in"]),
            ("GET /a", ["in", "in", "in"]),
            ("GET /", ["in", "in", "in"]),
            ("GET /functions", ["in", "in", "in"]),
            ("GET /invocations", ["in", "in", "in"]),
            ("PUT /functions/a", ["needs deploy", "in", "in"]),
            ("DELETE /functions/a", ["needs deploy", "in", "in"]),
            ("POST /functions/a/rollback", ["needs deploy", "in", "in"]),
            ("GET /metrics", ["needs operate", "needs operate", "in"]),
            ("GET /energy", ["needs operate", "needs operate", "in"]),
            ("GET /events", ["needs operate", "needs operate", "in"]),
            ("GET /usage", ["needs operate", "needs operate", "in"]),
            ("GET /metrics/of/tomorrow", ["needs operate", "needs operate", "in"]),
        ] {
            for (token, expected) in ["invoke", "deploy", "operate"].into_iter().zip(expected) {
                assert_eq!(outcome(&access, listener, line, Some(token)), expected, "{line} {token}");
            }
            for (token, expected) in strangers {
                assert_eq!(outcome(&access, listener, line, token), expected, "{line} {token:?}");
            }
        }
    }
}

#[test]
fn on_this_machine_only_what_changes_something_needs_a_token_once_there_are_some() {
    for (with_tokens, changing) in [(false, "in"), (true, "no-token")] {
        let access = access(AccessMode::Auto, with_tokens);
        for line in ["POST /invoke/a", "GET /metrics", "GET /functions", "GET /invocations", "POST /a"] {
            assert_eq!(outcome(&access, listener(HERE), line, None), "in", "{line}");
        }
        for line in ["PUT /functions/a", "DELETE /functions/a", "POST /functions", "POST /metrics"] {
            assert_eq!(outcome(&access, listener(HERE), line, None), changing, "{line}");
        }
    }
    assert_eq!(
        outcome(&access(AccessMode::Auto, true), listener(HERE), "PUT /functions/a", Some("invoke")),
        "needs deploy"
    );
    assert_eq!(outcome(&access(AccessMode::Auto, true), listener(HERE), "PUT /functions/a", Some("deploy")), "in");
    assert_eq!(outcome(&access(AccessMode::Open, true), listener(THERE), "PUT /functions/a", None), "in");
}

#[test]
fn whoever_is_forwarded_from_this_machine_is_treated_as_on_loopback() {
    for (with_tokens, changing) in [(false, "in"), (true, "no-token")] {
        let access = access(AccessMode::Local, with_tokens);
        for line in ["POST /invoke/a", "GET /metrics", "GET /events", "POST /a"] {
            assert_eq!(outcome(&access, listener(THERE), line, None), "in", "{line}");
        }
        assert_eq!(outcome(&access, listener(THERE), "PUT /functions/a", None), changing);
        assert_eq!(outcome(&access, listener(THERE), "PUT /functions/a", Some("operate")), "in");
    }
    // A page whose name was made to lead here, and whose browser therefore takes it for the daemon's own.
    let of_a_page = |mode| {
        let mut request = request("PUT /functions/a", None);
        request.headers_mut().insert(HOST, hyper::header::HeaderValue::from_static("evil.example"));
        outcome_of(admitted(&access(mode, false), listener(THERE), &mut request))
    };
    assert_eq!(of_a_page(AccessMode::Local), "foreign-host");
    assert_eq!(of_a_page(AccessMode::Open), "in");
}

#[test]
fn what_is_managed_elsewhere_is_refused_here() {
    let access = access(AccessMode::Auto, false);
    let here = Listener::for_callers(HERE.parse().unwrap(), callers(), true);
    let admin = Listener::for_operators(HERE.parse().unwrap(), callers());
    for line in ["PUT /functions/a", "POST /functions", "GET /metrics", "GET /energy", "GET /usage", "GET /events"] {
        assert_eq!(outcome(&access, here, line, None), "elsewhere", "{line}");
        assert_eq!(outcome(&access, admin, line, None), "in", "{line}");
    }
    for line in ["GET /functions", "GET /functions/a", "POST /invoke/a", "GET /", "GET /healthz"] {
        assert_eq!(outcome(&access, here, line, None), "in", "{line}");
        assert_eq!(outcome(&access, admin, line, None), "in", "{line}");
    }
}

#[test]
fn a_token_for_some_functions_is_for_no_others() {
    let access = access(AccessMode::Tokens, true);
    for (line, expected) in [
        ("POST /invoke/shop", "in"),
        ("POST /invoke/sho%70", "in"),
        ("POST /invoke/other", "other-functions"),
        ("GET /fn/shop/other", "in"),
        ("GET /fn/other/shop", "other-functions"),
        ("GET /api/other/shop", "other-functions"),
        ("GET /functions/other", "other-functions"),
        ("PUT /functions/shop", "in"),
        ("PUT /functions/other", "other-functions"),
        ("PUT /functions/other/manifest", "other-functions"),
        ("POST /functions", "other-functions"),
        ("GET /functions", "in"),
    ] {
        assert_eq!(outcome(&access, listener(HERE), line, Some("shop")), expected, "{line}");
    }
    let visitor = admitted(&access, listener(HERE), &mut request("GET /", Some("shop"))).unwrap();
    assert!(visitor.is_restricted() && visitor.may_use("shop") && !visitor.may_use("other"));
    assert!(visitor.check_function("shop").is_ok() && visitor.check_function("other").is_err());
    let open = super::Access { mode: AccessMode::Auto, ..access };
    assert_eq!(outcome(&open, listener(HERE), "POST /invoke/other", Some("shop")), "in", "nobody is asked");
}

#[test]
fn a_function_never_sees_a_token_of_ours_and_sees_what_is_its_own() {
    let kept = |access: &Access, field: &'static str| {
        let mut request = request("GET /fn/a", None);
        request.headers_mut().insert(AUTHORIZATION, hyper::header::HeaderValue::from_static(field));
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
fn figures_are_in_full_for_operators_alone() {
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
fn a_page_of_elsewhere_changes_nothing_and_may_call() {
    let access = access(AccessMode::Auto, false);
    let from = |line: &str| {
        let mut request = request(line, None);
        request.headers_mut().insert(ORIGIN, hyper::header::HeaderValue::from_static("https://evil.example"));
        admitted(&access, listener(HERE), &mut request).is_ok()
    };
    assert!(!from("PUT /functions/a") && !from("DELETE /functions/a") && !from("POST /functions"));
    assert!(from("POST /invoke/a") && from("GET /functions"));
}
