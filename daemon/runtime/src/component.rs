//! Calls of WASI 0.2 command components.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime_wasi::p2::bindings::CommandPre;

use super::call::{Invocation, ending};
use super::capture::Recorder;
use super::completion::Ending;
use super::host::Host;
use super::outbound::Background;
use super::program::Program;

/// What a command that fails without a code of its own exits with, as it would in a shell.
const FAILURE: i32 = 1;

impl Program {
    pub(super) async fn run_component(
        &self,
        component: &CommandPre<Host>,
        invocation: Invocation,
        recorder: &Arc<Recorder>,
        background: Background,
    ) -> Ending {
        let mut store = match self.host(&self.runtime.plain().engine, invocation, recorder, background) {
            Ok(store) => store,
            Err(error) => return Ending::Trapped(format!("{error:#}")),
        };
        match enter(&mut store, component, recorder).await {
            Ok(Ok(())) => Ending::Returned,
            Ok(Err(())) => Ending::Exited(FAILURE),
            Err(error) => ending(&error, &store.data().limiter),
        }
    }
}

async fn enter(
    store: &mut Store<Host>,
    component: &CommandPre<Host>,
    recorder: &Recorder,
) -> wasmtime::Result<Result<(), ()>> {
    let command = component.instantiate_async(&mut *store).await?;
    recorder.begin();
    command.wasi_cli_run().call_run(&mut *store).await
}
