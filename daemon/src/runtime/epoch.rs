//! The clock that makes guests yield: one thread that advances the engine's epoch.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use wasmtime::Engine;

/// Advances an engine's epoch for as long as it lives. A guest yields at each step, so that one that computes for
/// seconds lets others have their turn.
#[derive(Debug)]
pub struct EpochClock {
    /// Dropped with the clock, which ends the thread.
    _running: Sender<()>,
}

impl EpochClock {
    /// Starts the thread.
    pub fn start(engine: &Engine, tick: Duration) -> std::io::Result<Self> {
        let (running, ended) = mpsc::channel::<()>();
        let engine = engine.weak();
        thread::Builder::new().name("epoch".into()).spawn(move || {
            while ended.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                let Some(engine) = engine.upgrade() else { break };
                engine.increment_epoch();
            }
        })?;
        Ok(Self { _running: running })
    }
}
