//! A million windows with wraps, failed readings, jumps and resets: no microjoule is missing from the accounts, and
//! none is invented.

#![allow(clippy::unwrap_used, reason = "a test ends where something is wrong")]

use std::thread;
use std::time::Duration;

use nebula_metering::work::{Moment, Work};
use nebula_metering::{CallId, FunctionId, Meter, Microjoules, PostBox, Posting, Purpose, Slice};
use nebula_simulator::{Board, Fault, Faults, Machine, Random, Register, SharedBoard};

/// A million in total. Each run has its own seed, and its own thread if there are enough processors.
const LIVES: u64 = 10;
const WINDOWS: u32 = 100_000;

/// The faults of a run.
#[derive(Clone, Copy, PartialEq)]
enum Readings {
    /// Counters wrap, and readings fail now and then. No energy is lost.
    Fail,
    /// Readings also jump once, and counters are reset.
    FailJumpAndFall,
}

/// Registers under random load, and a meter that reads them.
struct Life {
    readings: Readings,
    machine: Machine,
    random: Random,
    board: SharedBoard,
    meter: Meter<()>,
    posts: PostBox<()>,
    now: Moment,
    /// Whether the last reading of each zone was a spike.
    nonsense: [bool; 2],
    faults: u64,
}

impl Life {
    fn new(seed: u64, readings: Readings) -> Self {
        let mut random = Random::new(seed);
        let machine = Machine::server();
        let board = SharedBoard::new(Board::new(&machine, Faults::default(), random.fork()));
        let meter = Meter::new(board.source(), machine.topology(), 100);
        let (posts, now) = (PostBox::new(1, 100), Moment::default());
        Self { readings, machine, random, board, meter, posts, now, nonsense: [false; 2], faults: 0 }
    }

    /// A fault that a reader can distinguish from a wrap. So no fault hits a register that is about to wrap, and no two
    /// faults are equal.
    fn fault(&mut self, zone: usize, register: &Register, range: Microjoules) -> Option<Fault> {
        let place = (register.position() % (u128::from(range.0) + 1)) as f64 / range.0 as f64;
        let calm = self.readings == Readings::Fail || !(0.2..0.6).contains(&place) || self.nonsense[zone];
        self.nonsense[zone] = false;
        match self.random.below(1000) {
            0..10 => Some(Fault::Error),
            10..12 => Some(Fault::Unplug(1 + self.random.below(20) as u32)),
            12..15 if !calm => Some(Fault::Reset(self.random.below(1 << 27) as u32)),
            15..20 if !calm => {
                self.nonsense[zone] = true;
                let values = [0, u64::MAX, range.0, range.0 + self.random.bits() / 2];
                Some(Fault::Spike(Microjoules(values[self.random.below(4) as usize])))
            }
            _ => None,
        }
    }

    /// The zones use energy for up to ten seconds; then a window is closed.
    fn window(&mut self, faulty: bool) {
        let time = Duration::from_nanos(1_000_000 + self.random.below(10_000_000_000));
        self.now.monotonic += time;
        self.now.boottime += time;
        let board = self.board.clone();
        board.with(|board| {
            let watts = [self.machine.package_watts_max.0, self.machine.dram_watts_max.0];
            for (zone, watts) in watts.into_iter().enumerate() {
                let joules = watts * time.as_secs_f64() * self.random.between(0.0, 0.98);
                let spec = &board.specs()[zone];
                let (name, range) = (spec.zone.clone(), spec.range.unwrap());
                let register = &mut board.registers_mut()[zone];
                register.add((joules * 1e9) as u64);
                register.update();
                let register = register.clone();
                if let Some(fault) = self.fault(zone, &register, range).filter(|_| faulty) {
                    self.faults += 1;
                    board.script(&name, [fault]);
                }
            }
        });
        self.work(time);
        self.meter.close_window(&self.now, &self.posts, &mut Vec::new());
    }

