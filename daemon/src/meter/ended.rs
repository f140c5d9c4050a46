//! What is kept of a call from its end until it is settled, and what may be missing then.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use nebula_metering::{Charge, Estimate, NoEstimate};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::outcome::Outcome;
use crate::quota::Booking;

/// What is shown in the place of a source.
pub const OFF: &str = "off";

/// Why nothing is measured. Functions run all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Off {
    #[error("metering is switched off")]
    Configured,
    /// A panic interrupted the sampler in the middle of a window, and the accounts may not add up.
    #[error("the meter has failed and its accounts are not used any more; restart the daemon")]
    Failed,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub at: SystemTime,
    /// How long it took, from its admission.
    pub duration: Duration,
    /// What it was expected to have cost.
    pub estimate: Result<Estimate, NotEstimated>,
}

/// Where whoever remembers calls keeps one that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat(pub usize);

/// Why a call has no estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotEstimated {
    /// Nothing is known of the machine.
    #[error(transparent)]
    Unknown(#[from] NoEstimate),
    /// Its work was never added up.
    #[error("the call was cancelled, and its caller given no answer")]
    Cancelled,
    /// Nothing was measured.
    #[error(transparent)]
    Off(#[from] Off),
}

/// What is posted with the end of a stretch of work, and comes back when it is settled.
#[derive(Debug)]
pub enum CallEnd {
    /// A call has ended.
    Call {
        /// How it ended.
        ended: Arc<Ended>,
        /// Where it is remembered.
        seat: Seat,
        /// Who waits for its charge.
        waiter: Option<oneshot::Sender<Result<Charge, NoCharge>>>,
        /// Who wants to know how it ends, and lets go of it then.
        witness: Option<Arc<dyn Witness>>,
        /// What quotas have booked for it. Boxed, since most calls count against none and ends wait in queues by the
        /// thousand.
        booking: Option<Box<Booking>>,
    },
    /// A function can be called: where what that took is told.
    ColdStart(ColdStartCharge),
}

impl CallEnd {
    /// Has quotas count what the call was charged instead of its estimate.
    pub fn settle_booking(&self, charge: Option<&Charge>) {
        if let (Self::Call { booking: Some(booking), .. }, Some(charge)) = (self, charge) {
            booking.settle(charge.active);
        }
    }
}

/// What it was charged that a function can be called, once that is settled.
pub type ColdStartCharge = Arc<OnceLock<Result<Charge, NoCharge>>>;

/// Who is told what a call was charged.
pub trait Witness: fmt::Debug + Send + Sync {
    /// Takes it in.
    fn settle(&self, charge: Result<Charge, NoCharge>);

    /// The trace that the call is part of, where somebody will be able to look it up.
    fn trace(&self) -> Option<u128>;
}

/// Why a call has no charge, and never will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoCharge {
    /// Some window had no energy of its own.
    #[error("the energy of a window that the call lived in is not known")]
    Incomplete,
    /// Nobody told the meter that it had ended.
    #[error("the queue to the meter was full when the call ended (`meter.postings`)")]
    Dropped,
    /// There is no meter.
    #[error(transparent)]
    Off(#[from] Off),
}
