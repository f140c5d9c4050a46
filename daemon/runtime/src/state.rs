//! The state of one instance: what it sees of the host, and what it may allocate.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, StoreContextMut};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::files::FilesOfCall;
use super::held::{held, held_concurrently};
use super::limiter::{Growth, Limiter};
use super::outbound::Outbound;
use super::sockets::Gate;

/// Resources, such as streams and header lists, that a component may hold at once. wasmtime sets no bound.
pub const RESOURCES_MAX: usize = 10_000;

/// The state of an instance that is held to its limits while it runs.
pub trait Bounded: Sized + Send {
    /// Ends the guest if the host holds too much for it.
    ///
    /// # Errors
    /// If it does.
    fn hold_to_limits(store: StoreContextMut<'_, Self>) -> wasmtime::Result<()>;
}

pub struct ModuleState {
    pub wasi: WasiP1Ctx,
    pub limiter: Limiter,
    /// What it has open; `None` if it can open nothing.
    pub files: Option<FilesOfCall>,
}

impl Bounded for ModuleState {
    /// A module holds no resources but files, which are counted when they are opened.
    fn hold_to_limits(_: StoreContextMut<'_, Self>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl ResourceLimiter for ModuleState {
    fn memory_growing(&mut self, current: usize, desired: usize, max: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.limiter.grow_memory(Growth { current, desired, declared_max: max }, 0))
    }

    fn table_growing(&mut self, current: usize, desired: usize, max: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.limiter.grow_table(Growth { current, desired, declared_max: max }, 0))
    }
}

pub struct ComponentState {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    /// What the current call may send.
    pub outbound: Outbound,
    pub limiter: Limiter,
    /// What it has open; `None` if it can open nothing.
    pub files: Option<FilesOfCall>,
    /// Decides about its sockets; `None` if it can have none.
    pub gate: Option<Arc<Gate>>,
}

impl ComponentState {
    pub fn new(wasi: WasiCtx, outbound: Outbound, limiter: Limiter, files: Option<FilesOfCall>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self { wasi, table, http: WasiHttpCtx::new(), outbound, limiter, files, gate: None }
    }

    /// Whether the guest has a resource of this type.
    pub fn holds<T: 'static>(&mut self) -> bool {
        self.table.iter_mut().any(|entry| entry.is::<T>())
    }

    fn held(&mut self) -> usize {
        held(&mut self.table, self.limiter.left_to_hold())
    }
}

impl Bounded for ComponentState {
    fn hold_to_limits(mut store: StoreContextMut<'_, Self>) -> wasmtime::Result<()> {
        let concurrently = store.concurrent_resource_table().map_or(0, held_concurrently);
        let state = store.data_mut();
        let held = state.held().saturating_add(concurrently);
        Ok(state.limiter.hold(held)?)
    }
}

impl ResourceLimiter for ComponentState {
    fn memory_growing(&mut self, current: usize, desired: usize, max: Option<usize>) -> wasmtime::Result<bool> {
        let held = self.held();
        Ok(self.limiter.grow_memory(Growth { current, desired, declared_max: max }, held))
    }

    fn table_growing(&mut self, current: usize, desired: usize, max: Option<usize>) -> wasmtime::Result<bool> {
        let held = self.held();
        Ok(self.limiter.grow_table(Growth { current, desired, declared_max: max }, held))
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