    /// Work of two functions, the runtime and the host. Each may do nothing.
    fn work(&mut self, time: Duration) {
        for function in 0..2 {
            if self.random.happens(0.5) {
                let work = Work::of_cpu(time.mul_f64(self.random.unit()));
                let (call, function) = (CallId(u128::from(self.random.below(5))), FunctionId(function));
                let slice = Slice { call, function, purpose: Purpose::Call, end: self.now.monotonic, cpu: 0, work };
                self.posts.post(Posting::Slice(slice)).unwrap();
                self.now.process += work.cpu;
                self.now.busy += work.cpu;
            }
        }
        let runtime = time.mul_f64(0.1 * self.random.unit());
        self.now.process += runtime;
        self.now.busy += runtime + time.mul_f64(4.0 * self.random.unit());
        self.now.packages[0] = self.now.busy;
    }

    /// Runs to the end. Returns the number of faults.
    fn live(mut self, windows: u32) -> u64 {
        self.window(false);
        let start = self.board.with(|board| [0, 1].map(|zone| board.register(zone).unwrap().clone()));
        // The accounts when they last changed, and the true energy at that time.
        let mut booked = [(0, 0); 2];
        for window in 0..windows {
            // Energy of failed readings at the end is found again before the run ends.
            self.window(window + 50 < windows);
            // Half of the runs settle each window at once, so it can be compared with the truth. The others settle one
            // window later, as a daemon does.
            let at_once = self.readings == Readings::FailJumpAndFall;
            if at_once {
                self.meter.finish(&mut Vec::new());
            }
            let report = self.meter.report();
            for (zone, booked) in booked.iter_mut().enumerate() {
                let accounts = &report[zone].accounts;
                assert_eq!(accounts.residual(), 0, "zone {zone} after window {window}");
                let used = self.board.with(|board| board.register(zone).unwrap().total_shown_nj());
                let (total, truth) = (u128::from(accounts.total.0), (used - start[zone].total_shown_nj()) / 1000);
                if at_once && total > booked.0 {
                    // A reading is cut to whole units, so the one before may hide up to a unit of this energy.
                    let (more, most) = (total - booked.0, truth - booked.1 + 63);
                    assert!(more <= most, "zone {zone} in window {window}: {more} µJ of {most}");
                    *booked = (total, truth);
                }
            }
        }
        self.meter.finish(&mut Vec::new());
        self.compare(&start);
        self.faults
    }

    /// Compares the accounts of a whole run with the truth.
    fn compare(&self, start: &[Register; 2]) {
        for (zone, report) in self.meter.report().iter().enumerate() {
            let (register, spec) =
                self.board.with(|board| (board.register(zone).unwrap().clone(), board.specs()[zone].clone()));
            let accounts = &report.accounts;
            let wraps = register.total_nj() / (u128::from(spec.range.unwrap().0) * 1000);
            assert!(wraps > 100, "{} has wrapped {wraps} times", report.zone);
            if self.readings == Readings::Fail {
                let truth = register.position() - start[zone].position();
                assert!(truth.abs_diff(accounts.total.0.into()) <= 1, "{truth} {accounts:?}");
                assert!(accounts.gap > Microjoules::ZERO);
            } else {
                let truth = (register.total_nj() - start[zone].total_nj()) as f64 * 1e-9;
                let kept = accounts.total.joules().0 / truth;
                assert!((0.95..1.0).contains(&kept), "{kept} of the energy of {} is on its accounts", report.zone);
            }
        }
    }
}

/// One run from a seed. Returns the number of faults.
fn live(seed: u64) -> u64 {
    let readings = if seed.is_multiple_of(2) { Readings::FailJumpAndFall } else { Readings::Fail };
    Life::new(seed, readings).live(WINDOWS)
}

#[test]
fn a_million_windows_leave_no_microjoule_unaccounted_and_invent_none() {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let lives: Vec<u64> = (0..LIVES).collect();
    let faults: u64 = thread::scope(|scope| {
        let parts = lives.chunks(lives.len().div_ceil(threads));
        let started: Vec<_> =
            parts.map(|seeds| scope.spawn(|| seeds.iter().map(|&seed| live(seed)).sum::<u64>())).collect();
        started.into_iter().map(|lives| lives.join().unwrap()).sum()
    });
    assert!(faults > 10_000, "{faults}");
}
