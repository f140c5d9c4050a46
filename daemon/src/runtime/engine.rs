//! The wasmtime engine with the settings that calls rely on, and the linker that all functions share.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, Linker, PoolingAllocationConfig};
use wasmtime_wasi::p1;

use super::code_cache::CodeCache;
use super::epoch::EpochClock;
use super::guest::Guest;

/// Linear memory that a pooled slot keeps between two calls, rewritten instead of returned to the kernel. Most calls
/// touch less, and need no page mapped anew.
const MEMORY_KEEP_RESIDENT: usize = 256 << 10;

/// The same for tables and stacks.
const TABLE_KEEP_RESIDENT: usize = 16 << 10;
const STACK_KEEP_RESIDENT: usize = 16 << 10;

/// Tables in one module. Toolchains make one; reference types allow more.
const TABLES_MAX: u32 = 4;

/// WebAssembly stack of one call. wasmtime's own default; deep recursion beyond it is a trap.
const STACK_MAX: usize = 512 << 10;

/// Native stack of one call: the guest's, and what host functions need.
const ASYNC_STACK: usize = 1 << 20;

/// What one call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time from the start of the instance to the end of the call.
    pub wall: Duration,
    /// Linear memory in bytes.
    pub memory: usize,
    /// Elements of each table. Compilers make one for each function whose address is taken.
    pub table_elements: usize,
    /// Standard output in bytes.
    pub stdout: usize,
    /// Standard error in bytes; of more, the end is kept.
    pub stderr: usize,
}

/// How instances get their memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// From slots set up in advance: for many short calls.
    Slots(u32),
    /// From the kernel when needed: for a single call.
    OnDemand,
}

/// The engine could not be made.
#[derive(Debug, Error)]
pub enum EngineError {
    /// wasmtime refused the settings, as a rule for want of address space.
    #[error("cannot set up the WebAssembly engine")]
    Configure(#[source] wasmtime::Error),
    /// The thread that makes guests yield could not be started.
    #[error("cannot start the epoch thread")]
    StartEpochClock(#[source] std::io::Error),
}

/// Everything that calls share. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pub(super) engine: Engine,
    pub(super) linker: Arc<Linker<Guest>>,
    pub(super) limits: Limits,
    pub(super) cache: Option<Arc<CodeCache>>,
    _epoch: Arc<EpochClock>,
}

impl Runtime {
    /// A runtime whose guests yield every `tick`.
    ///
    /// # Errors
    /// When the engine refuses its settings. Where there is too little address space for the slots, instances are
    /// made on demand instead, and the log says so.
    pub fn new(limits: Limits, pool: Pool, tick: Duration) -> Result<Self, EngineError> {
        let engine = match Engine::new(&config(&limits, pool)) {
            Ok(engine) => engine,
            Err(error) if pool != Pool::OnDemand => {
                tracing::warn!("no pool of instances, each call is slower: {error:#}");
                Engine::new(&config(&limits, Pool::OnDemand)).map_err(EngineError::Configure)?
            }
            Err(error) => return Err(EngineError::Configure(error)),
        };
        let mut linker = Linker::new(&engine);
        p1::add_to_linker_async(&mut linker, |guest: &mut Guest| &mut guest.wasi).map_err(EngineError::Configure)?;
        let epoch = EpochClock::start(&engine, tick).map_err(EngineError::StartEpochClock)?;
        Ok(Self { engine, linker: Arc::new(linker), limits, cache: None, _epoch: Arc::new(epoch) })
    }

    /// The same runtime, which keeps what it compiles and compiles nothing that was kept.
    pub fn with_cache(self, cache: CodeCache) -> Self {
        Self { cache: Some(Arc::new(cache)), ..self }
    }

    /// What one call may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

fn config(limits: &Limits, pool: Pool) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // Bookkeeping for several guests in one store; preview 1 has one.
    config.concurrency_support(false);
    config.max_wasm_stack(STACK_MAX);
    config.async_stack_size(ASYNC_STACK);
    if let Pool::Slots(slots) = pool {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(slots)
            .total_memories(slots)
            .total_tables(slots.saturating_mul(TABLES_MAX))
            .total_stacks(slots)
            .max_memories_per_module(1)
            .max_tables_per_module(TABLES_MAX)
            .max_memory_size(limits.memory)
            .table_elements(limits.table_elements)
            .max_unused_warm_slots(slots)
            .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
            .table_keep_resident(TABLE_KEEP_RESIDENT)
            .async_stack_keep_resident(STACK_KEEP_RESIDENT)
            .pagemap_scan(Enabled::Auto);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}
