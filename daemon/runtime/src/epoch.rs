//! The clock that makes guests yield: one thread, which advances the epoch of the engines.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use wasmtime::{Engine, EngineWeak, Store, UpdateDeadline};

use super::state::Bounded;

thread_local! {
    static YIELDED: Cell<bool> = const { Cell::new(false) };
}

/// Advances the epoch of engines as long as it lives. A guest yields at each step, so that other calls of its thread get
/// their turn while it computes for seconds.
pub struct EpochClock {
    engines: Arc<Mutex<Vec<EngineWeak>>>,
    /// Dropping it ends the thread.
    _running: Sender<()>,
}

impl EpochClock {
    pub fn start(tick: Duration) -> std::io::Result<Self> {
        let (running, ended) = mpsc::channel::<()>();
        let engines = Arc::new(Mutex::new(Vec::<EngineWeak>::new()));
        let driven = engines.clone();
        thread::Builder::new().name("epoch".into()).spawn(move || {
            while ended.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                let engines = driven.lock();
                engines.iter().filter_map(EngineWeak::upgrade).for_each(|engine| engine.increment_epoch());
            }
        })?;
        Ok(Self { engines, _running: running })
    }

    pub fn drive(&self, engine: &Engine) {
        self.engines.lock().push(engine.weak());
    }
}

/// Makes a guest yield at every tick, note on its thread that it did, and end there if the host holds too much for it.
pub fn yield_at_ticks<T: Bounded>(store: &mut Store<T>) {
    store.epoch_deadline_callback(|store| {
        YIELDED.set(true);
        T::hold_to_limits(store)?;
        Ok(UpdateDeadline::Yield(1))
    });
    // The deadline of a new store has passed: it would yield before its first instruction.
    store.set_epoch_deadline(1);
}

/// Whether a guest on this thread has yielded at a tick since this was last asked. A guest that waits for something does not
/// count: this distinguishes calls that compute for long from calls that wait.
#[must_use]
pub fn take_yielded() -> bool {
    YIELDED.replace(false)
}
