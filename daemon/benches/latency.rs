//! How long one small call takes, by itself and beside 80 that compute for seconds.
//!
//! `cargo bench --bench latency` prints it. One connection of our own client waits for each answer before it asks again.

mod contest;

use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use contest::{Connection, Effort, Goal, PATH, Sample, Server};

/// More than a second of CPU time each.
const BACKGROUND: &str = "/invoke/fibonacci-recursive?input=40";
const BACKGROUND_CALLS: usize = 80;

/// The CPU time of the background as the daemon reports it.
const BACKGROUND_CPU: &str = "nebula_function_cpu_seconds_total{function=\"fibonacci-recursive\"";

/// On two processors, 80 of them take a minute.
const WALL: [&str; 2] = ["--limits-wall", "10m"];

/// Time for all of them to move to the threads of long calls.
const UNTIL_BUSY: Duration = Duration::from_secs(1);

/// Idle and busy rounds alternate.
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(4);

const MEDIAN_GOAL: Goal = Goal::AtMost(3.0);
const TAIL_GOAL: Goal = Goal::AtMost(5.0);

fn main() -> ExitCode {
    contest::main("latency", latency)
}

fn latency(effort: Effort) -> anyhow::Result<()> {
    let nebula = Server::nebula(&WALL)?;
    let mut connection = Connection::open(nebula.address, PATH)?;
    let round = effort.of(ROUND, ROUND / 4);
    times(&mut connection, round)?;
    let (mut idle, mut busy) = (Vec::new(), Vec::new());
    let (mut ratios, mut processors) = (Vec::new(), Vec::new());
    for _ in 0..effort.of(ROUNDS, 2) {
        let idle_now = times(&mut connection, round)?;
        let background = Background::start(&nebula)?;
        thread::sleep(UNTIL_BUSY);
        let (started, before) = (Instant::now(), nebula.metric(BACKGROUND_CPU)?);
        let busy_now = times(&mut connection, round)?;
        processors.push((nebula.metric(BACKGROUND_CPU)? - before) / started.elapsed().as_secs_f64());
        background.stop();
        ratios.push(Sample::new(busy_now.clone()).median() / Sample::new(idle_now.clone()).median());
        idle.extend(idle_now);
        busy.extend(busy_now);
    }
    println!("\n{PATH}, one connection, milliseconds");
    let [idle, busy] =
        [("idle", idle), (&*format!("beside {BACKGROUND_CALLS} busy calls"), busy)].map(|(name, times)| {
            let times = Sample::new(times);
            let (median, tail, far, most) = (times.median(), times.at(0.99), times.at(0.999), times.at(1.0));
            let count = times.len();
            println!("{name:>22}  p50 {median:.3}  p99 {tail:.3}  p99.9 {far:.3}  most {most:.3}   {count} calls");
            times
        });
    let ratios = Sample::new(ratios);
    println!("p50 busy ÷ idle    {}   {}", ratios.summary(), MEDIAN_GOAL.verdict(ratios.median()));
    println!("p99 idle           {:.3} ms", idle.at(0.99));
    println!("p99 busy           {:.3} ms   {}", busy.at(0.99), TAIL_GOAL.verdict(busy.at(0.99)));
    let processors = Sample::new(processors);
    println!("the busy calls got {:.2} processors of {}", processors.median(), thread::available_parallelism()?);
    Ok(())
}

/// Milliseconds of each call within `round`.
fn times(connection: &mut Connection, round: Duration) -> anyhow::Result<Vec<f64>> {
    let (started, mut times) = (Instant::now(), Vec::new());
    while started.elapsed() < round {
        let asked = Instant::now();
        connection.ask()?;
        times.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

/// Calls that compute all the time.
struct Background(Vec<(TcpStream, JoinHandle<()>)>);

impl Background {
    fn start(server: &Server) -> anyhow::Result<Self> {
        let calls = (0..BACKGROUND_CALLS).map(|_| {
            let mut connection = Connection::open(server.address, BACKGROUND)?;
            // Shutting it down ends the call and the thread.
            Ok((connection.stream()?, thread::spawn(move || while connection.ask().is_ok() {})))
        });
        Ok(Self(calls.collect::<anyhow::Result<_>>()?))
    }

    fn stop(self) {
        for (stream, thread) in self.0 {
            let _ = stream.shutdown(Shutdown::Both);
            let _ = thread.join();
        }
    }
}
