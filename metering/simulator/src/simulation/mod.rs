//! A machine in virtual time, which advances only on request and always in the same way.

mod calls;
mod climate;
mod energy;
mod events;
mod host;
mod neighbourhood;
mod post;
mod processors;
mod schedule;
mod state;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::climate::Climate;
use self::host::Host;
use self::neighbourhood::Neighbourhood;
use self::post::Postman;
use self::schedule::Schedule;
pub use self::state::Simulation;
use self::state::nanoseconds;
use crate::accounts::{Accounts, HOST, RUNTIME};
use crate::board::{Board, SharedBoard};
use crate::hardware::Hardware;
use crate::machine::Machine;
use crate::random::Random;
use crate::register::{Fault, Faults, UPDATE, UPDATE_JITTER};
use crate::settings::{Function, HostClock, HostLoad, Settings};
use crate::slots::{Presence, Slots};
use crate::threads::Thread;
use crate::truth::{EndedCall, JoulesByDomain, Totals};
use nebula_metering::source::Source;
use nebula_metering::work::topology::Topology;
use nebula_metering::work::{Moment, PACKAGES_MAX};
use nebula_metering::{PostBox, Zone};

/// A tick of `/proc/stat`, in nanoseconds.
const STAT_TICK: u64 = 10_000_000;

