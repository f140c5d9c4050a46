//! Watches the directory of functions: what is dropped in is deployed, what is changed replaced, what is deleted removed.

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

/// For how long nothing must happen before the directory is looked at: a file that is being written is not whole.
const QUIET: Duration = Duration::from_millis(150);

/// How often the directory is looked at without being told: the system tells nothing of what other machines do on a
/// network's file system, and of nothing at all where its watches are used up.
const LOOK: Duration = Duration::from_secs(5);

/// Runs until dropped.
pub struct Watch {
    stop: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

enum Signal {
    Changed,
    Stop,
}

impl Watch {
    /// Keeps what `deployer` serves in step with its directory. Compilations wait on `handle`.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(deployer: Arc<Deployer>, handle: Handle) -> std::io::Result<Self> {
        let (stop, signals) = mpsc::channel();
        let events = stop.clone();
        let run = move || {
            lower_priority();
            handle.block_on(deployer.keep_what_is_served());
            let Some(directory) = deployer.directory().map(Path::to_owned) else { return };
            let mut watcher = None;
            let mut failing = false;
            loop {
                watcher = watcher.or_else(|| watch(&directory, events.clone()));
                match wait(&signals) {
                    Signal::Stop => break,
                    Signal::Changed => {}
                }
                // A directory that nobody has made yet holds no functions.
                if !directory.exists() {
                    continue;
                }
                match handle.block_on(deployer.refresh()) {
                    Ok(()) => failing = false,
                    Err(error) if !failing => {
                        failing = true;
                        tracing::warn!("functions stay as they are: {}", chain(&error));
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
            tracing::error!("the directory of functions was not watched to the end");
        }
    }
}

/// Waits until something has happened and nothing more does, or for as long as the directory is left alone at most.
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
    let tell = move |event: notify::Result<Event>| {
        // Looking at the directory is no change.
        if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            let _ = events.send(Signal::Changed);
        }
    };
    let mut watcher = notify::recommended_watcher(tell).ok()?;
    watcher.watch(directory, RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}
