//! What is stored about one machine: what of it still holds, and what is set aside.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nebula_metering::METHOD;
use nebula_metering::source::CounterSpec;

use super::file::{self, Contents, KnowledgeError};
use super::machine::Machine;
use crate::causes::chain;
use crate::meter::{ZoneKnowledge, ZoneLimits};
use crate::telemetry::escaped;

/// The name of the file.
pub const FILE: &str = "knowledge.json";

/// What a file says, seen from this machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Examined {
    /// There is no file.
    Nothing,
    Known(Vec<ZoneKnowledge>),
    OtherMachine(Machine),
}

/// What is stored about one machine.
#[derive(Clone, Debug)]
pub struct KnowledgeFile {
    path: PathBuf,
    machine: Machine,
}

impl KnowledgeFile {
    /// The file in the directory `state`, for this machine.
    pub fn new(state: &Path, machine: Machine) -> Self {
        Self { path: state.join(FILE), machine }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says.
    ///
    /// # Errors
    /// If it cannot be read, or not be understood.
    pub fn examine(&self) -> Result<Examined, KnowledgeError> {
        Ok(match file::read(&self.path)? {
            None => Examined::Nothing,
            Some(contents) if contents.machine == self.machine => Examined::Known(contents.zones),
            Some(contents) => Examined::OtherMachine(contents.machine),
        })
    }

    /// What is stored about this machine; nothing if the file is missing or about another one. A file that cannot be used is
    /// renamed, with the time in its name: it must not stop the daemon.
    pub fn load(&self) -> Vec<ZoneKnowledge> {
        let shown = escaped(&self.path.display().to_string());
        match self.examine() {
            Ok(Examined::Nothing) => {
                tracing::debug!("nothing learned about this machine is stored in `{shown}`");
                Vec::new()
            }
            Ok(Examined::Known(known)) => known,
            Ok(Examined::OtherMachine(machine)) => {
                tracing::info!(
                    "`{shown}` is ignored: it was learned on another machine ({}; this is {})",
                    escaped(&machine.to_string()),
                    escaped(&self.machine.to_string())
                );
                Vec::new()
            }
            Err(error) if error.is_unusable() => {
                let why = escaped(&chain(&error));
                match file::set_aside(&self.path, SystemTime::now()) {
                    Ok(aside) => tracing::warn!(
                        "{why}; it was renamed to `{}`, and this machine is learned afresh",
                        escaped(&aside.display().to_string())
                    ),
                    Err(error) => tracing::warn!("{why}; it cannot be renamed ({error}) and will be overwritten"),
                }
                Vec::new()
            }
            Err(error) => {
                tracing::warn!("{}; this machine is learned afresh", escaped(&chain(&error)));
                Vec::new()
            }
        }
    }

    /// What is stored about these counters and may be taken up, and what is stored of sources that are not read at present.
    pub fn recall(&self, counters: &[CounterSpec]) -> Vec<ZoneKnowledge> {
        valid(self.load(), counters)
    }

    /// The same for those who only read, whether or not a daemon runs: nothing is renamed.
    pub fn peek(&self, counters: &[CounterSpec]) -> Vec<ZoneKnowledge> {
        match self.examine() {
            Ok(Examined::Known(known)) => valid(known, counters),
            _ => Vec::new(),
        }
    }

    /// Stores what is known, in place of what was stored.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn store(&self, known: Vec<ZoneKnowledge>) -> Result<(), KnowledgeError> {
        file::write(&self.path, &Contents { machine: self.machine.clone(), zones: known })
    }
}

/// What may be taken up of what is known.
fn valid(mut known: Vec<ZoneKnowledge>, counters: &[CounterSpec]) -> Vec<ZoneKnowledge> {
    known.retain(|known| {
        let obstacle = obstacle(known, counters);
        if let Some(obstacle) = obstacle {
            let (zone, source) = (escaped(&known.knowledge.zone), escaped(&known.knowledge.source));
            tracing::info!("what was learned of {zone} by {source} is ignored: {obstacle}");
        }
        obstacle.is_none()
    });
    known
}

/// Why what is known of a zone cannot be taken up.
fn obstacle(known: &ZoneKnowledge, counters: &[CounterSpec]) -> Option<&'static str> {
    if known.knowledge.method != METHOD {
        return Some("another version of the program learned it by another method");
    }
    let counter = counters.iter().find(|counter| known.is_of(counter));
    let has_changed = counter.is_some_and(|counter| ZoneLimits::of(counter) != known.limits);
    has_changed.then_some("the limits of the zone have changed")
}
