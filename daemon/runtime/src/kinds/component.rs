//! WASI 0.2 command components.

use wasmtime::Store;
use wasmtime_wasi::p2::bindings::CommandPre;

use crate::call::Call;
use crate::capture::Recorder;
use crate::ending::Ending;
use crate::sandbox::{Sandbox, ending_of};
use crate::state::ComponentState;

/// The exit code of a command that fails without one, as in a shell.
const FAILURE: i32 = 1;

/// How a command has ended that ran to its end or was stopped.
pub fn ending(ran: wasmtime::Result<Result<(), ()>>, store: &Store<ComponentState>) -> Result<Ending, Ending> {
    match ran {
        Ok(Ok(())) => Ok(Ending::Returned),
        Ok(Err(())) => Ok(Ending::Exited(FAILURE)),
        Err(error) => Err(ending_of(&error, &store.data().limiter)),
    }
}

pub struct CommandComponent(pub CommandPre<ComponentState>);

impl CommandComponent {
    pub async fn call(&self, sandbox: &Sandbox, call: Call<'_>) -> Result<Ending, Ending> {
        let recorder = call.recorder;
        let mut store = sandbox.component_store(&sandbox.runtime.plain().engine, call)?;
        let ran = self.enter(&mut store, recorder).await;
        ending(ran, &store)
    }

    async fn enter(&self, store: &mut Store<ComponentState>, recorder: &Recorder) -> wasmtime::Result<Result<(), ()>> {
        let command = self.0.instantiate_async(&mut *store).await?;
        recorder.begin();
        command.wasi_cli_run().call_run(&mut *store).await
    }
}
