//! What earlier daemons counted: where counters go on from.

use std::collections::BTreeMap;
use std::time::Duration;

use nebula_metering::{FunctionEnergy, Microjoules};

use crate::outcome::Outcome;

/// All that was counted before this daemon, functions by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// Energy by function, zone and source.
    pub functions: BTreeMap<[Box<str>; 3], FunctionEnergy>,
    /// Energy of the zones that may be added, by account, zone and source.
    pub accounts: BTreeMap<[Box<str>; 3], Microjoules>,
    /// Energy of the zones that may be added, by zone, package and source.
    pub zones: BTreeMap<[Box<str>; 3], Microjoules>,
    /// Energy of the other zones.
    pub observed: BTreeMap<[Box<str>; 3], Microjoules>,
    /// CPU time by function.
    pub cpu: BTreeMap<Box<str>, Duration>,
    /// Calls by function, and how they ended in the order of [`Outcome::ALL`].
    pub calls: BTreeMap<Box<str>, [u64; Outcome::ALL.len()]>,
    /// First calls by function.
    pub cold_starts: BTreeMap<Box<str>, u64>,
    /// Grams of CO2 equivalent by function, in billionths: of active energy, and of the share of base energy.
    pub grams: BTreeMap<Box<str>, [u64; 2]>,
}
