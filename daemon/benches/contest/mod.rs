//! Two servers side by side: same load generator, same processors, turn by turn in one run.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

/// The call that is measured.
pub const PATH: &str = "/invoke/hello-world";

/// Connections of the load generator.
pub const CONNECTIONS: [u32; 2] = [8, 64];

/// How long each run is, in seconds.
const SECONDS: u32 = 3;

/// Three windows of the default.
const SETTLED: Duration = Duration::from_millis(300);

/// A server in a process of its own, ended with this value.
pub struct Server {
    pub process: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts a program whose first line says where it listens.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut process = command.stdout(Stdio::piped()).spawn().context("cannot start the server")?;
        let stdout = process.stdout.take().context("the server has no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().trim_start_matches("listening on http://").parse();
        Ok(Self { process, address: address.with_context(|| format!("the server said `{line}`"))? })
    }

    /// Starts the daemon, with these options besides.
    pub fn nebula(options: &[&str]) -> anyhow::Result<Self> {
        let mut nebula = Command::new(env!("CARGO_BIN_EXE_nebula"));
        Self::start(
            nebula.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--cache-size", "0"]).args(options),
        )
    }

    /// The body of what it answers.
    pub fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address)?;
        let answer = std::io::read_to_string(stream)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
        anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "the answer is {head}");
        Ok(body.into())
    }

    /// CPU time of all its threads, in seconds. Source: Linux `Documentation/scheduler/sched-stats.rst`: the first figure
    /// of `schedstat` is the time on a processor in nanoseconds.
    pub fn cpu(&self) -> anyhow::Result<f64> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat")).context("this kernel tells no CPU times")?;
            let first = text.split(' ').next().unwrap_or_default();
            nanos += first.parse::<u64>().with_context(|| format!("`{text}` is no schedstat"))?;
        }
        Ok(Duration::from_nanos(nanos).as_secs_f64())
    }

    /// Requests per second, and microseconds of CPU time for each. Any answer but 200 is an error.
    fn load(&self, connections: u32) -> anyhow::Result<[f64; 2]> {
        let before = self.cpu()?;
        let mut wrk = Command::new("wrk");
        let url = format!("http://{}{PATH}", self.address);
        wrk.args(["-t1", &format!("-c{connections}"), &format!("-d{SECONDS}s"), &url]);
        let report = String::from_utf8(wrk.output()?.stdout)?;
        anyhow::ensure!(!report.contains("Non-2xx") && !report.contains("Socket errors"), "{report}");
        // What is done of a request after its answer is part of it: the last ones are settled within a few windows.
        thread::sleep(SETTLED);
        let cpu = self.cpu()? - before;
        let rate = report.lines().find_map(|line| line.strip_prefix("Requests/sec:")).context(report.clone())?;
        let count = report.lines().find_map(|line| line.split_once(" requests in ")).context(report.clone())?.0;
        Ok([rate.trim().parse()?, cpu * 1e6 / count.trim().parse::<f64>()?])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says what is missing where there is no load generator.
pub fn require_wrk() -> anyhow::Result<()> {
    match Command::new("wrk").arg("-v").output() {
        Ok(_) => Ok(()),
        Err(_) => bail!("it needs wrk: `apt-get install wrk`"),
    }
}

/// A few figures of the same thing, from the least to the most.
pub struct Sample(Vec<f64>);

impl Sample {
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// The value below which this part of all lies.
    pub fn at(&self, part: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
    }
}

/// Loads both in turn, and prints their medians and what the ratio of one to the other was: what both suffer from
/// their neighbours, a pair of runs suffers alike. They take turns in going first. CPU time suffers least.
pub fn compare(names: [&str; 2], [one, other]: [&Server; 2], rounds: usize) -> anyhow::Result<()> {
    let ([name, other_name], ratio) = (names, "ratio");
    println!("{:>24} {name:>12} {other_name:>12} {ratio:>8}   middle half, all {rounds} rounds", "connections");
    for connections in CONNECTIONS {
        let mut loads = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            let turns = [(0, one), (1, other)];
            for (index, server) in if round % 2 == 0 { turns } else { [turns[1], turns[0]] } {
                loads[index].push(server.load(connections)?);
            }
        }
        for (figure, unit) in ["calls/s", "µs CPU/call"].into_iter().enumerate() {
            let [ones, others] =
                loads.each_ref().map(|loads| loads.iter().map(|load| load[figure]).collect::<Vec<_>>());
            let ratios = Sample::new(ones.iter().zip(&others).map(|(one, other)| one / other).collect());
            let [one, other] = [ones, others].map(|values| Sample::new(values).median());
            let (least, low, high, most) = (ratios.at(0.0), ratios.at(0.25), ratios.at(0.75), ratios.at(1.0));
            println!(
                "{connections:>12} {unit:>11} {one:>12.1} {other:>12.1} {:>8.3}   {low:.3} to {high:.3}, {least:.3} to {most:.3}",
                ratios.median()
            );
        }
    }
    Ok(())
}
