//! What calibrating has found out, for people and for programs.

use std::fmt;
use std::time::Duration;

use nebula_metering::{Coefficient, Domain, Feature, FunctionId, Learned, Uncertainty, ZoneReport};
use serde::Serialize;

use super::experiment::Experiment;
use super::kernels::Kernel;

/// Half the width of a 95 % interval, in standard deviations.
const DEVIATIONS_95: f64 = 1.96;

/// The call whose interval is foretold.
const CALL: Duration = Duration::from_millis(100);

/// What was found out. Intervals are half the width of the 95 % interval.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    pub source: &'static str,
    pub seconds: f64,
    /// Processors that others used meanwhile, and how many there are.
    pub others_processors: f64,
    pub processors: usize,
    pub zones: Vec<ZoneFindings>,
    pub kernels: Vec<KernelFindings>,
    pub charges: Charges,
}

#[derive(Clone, Debug, Serialize)]
pub struct ZoneFindings {
    pub zone: String,
    pub base_watts: f64,
    pub base_uncertainty_watts: f64,
    /// What it draws on top as soon as anything runs; `None` for memory, which nothing wakes.
    pub activation_watts: Option<f64>,
    pub activation_uncertainty_watts: Option<f64>,
    /// The power of a core grows with its frequency to this power; `None` for memory, and if the frequency is not known.
    pub clock_exponent: Option<f64>,
    pub clock_exponent_uncertainty: Option<f64>,
}

/// What a thread draws that runs a kernel.
#[derive(Clone, Debug, Serialize)]
pub struct KernelFindings {
    pub kernel: &'static str,
    pub watts: f64,
    pub uncertainty_watts: f64,
    pub cpu_seconds: f64,
}

/// Intervals of what functions will be charged, as parts of the charge.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Charges {
    /// A call of a function that never ran before, of [`CALL`].
    pub new_function: Option<f64>,
    /// All calls of a function that has run for a while beside others, as the kernels did.
    pub known_function: Option<f64>,
}

impl Findings {
    pub fn of(experiment: &Experiment) -> Self {
        let reports = experiment.meter.report();
        let kernels: Vec<_> = Kernel::all().filter_map(|kernel| of_kernel(experiment, kernel)).collect();
        let additive = reports.iter().filter(|zone| zone.source == experiment.kind && zone.learned.is_some());
        Self {
            source: experiment.kind.as_str(),
            seconds: experiment.time.as_secs_f64(),
            others_processors: experiment.others,
            processors: experiment.processors,
            zones: additive.filter_map(|report| zone(report, experiment.knows_clock)).collect(),
            charges: charges(experiment, &kernels),
            kernels,
        }
    }
}

fn zone(report: &ZoneReport, knows_clock: bool) -> Option<ZoneFindings> {
    let learned = report.learned.as_ref()?;
    let is_memory = report.zone.domain == Domain::Dram;
    let activation = coefficient(learned, Feature::Activation).filter(|_| !is_memory);
    let exponent = coefficient(learned, Feature::ClockExponent).filter(|_| knows_clock && !is_memory);
    Some(ZoneFindings {
        zone: report.zone.to_string(),
        base_watts: report.base?.0,
        base_uncertainty_watts: report.base_uncertainty?.0,
        activation_watts: activation.map(|activation| activation.value),
        activation_uncertainty_watts: activation.map(|activation| DEVIATIONS_95 * activation.deviation),
        clock_exponent: exponent.map(|exponent| exponent.value),
        clock_exponent_uncertainty: exponent.map(|exponent| DEVIATIONS_95 * exponent.deviation),
    })
}

fn coefficient(learned: &Learned, feature: Feature) -> Option<&Coefficient> {
    learned.coefficients.iter().find(|coefficient| coefficient.feature == feature)
}

fn of_kernel(experiment: &Experiment, kernel: Kernel) -> Option<KernelFindings> {
    let cpu = experiment.work[kernel as usize].cpu.as_secs_f64();
    let charged = experiment.meter.energy_by_function().get(kernel as usize)?.active.joules().0;
    let uncertainty = uncertainty(experiment, kernel)?.total().0;
    (cpu > 0.0).then(|| KernelFindings {
        kernel: kernel.as_str(),
        watts: charged / cpu,
        uncertainty_watts: uncertainty / cpu,
        cpu_seconds: cpu,
    })
}

fn uncertainty(experiment: &Experiment, kernel: Kernel) -> Option<Uncertainty> {
    let mut all = experiment.meter.functions_uncertainty();
    all.find(|(function, _)| *function == kernel.function()).map(|(_, uncertainty)| uncertainty)
}

