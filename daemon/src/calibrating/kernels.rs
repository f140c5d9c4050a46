//! The known work: what functions mostly do, one kind at a time.

use std::hint::black_box;
use std::time::{Duration, Instant};

use nebula_metering::FunctionId;
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};

/// How long a kernel computes at a time. Many slices fall into each window, whichever thread they run on.
const SLICE: Duration = Duration::from_millis(2);

/// How long the sleeping kernel works, and how long it sleeps then. A package that is woken 200 times a second is awake for
/// longer than anything computes.
const NAP_WORK: Duration = Duration::from_micros(200);
const NAP: Duration = Duration::from_millis(5);

/// Memory that a thread streams through, in bytes: more than its share of any cache, and less where many threads do it.
const STREAM: usize = 32 << 20;
const STREAMS_TOTAL: usize = 1 << 30;

/// What is copied between two looks at the clock.
const STREAM_PIECE: usize = 256 << 10;

/// A kind of work. Each is a function of its own for the meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Kernel {
    Integer,
    Float,
    Memory,
    Sleep,
}

impl Kernel {
    pub const COUNT: usize = 4;

    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }

    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub fn function(self) -> FunctionId {
        FunctionId(self as u32)
    }

    /// How long a thread sleeps between two slices.
    pub fn pause(self) -> Option<Duration> {
        (self == Self::Sleep).then_some(NAP)
    }
}

/// What a thread works on.
pub struct Bench {
    kernel: Kernel,
    state: u64,
    numbers: Vec<f64>,
    memory: Vec<u8>,
    place: usize,
}

impl Bench {
    /// For one of so many threads.
    pub fn new(kernel: Kernel, threads: usize) -> Self {
        let bytes = if kernel == Kernel::Memory { STREAM.min(STREAMS_TOTAL / threads.max(1)) } else { 0 };
        Self {
            kernel,
            state: 0x9e37_79b9_7f4a_7c15,
            numbers: if kernel == Kernel::Float { vec![1.0; 1024] } else { Vec::new() },
            // Pages that were never written are all the same page of zeros.
            memory: vec![1; bytes / (2 * STREAM_PIECE) * (2 * STREAM_PIECE)],
            place: 0,
        }
    }

    /// Works for one slice.
    pub fn slice(&mut self) {
        let time = if self.kernel == Kernel::Sleep { NAP_WORK } else { SLICE };
        let begun = Instant::now();
        while begun.elapsed() < time {
            match self.kernel {
                Kernel::Integer | Kernel::Sleep => self.integers(),
                Kernel::Float => self.floats(),
                Kernel::Memory => self.stream(),
            }
        }
    }

    /// Source: Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003).
    fn integers(&mut self) {
        let mut state = self.state;
        for _ in 0..10_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
        }
        self.state = black_box(state);
    }

    /// Multiplies and adds, which compilers turn into vector instructions.
    fn floats(&mut self) {
        for _ in 0..10 {
            for number in &mut self.numbers {
                *number = *number * 0.999 + 0.001;
            }
            black_box(&mut self.numbers);
        }
    }

    /// Copies a piece of one half of the memory to the other.
    fn stream(&mut self) {
        let half = self.memory.len() / 2;
        let (to, from) = self.memory.split_at_mut(half);
        let piece = self.place..self.place + STREAM_PIECE;
        to[piece.clone()].copy_from_slice(&from[piece.clone()]);
        self.place = if piece.end < to.len() { piece.end } else { 0 };
        black_box(&mut self.memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nebula_metering::work::thread::thread_cpu;

    #[test]
    fn every_kernel_works_for_its_slice_and_sleeps_only_if_it_should() {
        assert_eq!(Kernel::all().count(), Kernel::COUNT);
        for (place, kernel) in Kernel::all().enumerate() {
            assert_eq!(kernel.function(), FunctionId(place as u32));
            let mut bench = Bench::new(kernel, 64);
            let before = thread_cpu();
            (0..20).for_each(|_| bench.slice());
            assert!(thread_cpu() > before, "{kernel:?} used no CPU time");
            assert_eq!(kernel.pause().is_some(), kernel.as_str() == "sleep");
        }
    }

    #[test]
    fn a_stream_goes_round_whatever_its_length() {
        for threads in [1, 32, 300, 2000] {
            let mut bench = Bench::new(Kernel::Memory, threads);
            (0..200).for_each(|_| bench.stream());
            assert!(bench.memory.iter().all(|byte| *byte == 1));
        }
    }
}
