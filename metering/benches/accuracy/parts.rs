//! The parts of the estimator that can be left out, by the names that `--without` takes.

use nebula_metering::ablation::Part;

/// What is left out together.
pub struct Left {
    pub name: &'static str,
    pub parts: &'static [Part],
    /// How the estimator works without it.
    pub then: &'static str,
}

const fn left(name: &'static str, parts: &'static [Part], then: &'static str) -> Left {
    Left { name, parts, then }
}

pub const PARTS: &[Left] = &[
    left("base prior", &[Part::BasePrior], "base power is assumed with ten times the deviation."),
    left("activation", &[Part::Activation], "waking a package costs nothing."),
    left(
        "learned exponent",
        &[Part::ExponentLearned],
        "power grows with frequency to the power of 2.2, whatever is measured.",
    ),
    left("exponent", &[Part::Exponent], "power grows in proportion to frequency."),
    left(
        "learned sharing",
        &[Part::SharingLearned],
        "CPU time beside a busy thread costs 44 % less, whatever is measured.",
    ),
    left("sharing", &[Part::Sharing], "CPU time costs the same beside a busy thread."),
    left("events", &[Part::Events], "CPU time alone tells what calls cost, even where hardware events are counted."),
    left("instructions", &[Part::Instructions], "cycles and cache misses tell it."),
    left("cycles", &[Part::Cycles], "instructions and cache misses tell it."),
    left("cache misses", &[Part::CacheMisses], "instructions and cycles tell it, and in memory CPU time."),
    left("own coefficients", &[Part::OwnCoefficients], "no function has a coefficient of its own."),
    left("drift", &[Part::Drift], "coefficients are constant."),
    left("bounds", &[Part::Bounds], "costs may become negative and laws unheard of."),
    left("blocks", &[Part::Blocks], "the filter learns from each window of 100 ms."),
    left("fit", &[Part::Fit], "consumers stray as far as assumed, whatever is seen."),
    left("outliers", &[Part::Outliers], "windows more than five deviations off are learned from."),
    left("step", &[Part::Step], "a lasting difference does not make base and host uncertain."),
    left("refuted", &[Part::Refuted], "what was learned is kept, even if windows are far off all the time."),
    left("trial", &[Part::Trial], "what an earlier process learned is taken at its word."),
    left(
        "all four rules",
        &[Part::Outliers, Part::Step, Part::Refuted, Part::Trial],
        "outliers, step, refuted and trial: the filter alone.",
    ),
    left("second start", &[Part::SecondStart], "priors stay in units of a guess from the first window."),
    left(
        "reconciliation",
        &[Part::Reconciliation],
        "consumers share the difference by their expected cost, not by its variance.",
    ),
    left("structure", &[Part::Structure], "what no learning removes is left out of the interval."),
    left("skewness", &[Part::Skewness], "the neighbours of a short call are taken to be normally distributed."),
];

/// What a list of names leaves out, with hyphens in place of spaces.
///
/// # Errors
///
/// The first name that is unknown.
pub fn named(list: &str) -> Result<Vec<&'static Left>, String> {
    let known = |name| PARTS.iter().find(|left| left.name.replace(' ', "-") == name);
    list.split(',').map(|name| known(name).ok_or_else(|| format!("`{name}` cannot be left out"))).collect()
}
