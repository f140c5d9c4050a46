//! What runs on the made-up machine besides the daemon's own work: clients that call functions, and a process of the host.

use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use nebula_metering::work::thread::thread_cpu;
use nebula_simulator::Random;
use serde_json::Value;

use super::machine::Machine;
use super::truth::FUNCTIONS;
use crate::contest::Connection;

/// A numeric function that takes as many turns as it is told. Both functions are this module: equal work in equal CPU
/// time, of which the made-up machine draws unequal power.
pub const MODULE: &str = r#"(module
  (func (export "run") (param $turns i64) (result i64) (local $x i64)
    (loop $again
      (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 6364136223846793005)) (local.get $turns)))
      (local.set $turns (i64.sub (local.get $turns) (i64.const 1)))
      (br_if $again (i64.gt_s (local.get $turns) (i64.const 0))))
    (local.get $x)))"#;

/// CPU time of a call, and the part of a processor that each function uses on average. Calls come at random times.
const CALL_MS: [u64; 4] = [5, 10, 15, 30];
const BUSY: f64 = 0.3;

/// Turns in a millisecond until calls have told how many there are.
const TURNS_PER_MS: u64 = 500_000;

/// A call that has ended.
#[derive(Clone, Debug)]
pub struct Called {
    pub invocation: String,
    pub function: usize,
    /// When it ended, in seconds since the machine started.
    pub at: f64,
    pub cpu: Duration,
}

/// Clients of both functions.
pub struct Clients<'a> {
    machine: &'a Machine,
    address: SocketAddr,
    number: AtomicU64,
    turns_per_ms: AtomicU64,
    stopped: AtomicBool,
    long_call: AtomicU64,
    /// One call runs at a time: only so the CPU time of the daemon tells at every moment what each function uses.
    turn: Mutex<()>,
    called: Mutex<Vec<Called>>,
}

impl<'a> Clients<'a> {
    pub fn new(machine: &'a Machine, address: SocketAddr) -> Self {
        Self {
            machine,
            address,
            number: AtomicU64::new(0),
            turns_per_ms: AtomicU64::new(TURNS_PER_MS),
            stopped: AtomicBool::new(false),
            long_call: AtomicU64::new(0),
            turn: Mutex::default(),
            called: Mutex::default(),
        }
    }

    /// Calls `function` at random times until it is stopped.
    pub fn call_often(&self, function: usize) -> anyhow::Result<()> {
        let mut random = Random::new(function as u64 + 1);
        let mean = CALL_MS.iter().sum::<u64>() as f64 / CALL_MS.len() as f64 / 1e3 / BUSY;
        let mut next = Instant::now();
        while !self.stopped.load(Ordering::Relaxed) {
            let long = if function == 0 { self.long_call.swap(0, Ordering::Relaxed) } else { 0 };
            let short = CALL_MS[random.below(CALL_MS.len() as u64) as usize];
            self.call(function, if long > 0 { long } else { short })?;
            // Calls that found no time in a second are not made up for.
            let now = Instant::now();
            next = (next + Duration::from_secs_f64(mean * random.exponential())).max(now - Duration::from_secs(1));
            thread::sleep(next.saturating_duration_since(now));
        }
        Ok(())
    }

    /// Makes the next call of the first function one of this CPU time.
    pub fn call_long(&self, cpu: Duration) {
        self.long_call.store(cpu.as_millis() as u64, Ordering::Relaxed);
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub fn called(self) -> Vec<Called> {
        self.called.into_inner().unwrap_or_default()
    }

    fn call(&self, function: usize, ms: u64) -> anyhow::Result<()> {
        let turns = ms * self.turns_per_ms.load(Ordering::Relaxed);
        let name = FUNCTIONS[function].0;
        let turn = self.turn.lock().ok().context("another client failed")?;
        let mut connection = Connection::open(self.address, &format!("/invoke/{name}?input={turns}"))?;
        let id = self.number.fetch_add(1, Ordering::Relaxed);
        self.machine.truth(|truth| truth.begin(id, function));
        let answer = connection.ask().and_then(|()| Ok(serde_json::from_str::<Value>(connection.body()?)?));
        let cpu = answer.as_ref().ok().and_then(|answer| answer["work"]["cpu_ns"].as_u64());
        let cpu = Duration::from_nanos(cpu.unwrap_or_default());
        self.machine.truth(|truth| truth.end(id, cpu));
        drop(turn);
        let invocation = answer?["invocation_id"].as_str().context("a call without id")?.to_owned();
        if cpu > Duration::from_millis(1) {
            self.turns_per_ms.store((turns as f64 / cpu.as_secs_f64() / 1e3) as u64, Ordering::Relaxed);
        }
        let called = Called { invocation, function, at: self.machine.now(), cpu };
        self.called.lock().map(|mut all| all.push(called)).ok().context("another client failed")
    }
}

/// A process of the host. Dropping it ends it.
pub struct Host(Child);

/// Makes this program such a process: with this flag, and the part of a processor that it uses.
pub const HOST_FLAG: &str = "--host";

impl Host {
    pub fn start(busy: f64) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        Ok(Self(command.args([HOST_FLAG, &busy.to_string()]).spawn()?))
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Uses this part of a processor for as long as its parent lives.
pub fn be_host(busy: f64) {
    let parent = std::os::unix::process::parent_id();
    let (mut started, mut used) = (Instant::now(), thread_cpu());
    while std::os::unix::process::parent_id() == parent {
        let behind = |started: Instant, used| started.elapsed().mul_f64(busy).saturating_sub(thread_cpu() - used);
        while !behind(started, used).is_zero() && started.elapsed() < Duration::from_secs(1) {}
        if started.elapsed() >= Duration::from_secs(1) {
            (started, used) = (Instant::now(), thread_cpu());
        }
        thread::sleep(Duration::from_millis(2));
    }
}
