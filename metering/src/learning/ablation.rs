//! Parts of the estimator that a benchmark can leave out, to show what each is worth.
//!
//! It can do so only with the Cargo feature `ablation`. Without it [`without`] is always false, and the compiler removes
//! the question together with the answer.

use std::cell::Cell;

/// A law, feature or rule of the estimator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What is assumed about base power; without it, ten times as uncertain.
    BasePrior,
    /// Waking the package costs something.
    Activation,
    /// The exponent of the clock is learned; without it, it is the assumed one.
    ExponentLearned,
    /// The exponent of the clock is about 2; without it, power grows in proportion to frequency.
    Exponent,
    /// The saving of threads on one core is learned; without it, it is the assumed one.
    SharingLearned,
    /// Threads on one core save energy.
    Sharing,
    /// Any hardware event explains work.
    Events,
    /// Instructions explain work.
    Instructions,
    /// Cycles explain work.
    Cycles,
    /// Cache misses explain work.
    CacheMisses,
    /// The busiest functions have a coefficient each.
    OwnCoefficients,
    /// Coefficients drift.
    Drift,
    /// Costs are not negative, and laws stay within their bounds.
    Bounds,
    /// Windows are joined before they are learned from.
    Blocks,
    /// How far consumers stray is adjusted to what is seen.
    Fit,
    /// Windows far off teach nothing.
    Outliers,
    /// A lasting difference widens base and host.
    Step,
    /// What is never as expected is learned anew.
    Refuted,
    /// What was recalled is tried before it is trusted.
    Trial,
    /// Learning starts again when CPU time has an order of magnitude.
    SecondStart,
    /// Consumers share the difference by their variance; without it, by their expected cost.
    Reconciliation,
    /// The cost of all calls of a function is never known better than to a few percent.
    Structure,
    /// Neighbours of short calls are there or not, which skews their number.
    Skewness,
}

thread_local! {
    /// A bit for each part that is left out.
    static LEFT_OUT: Cell<u32> = const { Cell::new(0) };
}

/// Whether anything can be left out.
pub const IS_POSSIBLE: bool = cfg!(feature = "ablation");

/// Leaves `parts` out of all meters of this thread while `run` runs.
pub fn leave_out<T>(parts: &[Part], run: impl FnOnce() -> T) -> T {
    let before = LEFT_OUT.replace(parts.iter().fold(0, |bits, part| bits | bit(*part)));
    let result = run();
    LEFT_OUT.set(before);
    result
}

/// Whether the part is left out.
pub(crate) fn without(part: Part) -> bool {
    IS_POSSIBLE && LEFT_OUT.get() & bit(part) != 0
}

fn bit(part: Part) -> u32 {
    1 << part as u32
}
