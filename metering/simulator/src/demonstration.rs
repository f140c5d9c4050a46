//! A simulated machine in real time whose power follows the load of the real one.

use std::time::Duration;

use crate::board::Board;
use crate::machine::Machine;
use crate::random::Random;
use crate::register::{Faults, UPDATE, UPDATE_JITTER};
use nebula_metering::source::{CounterSpec, ReadError, Source, SourceKind};
use nebula_metering::work::Moment;
use nebula_metering::{Microjoules, Watts};

/// Power of a busy processor, and the power that it causes in memory.
const BUSY_WATTS: f64 = 4.5;
const DRAM_BUSY_WATTS: f64 = 0.6;

/// Variation of the power of busy processors: its standard deviation, and the time in which it decorrelates.
const WANDER: f64 = 0.08;
const WANDER_SECONDS: f64 = 10.0;

/// A source that simulates a machine with as many processors as the real one. Nothing is measured.
#[derive(Debug)]
pub struct Demonstration {
    machine: Machine,
    cpus: f64,
    board: Board,
    random: Random,
    jitter_seed: u64,
    last: Option<Moment>,
    deviation: f64,
    /// Energy of package and memory until `last`, and until the last update, in nanojoules.
    used: [f64; 2],
    shown: [f64; 2],
}

impl Demonstration {
    /// A simulated machine with one package.
    #[must_use]
    pub fn open(cpus: usize, seed: u64) -> Self {
        let (mut random, cpus) = (Random::new(seed), cpus.max(1) as f64);
        let machine = server_of(cpus);
        let board = Board::new(&machine, Faults::default(), random.fork());
        let jitter_seed = random.bits();
        Self { machine, cpus, board, random, jitter_seed, last: None, deviation: 0.0, used: [0.0; 2], shown: [0.0; 2] }
    }

    /// Advances the machine to `now`.
    fn advance(&mut self, now: &Moment) {
        let Some(last) = self.last.replace(*now) else { return };
        let seconds = now.monotonic.saturating_sub(last.monotonic).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let busy = now.busy.saturating_sub(last.busy).as_secs_f64().min(seconds * self.cpus);
        // Time in which at least one processor is busy, if they are independent.
        let active = seconds * (1.0 - (1.0 - busy / (seconds * self.cpus)).powf(self.cpus));
        let kept = (-seconds / WANDER_SECONDS).exp();
        self.deviation = kept * self.deviation + (1.0 - kept * kept).sqrt() * WANDER * self.random.normal();
        let factor = (1.0 + self.deviation).max(0.1);
        let package =
            self.machine.idle_watts * seconds + self.machine.activation_watts * active + BUSY_WATTS * factor * busy;
        let dram = self.machine.dram_idle_watts * seconds + DRAM_BUSY_WATTS * factor * busy;
        let until_update = self.last_update(now.monotonic).saturating_sub(last.monotonic).as_secs_f64();
        for (zone, joules) in [package, dram].into_iter().enumerate() {
            let joules_shown = joules * until_update / seconds;
            let shown = if until_update > 0.0 { self.used[zone] + joules_shown * 1e9 } else { self.shown[zone] };
            self.used[zone] += joules * 1e9;
            let whole = (shown - self.shown[zone]).max(0.0).floor();
            self.shown[zone] += whole;
            self.board.registers_mut()[zone].add(whole as u64);
        }
        self.board.update();
    }

    /// Time of the last register update. Its jitter does not depend on when it is asked for.
    fn last_update(&self, now: Duration) -> Duration {
        let update = |number: u64| {
            let jitter = Random::new(self.jitter_seed ^ number).below(2 * UPDATE_JITTER);
            Duration::from_nanos((number * UPDATE + jitter).saturating_sub(UPDATE_JITTER))
        };
        let number = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX) / UPDATE;
        let times = [number + 1, number, number.saturating_sub(1)].map(update);
        times.into_iter().find(|&time| time <= now).unwrap_or_default()
    }
}

