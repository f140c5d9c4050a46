//! Holds an instance to the memory that its call may have: linear memory, tables, and what the host holds for it.

use thiserror::Error;

use super::grants::Limits;
use super::held;

/// Bytes that an element of a table takes. Source: wasmtime, `ResourceLimiter::table_growing`.
const TABLE_ELEMENT: usize = size_of::<usize>();

/// The host holds more for the guest than the call's memory.
#[derive(Debug, Error)]
#[error("what the host holds for the guest exceeds its memory")]
pub struct HeldTooMuch;

/// Counts the memory of one instance, refuses it more than its limit, and remembers that it did.
#[derive(Clone, Copy, Debug)]
pub struct Limiter {
    pub limits: Limits,
    /// Whether anything was refused. A guest that traps afterwards ran out of memory.
    pub refused: bool,
    /// All linear memories, in bytes.
    linear: usize,
    /// Elements of all tables.
    elements: usize,
}

/// What a memory or a table asks for.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    pub current: usize,
    pub desired: usize,
    /// The most that it was declared with. Growth beyond it fails, whatever is allowed.
    pub declared_max: Option<usize>,
}

impl Growth {
    /// What it takes if it succeeds.
    fn more(self) -> usize {
        let succeeds = self.declared_max.is_none_or(|max| self.desired <= max);
        if succeeds { self.desired.saturating_sub(self.current) } else { 0 }
    }
}

impl Limiter {
    pub fn new(limits: Limits) -> Self {
        Self { limits, refused: false, linear: 0, elements: 0 }
    }

    /// The most that the host may hold beside what the instance has already.
    pub fn left_to_hold(&self) -> usize {
        self.limits.memory.saturating_sub(self.linear).saturating_add(held::FREE)
    }

    /// Whether an instance for which the host holds so many bytes may have so much linear memory and so many elements.
    fn fits(&self, linear: usize, elements: usize, held: usize) -> bool {
        let beside = elements.saturating_mul(TABLE_ELEMENT).saturating_add(held).saturating_sub(held::FREE);
        linear.saturating_add(beside) <= self.limits.memory
    }

    /// Whether the host may go on holding so many bytes for it.
    pub fn hold(&mut self, held: usize) -> Result<(), HeldTooMuch> {
        let fits = self.fits(self.linear, self.elements, held);
        self.refused |= !fits;
        if fits { Ok(()) } else { Err(HeldTooMuch) }
    }

    /// Whether a memory may grow while the host holds so many bytes.
    pub fn grow_memory(&mut self, growth: Growth, held: usize) -> bool {
        let linear = self.linear.saturating_add(growth.more());
        let fits = growth.desired <= self.limits.memory && self.fits(linear, self.elements, held);
        if fits {
            self.linear = linear;
        }
        self.refused |= !fits;
        fits
    }

    /// Whether a table may grow while the host holds so many bytes.
    pub fn grow_table(&mut self, growth: Growth, held: usize) -> bool {
        let elements = self.elements.saturating_add(growth.more());
        let fits = growth.desired <= self.limits.table_elements && self.fits(self.linear, elements, held);
        if fits {
            self.elements = elements;
        }
        self.refused |= !fits;
        fits
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MIB: usize = 1 << 20;

    fn limiter() -> Limiter {
        let (wall, memory, table_elements) = (Duration::MAX, 8 * MIB, 2 * MIB);
        Limiter::new(Limits { wall, memory, table_elements, stdout: 0, stderr: 0, files: 0 })
    }

    fn growth(current: usize, desired: usize) -> Growth {
        Growth { current, desired, declared_max: None }
    }

    #[test]
    fn memories_tables_and_what_the_host_holds_share_one_limit() {
        let mut limiter = limiter();
        assert!(limiter.grow_memory(growth(0, 4 * MIB), 0) && limiter.grow_memory(growth(0, 3 * MIB), 0));
        assert!(limiter.hold(held::FREE + MIB).is_ok() && !limiter.refused);
        assert!(limiter.hold(held::FREE + MIB + 1).is_err() && limiter.refused);
        assert!(!limiter.grow_memory(growth(3 * MIB, 4 * MIB), held::FREE + 1));
        // Eight bytes an element, of which two mebibytes are free: these fill the limit.
        assert!(limiter.grow_table(growth(0, 3 * MIB / 8), 0) && !limiter.grow_table(growth(0, 1), 0));
        assert!(!limiter.grow_memory(growth(4 * MIB, 4 * MIB + 1), 0));
    }

    #[test]
    fn growth_beyond_what_was_declared_takes_nothing() {
        let mut limiter = limiter();
        let beyond = Growth { current: MIB, desired: 2 * MIB, declared_max: Some(MIB) };
        assert!((0..100).all(|_| limiter.grow_memory(beyond, 0)));
        assert!(limiter.grow_memory(growth(0, 8 * MIB), 0) && !limiter.refused);
    }
}
