//! What ran in a window, package by package, where only sums are known: for how long a package was awake, and where others
//! ran.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bucket::{Bucket, Entry};
use crate::learning::{Conditions, Consumption, FunctionWork, beside, processors_busy};
use crate::post::{FunctionId, Purpose};
use crate::work::PACKAGES_MAX;
use crate::work::topology::Topology;

/// What is known about a window apart from the work of single calls.
pub(crate) struct Seen<'a> {
    pub topology: &'a Topology,
    pub bucket: &'a Bucket,
    pub time: Duration,
    /// CPU time of each package.
    pub packages: [Duration; PACKAGES_MAX],
    /// Mean frequency at work of each package, relative to the highest.
    pub frequencies: [f64; PACKAGES_MAX],
    /// CPU time of this process without its calls.
    pub runtime: Duration,
    /// CPU time of everything else.
    pub host: Duration,
}

/// The work of calls on each package.
struct CallWork {
    cpu: Vec<Duration>,
    /// CPU time beside another call on the same core, in seconds.
    beside_calls: Vec<f64>,
}

impl Seen<'_> {
    /// What ran on each package. Adds to each entry the part of its time that is likely to have been beside others.
    pub fn by_package(&self, entries: &mut [Entry]) -> Vec<Consumption> {
        let count = self.topology.packages().len();
        let mut calls = CallWork { cpu: vec![Duration::ZERO; count], beside_calls: vec![0.0; count] };
        for entry in entries.iter() {
            calls.cpu[entry.package] += entry.work.cpu;
            calls.beside_calls[entry.package] += entry.beside * entry.work.cpu.as_secs_f64();
        }
        // The threads of the runtime are taken to run where its calls do, and the host where the machine was otherwise busy.
        let rest = |package: usize| self.packages[package.min(PACKAGES_MAX - 1)].saturating_sub(calls.cpu[package]);
        let rests: Vec<Duration> = (0..count).map(rest).collect();
        let of_package = |package| {
            let runtime = portion(self.runtime, package, &calls.cpu);
            let host = portion(self.host, package, &rests);
            let consumption = Consumption { runtime, host, ..Consumption::default() };
            self.with_conditions(package, consumption, &calls)
        };
        let mut packages: Vec<Consumption> = (0..count).map(of_package).collect();
        for entry in entries {
            let Consumption { functions, conditions, .. } = &mut packages[entry.package];
            entry.beside += (1.0 - entry.beside) * conditions.beside_others;
            match functions.last_mut().filter(|part| part.consumer() == entry.consumer()) {
                Some(part) => part.add(entry.work, entry.beside),
                None => functions.push(FunctionWork::from(*entry)),
            }
        }
        packages
    }

    /// Adds for how long the package was awake, and the conditions of its work.
    fn with_conditions(&self, package: usize, consumption: Consumption, calls: &CallWork) -> Consumption {
        let (cpus, cores) = (self.topology.cpus_of(package), self.topology.cores_of(package));
        let ran = self.bucket.awake(package);
        let others = consumption.runtime + consumption.host;
        let awake = awake(ran, others, self.time, cpus);
        // Others may have run all at once or one after the other. Half of that range is a standard deviation.
        let open = awake.saturating_sub(ran).min(self.time.saturating_sub(awake));
        let (mean, variance) = processors_busy(self.bucket.running(package), others, self.time, cpus);
        let beside = beside(mean, variance, cores, cpus);
        // Calls beside calls were seen. The rest of the mean was beside others, if there were that many.
        let seen = calls.beside_calls[package] / calls.cpu[package].as_secs_f64().max(f64::MIN_POSITIVE);
        let free = self.time.as_secs_f64() * cpus as f64 - calls.cpu[package].as_secs_f64();
        let most = (others.as_secs_f64() / free.max(f64::MIN_POSITIVE)).min(1.0);
        let beside_others = ((beside - seen) / (1.0 - seen).max(0.01)).clamp(0.0, most);
        let frequency = self.frequencies[package.min(PACKAGES_MAX - 1)];
        let restlessness = variance.max(0.0).sqrt() / cores.max(1) as f64;
        let conditions = Conditions { frequency, beside, beside_others, restlessness };
        Consumption { awake, awake_doubt: open / 2, conditions, ..consumption }
    }
}

impl From<Entry> for FunctionWork {
    fn from(entry: Entry) -> Self {
        let Entry { function, purpose, work, beside, .. } = entry;
        Self { function, purpose, work, beside }
    }
}

/// Time in which any of `cpus` processors was busy: calls for `ran`, and others for `others` of CPU time at unknown times.
/// They are taken as spread over the processors, independently.
fn awake(ran: Duration, others: Duration, time: Duration, cpus: usize) -> Duration {
    let window = time.as_secs_f64();
    if window <= 0.0 {
        return Duration::ZERO;
    }
    let asleep = (1.0 - ran.as_secs_f64() / window).clamp(0.0, 1.0);
    let each = (others.as_secs_f64() / (window * cpus as f64)).clamp(0.0, 1.0);
    let without = asleep * (1.0 - each).powi(i32::try_from(cpus).unwrap_or(i32::MAX));
    time.mul_f64(1.0 - without)
}

/// The part of `whole` that falls to a package by weight; all of it to the first if all weigh nothing.
fn portion(whole: Duration, package: usize, weights: &[Duration]) -> Duration {
    let all: Duration = weights.iter().sum();
    if all.is_zero() {
        return if package == 0 { whole } else { Duration::ZERO };
    }
    whole.mul_f64(weights[package].as_secs_f64() / all.as_secs_f64())
}

/// What ran on the whole machine. It was awake at least as long as any package.
pub(crate) fn together(packages: &[Consumption]) -> Consumption {
    let mut functions = BTreeMap::<(FunctionId, Purpose), FunctionWork>::new();
    for part in packages.iter().flat_map(|package| &package.functions) {
        functions.entry(part.consumer()).and_modify(|sum| sum.add(part.work, part.beside)).or_insert(*part);
    }
    Consumption {
        functions: functions.into_values().collect(),
        runtime: packages.iter().map(|package| package.runtime).sum(),
        host: packages.iter().map(|package| package.host).sum(),
        awake: packages.iter().map(|package| package.awake).max().unwrap_or_default(),
        awake_doubt: packages.iter().map(|package| package.awake_doubt).max().unwrap_or_default(),
        conditions: packages.first().map(|package| package.conditions).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_awake_while_anything_runs() {
        let ms = Duration::from_millis;
        assert_eq!(awake(ms(40), ms(0), ms(100), 8), ms(40));
        assert_eq!(awake(ms(0), ms(100), ms(100), 1), ms(100));
        let both = awake(ms(40), ms(80), ms(100), 8);
        assert!((0.7..0.8).contains(&(both.as_secs_f64() * 10.0)), "{both:?}");
        assert_eq!(awake(ms(500), ms(5000), ms(100), 8), ms(100));
    }

    #[test]
    fn portions_add_up() {
        let ms = Duration::from_millis;
        let weights = [ms(10), ms(30)];
        assert_eq!([0, 1].map(|package| portion(ms(8), package, &weights)), [ms(2), ms(6)]);
        assert_eq!([0, 1].map(|package| portion(ms(8), package, &[ms(0); 2])), [ms(8), ms(0)]);
    }
}
