//! The metrics of the runtime: memory pools and the cache of compiled code.

use std::sync::Arc;

use nebula_runtime::{CodeCache, PoolUse, Runtime};

use crate::telemetry::{Metric, Metrics};

const POOLS: &[Metric<Vec<PoolUse>>] = &[
    Metric::gauge(
        "nebula_pool_slots",
        "Slots set aside for calls, by what they hold. Absent if instances are allocated on demand.",
        &["pool"],
        |pools, samples| pools.iter().for_each(|pool| samples.add(&[pool.name], pool.slots as f64)),
    ),
    Metric::gauge(
        "nebula_pool_slots_used",
        "Slots now in use by calls or warm instances.",
        &["pool"],
        |pools, samples| pools.iter().for_each(|pool| samples.add(&[pool.name], pool.used as f64)),
    ),
    Metric::gauge(
        "nebula_pool_resident_bytes",
        "Memory in bytes that unused slots keep for the next call.",
        &["pool"],
        |pools, samples| {
            let resident = pools.iter().filter_map(|pool| Some((pool.name, pool.resident?)));
            resident.for_each(|(name, bytes)| samples.add(&[name], bytes as f64));
        },
    ),
];

const CACHE: &[Metric<Arc<CodeCache>>] = &[
    Metric::counter(
        "nebula_code_cache_requests_total",
        "Lookups of compiled code. hit: found in the cache. miss: compiled.",
        &["result"],
        |cache, samples| {
            let (hits, misses) = cache.requests();
            samples.add(&["hit"], hits as f64);
            samples.add(&["miss"], misses as f64);
        },
    ),
    Metric::gauge("nebula_code_cache_bytes", "Size in bytes of the code cache.", &[], |cache, samples| {
        cache.bytes().iter().for_each(|bytes| samples.set(*bytes as f64));
    }),
    Metric::gauge(
        "nebula_code_cache_max_bytes",
        "Limit of the code cache in bytes (cache.size). Above it, the least recently used code is removed.",
        &[],
        |cache, samples| cache.bytes_max().iter().for_each(|bytes| samples.set(*bytes as f64)),
    ),
];

/// Shows the pools, and the cache if there is one.
pub fn register_runtime(metrics: &Metrics, runtime: &Runtime) -> prometheus::Result<()> {
    let pools = runtime.clone();
    metrics.register_table(POOLS, move || pools.pools())?;
    let Some(cache) = runtime.cache().cloned() else { return Ok(()) };
    metrics.register_table(CACHE, move || cache.clone())
}
