//! The metrics of what runs calls: pools of memory, and compiled code that was kept.

use crate::telemetry::{Family, Metrics, ReadWhenAsked};
use nebula_runtime::{PoolUse, Runtime};

const SLOTS: Family = Family {
    name: "nebula_pool_slots",
    help: "Slots for calls that were set up in advance, by what they hold. Absent where instances are made on demand.",
    labels: &["pool"],
};
const SLOTS_USED: Family = Family {
    name: "nebula_pool_slots_used",
    help: "Slots that calls, or warm instances, have now.",
    labels: &["pool"],
};
const RESIDENT: Family = Family {
    name: "nebula_pool_resident_bytes",
    help: "Memory in bytes of slots that no call has, kept for the next one.",
    labels: &["pool"],
};
const LOOKUPS: Family = Family {
    name: "nebula_code_cache_requests_total",
    help: "Times that compiled code was looked for: hit (an earlier compilation was kept) or miss (compiled anew).",
    labels: &["result"],
};
const BYTES: Family =
    Family { name: "nebula_code_cache_bytes", help: "Size in bytes of the compiled code that is kept.", labels: &[] };
const BYTES_MAX: Family = Family {
    name: "nebula_code_cache_max_bytes",
    help: "Most compiled code that is kept, in bytes (cache.size); beyond it what was not used for the longest time goes.",
    labels: &[],
};

/// Shows the pools, and the cache if there is one.
pub fn register_runtime(metrics: &Metrics, runtime: &Runtime) -> prometheus::Result<()> {
    let pools = |value: fn(PoolUse) -> Option<u64>| {
        let runtime = runtime.clone();
        move || {
            let pools = runtime.pools().into_iter();
            pools.filter_map(|pool| Some((pool.name.to_owned(), value(pool)? as f64))).collect::<Vec<_>>()
        }
    };
    metrics.register(ReadWhenAsked::gauge(SLOTS, pools(|pool| Some(pool.slots)))?)?;
    metrics.register(ReadWhenAsked::gauge(SLOTS_USED, pools(|pool| Some(pool.used)))?)?;
    metrics.register(ReadWhenAsked::gauge(RESIDENT, pools(|pool| pool.resident))?)?;
    let Some(cache) = runtime.cache() else { return Ok(()) };
    let one = |value: Option<u64>| value.map(|value| (String::new(), value as f64)).into_iter().collect::<Vec<_>>();
    let (lookups, bytes, max) = (cache.clone(), cache.clone(), cache.bytes_max());
    metrics.register(ReadWhenAsked::counter(LOOKUPS, move || {
        let (hits, misses) = lookups.requests();
        vec![("hit".to_owned(), hits as f64), ("miss".to_owned(), misses as f64)]
    })?)?;
    metrics.register(ReadWhenAsked::gauge(BYTES, move || one(bytes.bytes()))?)?;
    metrics.register(ReadWhenAsked::gauge(BYTES_MAX, move || one(max))?)
}
