//! A deployer may grant a function no more than the operator allows, and take no other function's paths.

use crate::prelude::*;

/// Has a function fetch an address, and gives the status and the output.
fn fetch(daemon: &Daemon, function: &str, url: &str) -> (u64, String) {
    let url = url.replace(':', "%3A").replace('/', "%2F");
    let answer = daemon.get(&format!("/invoke/{function}?url={url}")).json();
    (answer["status"].as_u64().unwrap(), answer["output"].as_str().unwrap().to_owned())
}

fn put_manifest(daemon: &Daemon, function: &str, headers: &[&str], manifest: &str) -> Response {
    daemon.request("PUT", &format!("/functions/{function}/manifest"), headers, manifest)
}

#[test]
fn a_guest_cannot_reach_the_daemons_own_addresses() {
    // Whoever wrote the manifest: the operator allows hosts in it, and private addresses apart.
    let any = "outbound = [\"http://*:8080\", \"http://*\"]\n";
    let daemon = Daemon::with_files(&[("http-echo.toml", any)], &["--admin-listen 127.0.0.1:0"]);
    let port = daemon.admin().port();
    let folder = [("http-echo.toml", any.replace("8080", &port.to_string()))];
    let probing = Daemon::with_files(&folder, &[]);
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"] {
        let (status, output) = fetch(&probing, "http-echo", &format!("http://{host}:{port}/metrics"));
        assert!(status == 502 && !output.contains("nebula_"), "{host}: {status} {output}");
    }
    let metadata = fetch(&probing, "http-echo", "http://169.254.169.254/latest/meta-data");
    assert_eq!(metadata.0, 502, "{}", metadata.1);
    let log = probing.stop();
    assert!(
        log.contains("http-echo") && log.contains("a private address") && log.contains("`outbound.private`"),
        "{log}"
    );

    let private = format!("127.0.0.1:{port}");
    let allowing = Daemon::with_files(&folder, &["--outbound-private", &private]);
    assert_eq!(fetch(&allowing, "http-echo", &format!("http://{private}/healthz")).0, 200);
}

#[test]
fn a_deployed_manifest_lists_only_hosts_that_the_operator_allows() {
    let manifest = |host: &str| format!("outbound = [\"https://api.example.com\", \"{host}\"]");
    let plain = Daemon::start(&[]);
    let refused = put_manifest(&plain, "http-echo", &[], &manifest("https://api.example.com"))
        .expect_problem(422, "not-deployable");
    assert_detail(&refused, "`https://api.example.com`");
    assert_detail(&refused, "`deploy.outbound`");

    let daemon = Daemon::start(&["--deploy-outbound", "api.example.com,http://*.example.org:8080"]);
    for host in ["https://*", "http://api.example.com", "https://api.example.com:8443", "http://127.0.0.1:8080"] {
        let refused = put_manifest(&daemon, "http-echo", &[], &manifest(host)).expect_problem(422, "not-deployable");
        assert_detail(&refused, host);
    }
    for host in ["api.example.com", "http://a.example.org:8080", "http://*.b.example.org:8080"] {
        assert_eq!(put_manifest(&daemon, "http-echo", &[], &manifest(host)).status, 200, "{host}");
    }
}

#[test]
fn a_deployer_takes_no_path_of_another_function() {
    let tokens = TokensFile::empty();
    let [shop, cart] = ["shop", "cart"].map(|name| tokens.add(name, &["--role", "deploy", "--function", name]));
    let site = "routes = [\"/site\", \"/kept\"]";
    let answer = |number: u32| format!("(module (func (export \"run\") (result i32) (i32.const {number})))");
    let folder = guests::folder_of(&[("theirs.wat", answer(7)), ("theirs.toml", site.to_owned())]);
    let options = ["--functions", folder.path().to_str().unwrap(), "--tokens", &tokens.path_str()];
    let daemon = Daemon::start(&options);
    let put =
        |name: &str, token: &str, body: String| daemon.request("PUT", &format!("/functions/{name}"), &[token], body);
    assert_eq!(put("shop", &shop, answer(1)).status, 201);
    let routes = |routes: &str| put_manifest(&daemon, "shop", &[&shop], &format!("routes = [{routes}]"));
    for taken in ["/hello-world", "/hello-world/below", "/theirs", "/site", "/site/cart", "/kept"] {
        let refused = routes(&format!("\"/own\", \"{taken}\"")).expect_problem(422, "not-deployable");
        assert_detail(&refused, &format!("`{taken}`"));
    }
    assert_eq!(daemon.get("/fn/hello-world").status, 200);
    for free in ["\"/cart\"", "\"/shop/x\", \"/shopping\"", "\"/sitemap\", \"/cart\""] {
        assert_eq!(routes(free).status, 200, "{free}");
    }
    // Whoever takes the path first keeps it, until somebody who may says otherwise.
    let refused = put("cart", &cart, answer(2)).expect_problem(422, "not-deployable");
    assert_detail(&refused, "`/cart` leads to `shop`");
    assert_eq!(routes("\"/sitemap\"").status, 200);
    assert_eq!(put("cart", &cart, answer(2)).status, 201);
    let back = daemon.request("POST", "/functions/shop/rollback", &[&shop], "");
    assert_detail(&back.expect_problem(422, "not-deployable"), "`/cart`");
    assert_eq!(daemon.get("/cart").text(), "2\n");
}
