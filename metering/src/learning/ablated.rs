//! Priors of coefficients that a benchmark leaves out ([`super::ablation`]).

use super::ablation::{Part, without};
use super::estimator::Prior;
use super::inputs::{
    ACTIVATION, BASE, CACHE_MISSES, CLOCK_EXPONENT, CORE_SHARING, COUNT, CYCLES, EFFICIENT_CYCLES,
    EFFICIENT_INSTRUCTIONS, INSTRUCTIONS,
};

/// Changes priors so that coefficients which are left out stay what they are.
pub(super) fn leave_out_of(priors: &mut [Prior; COUNT]) {
    let keep_at = |prior: &mut Prior, mean: f64| {
        if !is_certain(prior) {
            *prior = Prior { mean, deviation: 0.0, drift: 0.0, bounds: (mean, mean) };
        }
    };
    if without(Part::BasePrior) {
        priors[BASE].deviation *= 10.0;
    }
    if without(Part::Activation) {
        keep_at(&mut priors[ACTIVATION], 0.0);
    }
    for (place, learned, law, none) in [
        (CLOCK_EXPONENT, Part::ExponentLearned, Part::Exponent, 1.0),
        (CORE_SHARING, Part::SharingLearned, Part::Sharing, 0.0),
    ] {
        if without(law) {
            keep_at(&mut priors[place], none);
        } else if without(learned) {
            let mean = priors[place].mean;
            keep_at(&mut priors[place], mean);
        }
    }
    // Instructions and cycles explain half each. Alone, one explains all.
    for (part, place, other) in [
        (Part::Instructions, INSTRUCTIONS, CYCLES),
        (Part::Instructions, EFFICIENT_INSTRUCTIONS, EFFICIENT_CYCLES),
        (Part::Cycles, CYCLES, INSTRUCTIONS),
        (Part::Cycles, EFFICIENT_CYCLES, EFFICIENT_INSTRUCTIONS),
    ] {
        if without(part) {
            keep_at(&mut priors[place], 0.0);
            priors[other].mean *= 2.0;
        }
    }
    if without(Part::CacheMisses) {
        keep_at(&mut priors[CACHE_MISSES], 0.0);
    }
}

/// Whether nothing will be learned about it: memory has no laws.
fn is_certain(prior: &Prior) -> bool {
    prior.deviation == 0.0
}
