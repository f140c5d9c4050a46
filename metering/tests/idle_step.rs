//! Who pays while the idle power of a machine steps up by 15 W, and back.

use std::time::Duration;

use nebula_metering::{Meter, Microjoules, PostBox};
use nebula_simulator::{EndedCall, Function, HostLoad, Length, Machine, Settings, Simulation, Task};

const WINDOW: Duration = Duration::from_millis(100);
const STEP_WATTS: f64 = 15.0;

struct Life {
    simulation: Simulation,
    meter: Meter<()>,
    posts: PostBox<()>,
    now: Duration,
}

/// Mean power charged beyond the truth in a stretch of time.
#[derive(Debug)]
struct Beyond {
    base: f64,
    host: f64,
    functions: f64,
    /// True mean power of the functions.
    truth: f64,
}

/// Charged and true energy of base, host and functions, in joules.
type Accounts = [[f64; 2]; 3];

impl Life {
    /// A server with two functions and a host, after ten quiet seconds and half a minute of load that varies.
    fn new() -> Self {
        let simulation = Simulation::new(Settings::new(1, Machine::server()));
        let meter = Meter::new(simulation.source(), simulation.topology(), 1 << 12);
        let mut life = Self { simulation, meter, posts: PostBox::new(1, 1 << 14), now: Duration::ZERO };
        life.run(10);
        for (at_once, host) in [(1, 0.0), (4, 0.2), (2, 0.6), (8, 0.1), (3, 0.3)] {
            life.load(at_once, host);
            life.run(6);
        }
        life
    }

    fn load(&mut self, at_once: usize, host: f64) {
        let function = |id, task| Function {
            concurrency: at_once,
            call_length: Length::around(Duration::from_millis(20), 0.9),
            gap: Length::around(Duration::from_millis(30), 0.9),
            ..Function::new(id, task, WINDOW)
        };
        self.simulation.set_functions(&[function(0, Task::new(0.7, 1.0)), function(1, Task::new(2.6, 0.5))]);
        self.simulation.set_host(HostLoad { wander: 0.05, burstiness: 0.2, ..HostLoad::steady(host) });
    }

    fn run(&mut self, seconds: u64) {
        let (until, mut settled) = (self.now + Duration::from_secs(seconds), Vec::new());
        while self.now < until {
            self.now += WINDOW;
            let moment = self.simulation.run_until(self.now, &self.posts, &mut |_: &EndedCall| ());
            self.meter.close_window(&moment, &self.posts, &mut settled);
        }
    }

    fn accounts(&self) -> Accounts {
        let truth = self.simulation.totals();
        let true_functions = truth.functions.values().map(|spent| spent.energy.sum()).sum();
        let true_joules = [truth.idle.sum() + truth.activation.sum(), truth.host.energy.sum(), true_functions];
        let zones = self.meter.report();
        let charged = |of: fn(&nebula_metering::Accounts) -> Microjoules| -> f64 {
            zones.iter().map(|zone| of(&zone.accounts).joules().0).sum()
        };
        let charged = [charged(|a| a.base), charged(|a| a.host), charged(nebula_metering::Accounts::functions_total)];
        std::array::from_fn(|account| [charged[account], true_joules[account]])
    }

    fn watch(&mut self, seconds: u64) -> Beyond {
        let before = self.accounts();
        self.run(seconds);
        let after = self.accounts();
        let watts = |account: usize, side: usize| (after[account][side] - before[account][side]) / seconds as f64;
        let beyond = |account| watts(account, 0) - watts(account, 1);
        Beyond { base: beyond(0), host: beyond(1), functions: beyond(2), truth: watts(2, 1) }
    }
}

#[test]
fn a_step_of_idle_power_is_not_charged_to_functions_and_mostly_found_within_half_a_minute() {
    let mut life = Life::new();
    life.load(2, 0.3);
    for extra_watts in [STEP_WATTS, 0.0] {
        life.watch(20);
        life.simulation.set_extra_watts(extra_watts);
        let (meanwhile, later) = (life.watch(30), life.watch(30));
        println!("to {extra_watts} W: first {meanwhile:.2?}, then {later:.2?}");
        for beyond in [&meanwhile, &later] {
            assert!(beyond.functions.abs() < 0.1 * beyond.truth, "{beyond:?}");
        }
        let found = STEP_WATTS / 2.0;
        assert!(later.base.abs() < found && later.host.abs() < found, "{later:?}");
    }
}
