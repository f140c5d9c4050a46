//! The cells of the table: call length, calls at once, load of the host, and what sets the two functions apart.

use std::time::Duration;

use nebula_metering::FunctionId;
use nebula_simulator::{HostLoad, Task};

/// CPU time of a call, and how long calls of this length are observed, in simulated seconds, for each of [`AT_ONCE`]:
/// long enough for tens of the longest, short enough for millions of the shortest.
pub const LENGTHS: [(Duration, [u64; AT_ONCE.len()]); 4] = [
    (Duration::from_micros(10), [20, 4, 2]),
    (Duration::from_millis(1), [20, 12, 12]),
    (Duration::from_millis(100), [60, 40, 40]),
    (Duration::from_secs(10), [600, 240, 240]),
];

/// Slots of each function: the maximum number of calls at once.
pub const AT_ONCE: [usize; 3] = [1, 8, 64];

pub const HOST_LOADS: [f64; 3] = [0.0, 0.5, 0.95];

/// The functions that are compared.
pub const FUNCTIONS: [FunctionId; 2] = [FunctionId(0), FunctionId(1)];

/// The variants, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// Power 2:1, hardware events.
    UnequalWithEvents,
    /// Power 2:1, CPU time alone.
    UnequalWithout,
    /// Equal power, CPU time alone.
    EqualWithout,
}

impl Variant {
    /// The variants that a machine can have: without a PMU there are no hardware events.
    pub fn of_machine(pmu: bool) -> &'static [Self] {
        const ALL: [Variant; 3] = [Variant::UnequalWithEvents, Variant::UnequalWithout, Variant::EqualWithout];
        if pmu { &ALL } else { &ALL[1..] }
    }

    /// A task that stalls, and one that does not and draws twice as much on the default machine.
    pub fn tasks(self) -> [Task; 2] {
        match self {
            Self::EqualWithout => [MIDDLE, MIDDLE],
            Self::UnequalWithEvents | Self::UnequalWithout => [LIGHT, HEAVY],
        }
    }

    pub fn heading(self) -> &'static str {
        match self {
            Self::UnequalWithEvents => "2:1, hardware events",
            Self::UnequalWithout => "2:1, CPU time alone",
            Self::EqualWithout => "equal power, CPU time alone",
        }
    }
}

const LIGHT: Task = Task::new(0.7, 1.0);
/// Slower than the others on machines with licences, as its instructions are wide.
const HEAVY: Task = Task::new(2.6, 0.5).wide();
const MIDDLE: Task = Task::new(1.5, 1.0);

/// One cell of the table. The numbers are places in [`LENGTHS`], [`AT_ONCE`] and [`HOST_LOADS`].
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub length: usize,
    pub at_once: usize,
    pub host: usize,
    pub variant: Variant,
}

/// Which cells are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Calls of 1 ms, one at once, on an idle and a half-busy machine.
    Smoke,
    /// Without the longest calls, and without 64 at once.
    Quick,
    All,
}

/// The cells, row by row.
pub fn cells(extent: Extent, variants: &[Variant]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for length in 0..LENGTHS.len() {
        for at_once in 0..AT_ONCE.len() {
            for host in 0..HOST_LOADS.len() {
                let is_included = match extent {
                    Extent::Smoke => length == 1 && at_once == 0 && host < 2,
                    Extent::Quick => length < 3 && at_once != 2,
                    Extent::All => true,
                };
                if is_included {
                    cells.extend(variants.iter().map(|&variant| Cell { length, at_once, host, variant }));
                }
            }
        }
    }
    cells
}

/// Unrelated load that comes and goes, and whose power varies by a twentieth.
pub fn host_load(utilisation: f64) -> HostLoad {
    HostLoad { wander: 0.05, burstiness: 0.2, ..HostLoad::steady(utilisation) }
}
