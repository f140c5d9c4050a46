//! What is measured, as the command line says.

use crate::cell::Extent;
use crate::machines::{Changes, Host, LAWS};
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
  --laws NAME[,NAME]     laws of the simulator that the meter does not contain: voltage, leakage, licences,
                         sleep, uncore, or all
  --drawn                each seed has a machine of its own, drawn around the named one
  --step                 in place of cells: who pays while idle power steps by 15 W
  --quick                54 of the 108 cells, with one seed
  --smoke                six cells, with one seed
  --seeds N              seeds of each cell; three by default
  --cells                the table of cells, even for several machines or starts";

pub struct Options {
    pub hosts: Vec<Host>,
    pub starts: Vec<Start>,
    pub changes: Changes,
    pub extent: Extent,
    pub seeds: u64,
    /// Whether the table of cells is printed.
    pub cells: bool,
    /// Whether a step of idle power takes the place of the cells.
    pub step: bool,
}

impl Options {
    /// # Errors
    ///
    /// The first argument that is not understood.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut hosts, mut starts) = (vec![Host::Server], vec![Start::Morning]);
        let (mut extent, mut seeds, mut cells, mut step) = (Extent::All, None, false, false);
        let mut changes = Changes::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` takes a value"));
            match argument.as_str() {
                "--bench" => {}
                "--machine" => hosts = names(&Host::ALL, 5, &value()?)?,
                "--start" => starts = names(&Start::ALL, Start::ALL.len(), &value()?)?,
                "--quick" => extent = Extent::Quick,
                "--smoke" => extent = Extent::Smoke,
                "--seeds" => seeds = Some(count(&value()?)?),
                "--cells" => cells = true,
                "--step" => step = true,
                "--laws" => {
                    names(&LAWS, LAWS.len(), &value()?)?.into_iter().for_each(|law: usize| changes.laws[law] = true);
                }
                "--drawn" => changes.drawn = true,
                _ => return Err(format!("unknown option `{argument}`")),
            }
        }
        let seeds = seeds.unwrap_or(if extent == Extent::All { 3 } else { 1 });
        let cells = cells || hosts.len() * starts.len() == 1;
        Ok(Self { hosts, starts, changes, extent, seeds, cells, step })
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
