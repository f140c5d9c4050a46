//! What is measured, as the command line says.

use crate::cell::Extent;
use crate::machines::Host;
use crate::start::Start;

pub const HELP: &str = "\
Compares settled charges with the truth on simulated machines.

  --machine NAME[,NAME]  server (default), two-packages, desktop, laptop, cloud, or all
  --start NAME[,NAME]    what the meter sees before: morning (default), none, busy, steady, or all
  --quick                54 of the 108 cells, with one seed
  --smoke                six cells, with one seed
  --seeds N              seeds of each cell; three by default
  --cells                the table of cells, even for several machines or starts";

pub struct Options {
    pub hosts: Vec<Host>,
    pub starts: Vec<Start>,
    pub extent: Extent,
    pub seeds: u64,
    /// Whether the table of cells is printed.
    pub cells: bool,
}

impl Options {
    /// # Errors
    ///
    /// The first argument that is not understood.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut hosts, mut starts) = (vec![Host::Server], vec![Start::Morning]);
        let (mut extent, mut seeds, mut cells) = (Extent::All, None, false);
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` takes a value"));
            match argument.as_str() {
                "--bench" => {}
                "--machine" => hosts = names(&Host::ALL, &value()?)?,
                "--start" => starts = names(&Start::ALL, &value()?)?,
                "--quick" => extent = Extent::Quick,
                "--smoke" => extent = Extent::Smoke,
                "--seeds" => seeds = Some(count(&value()?)?),
                "--cells" => cells = true,
                _ => return Err(format!("unknown option `{argument}`")),
            }
        }
        let seeds = seeds.unwrap_or(if extent == Extent::All { 3 } else { 1 });
        let cells = cells || hosts.len() * starts.len() == 1;
        Ok(Self { hosts, starts, extent, seeds, cells })
    }
}

fn names<T: Copy>(all: &[(&str, T)], list: &str) -> Result<Vec<T>, String> {
    if list == "all" {
        return Ok(all.iter().map(|(_, value)| *value).collect());
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
