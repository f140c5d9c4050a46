//! Waiting for the settled charge of a call that has ended.

use std::sync::Arc;
use std::time::Duration;

use nebula_metering::Charge;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::meter::NoCharge;

/// A call is settled within two windows of its end, or three if its last slice is collected late.
const WINDOWS_MAX: u32 = 5;

/// Extra time for a sampler on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

/// A charge that will arrive when the call is settled.
#[derive(Debug)]
pub enum Settlement {
    Later { charge: oneshot::Receiver<Result<Charge, NoCharge>>, place: OwnedSemaphorePermit, time_max: Duration },
    None(NotSettled),
}

/// Gets the charge of a call.
pub(super) type Waiter = oneshot::Sender<Result<Charge, NoCharge>>;

/// Places for callers that wait for settled charges.
pub struct Waiters {
    places: Arc<Semaphore>,
    max: usize,
}

impl Waiters {
    pub fn new(max: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(max)), max }
    }

    /// Waits for the charge of a call that ends now, with windows of this length.
    pub(super) fn wait(&self, window: Duration) -> (Option<Waiter>, Settlement) {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return (None, Settlement::None(NotSettled::NoRoom(self.max)));
        };
        let (waiter, charge) = oneshot::channel();
        (Some(waiter), Settlement::Later { charge, place, time_max: window * WINDOWS_MAX + SLACK })
    }
}

/// Why the caller gets no settled charge now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotSettled {
    #[error(transparent)]
    Never(#[from] NoCharge),
    #[error("the call was not settled within {0:?}; `/invocations` will show its charge")]
    Late(Duration),
    #[error(
        "{0} callers are waiting for settled charges, which is the limit (`meter.waiters`); `/invocations` will show this one"
    )]
    NoRoom(usize),
}

impl Settlement {
    /// Waits a few windows for the charge.
    pub async fn wait(self) -> Result<Charge, NotSettled> {
        let (charge, _place, time_max) = match self {
            Self::Later { charge, place, time_max } => (charge, place, time_max),
            Self::None(why) => return Err(why),
        };
        match tokio::time::timeout(time_max, charge).await {
            Ok(Ok(charge)) => Ok(charge?),
            // The queue to the meter was full, and the end of the call was dropped.
            Ok(Err(_)) => Err(NoCharge::Dropped.into()),
            Err(_) => Err(NotSettled::Late(time_max)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_after_a_few_windows_and_frees_its_place() {
        let waiters = Waiters::new(1);
        let (_waiter, settlement) = waiters.wait(WINDOW);
        assert_eq!(waiters.wait(WINDOW).1.wait().await, Err(NotSettled::NoRoom(1)));
        assert_eq!(settlement.wait().await, Err(NotSettled::Late(Duration::from_millis(1500))));
        assert!(waiters.wait(WINDOW).0.is_some());
    }

    #[tokio::test]
    async fn a_charge_that_never_comes_ends_the_wait_at_once() {
        let waiters = Waiters::new(2);
        let (waiter, settlement) = waiters.wait(WINDOW);
        drop(waiter);
        assert_eq!(settlement.wait().await, Err(NotSettled::Never(NoCharge::Dropped)));
        let (waiter, settlement) = waiters.wait(WINDOW);
        waiter.unwrap().send(Err(NoCharge::Incomplete)).unwrap();
        assert_eq!(settlement.wait().await, Err(NotSettled::Never(NoCharge::Incomplete)));
    }
}
