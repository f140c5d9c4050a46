//! What the processors execute.

/// What a stretch of execution looks like to the processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Task {
    /// Instructions per cycle of a thread that has its core to itself.
    pub ipc: f64,
    /// Misses of the last-level cache in a thousand instructions.
    pub misses_per_kilo_instruction: f64,
    /// Multiplies the core energy beyond what counters see, as wide vector instructions do. With 1, counters see
    /// everything.
    pub factor: f64,
    /// Whether it executes wide vector instructions, which matters on machines with
    /// [`Licences`](crate::laws::Licences).
    pub wide: bool,
}

impl Task {
    /// A task whose energy follows from its instructions, cycles and misses.
    #[must_use]
    pub const fn new(ipc: f64, misses_per_kilo_instruction: f64) -> Self {
        Self { ipc, misses_per_kilo_instruction, factor: 1.0, wide: false }
    }

    /// The same task with another factor.
    #[must_use]
    pub fn with_factor(self, factor: f64) -> Self {
        Self { factor, ..self }
    }

    /// The same task with wide vector instructions.
    #[must_use]
    pub const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }
}