fn charges(experiment: &Experiment, kernels: &[KernelFindings]) -> Charges {
    let calibration = experiment.meter.calibration();
    let new = |kernel: Kernel| {
        let done = experiment.work[kernel as usize];
        let (call, _) = done.divided(CALL.min(done.cpu));
        let estimate = calibration.estimate(FunctionId(Kernel::COUNT as u32), &call).ok()?;
        (estimate.active.0 > 0.0).then(|| estimate.uncertainty.total().0 / estimate.active.0)
    };
    // The worst of what computes.
    let busy = || Kernel::all().filter(|kernel| *kernel != Kernel::Sleep);
    let known = |kernel: Kernel| {
        let found = kernels.iter().find(|found| found.kernel == kernel.as_str() && found.watts > 0.0)?;
        Some(found.uncertainty_watts / found.watts)
    };
    Charges {
        new_function: busy().filter_map(new).max_by(f64::total_cmp),
        known_function: busy().filter_map(known).max_by(f64::total_cmp),
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, seconds, others_processors, processors, .. } = self;
        writeln!(
            f,
            "calibrated with {source} in {seconds:.0} s; others used {others_processors:.2} of {processors} processors"
        )?;
        for zone in &self.zones {
            writeln!(f, "\n{}", zone.zone)?;
            watts(f, "base", zone.base_watts, zone.base_uncertainty_watts, "when nothing runs")?;
            if let (Some(value), Some(uncertainty)) = (zone.activation_watts, zone.activation_uncertainty_watts) {
                watts(f, "activation", value, uncertainty, "more as soon as anything runs")?;
            }
            if let (Some(exponent), Some(uncertainty)) = (zone.clock_exponent, zone.clock_exponent_uncertainty) {
                let meaning = "power of a core grows with its frequency to this power";
                writeln!(f, "  {:<12}{exponent:>8.2}   ± {uncertainty:<9.2} {meaning}", "exponent")?;
            }
        }
        writeln!(f, "\na busy thread")?;
        for kernel in &self.kernels {
            watts(f, kernel.kernel, kernel.watts, kernel.uncertainty_watts, meaning(kernel.kernel))?;
        }
        writeln!(f, "\nfunctions will be charged to within")?;
        let part =
            |part: Option<f64>| part.map_or_else(|| "unknown".to_owned(), |part| format!("{:.0} %", 100.0 * part));
        writeln!(f, "  ± {:<9} a call of 100 ms whose function is new", part(self.charges.new_function))?;
        writeln!(f, "  ± {:<9} all calls of a function that has run for a while", part(self.charges.known_function))
    }
}

fn watts(f: &mut fmt::Formatter<'_>, name: &str, value: f64, uncertainty: f64, meaning: &str) -> fmt::Result {
    let uncertainty = format!("{uncertainty:.2} W");
    writeln!(f, "  {name:<12}{value:>8.2} W ± {uncertainty:<9} {meaning}")
}

fn meaning(kernel: &str) -> &'static str {
    match kernel {
        "integer" => "shifts and adds in registers",
        "float" => "multiplies and adds vectors",
        "memory" => "copies memory",
        _ => "wakes 200 times a second; per second of CPU time",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_every_figure_with_its_interval() {
        let findings = Findings {
            source: "powercap",
            seconds: 30.4,
            others_processors: 0.031,
            processors: 8,
            zones: vec![ZoneFindings {
                zone: "package-0".into(),
                base_watts: 11.9,
                base_uncertainty_watts: 0.42,
                activation_watts: Some(1.25),
                activation_uncertainty_watts: Some(0.6),
                clock_exponent: Some(1.9),
                clock_exponent_uncertainty: Some(0.31),
            }],
            kernels: vec![KernelFindings {
                kernel: "integer",
                watts: 5.125,
                uncertainty_watts: 0.2,
                cpu_seconds: 12.0,
            }],
            charges: Charges { new_function: Some(0.35), known_function: None },
        };
        let expected = "\
calibrated with powercap in 30 s; others used 0.03 of 8 processors

package-0
  base           11.90 W ± 0.42 W    when nothing runs
  activation      1.25 W ± 0.60 W    more as soon as anything runs
  exponent        1.90   ± 0.31      power of a core grows with its frequency to this power

a busy thread
  integer         5.12 W ± 0.20 W    shifts and adds in registers

functions will be charged to within
  ± 35 %      a call of 100 ms whose function is new
  ± unknown   all calls of a function that has run for a while
";
        assert_eq!(findings.to_string(), expected);
    }
}
