//! What belongs to one instance of a component: what it can see of the host, and the bounds of what it may have.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::guest::Limiter;
use super::outbound::Outbound;

/// Resources that a component may hold at once, such as streams and header lists. wasmtime bounds them not at all.
const RESOURCES_MAX: usize = 10_000;

/// What belongs to one instance of a component.
pub struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    outbound: Outbound,
    pub(super) limiter: Limiter,
}

impl Host {
    /// Sees what `wasi` and `outbound` let it see.
    pub fn new(wasi: WasiCtx, outbound: Outbound, limiter: Limiter) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self { wasi, table, http: WasiHttpCtx::new(), outbound, limiter }
    }

    /// Sends what the next call may send.
    pub fn renew(&mut self, outbound: Outbound) {
        self.outbound = outbound;
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Host {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}
