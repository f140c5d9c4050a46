//! The thread that stores what has been learned.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nebula_metering::FunctionId;
use thiserror::Error;

use super::stored::KnowledgeFile;
use crate::causes::chain;
use crate::meter::EnergyMeter;
use crate::telemetry::escaped;

/// A daemon that is killed loses what it learned in this time.
const EVERY: Duration = Duration::from_secs(300);

#[derive(Debug, Error)]
#[error("cannot start the thread that stores what was learned about this machine")]
pub struct KnowledgeKeeperError(#[source] std::io::Error);

/// Stores what has been learned every few minutes until it is dropped, and once more then.
pub struct KnowledgeKeeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl KnowledgeKeeper {
    /// `name` names functions in the file.
    pub fn start(
        file: KnowledgeFile,
        meter: Arc<EnergyMeter>,
        name: impl Fn(FunctionId) -> Option<String> + Send + 'static,
    ) -> Result<Self, KnowledgeKeeperError> {
        let (stop, stopped) = mpsc::channel();
        let run = move || {
            let mut has_failed = false;
            loop {
                let last = stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout);
                let failure = store(&file, &meter, &name);
                if let (Some(why), false) = (&failure, has_failed) {
                    tracing::warn!("{why}; what was learned about this machine is lost when the daemon stops");
                }
                has_failed = failure.is_some();
                if last {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("knowledge".into()).spawn(run).map_err(KnowledgeKeeperError)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

/// Stores what is known, if anything is. Returns why that failed.
fn store(file: &KnowledgeFile, meter: &EnergyMeter, name: impl Fn(FunctionId) -> Option<String>) -> Option<String> {
    // A meter that has failed may have learned nonsense.
    let known = meter.known(name).unwrap_or_default();
    if known.is_empty() {
        return None;
    }
    file.store(known).err().map(|error| escaped(&chain(&error)))
}

impl Drop for KnowledgeKeeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that stores what was learned about this machine has panicked");
        }
    }
}
