//! TLS at the daemon's own addresses.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::client::conn::{http1, http2};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::certificate_authority::Authority;
use crate::prelude::*;

fn start(authority: &Authority, options: &[&str]) -> Daemon {
    let tls = authority.options();
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    Daemon::with_guests(&[&tls[..], options].concat())
}

fn protocol(stream: &TlsStream<TcpStream>) -> Option<String> {
    stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap())
}

fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

async fn http1_connection(
    authority: &Authority,
    address: SocketAddr,
    protocols: &[&[u8]],
) -> SendRequest<Empty<Bytes>> {
    let stream = authority.connect(address, protocols).await.unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn get(sender: &mut SendRequest<Empty<Bytes>>, target: &str) -> (StatusCode, Bytes) {
    let request = Request::get(target).header("host", "localhost").body(Empty::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    (response.status(), response.into_body().collect().await.unwrap().to_bytes())
}

#[test]
fn both_http_versions_work_over_tls_at_both_addresses() {
    let authority = Authority::new();
    let daemon = start(&authority, &["--admin-listen 127.0.0.1:0"]);
    block_on(async {
        let stream = authority.connect(daemon.address(), &[b"h2", b"http/1.1"]).await.unwrap();
        assert_eq!(protocol(&stream).as_deref(), Some("h2"));
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let uri = format!("https://localhost:{}/fn/environment", daemon.address().port());
        let response = sender.send_request(Request::get(uri).body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        let variables = response.into_body().collect().await.unwrap().to_bytes();
        let variables: Vec<_> = variables.split(|byte| *byte == 0).collect();
        assert!(variables.contains(&&b"HTTPS=on"[..]) && variables.contains(&&b"SERVER_PROTOCOL=HTTP/2.0"[..]));

        for (address, protocols) in [(daemon.address(), &[&b"http/1.1"[..]][..]), (daemon.admin(), &[])] {
            let mut sender = http1_connection(&authority, address, protocols).await;
            assert_eq!(get(&mut sender, "/fn/answer").await, (StatusCode::OK, "42\n".into()));
        }
    });
}

#[test]
fn a_new_certificate_is_used_for_new_connections_and_old_ones_go_on() {
    let authority = Authority::new();
    let daemon = start(&authority, &[]);
    block_on(async {
        let mut sender = http1_connection(&authority, daemon.address(), &[b"http/1.1"]).await;
        let mut ask = async || get(&mut sender, "/healthz").await.0;
        assert_eq!(ask().await, StatusCode::OK);
        let second = authority.issue();
        let mut now = Vec::new();
        let deadline = Instant::now() + LONGEST_WAIT;
        while now != second {
            assert!(Instant::now() < deadline, "the new certificate is not shown");
            now = shown(&authority.connect(daemon.address(), &[]).await.unwrap());
            assert_eq!(ask().await, StatusCode::OK, "the old connection goes on");
        }

        // A pair that cannot be used changes nothing.
        std::fs::write(authority.key(), "nonsense").unwrap();
        until("the mistake is logged", || daemon.log().contains("certificate not reloaded, the old one stays in use"));
        assert_eq!(shown(&authority.connect(daemon.address(), &[]).await.unwrap()), second);
        assert_eq!(ask().await, StatusCode::OK);
    });
}

#[test]
fn connections_that_do_not_speak_tls_are_closed() {
    let authority = Authority::new();
    let daemon = start(&authority, &[]);
    for bytes in [&b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"[..], b"\x16\x03\x01\xff\xff\x00", &[0; 4096]] {
        let mut stream = daemon.connect();
        // It may be closed before all of it is sent.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let answer = read_to_end(&mut stream);
        assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));
    }
    block_on(async { authority.connect(daemon.address(), &[]).await.unwrap() });
}

#[test]
fn an_unfinished_handshake_times_out() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let authority = Authority::new();
    let daemon = start(&authority, &["--http-header-timeout 1s --http-connections 2"]);
    let started = Instant::now();
    let mut silent = [daemon.connect(), daemon.connect()];
    silent[1].write_all(b"\x16\x03\x01").unwrap();
    for stream in &mut silent {
        assert_eq!(read_to_end(stream), b"");
    }
    assert!(started.elapsed() >= TIMEOUT, "closed after {:?}", started.elapsed());
    block_on(async { authority.connect(daemon.address(), &[]).await.unwrap() });
}

#[test]
fn unusable_files_stop_the_start() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut options = authority.options();
    let refused = |options: &[String]| {
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        start_error(&options, 64)
    };
    assert!(refused(&options[..2]).contains("pass `tls.key` too"));
    options[3] = other.key().to_str().unwrap().to_owned();
    let error = refused(&options);
    assert!(error.contains("cannot be used together") && error.contains("KeyMismatch"), "{error}");
    options[3] = "/nonexistent".into();
    assert!(refused(&options).contains("cannot read `/nonexistent`"));
}

#[test]
fn the_client_commands_speak_tls_and_send_tokens() {
    let authority = Authority::new();
    let tokens = TokensFile::empty();
    let (file, shown) = (tokens.path().with_extension("alice"), tokens.path_str());
    let token = make(&tokens.path(), "alice", &[]);
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let daemon = start(&authority, &["--access tokens --tokens", &shown]);
    let url = format!("https://localhost:{}", daemon.address().port());
    let (ca, file) = (authority.certificate(), file.to_str().unwrap().to_owned());
    let ca = ca.to_str().unwrap();
    let client = |arguments: &[&str], variable: Option<&str>| {
        let mut command = nebula();
        command.args(arguments).args(["--daemon", &url]);
        let output = run(command.envs(variable.map(|token| ("NEBULA_TOKEN", token))));
        (output.status.code(), stdout(&output), stderr(&output))
    };
    for (given, variable) in [
        (&["--token", &*token][..], None),
        (&[], Some(&*token)),
        (&["--token-file", &*file], None),
        (&["--token-file", &*file], Some("nebula_other")),
        (&["--token", &*token], Some("nebula_other")),
    ] {
        let (code, stdout, error) = client(&[&["invoke", "answer", "--ca", ca], given].concat(), variable);
        assert_eq!((code, &*stdout), (Some(0), "42\n"), "{given:?} {variable:?}: {error}");
    }
    assert!(client(&["list", "--ca", ca], Some(&token)).1.contains("answer"));
    for (given, variable) in [(&["invoke", "answer"][..], None), (&["list"], None), (&["list"], Some("nebula_other"))] {
        let (code, stdout, error) = client(&[given, &["--ca", ca]].concat(), variable);
        assert_eq!((code, &*stdout), (Some(1), ""), "{error}");
        assert!(error.contains("give a token with NEBULA_TOKEN"), "{error}");
    }
    let (code, _, error) = client(&["list"], Some(&token));
    assert!(code == Some(1) && error.contains("has no trusted certificate") && error.contains("--ca"), "{error}");
    let (code, _, error) = client(&["list", "--token", &token, "--token-file", &file], None);
    assert!(code == Some(64) && error.contains("--token or --token-file, not both"), "{error}");
}
