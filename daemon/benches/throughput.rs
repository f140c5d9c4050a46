//! Requests per second of `/invoke/hello-world` as a share of what a bare hyper server does with the same bytes: same
//! load generator, same processors, turn by turn in one run.
//!
//! `cargo bench --bench throughput` prints the table. It needs `wrk` (Debian: `apt-get install wrk`).

mod contest;

use std::convert::Infallible;
use std::process::{Command, ExitCode};

use bytes::Bytes;
use contest::{PATH, Server};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};

/// Pairs of runs.
const ROUNDS: usize = 7;

/// Makes this program the bare server instead.
const BARE: &str = "--bare";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let done = match arguments.iter().position(|argument| argument == BARE) {
        Some(index) => serve_bare(arguments.get(index + 1).map(String::as_str).unwrap_or_default()),
        // `cargo test` runs benches without this flag, to see that they start.
        None if !arguments.iter().any(|argument| argument == "--bench") => Ok(()),
        None => compare(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("throughput: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> anyhow::Result<()> {
    contest::require_wrk()?;
    let nebula = Server::nebula(&[])?;
    let body = nebula.get(PATH)?;
    let bare = Server::start(Command::new(std::env::current_exe()?).args([BARE, &body]))?;
    println!("{PATH} against a bare hyper server that answers the same {} bytes", body.len());
    contest::compare(["nebula", "bare"], [&nebula, &bare], ROUNDS)
}

/// The fastest answer hyper can give, with the settings and headers that nebula has.
fn serve_bare(body: &str) -> anyhow::Result<()> {
    let body = Bytes::from(body.to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let body = body.clone();
            tokio::spawn(async move {
                let service = service_fn(move |_: Request<hyper::body::Incoming>| {
                    let response = Response::builder()
                        .header("content-type", "application/json")
                        .header("cache-control", "no-store")
                        .header("x-content-type-options", "nosniff")
                        .body(Full::new(body.clone()));
                    async move { Ok::<_, Infallible>(response.unwrap_or_default()) }
                });
                let mut builder = hyper::server::conn::http1::Builder::new();
                let _ = builder.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}
