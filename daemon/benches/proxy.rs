//! `/fn/hello-http`, a `wasi:http` component, metered: beside `wasmtime serve` on the same file, and a bare hyper
//! server that answers the same bytes.
//!
//! `cargo bench --bench proxy` prints the table. It needs `wrk` (Debian: `apt-get install wrk`) and, in `$WASMTIME` or on
//! the path, wasmtime's command line (`cargo install wasmtime-cli --version 48.0.8 --locked`).

mod contest;

use std::fs;
use std::process::ExitCode;

use contest::{Contender, Effort, Functions, Goal, Pair, Server, Wasmtime, artefact};

const ROUNDS: usize = 7;

/// Every call has a fresh instance.
const FRESH: &str = "/fn/hello-http";

/// The same component under a name whose manifest asks for reuse.
const REUSED: &str = "/fn/hello-http-reused";
const REUSE: &str = "reuse = \"serial\"\n";

/// The fastest options of `wasmtime serve` here: an instance serves any number of requests, and the pool keeps the memory
/// that it frees.
const FASTEST: [&str; 4] = [
    "--max-instance-reuse-count",
    "1000000",
    "-O",
    "pooling-allocator=y,pooling-pagemap-scan=y,pooling-memory-keep-resident=262144,\
     pooling-table-keep-resident=16384,pooling-async-stack-keep-resident=16384,pooling-max-unused-warm-slots=1000",
];

fn main() -> ExitCode {
    contest::main("proxy", proxy)
}

fn proxy(effort: Effort) -> anyhow::Result<()> {
    contest::require_wrk()?;
    let component = artefact("hello-http");
    let functions = Functions::new()?;
    functions.add("hello-http-reused.wasm", fs::read(&component)?)?;
    functions.add("hello-http-reused.toml", REUSE)?;
    let nebula = Server::nebula(&functions.options()?)?;
    let bare = Server::bare(&nebula, FRESH)?;
    let wasmtime = Wasmtime::find();
    let serve = |flags: &[&str]| {
        let start = |wasmtime: &Wasmtime| {
            let mut command = wasmtime.command();
            command.args(["serve", "-S", "cli", "--addr", "127.0.0.1:0"]).args(flags).arg(&component);
            Server::start_on_stderr(&mut command)
        };
        wasmtime.as_ref().map(start).transpose()
    };
    let (default, fastest) = (serve(&[])?, serve(&FASTEST)?);

    let (fresh, reused) = ("nebula", "nebula, reused");
    let (serve, serve_fastest, hyper) = ("wasmtime serve", "wasmtime serve, fastest", "bare");
    let mut contenders = vec![
        Contender { name: fresh, server: &nebula, path: FRESH },
        Contender { name: reused, server: &nebula, path: REUSED },
        Contender { name: hyper, server: &bare, path: "/" },
    ];
    for (name, server) in [(serve, &default), (serve_fastest, &fastest)] {
        contenders.extend(server.as_ref().map(|server| Contender { name, server, path: "/" }));
    }
    let pair = |one, other, goal| Pair { one, other, goal };
    let pairs = [
        pair(fresh, serve, Some(Goal::AtLeast(4.0))),
        pair(fresh, serve_fastest, Some(Goal::AtLeast(1.5))),
        pair(fresh, hyper, Some(Goal::AtLeast(0.3))),
        pair(reused, hyper, Some(Goal::AtLeast(0.45))),
        pair(reused, serve_fastest, None),
    ];
    contest::compare(effort, ROUNDS, &contenders, &pairs)
}
