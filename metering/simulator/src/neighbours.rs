//! Other virtual machines on the same package. Their energy is in the guest's counter, but no clock of the guest sees
//! their work.

use crate::task::Task;

/// Load of other virtual machines.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours {
    /// Cores that they have, all on the guest's package.
    pub cores: usize,
    /// Mean fraction of these cores that is busy.
    pub utilisation: f64,
    /// Mean time, in seconds, for which their load stays at one level: they start and end jobs.
    pub stretch_seconds: f64,
    /// What they execute.
    pub task: Task,
}