impl Simulation {
    /// A machine that has just been switched on.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let Settings { seed, mut machine, functions, host, runtime, pmu, tick, workers, host_clock, faults } = settings;
        machine.packages = machine.packages.clamp(1, PACKAGES_MAX);
        let mut random = Random::new(seed);
        let board = SharedBoard::new(Board::new(&machine, faults, random.fork()));
        let cpus = machine.cpus();
        let mut threads: Vec<Thread> =
            (0..workers.max(1)).map(|worker| Thread::worker(RUNTIME, runtime.task, worker % cpus)).collect();
        let idle_workers = (0..threads.len()).rev().collect();
        threads.push(Thread::background(RUNTIME, runtime.task, 0, &mut random));
        threads.extend((0..cpus).map(|cpu| Thread::background(HOST, host.task, cpu, &mut random)));
        let presence = Presence {
            activation: JoulesByDomain { package: machine.activation_watts, dram: machine.dram_activation_watts },
            idle: JoulesByDomain { package: machine.idle_watts, dram: machine.dram_idle_watts },
        };
        let packages = machine.packages;
        let climates = vec![Climate::new(&machine.laws); packages];
        let mut simulation = Self {
            now: 0,
            update: UPDATE,
            slept: Duration::ZERO,
            flushed: 0,
            active: vec![0; packages],
            carries: vec![0.0; packages * 2],
            board,
            accounts: Accounts::new(packages),
            schedule: Schedule::new(threads, cpus),
            neighbours: machine.neighbours.clone().map(Neighbourhood::new),
            hardware: Hardware::new(machine),
            slots: Slots::new(idle_workers),
            host: Host::new(host),
            random,
            presence: vec![presence; packages],
            climates,
            extra_watts: 0.0,
            runtime,
            pmu,
            tick: nanoseconds(tick).max(1),
            host_clock,
            frequency_ppm: None,
            packages_ppm: [0; PACKAGES_MAX],
        };
        simulation.wake_background();
        simulation.set_functions(&functions);
        simulation
    }

    /// The registers, as software reads them.
    #[must_use]
    pub fn source(&self) -> Box<dyn Source> {
        self.board.source()
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        self.hardware.machine()
    }

    /// Which processor belongs to which package.
    #[must_use]
    pub fn topology(&self) -> Topology {
        self.machine().topology()
    }

    /// Calls these functions, and no others, from now on. Calls in progress continue to their end.
    pub fn set_functions(&mut self, functions: &[Function]) {
        self.slots.retire();
        for function in functions {
            let consumer = self.accounts.consumer(function.id);
            for _ in 0..function.concurrency {
                self.add_slot(*function, consumer);
            }
        }
    }

    /// Starts no further calls. Calls in progress continue to their end.
    pub fn drain(&mut self) {
        self.set_functions(&[]);
    }

    /// Number of calls in progress.
    #[must_use]
    pub fn running(&self) -> usize {
        self.slots.running()
    }

    /// Changes the load of the host. Takes up to a tenth of a second to apply everywhere.
    pub fn set_host(&mut self, load: HostLoad) {
        self.host = Host::new(load);
        self.settle_all();
        self.change_host_task();
    }

    /// Changes the random faults of readings.
    pub fn set_faults(&mut self, faults: Faults) {
        self.board.with(|board| board.set_faults(faults));
    }

    /// The next readings of a zone have these faults.
    pub fn script(&mut self, zone: &Zone, faults: impl IntoIterator<Item = Fault>) {
        self.board.with(|board| board.script(zone, faults));
    }

    /// From now on, something beside the processors draws these watts in the first package's zone: a fan, a graphics unit,
    /// another virtual machine.
    pub fn set_extra_watts(&mut self, watts: f64) {
        self.settle_all();
        self.flush();
        self.extra_watts = watts;
    }

    /// Suspends the machine: only `CLOCK_BOOTTIME` continues.
    pub fn suspend(&mut self, time: Duration) {
        self.slept += time;
    }

    /// Runs until `time`, posts the work of calls, and asks `on_end` what to post with their ends.
    ///
    /// A slice that does not fit is posted with the next one of its call. A last one that does not fit is counted as
    /// dropped.
    pub fn run_until<E>(
        &mut self,
        time: Duration,
        posts: &PostBox<E>,
        on_end: &mut dyn FnMut(&EndedCall) -> E,
    ) -> Moment {
        let mut postman = Postman { posts, on_end };
        let until = nanoseconds(time);
        while self.now < until {
            let stop = until.min(self.update);
            self.run_events(stop, &mut postman);
            self.now = stop;
            self.settle_all();
            if stop == self.update {
                self.update_hardware();
            }
        }
        self.flush();
        self.take_frequencies();
        self.moment()
    }

    /// Takes the mean frequencies at work since they were taken last.
    fn take_frequencies(&mut self) {
        let highest = self.hardware.machine().frequency_ghz(1);
        // A guest has no registers that would tell.
        let is_known = self.neighbours.is_none();
        let ppm = |(cycles, nanoseconds): (f64, u64)| {
            (is_known && nanoseconds > 0).then(|| (cycles / nanoseconds as f64 / highest * 1e6) as u32)
        };
        let mut all = (0.0, 0);
        for package in 0..self.accounts.packages() {
            let of = self.hardware.take_cycles(package);
            all = (all.0 + of.0, all.1 + of.1);
            self.packages_ppm[package] = ppm(of).unwrap_or_default();
        }
        self.frequency_ppm = ppm(all);
    }

    /// The current readings of all clocks.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let seen = |nanoseconds: u64| match self.host_clock {
            HostClock::Exact => nanoseconds,
            HostClock::Ticks => nanoseconds / STAT_TICK * STAT_TICK,
        };
        let (mut process, mut host) = (0, 0);
        let mut packages = [Duration::ZERO; PACKAGES_MAX];
        for (package, busy) in packages.iter_mut().enumerate().take(self.accounts.packages()) {
            let (process_here, host_here) = (self.accounts.process(package), self.accounts.host(package));
            process += process_here;
            host += host_here;
            *busy = Duration::from_nanos(seen(process_here + host_here));
        }
        let monotonic = Duration::from_nanos(self.now);
        Moment {
            monotonic,
            boottime: monotonic + self.slept,
            busy: Duration::from_nanos(process + seen(host)),
            process: Duration::from_nanos(process),
            packages,
            frequency_ppm: self.frequency_ppm,
            packages_ppm: self.packages_ppm,
        }
    }

    /// True energies since the start, of all packages together.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        (0..self.accounts.packages()).for_each(|package| totals += self.accounts.totals_of(package));
        totals
    }

    /// True energies since the start, on one package.
    #[must_use]
    pub fn totals_of(&self, package: usize) -> Totals {
        self.accounts.totals_of(package)
    }

    /// True energy of each zone since the start, in joules.
    #[must_use]
    pub fn zones(&self) -> Vec<(Zone, f64)> {
        self.board.with(|board| {
            let joules = |index| board.register(index).map_or(0.0, |register| register.total_nj() as f64 * 1e-9);
            board.specs().iter().enumerate().map(|(index, spec)| (spec.zone.clone(), joules(index))).collect()
        })
    }

    fn update_hardware(&mut self) {
        self.flush();
        self.board.with(Board::update);
        self.advance_host();
        if let Some(neighbours) = &mut self.neighbours {
            neighbours.advance(self.now, &mut self.random);
        }
        self.hardware.choose_frequencies(self.neighbours.as_ref().map_or(0, Neighbourhood::busy_cores));
        self.update = self.now + UPDATE - UPDATE_JITTER + self.random.below(2 * UPDATE_JITTER + 1);
    }

    /// Advances the host. All processors must be settled.
    fn advance_host(&mut self) {
        if self.host.advance(self.now, &mut self.random) {
            self.change_host_task();
        }
    }

    /// Gives the threads of the host its current task. All processors must be settled.
    fn change_host_task(&mut self) {
        let task = self.host.task();
        for thread in &mut self.schedule.threads {
            if thread.consumer == HOST {
                thread.task = task;
            }
        }
        for (cpu, running) in self.schedule.running.iter().enumerate() {
            if running.is_some_and(|thread| self.schedule.threads[thread].consumer == HOST) {
                self.hardware.change(cpu, task);
            }
        }
    }
}
