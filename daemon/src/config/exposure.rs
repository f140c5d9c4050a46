//! What may be told of joules, and to whom.

use nebula_metering::Microjoules;

use super::quantity::energy;

/// To what the joules of a call are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Not at all.
    Full,
    /// To a multiple of this.
    Step(Microjoules),
}

impl Resolution {
    /// What strangers are shown unless something else was asked for.
    ///
    /// At five watts it is the energy of 20 µs. Whoever can call often enough can average it away, as the attacks of the
    /// PLATYPUS paper average many readings: rounding makes them slower, and `energy.expose` stops them.
    ///
    /// Source: CVE-2020-8694; Lipp et al., "PLATYPUS: Software-based Power Side-Channel Attacks on x86", IEEE S&P 2021.
    pub(crate) const STRANGERS: Self = Self::Step(Microjoules(100));

    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text == "full" {
            return Ok(Self::Full);
        }
        energy(text).map(Self::Step).map_err(|why| format!("it is `full` or an energy; {why}"))
    }
}

/// Who is told joules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expose {
    /// Whoever calls, as finely as the resolution says.
    Callers,
    /// Those who come in at the operators' address, or with an operator's token.
    Operators,
}
