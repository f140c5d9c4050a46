//! The registers of a machine, and the source that reads them.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::machine::Machine;
use crate::random::Random;
use crate::register::{Fault, Faults, Register};
use nebula_metering::source::{CounterSpec, ReadError, Source, SourceKind};
use nebula_metering::work::Moment;
use nebula_metering::{Domain, Microjoules, Zone};

/// All registers of a machine: package and memory, package by package.
#[derive(Clone, Debug)]
pub struct Board {
    specs: Vec<CounterSpec>,
    registers: Vec<Register>,
    random: Random,
}

impl Board {
    /// The registers of `machine`, each starting at a random value.
    #[must_use]
    pub fn new(machine: &Machine, faults: Faults, mut random: Random) -> Self {
        let (mut specs, mut registers) = (Vec::new(), Vec::new());
        for package in 0..machine.packages {
            for (domain, unit, watts_max) in [
                (Domain::Package, machine.package_unit, machine.package_watts_max),
                (Domain::Dram, machine.dram_unit, machine.dram_watts_max),
            ] {
                let zone = Zone::new(domain, &package.to_string());
                registers.push(Register::new(&zone.to_string(), unit, random.bits() as u32, faults));
                specs.push(CounterSpec {
                    source: SourceKind::Simulated,
                    zone,
                    range: Some(unit.range()),
                    watts_max,
                    quantum: unit.quantum(),
                    relative_error: 0.0,
                    base: None,
                    stated: None,
                });
            }
        }
        Self { specs, registers, random }
    }

    /// The counter of each register.
    #[must_use]
    pub fn specs(&self) -> &[CounterSpec] {
        &self.specs
    }

    /// One register, in the order of [`Board::specs`].
    #[must_use]
    pub fn register(&self, index: usize) -> Option<&Register> {
        self.registers.get(index)
    }

    /// All registers, mutably.
    pub fn registers_mut(&mut self) -> &mut [Register] {
        &mut self.registers
    }

    /// Updates what all registers show.
    pub fn update(&mut self) {
        self.registers.iter_mut().for_each(Register::update);
    }

    /// The next readings of a zone have these faults.
    pub fn script(&mut self, zone: &Zone, faults: impl IntoIterator<Item = Fault>) {
        if let Some(index) = self.specs.iter().position(|spec| spec.zone == *zone) {
            self.registers[index].script(faults);
        }
    }

    /// Changes the random faults of all zones.
    pub fn set_faults(&mut self, faults: Faults) {
        self.registers.iter_mut().for_each(|register| register.set_faults(faults));
    }

    /// Reads every register once.
    pub fn read(&mut self, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        readings.clear();
        let random = &mut self.random;
        readings.extend(self.registers.iter_mut().map(|register| register.read(random)));
    }
}

/// A board shared by its owner, who advances it, and a source that reads it.
#[derive(Clone, Debug)]
pub struct SharedBoard(Arc<Mutex<Board>>);

impl SharedBoard {
    /// Shares a board.
    #[must_use]
    pub fn new(board: Board) -> Self {
        Self(Arc::new(Mutex::new(board)))
    }

    /// Calls `act` with exclusive access to the board.
    pub fn with<R>(&self, act: impl FnOnce(&mut Board) -> R) -> R {
        act(&mut self.0.lock())
    }

    /// A source that reads the current state of the board, whatever moment it is given.
    #[must_use]
    pub fn source(&self) -> Box<dyn Source> {
        Box::new(BoardSource { specs: self.with(|board| board.specs.clone()), board: self.clone() })
    }
}

#[derive(Debug)]
struct BoardSource {
    specs: Vec<CounterSpec>,
    board: SharedBoard,
}

impl Source for BoardSource {
    fn kind(&self) -> SourceKind {
        SourceKind::Simulated
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.specs
    }

    fn read(&mut self, _: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        self.board.with(|board| board.read(readings));
    }

    fn describe(&self) -> String {
        "the registers of a simulated machine in virtual time; nothing is measured".to_owned()
    }
}
