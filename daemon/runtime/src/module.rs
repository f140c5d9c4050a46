//! Calls of core modules: WASI preview 1 commands, and functions of numbers.

use std::sync::Arc;

use wasmtime::{Func, InstancePre, Store};

use super::call::{Input, Invocation, ending};
use super::capture::Recorder;
use super::completion::Ending;
use super::guest::Guest;
use super::numeric::{self, Signature};
use super::program::Program;
use super::warm::{Waiting, Warm};

/// A module that is called as a function of numbers.
pub(super) struct Numeric {
    pub module: InstancePre<Guest>,
    pub entry: String,
    pub signature: Signature,
    pub waiting: Option<Waiting<Instance>>,
}

/// An instance of such a module.
pub(super) struct Instance {
    store: Store<Guest>,
    run: Func,
}

impl Program {
    pub(super) async fn run_command(
        &self,
        command: &InstancePre<Guest>,
        start: &str,
        invocation: Invocation,
        recorder: &Arc<Recorder>,
    ) -> Ending {
        let mut store = match self.module_store(invocation, recorder) {
            Ok(store) => store,
            Err(error) => return Ending::Trapped(format!("{error:#}")),
        };
        let result = enter_command(&mut store, command, start, recorder).await;
        result.map_or_else(|error| ending(&error, &store.data().limiter), |()| Ending::Returned)
    }

    pub(super) async fn run_numeric(
        &self,
        numeric: &Numeric,
        invocation: Invocation,
        recorder: &Arc<Recorder>,
    ) -> Ending {
        let parameters = match &invocation.input {
            Input::Captured(input) => numeric.signature.parse(input),
            _ => numeric.signature.parse(invocation.arguments.get(1..).unwrap_or_default().join(",").as_bytes()),
        };
        let parameters = match parameters {
            Ok(parameters) => parameters,
            Err(why) => return Ending::BadInput(why),
        };
        let mut warm = match numeric.waiting.as_ref().and_then(Waiting::take) {
            Some(mut warm) => {
                self.prepare(&mut warm.instance.store);
                warm
            }
            None => {
                let of_instance =
                    if numeric.waiting.is_some() { Recorder::new(&self.grants.limits) } else { recorder.clone() };
                match self.instantiate_numeric(numeric, invocation, &of_instance).await {
                    Ok(instance) => Warm::new(instance, of_instance),
                    Err(ending) => return ending,
                }
            }
        };
        recorder.begin();
        let Instance { store, run } = &mut warm.instance;
        let mut results = numeric.signature.results();
        let result = run.call_async(&mut *store, &parameters, &mut results).await;
        let shown = result.and_then(|()| Ok(recorder.push_output(numeric::show(&results).as_bytes())?));
        let ending = shown.map_or_else(|error| ending(&error, &store.data().limiter), |()| Ending::Returned);
        if let Some(waiting) = &numeric.waiting {
            recorder.take_log_of(&warm.recorder);
            if ending == Ending::Returned {
                waiting.give_back(warm);
            }
        }
        ending
    }

    async fn instantiate_numeric(
        &self,
        numeric: &Numeric,
        invocation: Invocation,
        recorder: &Arc<Recorder>,
    ) -> Result<Instance, Ending> {
        let store = self.module_store(invocation, recorder);
        let mut store = store.map_err(|error| Ending::Trapped(format!("{error:#}")))?;
        match numeric.module.instantiate_async(&mut store).await {
            Ok(instance) => match instance.get_func(&mut store, &numeric.entry) {
                Some(run) => Ok(Instance { store, run }),
                None => Err(Ending::Trapped(format!("the export `{}` has gone", numeric.entry))),
            },
            Err(error) => Err(ending(&error, &store.data().limiter)),
        }
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
    start: &str,
    recorder: &Recorder,
) -> wasmtime::Result<()> {
    let instance = command.instantiate_async(&mut *store).await?;
    recorder.begin();
    let start = instance.get_typed_func::<(), ()>(&mut *store, start)?;
    start.call_async(&mut *store, ()).await
}
