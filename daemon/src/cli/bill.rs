//! The line on stderr that tells what a call cost.

use std::fmt;
use std::time::Duration;

use nebula_metering::Joules;

use crate::carbon::Grams;

/// What one call cost, and how that is known.
#[derive(Debug)]
pub struct Bill<'a> {
    /// The energy, or why it is not known.
    pub energy: Result<Charge, &'a str>,
    /// The carbon that came with it, where anything is known about that.
    pub carbon: Option<Grams>,
    /// CPU time, where it is known.
    pub cpu: Option<Duration>,
    /// The energy source.
    pub source: &'a str,
    /// What the figure is: measured, estimated.
    pub origin: &'a str,
}

/// The energy of one call.
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    /// What the call caused.
    pub active: Joules,
    /// By how much that may be off, where it is known.
    pub uncertainty: Option<Joules>,
    /// The call's share of the base energy; where it is not known it is in the active energy.
    pub base: Option<Joules>,
}

impl fmt::Display for Bill<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpu = self.cpu.map(|cpu| format!("; {:.3} ms CPU", cpu.as_secs_f64() * 1e3)).unwrap_or_default();
        let carbon = self.carbon.map(|carbon| format!("; {carbon} CO2e")).unwrap_or_default();
        let source = self.source;
        match self.energy {
            Ok(charge) => write!(f, "nebula: {charge}{carbon}{cpu}; source {source} ({})", self.origin),
            Err(reason) => write!(f, "nebula: joules not known: {reason}{cpu}; source {source}"),
        }
    }
}

impl fmt::Display for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.active)?;
        if let Some(uncertainty) = self.uncertainty {
            write!(f, " ± {uncertainty}")?;
        }
        match self.base {
            Some(base) => write!(f, " + {base} base"),
            None => f.write_str(" (base power not known, and in it)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill(energy: Result<Charge, &str>) -> String {
        let cpu = Some(Duration::from_micros(196));
        Bill { energy, carbon: None, cpu, source: "model", origin: "an estimate, not measured" }.to_string()
    }

    #[test]
    fn a_bill_is_one_line_with_everything_in_it() {
        let mut charge = Charge { active: Joules(213e-6), uncertainty: Some(Joules(61e-6)), base: Some(Joules(90e-6)) };
        let line = "nebula: 213.0 µJ ± 61.0 µJ + 90.0 µJ base; 0.196 ms CPU; source model (an estimate, not measured)";
        assert_eq!(bill(Ok(charge)), line);
        charge.uncertainty = None;
        charge.base = None;
        assert!(bill(Ok(charge)).starts_with("nebula: 213.0 µJ (base power not known, and in it); 0.196 ms CPU"));
    }

    #[test]
    fn what_is_not_known_is_said_with_its_reason() {
        let line = "nebula: joules not known: no window has closed yet; 0.196 ms CPU; source model";
        assert_eq!(bill(Err("no window has closed yet")), line);
    }
}
