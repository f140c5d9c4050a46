//! Learns from closed windows what work costs in one zone, and splits the energy of a window by it.
//!
//! The energy of a window is modelled as a sum over its consumers,
//!
//! ```text
//! energy = base · time + activation · awake + Σ calls θ·x + runtime · cpu + host · cpu
//! ```
//!
//! with `awake` the time in which any processor of the package was busy, and `x` the CPU time, instructions, cycles and
//! cache misses of calls, as far as the machine counts them. All of it is learned at once, from the first window on, so
//! no calm is needed: what windows cannot tell apart stays as uncertain as it was assumed to be, and the interval of
//! every charge contains it. The busiest functions have one more coefficient each: how their CPU time deviates from what
//! their work predicts. It is small where hardware events explain work, and large where CPU time is all there is. So
//! functions of equal CPU time and unequal power are told apart as soon as their mixture changes.
//!
//! The difference between sum and measurement goes to the consumers in proportion to their part of the variance, as in
//! the reconciliation of measurements by generalised least squares. So a host with varying power does not change what
//! functions are charged.

mod ablated;
pub mod ablation;
mod conditions;
mod consumption;
mod estimator;
mod expected;
mod inputs;
mod knowledge;
mod learner;
mod moments;
mod past;
mod priors;
mod recall;
mod report;
mod residuals;
mod slots;
mod split;

pub(crate) use self::conditions::{Conditions, beside, processors_busy};
pub use self::consumption::Weights;
pub(crate) use self::consumption::{Consumption, FunctionWork};
pub(crate) use self::expected::Doubt;
pub use self::knowledge::{Knowledge, METHOD};
pub(crate) use self::learner::Learner;
pub(crate) use self::moments::DEVIATIONS_95;
pub use self::report::{Coefficient, Feature, Learned, LearningState};

#[cfg(test)]
mod tests;
