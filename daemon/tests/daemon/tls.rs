//! TLS at the daemon's own addresses.

use std::future::Future;
use std::io::Write as _;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::certificate_authority::Authority;
use crate::client::read_to_end;
use crate::daemon::{Daemon, nebula, run, stderr};
use crate::tokens::TokensFile;
use crate::waiting::until;

fn start(authority: &Authority, options: &[&str]) -> Daemon {
    let tls = authority.options();
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    Daemon::with_guests(&[&["--source", "model"], &tls[..], options].concat())
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn protocol(stream: &TlsStream<TcpStream>) -> Option<String> {
    stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap())
}

fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn both_versions_are_spoken_inside_tls_and_both_addresses_speak_it() {
    let authority = Authority::new();
    let daemon = start(&authority, &["--admin-listen", "127.0.0.1:0"]);
    wait(async {
        let stream = authority.connect(daemon.address(), &[b"h2", b"http/1.1"]).await.unwrap();
        assert_eq!(protocol(&stream).as_deref(), Some("h2"));
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let uri = format!("https://localhost:{}/fn/environment", daemon.address().port());
        let response = sender.send_request(Request::get(uri).body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        let told = response.into_body().collect().await.unwrap().to_bytes();
        let told: Vec<_> = str::from_utf8(&told).unwrap().split_terminator('\0').collect();
        assert!(told.contains(&"HTTPS=on") && told.contains(&"SERVER_PROTOCOL=HTTP/2.0"), "{told:?}");

        for (address, protocols) in [(daemon.address(), &[&b"http/1.1"[..]][..]), (daemon.admin(), &[])] {
            let stream = authority.connect(address, protocols).await.unwrap();
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let request =
                Request::get("/invoke/answer").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["output"], "42\n");
        }
    });
}

#[test]
fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let authority = Authority::new();
    let daemon = start(&authority, &[]);
    wait(async {
        let stream = authority.connect(daemon.address(), &[b"http/1.1"]).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut ask = async || {
            let request = Request::get("/healthz").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
            let response = sender.send_request(request).await.unwrap();
            let status = response.status();
            response.into_body().collect().await.unwrap();
            status
        };
        assert_eq!(ask().await, StatusCode::OK);
        let second = authority.vouch();
        let mut now = Vec::new();
        let deadline = Instant::now() + crate::waiting::LONGEST_WAIT;
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
fn what_is_not_tls_is_closed_and_harms_nobody() {
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
    wait(async { authority.connect(daemon.address(), &[]).await.unwrap() });
}

#[test]
fn a_handshake_that_does_not_come_to_an_end_is_not_waited_for() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let authority = Authority::new();
    let daemon = start(&authority, &["--http-header-timeout", "1s", "--http-connections", "2"]);
    let started = Instant::now();
    let mut silent: Vec<_> = [&b""[..], b"\x16\x03\x01"]
        .map(|bytes| {
            let mut stream = daemon.connect();
            stream.write_all(bytes).unwrap();
            stream
        })
        .into();
    for stream in &mut silent {
        assert_eq!(read_to_end(stream), b"");
    }
    assert!(started.elapsed() >= TIMEOUT, "closed after {:?}", started.elapsed());
    wait(async { authority.connect(daemon.address(), &[]).await.unwrap() });
}

#[test]
fn files_that_cannot_be_used_are_told_before_anything_is_served() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut options = authority.options();
    let refused = |options: &[String]| {
        let output = run(nebula().args(["serve", "--listen", "127.0.0.1:0", "--source", "model"]).args(options));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0));
        stderr(&output)
    };
    assert!(refused(&options[..2]).contains("pass `tls.key` too"));
    options[3] = other.key().to_str().unwrap().to_owned();
    let told = refused(&options);
    assert!(told.contains("cannot be used together") && told.contains("KeyMismatch"), "{told}");
    options[3] = "/nonexistent".into();
    assert!(refused(&options).contains("cannot read `/nonexistent`"));
}

#[test]
fn our_own_client_speaks_tls_and_says_who_it_is() {
    let authority = Authority::new();
    let tokens = TokensFile::empty();
    let (file, shown) = (tokens.path().with_extension("alice"), tokens.shown());
    let token = crate::tokens::make(&tokens.path(), "alice", &[]);
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let daemon = start(&authority, &["--access", "tokens", "--tokens", &shown]);
    let url = format!("https://localhost:{}", daemon.address().port());
    let (ca, file) = (authority.certificate(), file.to_str().unwrap().to_owned());
    let ca = ca.to_str().unwrap();
    let client = |arguments: &[&str], variable: Option<&str>| {
        let mut command = nebula();
        command.args(arguments).args(["--daemon", &url]);
        let output = run(command.envs(variable.map(|token| ("NEBULA_TOKEN", token))));
        (output.status.code(), String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
    };
    for (given, variable) in [
        (&["--token", &*token][..], None),
        (&[], Some(&*token)),
        (&["--token-file", &*file], None),
        (&["--token-file", &*file], Some("nebula_other")),
        (&["--token", &*token], Some("nebula_other")),
    ] {
        let (code, stdout, told) = client(&[&["invoke", "answer", "--ca", ca], given].concat(), variable);
        assert_eq!((code, &*stdout), (Some(0), "42\n"), "{given:?} {variable:?}: {told}");
    }
    assert!(client(&["list", "--ca", ca], Some(&token)).1.contains("answer"));
    for (given, variable) in [(&["invoke", "answer"][..], None), (&["list"], None), (&["list"], Some("nebula_other"))] {
        let (code, stdout, told) = client(&[given, &["--ca", ca]].concat(), variable);
        assert_eq!((code, &*stdout), (Some(1), ""), "{told}");
        assert!(told.contains("give a token with NEBULA_TOKEN"), "{told}");
    }
    let (code, _, told) = client(&["list"], Some(&token));
    assert!(code == Some(1) && told.contains("has no trusted certificate") && told.contains("--ca"), "{told}");
    let (code, _, told) = client(&["list", "--token", &token, "--token-file", &file], None);
    assert!(code == Some(64) && told.contains("--token or --token-file, not both"), "{told}");
}
