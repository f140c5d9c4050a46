//! The clock that makes guests yield: one thread that advances the epoch of the engines.

use std::cell::Cell;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use wasmtime::{Engine, EngineWeak, Store, UpdateDeadline};

thread_local! {
    static YIELDED: Cell<bool> = const { Cell::new(false) };
}

/// Advances the epoch of engines for as long as it lives. A guest yields at each step, so that one that computes for
/// seconds lets others have their turn.
pub(super) struct EpochClock {
    engines: Arc<Mutex<Vec<EngineWeak>>>,
    /// Dropped with the clock, which ends the thread.
    _running: Sender<()>,
}

impl EpochClock {
    /// Starts the thread.
    pub fn start(tick: Duration) -> std::io::Result<Self> {
        let (running, ended) = mpsc::channel::<()>();
        let engines = Arc::new(Mutex::new(Vec::<EngineWeak>::new()));
        let driven = engines.clone();
        thread::Builder::new().name("epoch".into()).spawn(move || {
            while ended.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                let engines = driven.lock().unwrap_or_else(PoisonError::into_inner);
                engines.iter().filter_map(EngineWeak::upgrade).for_each(|engine| engine.increment_epoch());
            }
        })?;
        Ok(Self { engines, _running: running })
    }

    /// Advances the epoch of this engine too.
    pub fn drive(&self, engine: &Engine) {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine.weak());
    }
}

/// Makes a guest yield at every tick, and note that it did.
pub(super) fn yield_at_ticks<T: Send>(store: &mut Store<T>) {
    store.epoch_deadline_callback(|_| {
        YIELDED.set(true);
        Ok(UpdateDeadline::Yield(1))
    });
    // A new store is overdue, and would yield before its first instruction.
    store.set_epoch_deadline(1);
}

/// Whether a guest has yielded on this thread, for want of time, since this was asked last. What waits for something else
/// has not.
#[must_use]
pub fn take_yielded() -> bool {
    YIELDED.replace(false)
}
