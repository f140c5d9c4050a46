//! The wasmtime engines with the settings that calls rely on, and the linkers that all functions share.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use thiserror::Error;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, Linker, PoolingAllocationConfig, component};
use wasmtime_wasi::{p1, p2, p3};

use super::code_cache::{Code, CodeCache, Found};
use super::epoch::EpochClock;
use super::guest::Guest;
use super::host::Host;

/// Linear memory that a pooled slot keeps between two calls, rewritten instead of returned to the kernel. Most calls
/// touch less, and need no page mapped anew.
const MEMORY_KEEP_RESIDENT: usize = 256 << 10;

/// The same for tables and stacks.
const TABLE_KEEP_RESIDENT: usize = 16 << 10;
const STACK_KEEP_RESIDENT: usize = 16 << 10;

/// Tables in one module. Toolchains make one; reference types allow more.
pub(super) const TABLES_MAX: u32 = 4;

/// Core instances in one component: the program, the adapter to preview 1 and what joins them make four.
const CORE_INSTANCES_MAX: u32 = 16;

/// Core instances of all calls for each call that may run at once.
pub(super) const CORE_INSTANCES: u32 = 4;

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
    /// Standard output in bytes, or the body of an answer.
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
    shared: Arc<Shared>,
    cache: Option<Arc<CodeCache>>,
}

struct Shared {
    limits: Limits,
    pool: Pool,
    /// For core modules and WASI 0.2, whose calls are one after the other.
    plain: Plain,
    /// For WASI 0.3, whose calls run side by side in a component; made when the first function needs it, since every call
    /// pays for its bookkeeping.
    concurrent: OnceLock<Option<Concurrent>>,
    epoch: EpochClock,
}

/// An engine for guests that do one thing after another.
pub(super) struct Plain {
    pub engine: Engine,
    pub modules: Linker<Guest>,
    pub components: component::Linker<Host>,
}

/// An engine for guests that do several things at once.
pub(super) struct Concurrent {
    pub engine: Engine,
    pub components: component::Linker<Host>,
}

impl Runtime {
    /// A runtime whose guests yield every `tick`.
    ///
    /// # Errors
    /// When the engine refuses its settings. Where there is too little address space for the slots, instances are
    /// made on demand instead, and the log says so.
    pub fn new(limits: Limits, pool: Pool, tick: Duration) -> Result<Self, EngineError> {
        let epoch = EpochClock::start(tick).map_err(EngineError::StartEpochClock)?;
        let plain = plain(&limits, pool).map_err(EngineError::Configure)?;
        epoch.drive(&plain.engine);
        let shared = Shared { limits, pool, plain, concurrent: OnceLock::new(), epoch };
        Ok(Self { shared: Arc::new(shared), cache: None })
    }

    /// The same runtime, which keeps what it compiles and compiles nothing that was kept.
    #[must_use]
    pub fn with_cache(self, cache: CodeCache) -> Self {
        Self { cache: Some(Arc::new(cache)), ..self }
    }

    /// `wasm` compiled by one of the engines, or found in the cache.
    pub(super) fn code(&self, engine: &Engine, wasm: &[u8]) -> wasmtime::Result<(Code, Found)> {
        match &self.cache {
            Some(cache) => cache.code(engine, wasm),
            None => Ok((Code::compile(engine, wasm)?, Found::Compiled)),
        }
    }

    /// The most that one call may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(super) fn plain(&self) -> &Plain {
        &self.shared.plain
    }

    pub(super) fn pool(&self) -> Pool {
        self.shared.pool
    }

    /// What keeps compiled code, if anything does.
    #[must_use]
    pub fn cache(&self) -> Option<&Arc<CodeCache>> {
        self.cache.as_ref()
    }

    /// The engine for WASI 0.3, if a function has needed it.
    pub(super) fn concurrent_if_made(&self) -> Option<&Concurrent> {
        self.shared.concurrent.get()?.as_ref()
    }

    /// The engine for WASI 0.3; `None` where it cannot be had, which the log has told.
    pub(super) fn concurrent(&self) -> Option<&Concurrent> {
        let make = || {
            let made = concurrent(&self.shared.limits, self.shared.pool);
            if let Err(error) = &made {
                tracing::error!("no engine for WASI 0.3: {error:#}");
            }
            let made = made.ok()?;
            self.shared.epoch.drive(&made.engine);
            Some(made)
        };
        self.shared.concurrent.get_or_init(make).as_ref()
    }
}

fn plain(limits: &Limits, pool: Pool) -> wasmtime::Result<Plain> {
    let engine = engine(limits, pool, |config| {
        // Bookkeeping for several tasks in one store, which neither preview 1 nor WASI 0.2 has.
        config.concurrency_support(false);
    })?;
    let mut modules = Linker::new(&engine);
    p1::add_to_linker_async(&mut modules, |guest: &mut Guest| &mut guest.wasi)?;
    let mut components = component::Linker::new(&engine);
    add_preview_2(&mut components)?;
    Ok(Plain { engine, modules, components })
}

fn concurrent(limits: &Limits, pool: Pool) -> wasmtime::Result<Concurrent> {
    let engine = engine(limits, pool, |config| {
        config.wasm_component_model_async(true);
    })?;
    let mut components = component::Linker::new(&engine);
    add_preview_2(&mut components)?;
    p3::add_to_linker(&mut components)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut components)?;
    Ok(Concurrent { engine, components })
}

fn add_preview_2(linker: &mut component::Linker<Host>) -> wasmtime::Result<()> {
    p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

fn engine(limits: &Limits, pool: Pool, adapt: impl Fn(&mut Config)) -> wasmtime::Result<Engine> {
    let make = |pool| {
        let mut config = config(limits, pool);
        adapt(&mut config);
        Engine::new(&config)
    };
    make(pool).or_else(|error| {
        if pool == Pool::OnDemand {
            return Err(error);
        }
        tracing::warn!("no pool of instances, each call is slower: {error:#}");
        make(Pool::OnDemand)
    })
}

fn config(limits: &Limits, pool: Pool) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // Compiling is charged to the function, and the thread that does it is the only one that is measured. Where there are
    // many functions they are compiled side by side all the same.
    config.parallel_compilation(false);
    config.max_wasm_stack(STACK_MAX);
    config.async_stack_size(ASYNC_STACK);
    if let Pool::Slots(slots) = pool {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(slots.saturating_mul(CORE_INSTANCES))
            .total_component_instances(slots)
            .total_memories(slots)
            .total_tables(slots.saturating_mul(TABLES_MAX))
            .total_stacks(slots)
            .max_memories_per_module(1)
            .max_tables_per_module(TABLES_MAX)
            .max_core_instances_per_component(CORE_INSTANCES_MAX)
            .max_tables_per_component(TABLES_MAX)
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
