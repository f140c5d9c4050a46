//! What is measured, as the command line says.

use nebula_metering::ablation::IS_POSSIBLE;

use crate::cell::Extent;
use crate::machines::{Changes, Host, LAWS};
use crate::parts::{self, Left};
use crate::start::Start;

pub const HELP: &str = "\
Compares settled charges with the truth on simulated machines.

  --machine NAME[,NAME]  server (default), two-packages, desktop, laptop, cloud, or all five;
                         i3, m5zn, z1d: servers fitted to recordings
  --start NAME[,NAME]    what the meter sees before the cell, or all:
                         morning (default)  two minutes in which everything runs in twenty mixtures
                         none               ten seconds in which nothing runs
                         cold               nothing
                         busy               a minute in which the host keeps 95 % of the machine busy
                         steady             a minute of the cell's own load, which never varies
                         one                nothing, and then one of the functions alone
                         restart            a morning, and a new meter that recalls what was learned
                         designed           half a minute of designed work, and such a new meter
                         elsewhere          restart, but the machine drew half as much when it was learned
                         stepped            a morning, and then 15 W more of idle power
                         bursts             a morning, and then 30 W more for half a second of every ten
  --laws NAME[,NAME]     laws of the simulator that the meter does not contain: voltage, leakage, licences,
                         sleep, uncore, or all
  --drawn                each seed has a machine of its own, drawn around the named one
  --ticks                the CPU time of others comes in ticks of 10 ms, as from /proc/stat
  --late                 counters are read up to 5 ms after the clocks
  --ablate               in place of cells: what leaving out each part of the estimator costs, on some machines after
                         some starts with the six cells of --smoke; takes a build with `--features ablation`
  --without NAME[,NAME]  leaves these parts of the estimator out, by the names that --ablate prints, with hyphens; with
                         --ablate, one after the other in place of all; takes the same build
  --step                 in place of cells: who pays while idle power steps by 15 W
  --quick                54 of the 108 cells, with one seed
  --smoke                six cells, with one seed
  --seeds N              seeds of each cell; three by default
  --cells                the table of cells, even for several machines or starts";

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// How well cells are charged.
    Cells,
    /// Who pays while idle power steps.
    Step,
    /// What leaving out each part of the estimator costs.
    Ablate,
}

pub struct Options {
    pub hosts: Vec<Host>,
    pub starts: Vec<Start>,
    pub changes: Changes,
    pub extent: Extent,
    pub seeds: u64,
    /// Whether the table of cells is printed.
    pub cells: bool,
    pub mode: Mode,
    /// Parts of the estimator that are left out.
    pub left_out: Vec<&'static Left>,
    /// Whether machines or starts were named.
    pub places_are_chosen: bool,
}

impl Options {
    /// # Errors
    ///
    /// The first argument that is not understood.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut hosts, mut starts) = (vec![Host::Server], vec![Start::Morning]);
        let (mut extent, mut seeds, mut cells, mut mode) = (None, None, false, Mode::Cells);
        let (mut left_out, mut places_are_chosen) = (Vec::new(), false);
        let mut changes = Changes::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` takes a value"));
            match argument.as_str() {
                "--bench" => {}
                "--machine" => (hosts, places_are_chosen) = (names(&Host::ALL, 5, &value()?)?, true),
                "--start" => (starts, places_are_chosen) = (names(&Start::ALL, Start::ALL.len(), &value()?)?, true),
                "--without" => left_out = parts::named(&value()?)?,
                "--quick" => extent = Some(Extent::Quick),
                "--smoke" => extent = Some(Extent::Smoke),
                "--seeds" => seeds = Some(count(&value()?)?),
                "--cells" => cells = true,
                "--step" => mode = Mode::Step,
                "--ablate" => mode = Mode::Ablate,
                "--laws" => {
                    names(&LAWS, LAWS.len(), &value()?)?.into_iter().for_each(|law: usize| changes.laws[law] = true);
                }
                "--drawn" => changes.drawn = true,
                "--ticks" => changes.ticks = true,
                "--late" => changes.late = true,
                _ => return Err(format!("unknown option `{argument}`")),
            }
        }
        if (mode == Mode::Ablate || !left_out.is_empty()) && !IS_POSSIBLE {
            return Err("parts can be left out of a build with `--features ablation` only".to_owned());
        }
        let extent = extent.unwrap_or(if mode == Mode::Ablate { Extent::Smoke } else { Extent::All });
        let seeds = seeds.unwrap_or(if extent == Extent::All { 3 } else { 1 });
        let cells = cells || hosts.len() * starts.len() == 1;
        Ok(Self { hosts, starts, changes, extent, seeds, cells, mode, left_out, places_are_chosen })
    }
}

/// The values of a list of names; those of the first `many` for `all`.
fn names<T: Copy>(all: &[(&str, T)], many: usize, list: &str) -> Result<Vec<T>, String> {
    if list == "all" {
        return Ok(all.iter().take(many).map(|(_, value)| *value).collect());
    }
    let named = |name: &str| {
        let found = all.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value).ok_or_else(|| format!("`{name}` is none of {}", joined(all)))
    };
    list.split(',').map(named).collect()
}

fn joined<T>(all: &[(&str, T)]) -> String {
    all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn count(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|&seeds| seeds > 0).ok_or_else(|| format!("`{text}` is not a number of seeds"))
}
