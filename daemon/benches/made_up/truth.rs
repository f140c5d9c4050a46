//! The power of the made-up machine, and where its energy really went.

use std::time::Duration;

use super::process::Used;

/// Drawn when nothing runs.
pub const IDLE_WATTS: f64 = 20.0;

/// Drawn on top while anything runs.
pub const ACTIVATION_WATTS: f64 = 5.0;

/// What a second of CPU time costs: of the two functions, and of everything else, the daemon's own work included.
pub const FUNCTIONS: [(&str, f64); 2] = [("heavy", 12.0), ("light", 6.0)];
pub const OTHER_WATTS: f64 = 8.0;

/// CPU time may become visible this much later than it was used: a tick of the kernel.
const LATE: f64 = 0.004;

/// The accounts of the daemon, in the order in which they are shown here.
pub const ACCOUNTS: [&str; 5] = ["heavy", "light", "host", "runtime", "base"];

/// Energy by account, in joules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Joules(pub [f64; ACCOUNTS.len()]);

impl Joules {
    pub fn total(&self) -> f64 {
        self.0.iter().sum()
    }

    pub fn since(&self, earlier: &Self) -> Self {
        Self(std::array::from_fn(|account| self.0[account] - earlier.0[account]))
    }
}

/// A call that runs, and the CPU time that is taken to be its own until it tells.
struct Running {
    id: u64,
    function: usize,
    cpu: f64,
}

/// CPU time so far, and what it cost.
#[derive(Default)]
pub struct Truth {
    running: Vec<Running>,
    /// Calls that have ended, with their CPU time.
    ended: Vec<(u64, f64)>,
    functions_cpu: [f64; FUNCTIONS.len()],
    daemon_cpu: f64,
    host_cpu: f64,
    base: f64,
    /// CPU time of daemon and host that is not yet part of the time awake.
    waking: [f64; 2],
    /// CPU time that calls were given until their answers told that it was another's.
    misplaced: f64,
    /// Power that has come on top of the idle power.
    pub step_watts: f64,
}

impl Truth {
    pub fn begin(&mut self, id: u64, function: usize) {
        self.running.push(Running { id, function, cpu: 0.0 });
    }

    pub fn end(&mut self, id: u64, cpu: Duration) {
        self.ended.push((id, cpu.as_secs_f64()));
    }

    /// Lets `time` pass, in which daemon and host used this much CPU time.
    pub fn advance(&mut self, time: Duration, daemon: Used, host: Duration) {
        let calls = daemon.calls.as_secs_f64();
        let [time, daemon, host] = [time, daemon.total(), host].map(|time| time.as_secs_f64());
        let awake = [daemon, host].into_iter().zip(&mut self.waking).map(|(cpu, waking)| {
            *waking += cpu;
            let now = waking.min(time);
            *waking = (*waking - now).min(LATE);
            now / time.max(f64::MIN_POSITIVE)
        });
        // The two run independently of each other.
        let asleep: f64 = awake.map(|part| 1.0 - part).product();
        self.base += (IDLE_WATTS + self.step_watts) * time + ACTIVATION_WATTS * (1.0 - asleep) * time;
        self.host_cpu += host;
        self.daemon_cpu += daemon;
        // Where one call follows another, both are taken to get the same, until their answers tell what each has used.
        let each = calls / self.running.len().max(1) as f64;
        for call in &mut self.running {
            call.cpu += each;
            self.functions_cpu[call.function] += each;
        }
        for (id, cpu) in std::mem::take(&mut self.ended) {
            self.correct(id, cpu);
        }
    }

    /// A call has told its CPU time. What it had beyond that was the daemon's own.
    fn correct(&mut self, id: u64, cpu: f64) {
        let Some(place) = self.running.iter().position(|call| call.id == id) else { return };
        let call = self.running.swap_remove(place);
        self.functions_cpu[call.function] += cpu - call.cpu;
        self.misplaced += (cpu - call.cpu).abs();
    }

    pub fn joules(&self) -> Joules {
        let [heavy, light] = self.functions_cpu;
        let runtime = self.daemon_cpu - heavy - light;
        Joules([
            heavy * FUNCTIONS[0].1,
            light * FUNCTIONS[1].1,
            self.host_cpu * OTHER_WATTS,
            runtime * OTHER_WATTS,
            self.base,
        ])
    }

    /// CPU time that was misplaced until calls ended, as a part of all CPU time of functions.
    pub fn misplaced(&self) -> f64 {
        self.misplaced / self.functions_cpu.iter().sum::<f64>().max(f64::MIN_POSITIVE)
    }

    pub fn host_cpu(&self) -> f64 {
        self.host_cpu
    }
}
