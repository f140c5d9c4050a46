//! The line on stderr that says what a call cost.

use std::fmt;
use std::time::Duration;

use nebula_api::energy::WorkModel;
use nebula_metering::Joules;

use crate::carbon::Grams;

#[derive(Debug)]
pub struct Bill<'a> {
    /// The energy, or why it is not known.
    pub energy: Result<Charge, &'a str>,
    pub carbon: Option<Grams>,
    pub cpu: Option<Duration>,
    pub source: &'a str,
    /// What kind of figure it is, such as measured or estimated.
    pub origin: &'a str,
    /// What the figure follows from, if it is modelled.
    pub work_model: Option<WorkModel>,
}

#[derive(Clone, Copy, Debug)]
pub struct Charge {
    pub active: Joules,
    /// Half the width of the 95 % interval.
    pub uncertainty: Option<Joules>,
    /// The call's share of the base energy; `None` if it is part of the active energy.
    pub base: Option<Joules>,
}

impl fmt::Display for Bill<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpu = self.cpu.map(|cpu| format!("; {:.3} ms CPU", cpu.as_secs_f64() * 1e3)).unwrap_or_default();
        let carbon = self.carbon.map(|carbon| format!("; {carbon} CO2e")).unwrap_or_default();
        let (source, origin) = (self.source, self.origin);
        let model = self.work_model.map(|model| format!("; {}", model.as_words())).unwrap_or_default();
        match self.energy {
            Ok(charge) => write!(f, "nebula: {charge}{carbon}{cpu}; source {source} ({origin}{model})"),
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
            None => f.write_str(" (includes base power, which is not known yet)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_names_its_interval_and_its_base_energy_if_they_are_known() {
        let charge = Charge { active: Joules(213e-6), uncertainty: Some(Joules(61e-6)), base: Some(Joules(90e-6)) };
        assert_eq!(charge.to_string(), "213.0 µJ ± 61.0 µJ + 90.0 µJ base");
        let charge = Charge { uncertainty: None, base: None, ..charge };
        assert_eq!(charge.to_string(), "213.0 µJ (includes base power, which is not known yet)");
    }
}
