//! Runs as tables.

use std::fmt;
use std::time::Duration;

use super::machine::Quality;
use super::run::{Call, Record, Sample, Setting};
use super::truth::{ACCOUNTS, FUNCTIONS};

/// Calls of at least this CPU time are shown by themselves.
const LONG: Duration = Duration::from_secs(5);

/// Time after a step of idle power in which it should be found.
const FINDING: f64 = 30.0;

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = if self.quiet { "quiet" } else { "busy" };
        write!(f, "started {start}, host {:.0} %", self.host * 100.0)
    }
}

/// Charged and true joules of one account between two samples.
#[derive(Clone, Copy, Debug)]
pub struct Compared {
    pub charged: f64,
    pub truth: f64,
}

impl Compared {
    /// How much too much was charged, in percent.
    pub fn bias(&self) -> f64 {
        (self.charged / self.truth - 1.0) * 100.0
    }
}

impl Record {
    /// Accounts between two times, as near as samples are.
    pub fn between(&self, from: f64, to: f64) -> Option<[Compared; ACCOUNTS.len()]> {
        let (first, last) = (self.sample(from)?, self.sample(to)?);
        let (charged, truth) = (last.charged.since(&first.charged), last.truth.since(&first.truth));
        (last.at > first.at).then(|| std::array::from_fn(|of| Compared { charged: charged.0[of], truth: truth.0[of] }))
    }

    /// How many of the intervals of calls that ended between two times hold the truth, how many there are, and the median
    /// half width as a part of the charge.
    pub fn coverage(&self, function: Option<usize>, from: f64, to: f64) -> Option<(f64, usize, f64)> {
        let is_here =
            |call: &&Call| (from..to).contains(&call.at) && function.is_none_or(|function| function == call.function);
        let known = self.calls.iter().filter(is_here).filter_map(|call| Some((call.truth, call.charge?)));
        let mut widths = Vec::new();
        let mut held = 0;
        for (truth, (charge, half)) in known {
            held += usize::from((charge - truth).abs() <= half);
            widths.push(half / charge.max(f64::MIN_POSITIVE));
        }
        widths.sort_by(f64::total_cmp);
        let width = *widths.get(widths.len() / 2)?;
        Some((held as f64 / widths.len() as f64 * 100.0, widths.len(), width * 100.0))
    }

    pub fn end(&self) -> f64 {
        self.samples.last().map_or(0.0, |sample| sample.at)
    }

    fn sample(&self, at: f64) -> Option<&Sample> {
        self.samples.iter().min_by(|a, b| (a.at - at).abs().total_cmp(&(b.at - at).abs()))
    }
}

pub fn print(record: &Record) {
    println!("\n## {}", record.setting);
    let (first, last) = (record.samples.first(), record.samples.last());
    if let Some((first, last)) = first.zip(last) {
        let host = (last.host_cpu - first.host_cpu) / (last.at - first.at) * 100.0;
        let Quality { age, age_max, misplaced } = record.quality;
        println!(
            "the host got {host:.0} % of a processor; the counter was {:.1} ms old on average and {:.0} ms at most; {:.0} % of \
             the functions' CPU time was misplaced until calls ended",
            age * 1e3,
            age_max * 1e3,
            misplaced * 100.0
        );
    }
    println!("minute  function  charged J   true J   bias %   calls  held %  ± %   host bias %  base bias %");
    let minutes = (record.end() / 60.0).round() as usize;
    for minute in 0..minutes {
        let (from, to) = (minute as f64 * 60.0, (minute + 1) as f64 * 60.0);
        let Some(accounts) = record.between(from, to) else { continue };
        let [_, _, host, _, base] = accounts;
        for (function, (name, _)) in FUNCTIONS.iter().enumerate() {
            let of = accounts[function];
            let (held, calls, width) = record.coverage(Some(function), from, to).unwrap_or((f64::NAN, 0, f64::NAN));
            println!(
                "{:>6}  {name:<8} {:>10.1} {:>8.1} {:>+8.1} {calls:>7} {held:>7.0} {width:>5.0} {:>+12.1} {:>+12.1}",
                minute + 1,
                of.charged,
                of.truth,
                of.bias(),
                host.bias(),
                base.bias()
            );
        }
        if let Some(sample) = record.sample(to) {
            println!("        learned: {}", sample.learned);
        }
    }
    for call in record.calls.iter().filter(|call| call.cpu >= LONG) {
        let Call { at, truth, charge, cpu, .. } = call;
        match charge {
            Some((charge, half)) => println!(
                "call of {cpu:.1?}, ended at {at:.0} s: charged {charge:.1} ± {half:.1} J, true {truth:.1} J, bias {:+.1} %",
                (charge / truth - 1.0) * 100.0
            ),
            None => println!("call of {cpu:.1?}, ended at {at:.0} s: not charged, true {truth:.1} J"),
        }
    }
    print_step(record);
}

/// Who paid for the step of idle power.
fn print_step(record: &Record) {
    let [rise, fall] = record.step;
    let phases = [
        ("30 s before +15 W", rise - FINDING, rise),
        ("30 s after +15 W", rise, rise + FINDING),
        ("until -15 W", rise + FINDING, fall),
        ("30 s after -15 W", fall, fall + FINDING),
        ("until the end", fall + FINDING, record.end()),
    ];
    println!("watts charged / true    {}", ACCOUNTS.map(|account| format!("{account:>15}")).concat());
    for (phase, from, to) in phases {
        let Some(accounts) = record.between(from, to) else { continue };
        let time = to - from;
        let watts = accounts.map(|of| format!("{:>7.2} /{:>6.2}", of.charged / time, of.truth / time));
        println!("{phase:<24}{}", watts.concat());
    }
}
