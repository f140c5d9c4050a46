//! A server in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use tempfile::TempDir;

use super::bare;
use super::client::Connection;

/// A running server. Dropping it ends the process.
pub struct Server {
    pub process: Child,
    pub address: SocketAddr,
    /// How long it took to be ready.
    pub start: Duration,
    /// The state directory, if it is of no use to others.
    state: Option<TempDir>,
}

impl Server {
    /// Starts the daemon with these options and an empty state directory.
    pub fn nebula(options: &[&str]) -> anyhow::Result<Self> {
        let state = TempDir::new()?;
        let mut server = Self::nebula_at(state.path(), options)?;
        server.state = Some(state);
        Ok(server)
    }

    /// Starts the daemon with the state that an earlier one has left.
    pub fn nebula_at(state: &Path, options: &[&str]) -> anyhow::Result<Self> {
        let mut nebula = Command::new(env!("CARGO_BIN_EXE_nebula"));
        nebula.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--state"]).arg(state).args(options);
        Self::start(&mut nebula)
    }

    /// Starts a bare hyper server that gives the answer of `server` at `path`, except for the date.
    pub fn bare(server: &Self, path: &str) -> anyhow::Result<Self> {
        let mut like = Connection::open(server.address, path)?;
        like.ask()?;
        let own = |header: &&str| !header.starts_with("date: ") && !header.starts_with("content-length: ");
        let mut command = Command::new(std::env::current_exe()?);
        Self::start(command.args([bare::FLAG, like.body()?]).args(like.headers().filter(own)))
    }

    /// Starts a program whose first line on stdout contains its address.
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let started = Instant::now();
        let mut process = command.stdout(Stdio::piped()).spawn().context("cannot start the server")?;
        let stdout = process.stdout.take().context("the server has no stdout")?;
        Self::await_address(process, stdout, started)
    }

    /// The same for stderr, such as wasmtime's.
    pub fn start_on_stderr(command: &mut Command) -> anyhow::Result<Self> {
        let started = Instant::now();
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().context("cannot start the server")?;
        let stderr = process.stderr.take().context("the server has no stderr")?;
        Self::await_address(process, stderr, started)
    }

    fn await_address(process: Child, said: impl Read + Send + 'static, started: Instant) -> anyhow::Result<Self> {
        let mut server = Self { process, address: ([0; 4], 0).into(), start: Duration::ZERO, state: None };
        let (mut said, mut line) = (BufReader::new(said), String::new());
        said.read_line(&mut line)?;
        server.start = started.elapsed();
        let address = line.trim_end().split_once("http://").map(|(_, address)| address.trim_end_matches('/'));
        server.address =
            address.and_then(|address| address.parse().ok()).with_context(|| format!("it said `{line}`"))?;
        // Nobody reads the rest, but the program must be able to write it.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(server)
    }

    pub fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut connection = Connection::open(self.address, path)?;
        connection.ask()?;
        Ok(connection.body()?.into())
    }

    /// The sum of the metrics whose lines begin with `prefix`.
    pub fn metric(&self, prefix: &str) -> anyhow::Result<f64> {
        let metrics = self.get("/metrics")?;
        let lines = metrics.lines().filter(|line| line.starts_with(prefix));
        let values: Vec<f64> = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).collect();
        anyhow::ensure!(!values.is_empty(), "there is no metric `{prefix}`");
        Ok(values.iter().sum())
    }

    /// CPU time of all its threads, in seconds. Source: Linux `Documentation/scheduler/sched-stats.rst`: the first figure
    /// of `schedstat` is the time on a processor in nanoseconds.
    pub fn cpu(&self) -> anyhow::Result<f64> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text =
                fs::read_to_string(task?.path().join("schedstat")).context("this kernel reports no CPU times")?;
            let first = text.split(' ').next().unwrap_or_default();
            nanos += first.parse::<u64>().with_context(|| format!("`{text}` is not a schedstat"))?;
        }
        Ok(Duration::from_nanos(nanos).as_secs_f64())
    }

    /// Resident memory in bytes.
    /// Source: Linux `Documentation/filesystems/proc.rst`, `smaps_rollup`.
    pub fn resident(&self, which: Resident) -> anyhow::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process.id()))?;
        let field = match which {
            Resident::All => "Rss:",
            Resident::Anonymous => "Anonymous:",
        };
        let line = text.lines().find_map(|line| line.strip_prefix(field)).context("no resident size")?;
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024.0)
    }
}

#[derive(Clone, Copy)]
pub enum Resident {
    All,
    /// Memory that is not a file's.
    Anonymous,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub struct Functions(TempDir);

impl Functions {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(TempDir::new()?))
    }

    pub fn add(&self, file: &str, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
        Ok(fs::write(self.0.path().join(file), content)?)
    }

    /// The options that make a daemon serve them.
    pub fn options(&self) -> anyhow::Result<[&str; 2]> {
        Ok(["--functions", self.0.path().to_str().context("the path is not text")?])
    }
}

/// The same module with a custom section of its own, which changes its bytes and nothing else.
///
/// Source: WebAssembly core specification, 5.5.3: id 0, size, then a name and any bytes.
pub fn distinct(module: &[u8], index: usize) -> Vec<u8> {
    let text = format!("{index:04}");
    let name = b"bench";
    let mut section = vec![name.len() as u8];
    section.extend_from_slice(name);
    section.extend_from_slice(text.as_bytes());
    [module, &[0, section.len() as u8], &section].concat()
}
