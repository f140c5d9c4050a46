//! What a meter lives through before its charges are compared with the truth.
//!
//! A start after `nebula calibrate` belongs here as well, once there is one; [`Start::Designed`] is what it could do.

use std::time::Duration;

use nebula_simulator::{Function, HostLoad, Length};

use crate::cell::{Cell, host_load};
use crate::designed;
use crate::watch::{WINDOW, Watched};

/// How long a busy or steady machine is watched before the cell is measured.
const BEFORE: Duration = Duration::from_secs(60);

/// By how much idle power rises.
const STEP_WATTS: f64 = 15.0;

/// A time in which nothing runs.
const CALM: Duration = Duration::from_secs(10);

/// How a cell begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Two minutes in which both functions and the host run in twenty mixtures.
    Morning,
    /// Ten seconds in which nothing runs.
    None,
    /// Nothing: the cell's load is the first that the meter sees.
    Cold,
    /// A minute in which the host keeps 95 % of the machine busy.
    Busy,
    /// A minute of the cell's own load, none of which varies.
    Steady,
    /// Nothing, and then only the second of the two functions.
    One,
    /// A morning, and then a new meter that recalls what the first one learned.
    Restart,
    /// Half a minute of designed work, and then a new meter that recalls what was learned.
    Designed,
    /// A morning, and then a new meter that recalls what was learned of a machine that drew half as much.
    Elsewhere,
    /// A morning, and then more idle power.
    Stepped,
    /// A morning, and then bursts of power that nobody's CPU time explains.
    Bursts,
}

impl Start {
    pub const ALL: [(&'static str, Self); 11] = [
        ("morning", Self::Morning),
        ("none", Self::None),
        ("cold", Self::Cold),
        ("busy", Self::Busy),
        ("steady", Self::Steady),
        ("one", Self::One),
        ("restart", Self::Restart),
        ("designed", Self::Designed),
        ("elsewhere", Self::Elsewhere),
        ("stepped", Self::Stepped),
        ("bursts", Self::Bursts),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, start)| *start == self).map_or("", |(name, _)| name)
    }

    /// The load of the host in the cell, at this utilisation.
    pub fn host_load(self, utilisation: f64) -> HostLoad {
        if self == Self::Steady { HostLoad::steady(utilisation) } else { host_load(utilisation) }
    }

    /// Which of the two functions run in the cell.
    pub fn functions(self) -> &'static [usize] {
        if self == Self::One { &[1] } else { &[0, 1] }
    }

    /// Lives through everything before the cell.
    pub fn prepare(self, watched: &mut Watched, cell: &Cell) {
        match self {
            Self::Morning => live_through_a_morning(watched),
            Self::None => watched.run(CALM),
            Self::Cold | Self::One => {}
            Self::Restart => {
                live_through_a_morning(watched);
                watched.restart(1.0);
            }
            Self::Designed => {
                designed::work(watched);
                watched.restart(1.0);
            }
            Self::Elsewhere => {
                live_through_a_morning(watched);
                watched.restart(0.5);
            }
            Self::Stepped => {
                live_through_a_morning(watched);
                watched.simulation.set_extra_watts(STEP_WATTS);
            }
            Self::Bursts => {
                live_through_a_morning(watched);
                watched.bursts = true;
            }
            Self::Busy => {
                watched.simulation.set_host(host_load(0.95));
                watched.run(BEFORE);
            }
            Self::Steady => {
                watched.apply(cell, self);
                watched.run(BEFORE);
            }
        }
    }
}

/// Slots of each function and host load, for six seconds each.
const MORNING: [(usize, usize, f64); 20] = [
    (2, 0, 0.0),
    (0, 3, 0.1),
    (6, 1, 0.3),
    (1, 8, 0.0),
    (0, 0, 0.5),
    (4, 4, 0.8),
    (1, 0, 0.0),
    (0, 1, 0.2),
    (12, 0, 0.1),
    (0, 12, 0.2),
    (3, 3, 0.0),
    (0, 2, 0.6),
    (5, 0, 0.7),
    (16, 16, 0.0),
    (0, 0, 0.9),
    (2, 9, 0.4),
    (9, 2, 0.0),
    (1, 1, 0.05),
    (24, 3, 0.1),
    (3, 24, 0.0),
];

/// Warm-up: quiet, and two minutes of traffic that comes and goes.
fn live_through_a_morning(watched: &mut Watched) {
    watched.run(CALM);
    let [a, b] = watched.variant.tasks();
    for (at_once_a, at_once_b, host) in MORNING {
        let function = |id, task, concurrency| Function {
            concurrency,
            call_length: Length::around(Duration::from_millis(20), 0.9),
            gap: Length::around(Duration::from_millis(30), 0.9),
            ..Function::new(id, task, WINDOW)
        };
        watched.simulation.set_functions(&[function(0, a, at_once_a), function(1, b, at_once_b)]);
        watched.simulation.set_host(host_load(host));
        watched.run(Duration::from_secs(6));
    }
    watched.simulation.set_functions(&[]);
    watched.simulation.set_host(HostLoad::none());
    watched.run(Duration::from_secs(2));
}
