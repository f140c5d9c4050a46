//! What earlier daemons counted. Counters continue from it.

use std::collections::BTreeMap;
use std::time::Duration;

use nebula_metering::{FunctionEnergy, Microjoules};

use crate::outcome::Outcome;

/// Everything that was counted before this daemon started. Functions go by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// Energy by function, zone and source.
    pub functions: BTreeMap<[Box<str>; 3], FunctionEnergy>,
    /// Energy of the zones that may be added, by account, zone and source.
    pub accounts: BTreeMap<[Box<str>; 3], Microjoules>,
    /// Energy of the zones that may be added, by zone, package and source.
    pub zones: BTreeMap<[Box<str>; 3], Microjoules>,
    /// Energy of the other zones, by zone, package and source.
    pub observed: BTreeMap<[Box<str>; 3], Microjoules>,
    pub cpu: BTreeMap<Box<str>, Duration>,
    /// Calls by function and outcome, in the order of [`Outcome::ALL`].
    pub calls: BTreeMap<Box<str>, [u64; Outcome::ALL.len()]>,
    /// By function.
    pub cold_starts: BTreeMap<Box<str>, u64>,
    /// Billionths of grams of CO2e by function: of active energy, of preparing, and of its share of base energy.
    pub grams: BTreeMap<Box<str>, [u64; 3]>,
}
