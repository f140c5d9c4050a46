//! What is kept of a call from its end until it is settled, and what may be missing then.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use nebula_metering::{Charge, Estimate, NoEstimate};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::outcome::Outcome;
use crate::quota::Booking;

pub const OFF: &str = "off";

/// Why nothing is measured. Functions run all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Off {
    #[error("metering is switched off")]
    Configured,
    /// A panic interrupted the sampler in the middle of a window, and the accounts may not add up.
    #[error("the meter failed and its accounts are no longer used; restart the daemon")]
    Failed,
}

#[derive(Clone, Debug)]
pub struct Ended {
    pub outcome: Outcome,
    pub at: SystemTime,
    /// Time since its admission.
    pub duration: Duration,
    pub estimate: Result<Estimate, NotEstimated>,
}

#[cfg(test)]
impl Ended {
    /// A call that came to its end so many seconds after 1970, and has no estimate.
    pub fn made_up(second: u64) -> Arc<Self> {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let estimate = Err(NotEstimated::Cancelled);
        Arc::new(Self { outcome: Outcome::Ok, at, duration: Duration::from_millis(1), estimate })
    }
}

/// The place of an ended call among those that are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotEstimated {
    #[error(transparent)]
    Unknown(#[from] NoEstimate),
    #[error("the call was cancelled and its caller got no answer")]
    Cancelled,
    #[error(transparent)]
    Off(#[from] Off),
}

/// What is posted with the end of some work, and comes back when that is settled.
pub enum CallEnd {
    Call {
        ended: Arc<Ended>,
        seat: Seat,
        waiter: Option<oneshot::Sender<Result<Charge, NoCharge>>>,
        /// Notified of the charge, and dropped then.
        observer: Option<Arc<dyn ChargeObserver>>,
        /// What quotas have booked for it. Boxed, since most calls count against none and ends wait in queues by the
        /// thousand.
        booking: Option<Box<Booking>>,
    },
    /// A function was prepared; the charge goes here.
    ColdStart(ColdStartCharge),
}

impl CallEnd {
    /// Lets quotas count what the call was charged instead of its estimate.
    pub fn settle_booking(&self, charge: Option<&Charge>) {
        if let (Self::Call { booking: Some(booking), .. }, Some(charge)) = (self, charge) {
            booking.settle(charge.active);
        }
    }
}

/// The charge of preparing a function, once it is settled.
pub type ColdStartCharge = Arc<OnceLock<Result<Charge, NoCharge>>>;

/// Somebody to notify of a call's charge.
pub trait ChargeObserver: Send + Sync {
    fn settle(&self, charge: Result<Charge, NoCharge>);

    /// The trace that the call is part of, if it is exported.
    fn trace(&self) -> Option<u128>;
}

/// Why a call has no charge and never will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoCharge {
    #[error("the energy of a window that the call ran in is not known")]
    Incomplete,
    #[error("the queue to the meter was full when the call ended (`meter.postings`)")]
    Dropped,
    #[error(transparent)]
    Off(#[from] Off),
}
