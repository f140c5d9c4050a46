//! Watches the directory of functions and deploys, replaces and removes them as their files change.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::runtime::Handle;

use super::deploy::Deployer;
use crate::causes::chain;
use crate::thread_priority::lower_priority;

/// How long nothing must change before the directory is read: a file that is being written is incomplete.
const QUIET: Duration = Duration::from_millis(150);

/// How often the directory is read without a notification. The system sends none for changes by other machines on a network
/// file system, and none at all when its watches are used up.
const LOOK: Duration = Duration::from_secs(5);

/// The watching thread. It runs until this is dropped.
pub struct Watch {
    stop: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

enum Signal {
    Changed,
    Stop,
}

impl Watch {
    /// Keeps the functions of `deployer` in step with its directory. Compilations wait on `handle`.
    pub fn start(deployer: Arc<Deployer>, handle: Handle) -> std::io::Result<Self> {
        let (stop, signals) = mpsc::channel();
        let events = stop.clone();
        let run = move || {
            lower_priority();
            handle.block_on(deployer.keep_what_is_served());
            let Some(directory) = deployer.directory.clone() else { return };
            let mut watcher = None;
            let mut failing = false;
            loop {
                watcher = watcher.or_else(|| watch(&directory, events.clone()));
                match wait(&signals) {
                    Signal::Stop => break,
                    Signal::Changed => {}
                }
                // The directory may be created later.
                if !directory.exists() {
                    continue;
                }
                match handle.block_on(deployer.refresh()) {
                    Ok(()) => failing = false,
                    Err(error) if !failing => {
                        failing = true;
                        tracing::warn!(
                            "cannot look for changed functions, the current ones keep serving: {}",
                            chain(&error)
                        );
                    }
                    Err(_) => {}
                }
            }
        };
        let thread = thread::Builder::new().name("watcher".into()).spawn(run)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.stop.send(Signal::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that watches the directory of functions panicked");
        }
    }
}

/// Waits for a change and then for quiet, but no longer than [`LOOK`] if nothing changes.
fn wait(signals: &Receiver<Signal>) -> Signal {
    let mut next = signals.recv_timeout(LOOK);
    loop {
        match next {
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return Signal::Stop,
            Err(RecvTimeoutError::Timeout) => return Signal::Changed,
            Ok(Signal::Changed) => next = signals.recv_timeout(QUIET),
        }
    }
}

fn watch(directory: &Path, events: Sender<Signal>) -> Option<RecommendedWatcher> {
    let notify = move |event: notify::Result<Event>| {
        // Reading the directory is not a change.
        if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            let _ = events.send(Signal::Changed);
        }
    };
    let mut watcher = notify::recommended_watcher(notify).ok()?;
    watcher.watch(directory, RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}
