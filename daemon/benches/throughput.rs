//! Requests per second of `/invoke/hello-world` as a share of what a bare hyper server does with the same bytes: same
//! load generator, same processors, turn by turn in one run.
//!
//! `cargo bench --bench throughput` prints the table. It needs `wrk` (Debian: `apt-get install wrk`).

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};

/// The call that is measured.
const PATH: &str = "/invoke/hello-world";

/// Connections of the load generator.
const CONNECTIONS: [u32; 2] = [8, 64];

/// Pairs of runs; the median of their ratios is shown.
const ROUNDS: usize = 7;

/// How long each run is, in seconds.
const SECONDS: u32 = 3;

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
    if Command::new("wrk").arg("-v").output().is_err() {
        bail!("it needs wrk: `apt-get install wrk`");
    }
    let mut nebula = Command::new(env!("CARGO_BIN_EXE_nebula"));
    let nebula = Server::start(nebula.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn"]))?;
    let body = body_of(&get(nebula.address, PATH)?)?;
    let bare = Server::start(Command::new(std::env::current_exe()?).args([BARE, &body]))?;
    println!("{PATH} against a bare hyper server that answers the same {} bytes", body.len());
    println!("{:>11} {:>12} {:>12} {:>8}   ratios of single rounds", "connections", "nebula/s", "bare/s", "ratio");
    for connections in CONNECTIONS {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push((load(nebula.address, connections)?, load(bare.address, connections)?));
        }
        let mut ratios: Vec<f64> = rounds.iter().map(|(nebula, bare)| nebula / bare).collect();
        ratios.sort_by(f64::total_cmp);
        let middle = |of: fn(&(f64, f64)) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[ROUNDS / 2]
        };
        let (least, median, most) = (ratios[0], ratios[ROUNDS / 2], ratios[ROUNDS - 1]);
        let (nebula, bare) = (middle(|pair| pair.0), middle(|pair| pair.1));
        println!("{connections:>11} {nebula:>12.0} {bare:>12.0} {median:>8.3}   {least:.3} to {most:.3}");
    }
    Ok(())
}

/// A server in a process of its own, ended with this value.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut process = command.stdout(Stdio::piped()).spawn().context("cannot start the server")?;
        let stdout = process.stdout.take().context("the server has no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().trim_start_matches("listening on http://").parse();
        Ok(Self { process, address: address.with_context(|| format!("the server said `{line}`"))? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    Ok(std::io::read_to_string(stream)?)
}

fn body_of(answer: &str) -> anyhow::Result<String> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "the answer is {head}");
    Ok(body.into())
}

/// Requests per second. Any answer but 200 is an error.
fn load(address: SocketAddr, connections: u32) -> anyhow::Result<f64> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", &format!("-c{connections}"), &format!("-d{SECONDS}s"), &format!("http://{address}{PATH}")]);
    let report = String::from_utf8(wrk.output()?.stdout)?;
    anyhow::ensure!(!report.contains("Non-2xx") && !report.contains("Socket errors"), "{report}");
    let rate = report.lines().find_map(|line| line.strip_prefix("Requests/sec:")).context(report.clone())?;
    Ok(rate.trim().parse()?)
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
