//! A made-up machine in real time: it draws power as the real one is busy.

use super::board::Board;
use super::machine::Machine;
use super::random::Random;
use super::register::Faults;
use crate::source::{Moment, ReadError, Source, SourceKind};
use crate::units::Microjoules;
use crate::zone::CounterSpec;

/// Time between two updates of the registers, at most, in seconds.
const UPDATE_SECONDS_MAX: f64 = 0.996e-3;

/// What a processor draws while it is busy, and what that makes the memory draw.
const BUSY_WATTS: f64 = 4.5;
const DRAM_BUSY_WATTS: f64 = 0.6;

/// How far the power of busy processors wanders, as a standard deviation, and in which time it forgets where it was.
const WANDER: f64 = 0.08;
const WANDER_SECONDS: f64 = 10.0;

/// A source that makes up a machine of as many processors as the real one has. Nothing is measured.
#[derive(Debug)]
pub struct Demonstration {
    machine: Machine,
    cpus: f64,
    board: Board,
    random: Random,
    last: Option<Moment>,
    deviation: f64,
    /// Energy used until `last`, and until the last update, of package and memory, in nanojoules.
    used: [f64; 2],
    shown: [f64; 2],
}

impl Demonstration {
    /// A made-up machine of one package.
    #[must_use]
    pub fn open(cpus: usize, seed: u64) -> Self {
        let (mut random, cpus) = (Random::new(seed), cpus.max(1) as f64);
        let mut machine = Machine::server();
        machine.watts_for(cpus);
        let board = Board::new(&machine, Faults::default(), random.fork());
        Self { machine, cpus, board, random, last: None, deviation: 0.0, used: [0.0; 2], shown: [0.0; 2] }
    }

    /// Lets the made-up machine live until `now`.
    fn advance(&mut self, now: &Moment) {
        let Some(last) = self.last.replace(*now) else { return };
        let seconds = now.monotonic.saturating_sub(last.monotonic).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let busy = now.busy.saturating_sub(last.busy).as_secs_f64().min(seconds * self.cpus);
        // How often some processor is busy, if they are busy independently of each other.
        let active = seconds * (1.0 - (1.0 - busy / (seconds * self.cpus)).powf(self.cpus));
        let kept = (-seconds / WANDER_SECONDS).exp();
        self.deviation = kept * self.deviation + (1.0 - kept * kept).sqrt() * WANDER * self.random.normal();
        let factor = (1.0 + self.deviation).max(0.1);
        let package =
            self.machine.idle_watts * seconds + self.machine.activation_watts * active + BUSY_WATTS * factor * busy;
        let dram = self.machine.dram_idle_watts * seconds + DRAM_BUSY_WATTS * factor * busy;
        // The last update was some time before now; what was used since does not show yet.
        let shown = 1.0 - (self.random.unit() * UPDATE_SECONDS_MAX / seconds).min(1.0);
        for (zone, joules) in [package, dram].into_iter().enumerate() {
            let until_update = self.used[zone] + joules * 1e9 * shown;
            self.used[zone] += joules * 1e9;
            let whole = (until_update.max(self.shown[zone]) - self.shown[zone]).floor();
            self.shown[zone] += whole;
            self.board.registers_mut()[zone].add(whole as u64);
        }
        self.board.update();
    }
}

impl Machine {
    /// Power by the number of processors, as that of the server with its sixteen.
    fn watts_for(&mut self, cpus: f64) {
        let ratio = cpus / self.cpus() as f64;
        self.idle_watts *= ratio;
        self.activation_watts *= ratio;
        self.dram_idle_watts *= ratio;
        self.package_watts_max.0 = self.package_watts_max.0 * ratio + 10.0;
        self.dram_watts_max.0 = self.dram_watts_max.0 * ratio + 10.0;
    }
}

impl Source for Demonstration {
    fn kind(&self) -> SourceKind {
        SourceKind::Simulated
    }

    fn counters(&self) -> &[CounterSpec] {
        self.board.specs()
    }

    fn read(&mut self, moment: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        self.advance(moment);
        self.board.read(readings);
    }

    fn describe(&self) -> String {
        format!("a simulated machine of {} processors, busy as this one is; nothing is measured", self.cpus)
    }
}
