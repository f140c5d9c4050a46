//! Whether the calling thread has been switched out since it last asked, without a system call.
//!
//! | means | costs | tells |
//! |---|---|---|
//! | the area for restartable sequences ([`super::rseq`]) | nothing | every switch, where the kernel clears it at every switch |
//! | the page of an idle perf event ([`super::page`]) | 0.7 µs more a switch, in a virtual machine | every switch, where perf events are allowed |
//! | none | | nothing |
//!
//! What a kernel does there is no promise of its. So each is tried before it is used, and what is used is held against
//! the clocks for as long as it is.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::{page, rseq};

/// What tells of switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The thread's area for restartable sequences.
    Rseq,
    /// The page of a perf event.
    PerfPage,
    /// Nothing does.
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

/// The best means there is. The first call finds out, which takes some sleeps of 50 µs.
#[inline]
pub fn best() -> Means {
    static BEST: OnceLock<Means> = OnceLock::new();
    let best = *BEST.get_or_init(|| {
        [Means::Rseq, Means::PerfPage].into_iter().find(|means| means.tells_of_sleep()).unwrap_or(Means::None)
    });
    if DISTRUSTED.load(Ordering::Relaxed) { Means::None } else { best }
}

impl Means {
    /// Begins to watch: until the next switch, [`Means::undisturbed`] is true on this thread. False where there is no
    /// watching.
    #[inline]
    pub fn arm(self) -> bool {
        match self {
            Self::Rseq => rseq::arm(),
            Self::PerfPage => page::arm(),
            Self::None => false,
        }
    }

    /// Whether the calling thread has kept its processor since it last called [`Means::arm`] and was told that it is
    /// watched.
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

/// How often a sleep must be told of before a means is believed. Where blocking is not told of but migration is, each
/// further try is one more in which the thread would have to migrate.
const SLEEPS: u32 = 4;

static DISTRUSTED: AtomicBool = AtomicBool::new(false);
static DOUBT: AtomicU32 = AtomicU32::new(0);

/// One mistake weighs as much as this many times that it was right.
const DOUBT_STEP: u32 = 4;

/// Eight mistakes in a row. A hypervisor that gives the processor away for more than half of a millisecond makes one
/// now and then, where the kernel leaves that out of the CPU clock.
const DOUBT_MAX: u32 = 8 * DOUBT_STEP;

/// Says whether it was right when a thread was last told that it was undisturbed. After too many mistakes nothing is
/// believed any more in this process.
pub fn judge(right: bool) {
    // Two threads that meet here lose a count; the next will be counted.
    let doubt = DOUBT.load(Ordering::Relaxed);
    let doubt = if right { doubt.saturating_sub(1) } else { doubt + DOUBT_STEP };
    DOUBT.store(doubt, Ordering::Relaxed);
    if doubt > DOUBT_MAX {
        DISTRUSTED.store(true, Ordering::Relaxed);
    }
}