/// The server, scaled to this number of processors.
fn server_of(cpus: f64) -> Machine {
    let server = Machine::server();
    let ratio = cpus / server.cpus() as f64;
    Machine {
        idle_watts: server.idle_watts * ratio,
        activation_watts: server.activation_watts * ratio,
        dram_idle_watts: server.dram_idle_watts * ratio,
        package_watts_max: Watts(10.0 + server.package_watts_max.0 * ratio),
        dram_watts_max: Watts(10.0 + server.dram_watts_max.0 * ratio),
        ..server
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

#[cfg(test)]
mod tests {
    use super::*;
    use nebula_metering::{Counter, Observation};

    /// Runs a minute of windows with this many busy processors; returns the mean power of package and memory.
    fn watts(demonstration: &mut Demonstration, counters: &mut [Counter], now: &mut Moment, busy: f64) -> [f64; 2] {
        let mut sums = [0.0; 2];
        let mut readings = Vec::new();
        for _ in 0..600 {
            let window = Duration::from_millis(100);
            now.monotonic += window;
            now.boottime += window;
            now.busy += window.mul_f64(busy);
            demonstration.read(now, &mut readings);
            for ((counter, reading), sum) in counters.iter_mut().zip(&readings).zip(&mut sums) {
                match counter.observe(reading, now) {
                    Observation::Window(energy) => *sum += energy.joules().0,
                    Observation::Baseline => {}
                    Observation::Gap { .. } | Observation::Standby => panic!("{reading:?} at {now:?}"),
                }
            }
        }
        sums.map(|joules| joules / 60.0)
    }

    #[test]
    fn power_follows_the_real_load() {
        let mut demonstration = Demonstration::open(4, 3);
        let mut counters: Vec<_> = demonstration.counters().iter().cloned().map(Counter::new).collect();
        let mut now = Moment::default();
        let mut run = |busy| watts(&mut demonstration, &mut counters, &mut now, busy);
        let ([idle, dram_idle], [half, _], [full, dram_full]) = (run(0.0), run(2.0), run(4.0));
        assert!((2.9..3.1).contains(&idle) && (0.6..0.65).contains(&dram_idle), "{idle} {dram_idle}");
        assert!((11.0..17.0).contains(&half), "{half}");
        assert!((19.0..27.0).contains(&full) && dram_full > 2.0 * dram_idle, "{full} {dram_full}");
    }

    #[test]
    fn the_power_of_a_steady_load_wanders() {
        let mut demonstration = Demonstration::open(4, 3);
        let mut counters: Vec<_> = demonstration.counters().iter().cloned().map(Counter::new).collect();
        let mut now = Moment::default();
        let minutes: Vec<f64> = (0..5).map(|_| watts(&mut demonstration, &mut counters, &mut now, 4.0)[0]).collect();
        let (low, high) =
            (minutes.iter().copied().fold(f64::MAX, f64::min), minutes.iter().copied().fold(0.0, f64::max));
        assert!(high - low > 0.1 && high - low < 8.0, "{minutes:?}");
    }

    #[test]
    fn readings_go_in_steps_and_never_back_until_they_wrap() {
        let mut demonstration = Demonstration::open(2, 1);
        let (mut now, mut readings, mut last) = (Moment::default(), Vec::new(), None);
        let mut unchanged = 0;
        for _ in 0..2000 {
            now.monotonic += Duration::from_micros(100);
            demonstration.read(&now, &mut readings);
            let shown = readings[0].as_ref().unwrap().0;
            assert!(last.is_none_or(|last| last <= shown));
            unchanged += u32::from(last == Some(shown));
            last = Some(shown);
        }
        // 1.5 W make a step of 61 µJ in 41 µs, but there are only 205 updates in 0.2 s.
        assert!((1790..1800).contains(&unchanged), "{unchanged}");
    }

    #[test]
    fn nobody_takes_it_for_a_measurement() {
        let demonstration = Demonstration::open(2, 1);
        assert!(!demonstration.kind().is_measured());
        assert!(demonstration.counters().iter().all(|counter| counter.source == SourceKind::Simulated));
        let zones: Vec<String> = demonstration.counters().iter().map(|counter| counter.zone.to_string()).collect();
        assert_eq!(zones, ["package-0", "dram-0"]);
        assert_eq!(
            demonstration.describe(),
            "a simulated machine of 2 processors, busy as this one is; nothing is measured"
        );
    }
}
