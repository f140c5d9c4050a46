//! Detects, without a system call, whether the calling thread has been switched out since it last asked.
//!
//! | means | cost | detects |
//! |---|---|---|
//! | the area for restartable sequences ([`super::rseq`]) | nothing | every switch, if the kernel clears it at every switch |
//! | the page of an idle perf event ([`super::page`]) | 0.7 µs per switch, in a virtual machine | every switch, if perf events are allowed |
//! | none | | nothing |
//!
//! No kernel promises this behaviour. So each means is tried before it is used, and checked against the clocks while it
//! is used.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::{page, rseq};

/// How switches are detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The thread's area for restartable sequences.
    Rseq,
    /// The page of a perf event.
    PerfPage,
    /// Not at all.
    None,
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rseq => "rseq",
            Self::PerfPage => "perf page",
            Self::None => "none",
        })
    }
}

/// The best means of this machine. The first call finds out, which takes some sleeps of 50 µs.
#[inline]
pub fn best() -> Means {
    static BEST: OnceLock<Means> = OnceLock::new();
    let best = *BEST.get_or_init(|| {
        [Means::Rseq, Means::PerfPage].into_iter().find(|means| means.tells_of_sleep()).unwrap_or(Means::None)
    });
    if DISTRUSTED.load(Ordering::Relaxed) { Means::None } else { best }
}

impl Means {
    /// Starts watching: until the next switch, [`Means::undisturbed`] is true on this thread. False if watching is
    /// impossible.
    #[inline]
    pub fn arm(self) -> bool {
        match self {
            Self::Rseq => rseq::arm(),
            Self::PerfPage => page::arm(),
            Self::None => false,
        }
    }

    /// Whether the calling thread has kept its processor since it last called [`Means::arm`] successfully.
    #[inline]
    pub fn undisturbed(self) -> bool {
        match self {
            Self::Rseq => rseq::is_armed(),
            Self::PerfPage => page::is_armed(),
            Self::None => false,
        }
    }

    pub(super) fn tells_of_sleep(self) -> bool {
        (0..SLEEPS).all(|_| {
            let armed = self.arm();
            std::thread::sleep(Duration::from_micros(50));
            armed && !self.undisturbed()
        })
    }
}

/// Number of sleeps that must be detected before a means is trusted. If only migration is detected and blocking is not,
/// the thread would have to migrate in each try.
const SLEEPS: u32 = 4;

static DISTRUSTED: AtomicBool = AtomicBool::new(false);
static DOUBT: AtomicU32 = AtomicU32::new(0);

/// Weight of a mistake, in correct answers.
const DOUBT_STEP: u32 = 4;

/// Eight mistakes in a row. A hypervisor that takes the processor away for more than half a millisecond causes one now
/// and then, if the kernel excludes that from the CPU clock.
const DOUBT_MAX: u32 = 8 * DOUBT_STEP;

/// Reports whether the last `undisturbed` of a thread was right. After too many mistakes this process stops trusting
/// it.
pub fn judge(right: bool) {
    // Two threads may lose a count here. The next one will be counted.
    let doubt = DOUBT.load(Ordering::Relaxed);
    let doubt = if right { doubt.saturating_sub(1) } else { doubt + DOUBT_STEP };
    DOUBT.store(doubt, Ordering::Relaxed);
    if doubt > DOUBT_MAX {
        DISTRUSTED.store(true, Ordering::Relaxed);
    }
}
