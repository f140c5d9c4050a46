//! Core modules that export a function of numbers.

use wasmtime::{Func, InstancePre, Store};

use super::signature::{Signature, show};
use crate::call::{Call, Input, Invocation, NO_HTTP};
use crate::ending::Ending;
use crate::reuse::{Held, Instances};
use crate::sandbox::{Sandbox, ending_of};
use crate::state::ModuleState;

pub struct Numeric {
    pub module: InstancePre<ModuleState>,
    pub entry: String,
    pub signature: Signature,
    pub instances: Instances<NumericInstance>,
}

pub struct NumericInstance {
    store: Store<ModuleState>,
    function: Func,
}

impl Numeric {
    pub async fn call(&self, sandbox: &Sandbox, call: Call<'_>) -> Result<Ending, Ending> {
        let parameters = self.parameters(&call.invocation)?;
        let recorder = call.recorder;
        let mut held = match self.instances.take(recorder, &sandbox.grants.limits) {
            Ok(mut held) => {
                sandbox.arm(&mut held.instance.store);
                held
            }
            Err(recorder) => {
                let call = Call { recorder: &recorder, ..call };
                Held::new(self.instantiate(sandbox, call).await?, recorder)
            }
        };
        recorder.begin();
        let NumericInstance { store, function } = &mut held.instance;
        let mut results = self.signature.results();
        let returned = function.call_async(&mut *store, &parameters, &mut results).await;
        let written = returned.and_then(|()| Ok(recorder.push_output(show(&results).as_bytes())?));
        let ending = written.map_or_else(|error| ending_of(&error, &store.data().limiter), |()| Ending::Returned);
        self.instances.give_back(held, recorder, ending == Ending::Returned);
        Ok(ending)
    }

    /// From the input, or on a command line from the arguments.
    fn parameters(&self, invocation: &Invocation) -> Result<Vec<wasmtime::Val>, Ending> {
        let parsed = match &invocation.input {
            Input::Captured(input) => self.signature.parse(input),
            Input::Inherited => {
                self.signature.parse(invocation.arguments.get(1..).unwrap_or_default().join(",").as_bytes())
            }
            Input::Http(_) => Err(NO_HTTP.into()),
        };
        parsed.map_err(Ending::BadInput)
    }

    async fn instantiate(&self, sandbox: &Sandbox, call: Call<'_>) -> Result<NumericInstance, Ending> {
        let mut store = sandbox.module_store(call)?;
        let instantiated = self.module.instantiate_async(&mut store).await;
        let instance = instantiated.map_err(|error| ending_of(&error, &store.data().limiter))?;
        let function = instance.get_func(&mut store, &self.entry);
        let function = function.ok_or_else(|| Ending::Trapped(format!("no function `{}`", self.entry)))?;
        Ok(NumericInstance { store, function })
    }
}
