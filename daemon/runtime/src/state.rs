//! The state of one instance: what it sees of the host, and what it may allocate.

use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::grants::Limits;
use super::outbound::Outbound;

/// Resources, such as streams and header lists, that a component may hold at once. wasmtime sets no bound.
const RESOURCES_MAX: usize = 10_000;

pub struct ModuleState {
    pub wasi: WasiP1Ctx,
    pub limiter: Limiter,
}

pub struct ComponentState {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    /// What the current call may send.
    pub outbound: Outbound,
    pub limiter: Limiter,
}

impl ComponentState {
    pub fn new(wasi: WasiCtx, outbound: Outbound, limiter: Limiter) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self { wasi, table, http: WasiHttpCtx::new(), outbound, limiter }
    }
}

impl WasiView for ComponentState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for ComponentState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Refuses an instance more memory than its limit, and remembers that it did.
#[derive(Clone, Copy, Debug)]
pub struct Limiter {
    pub limits: Limits,
    /// Whether anything was refused. A guest that traps afterwards ran out of memory.
    pub refused: bool,
}

impl Limiter {
    fn allow(&mut self, desired: usize, max: usize) -> bool {
        let allowed = desired <= max;
        self.refused |= !allowed;
        allowed
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.allow(desired, self.limits.memory))
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.allow(desired, self.limits.table_elements))
    }
}
