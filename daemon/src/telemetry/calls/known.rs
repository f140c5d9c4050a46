//! A call that can be asked for, and how far it has come.

use std::sync::Arc;
use std::time::SystemTime;

use nebula_metering::{CallId, Charge, FunctionId};

use crate::meter::{Ended, NoCharge};

#[derive(Clone, Debug)]
pub struct KnownCall {
    pub call: CallId,
    pub function: FunctionId,
    pub progress: Progress,
}

#[derive(Clone, Debug)]
pub enum Progress {
    /// It has been running since then.
    Running(SystemTime),
    /// It has ended; the windows that it ran in have not been settled yet.
    Ended(Arc<Ended>),
    /// Its charge is final.
    Settled(Arc<Ended>, Result<Charge, NoCharge>),
}

impl KnownCall {
    pub(super) fn ended_at(&self) -> Option<SystemTime> {
        match &self.progress {
            Progress::Running(_) => None,
            Progress::Ended(ended) | Progress::Settled(ended, _) => Some(ended.at),
        }
    }
}
