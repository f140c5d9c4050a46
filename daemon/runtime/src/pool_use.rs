//! How full the pools are that instances take their memory from.

use wasmtime::{Engine, PoolingAllocatorMetrics};

use super::engine::{CORE_INSTANCES, MEMORIES, Pool, Runtime, TABLES_MAX};

/// The use of one kind of pooled slot, summed over the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// What a slot holds.
    pub name: &'static str,
    /// Slots in use.
    pub used: u64,
    /// Slots in all.
    pub slots: u64,
    /// Memory of free slots that is kept for the next call, in bytes; `None` if this kind of slot keeps none.
    pub resident: Option<u64>,
}

impl Runtime {
    /// The use of each pool; empty with [`Pool::OnDemand`].
    pub fn pools(&self) -> Vec<PoolUse> {
        let Pool::Slots(slots) = self.pool() else { return Vec::new() };
        let engines = [Some(&self.plain().engine), self.concurrent_if_made().map(|concurrent| &concurrent.engine)];
        let pools = engines.into_iter().flatten().filter_map(Engine::pooling_allocator_metrics);
        pools.map(|pool| of_engine(&pool, slots.into())).fold(Vec::new(), add)
    }
}

fn of_engine(pool: &PoolingAllocatorMetrics, slots: u64) -> Vec<PoolUse> {
    let bytes = |bytes: usize| Some(bytes as u64);
    let each =
        |name, used, per_slot: u32, resident| PoolUse { name, used, slots: slots * u64::from(per_slot), resident };
    vec![
        each("component_instances", pool.component_instances(), 1, None),
        each("core_instances", pool.core_instances(), CORE_INSTANCES, None),
        each("memories", pool.memories() as u64, MEMORIES, bytes(pool.unused_memory_bytes_resident())),
        each("stacks", pool.stacks() as u64, 1, pool.unused_stack_bytes_resident().and_then(bytes)),
        each("tables", pool.tables() as u64, TABLES_MAX, bytes(pool.unused_table_bytes_resident())),
    ]
}

fn add(sums: Vec<PoolUse>, more: Vec<PoolUse>) -> Vec<PoolUse> {
    if sums.is_empty() {
        return more;
    }
    let sum = |(sum, more): (PoolUse, PoolUse)| PoolUse {
        used: sum.used + more.used,
        slots: sum.slots + more.slots,
        resident: sum.resident.map(|bytes| bytes + more.resident.unwrap_or_default()).or(more.resident),
        ..sum
    };
    sums.into_iter().zip(more).map(sum).collect()
}
