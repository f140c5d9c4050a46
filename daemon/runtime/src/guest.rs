//! What belongs to one instance: its WASI context, and the bounds of its memory.

use wasmtime::ResourceLimiter;
use wasmtime_wasi::p1::WasiP1Ctx;

/// What belongs to one instance.
pub struct Guest {
    /// What it can see of the host.
    pub wasi: WasiP1Ctx,
    /// What it may have.
    pub limiter: Limiter,
}

/// Refuses an instance more memory than it may have, and remembers that it did.
#[derive(Clone, Copy, Debug)]
pub struct Limiter {
    memory_max: usize,
    table_elements_max: usize,
    /// Whether something was refused: a guest that traps afterwards did so for want of memory.
    pub refused: bool,
}

impl Limiter {
    /// At most `memory_max` bytes of linear memory and `table_elements_max` elements in each table.
    pub fn new(memory_max: usize, table_elements_max: usize) -> Self {
        Self { memory_max, table_elements_max, refused: false }
    }

    fn allow(&mut self, desired: usize, max: usize) -> bool {
        let allowed = desired <= max;
        self.refused |= !allowed;
        allowed
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.allow(desired, self.memory_max))
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.allow(desired, self.table_elements_max))
    }
}
