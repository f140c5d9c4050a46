//! What the model charges a function in the first minute, and later beside others.

#![allow(clippy::expect_used, clippy::panic, reason = "a test ends where something is wrong")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nebula_metering::source::model::Model;
use nebula_metering::work::topology::Topology;
use nebula_metering::work::{Moment, Work};
use nebula_metering::{CallId, FunctionId, Meter, PostBox, Purpose, Settled, Slice};

const WINDOW: Duration = Duration::from_millis(100);

/// A machine without energy counters that runs one function.
struct Machine {
    meter: Meter<()>,
    posts: Arc<PostBox<()>>,
    now: Moment,
    calls: u128,
}

impl Machine {
    fn new(fixture: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/proc").join(fixture);
        Self::of(Model::open(&root, Path::new("/nowhere")).expect("the fixture is complete"))
    }

    fn of(model: Model) -> Self {
        let threads = model.threads() as usize;
        let meter = Meter::new(Box::new(model), Topology::one_package(threads), 1000);
        Self { meter, posts: Arc::new(PostBox::new(1, 1000)), now: Moment::default(), calls: 0 }
    }

    /// Runs for this long with `calls` of 5 ms in each window, beside others that use `host` of CPU time in each.
    fn run(&mut self, time: Duration, calls: u32, host: Duration) -> Minute {
        let mut minute = Minute::default();
        for _ in 0..time.as_millis() / WINDOW.as_millis() {
            self.now.monotonic += WINDOW;
            self.now.boottime += WINDOW;
            self.now.busy += host;
            for _ in 0..calls {
                self.calls += 1;
                let work = Work::of_cpu(Duration::from_millis(5));
                self.now.process += work.cpu;
                self.now.busy += work.cpu;
                let (call, function) = (CallId(self.calls), FunctionId(7));
                let end = self.now.monotonic - WINDOW / 2;
                let slice = Slice { call, function, purpose: Purpose::Call, end, cpu: 0, work };
                self.posts.whole(slice, ()).expect("there is room");
            }
            let mut settled = Vec::new();
            self.meter.close_window(&self.now, &self.posts, &mut settled);
            for call in &settled {
                minute.add(call);
            }
        }
        minute
    }
}

/// Calls that were charged within a time.
#[derive(Default)]
struct Minute {
    calls: u32,
    joules: f64,
    uncertainty: f64,
}

impl Minute {
    fn add(&mut self, call: &Settled<()>) {
        let Some(charge) = &call.charge else { return };
        self.calls += 1;
        self.joules += charge.active.joules().0;
        self.uncertainty += charge.uncertainty.total().0;
    }

    /// Joules of a call, and half the width of its interval.
    fn call(&self) -> (f64, f64) {
        (self.joules / f64::from(self.calls), self.uncertainty / f64::from(self.calls))
    }

    fn contains(&self, joules: f64) -> bool {
        let (own, uncertainty) = self.call();
        (joules - own).abs() <= uncertainty
    }
}

#[test]
fn the_first_minute_and_later_ones_agree_within_the_interval() {
    // Four threads of a server, and two virtual CPUs. Others use nothing, then three quarters, then little.
    for (fixture, threads) in [("cascade-lake", 4), ("ice-lake-sp-guest", 2)] {
        let mut machine = Machine::new(fixture);
        let minute = Duration::from_secs(60);
        let first = machine.run(minute, 4, Duration::ZERO);
        let beside = machine.run(minute, 4, WINDOW * threads * 3 / 4);
        let later = machine.run(minute, 4, Duration::from_millis(5));
        assert!(first.calls > 2300, "{fixture}: the calls of the first minute are charged, {} were", first.calls);
        for other in [beside, later] {
            let ((first_call, _), (call, uncertainty)) = (first.call(), other.call());
            println!("{fixture}: {first_call:.4} J a call at first, {call:.4} ± {uncertainty:.4} J later");
            assert!(first.contains(call) && other.contains(first_call), "{fixture}");
        }
    }
}

/// A function alone on a large server, and beside others that fill it.
#[test]
fn others_do_not_change_what_a_function_is_charged() {
    let root = tempfile::tempdir().expect("a directory can be made");
    let thread = "vendor_id : GenuineIntel\ncpu family : 6\nmodel : 85\nstepping : 7\nmodel name : CPU @ 3.00GHz\n";
    let cpuinfo = (0..96).map(|cpu| format!("processor : {cpu}\n{thread}flags : fpu\n\n")).collect::<Vec<_>>().concat();
    std::fs::write(root.path().join("cpuinfo"), cpuinfo).expect("the file can be written");
    let mut machine = Machine::of(Model::open(root.path(), root.path()).expect("there are processors"));
    let alone = machine.run(Duration::from_secs(60), 4, Duration::ZERO).call().0;
    for percent in [10, 25, 50, 75, 95, 0] {
        let beside = machine.run(Duration::from_secs(30), 4, WINDOW * 96 * percent / 100).call().0;
        assert!((beside / alone - 1.0).abs() < 0.02, "{percent} %: {alone} J, then {beside} J");
    }
}

#[test]
fn the_first_seconds_are_charged_as_the_first_minute() {
    let mut machine = Machine::new("cascade-lake");
    let seconds = machine.run(Duration::from_secs(2), 4, Duration::ZERO);
    let minute = machine.run(Duration::from_secs(60), 4, Duration::ZERO);
    assert!((seconds.call().0 / minute.call().0 - 1.0).abs() < 0.01);
}
