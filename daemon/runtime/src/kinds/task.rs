//! WASI 0.3 command components.

use std::future::poll_fn;

use wasmtime::Store;
use wasmtime_wasi::p3::bindings::CommandPre;

use super::component::ending;
use crate::call::Call;
use crate::capture::Recorder;
use crate::ending::Ending;
use crate::sandbox::Sandbox;
use crate::state::ComponentState;

/// A component that exports `wasi:cli/run` of WASI 0.3: a task that may start others.
pub struct Task(pub CommandPre<ComponentState>);

impl Task {
    pub async fn call(&self, sandbox: &Sandbox, call: Call<'_>) -> Result<Ending, Ending> {
        let recorder = call.recorder;
        let mut store = sandbox.component_store(self.0.engine(), call)?;
        let ran = self.enter(&mut store, recorder).await;
        ending(ran, &store)
    }

    async fn enter(&self, store: &mut Store<ComponentState>, recorder: &Recorder) -> wasmtime::Result<Result<(), ()>> {
        let command = self.0.instantiate_async(&mut *store).await?;
        recorder.begin();
        store
            .run_concurrent(async |accessor| {
                let returned = command.wasi_cli_run().call_run(accessor).await?;
                // What it started may still write when `run` has returned.
                poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
                Ok(returned)
            })
            .await?
    }
}
