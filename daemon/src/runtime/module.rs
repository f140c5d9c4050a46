//! Calls of core modules: WASI preview 1 commands, and functions of numbers.

use std::sync::Arc;

use wasmtime::{InstancePre, Store, Val};

use super::call::{Input, Invocation, ending};
use super::capture::Recorder;
use super::completion::Ending;
use super::guest::Guest;
use super::numeric::{self, Signature};
use super::program::{COMMAND_ENTRY, Program};

impl Program {
    pub(super) async fn run_command(
        &self,
        command: &InstancePre<Guest>,
        invocation: Invocation,
        recorder: &Arc<Recorder>,
    ) -> Ending {
        let mut store = match self.module_store(invocation, recorder) {
            Ok(store) => store,
            Err(error) => return Ending::Trapped(format!("{error:#}")),
        };
        let result = enter_command(&mut store, command, recorder).await;
        result.map_or_else(|error| ending(&error, &store.data().limiter), |()| Ending::Returned)
    }

    pub(super) async fn run_numeric(
        &self,
        module: &InstancePre<Guest>,
        entry: &str,
        signature: &Signature,
        invocation: Invocation,
        recorder: &Arc<Recorder>,
    ) -> Ending {
        let parameters = match &invocation.input {
            Input::Captured(input) => signature.parse(input),
            _ => signature.parse(invocation.arguments.get(1..).unwrap_or_default().join(",").as_bytes()),
        };
        let parameters = match parameters {
            Ok(parameters) => parameters,
            Err(why) => return Ending::BadInput(why),
        };
        let mut store = match self.module_store(invocation, recorder) {
            Ok(store) => store,
            Err(error) => return Ending::Trapped(format!("{error:#}")),
        };
        let mut results = signature.results();
        let result = enter_numeric(&mut store, module, entry, &parameters, &mut results, recorder).await;
        result.map_or_else(|error| ending(&error, &store.data().limiter), |()| Ending::Returned)
    }

    fn module_store(&self, invocation: Invocation, recorder: &Arc<Recorder>) -> wasmtime::Result<Store<Guest>> {
        let guest = Guest { wasi: self.wasi(invocation, recorder)?.build_p1(), limiter: self.limiter() };
        let mut store = Store::new(&self.runtime.plain().engine, guest);
        store.limiter(|guest| &mut guest.limiter);
        self.prepare(&mut store);
        Ok(store)
    }
}

async fn enter_command(
    store: &mut Store<Guest>,
    command: &InstancePre<Guest>,
    recorder: &Recorder,
) -> wasmtime::Result<()> {
    let instance = command.instantiate_async(&mut *store).await?;
    recorder.begin();
    let start = instance.get_typed_func::<(), ()>(&mut *store, COMMAND_ENTRY)?;
    start.call_async(&mut *store, ()).await
}

async fn enter_numeric(
    store: &mut Store<Guest>,
    module: &InstancePre<Guest>,
    entry: &str,
    parameters: &[Val],
    results: &mut [Val],
    recorder: &Recorder,
) -> wasmtime::Result<()> {
    let instance = module.instantiate_async(&mut *store).await?;
    recorder.begin();
    let Some(run) = instance.get_func(&mut *store, entry) else {
        wasmtime::bail!("the export `{entry}` has gone");
    };
    run.call_async(&mut *store, parameters, results).await?;
    recorder.push_output(numeric::show(results).as_bytes())?;
    Ok(())
}
