//! WASI 0.2 components that answer HTTP requests.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::bindings::{Proxy as Bindings, ProxyPre};
use wasmtime_wasi_http::p2::body::HostOutgoingBody;

use crate::call::Call;
use crate::capture::Recorder;
use crate::ending::Ending;
use crate::exchange::{Exchange, Unfinished, send_answer};
use crate::reuse::{Held, Instances};
use crate::sandbox::{Sandbox, ending_of};
use crate::state::ComponentState;

/// A component that exports `wasi:http/incoming-handler`.
pub struct Proxy {
    pub component: ProxyPre<ComponentState>,
    pub instances: Instances<ProxyInstance>,
}

pub struct ProxyInstance {
    store: Store<ComponentState>,
    bindings: Bindings,
}

impl Proxy {
    pub async fn call(&self, sandbox: &Sandbox, mut call: Call<'_>) -> Result<Ending, Ending> {
        let exchange = call.take_exchange()?;
        let (recorder, limits) = (call.recorder, &sandbox.grants.limits);
        let mut held = match self.instances.take(recorder, limits) {
            Ok(mut held) => {
                sandbox.renew(&mut held.instance.store, &call);
                held
            }
            Err(recorder) => {
                let call = Call { recorder: &recorder, ..call };
                Held::new(self.instantiate(sandbox, call).await?, recorder)
            }
        };
        recorder.begin();
        let unfinished = Unfinished::new(recorder);
        let entered = held.instance.enter(exchange, recorder, limits.stdout).await;
        let state = held.instance.store.data_mut();
        let (ending, finished) = match entered {
            Ok(()) => (recorder.answered(), true),
            // A body that the guest has finished is no resource of it any more.
            Err(error) => (ending_of(&error, &state.limiter), !state.holds::<HostOutgoingBody>()),
        };
        if finished {
            unfinished.finished();
        } else {
            // Whoever reads the answer on another thread must not see its end before.
            drop(unfinished);
        }
        self.instances.give_back(held, recorder, matches!(ending, Ending::Answered(_)));
        Ok(ending)
    }

    async fn instantiate(&self, sandbox: &Sandbox, call: Call<'_>) -> Result<ProxyInstance, Ending> {
        let mut store = sandbox.component_store(&sandbox.runtime.plain().engine, call)?;
        match self.component.instantiate_async(&mut store).await {
            Ok(bindings) => Ok(ProxyInstance { store, bindings }),
            Err(error) => Err(ending_of(&error, &store.data().limiter)),
        }
    }
}

impl ProxyInstance {
    async fn enter(
        &mut self,
        Exchange { request, answer }: Exchange,
        recorder: &Arc<Recorder>,
        body_max: usize,
    ) -> wasmtime::Result<()> {
        let Self { store, bindings } = self;
        let scheme = if request.uri().scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
        let request = store.data_mut().http().new_incoming_request(scheme, request)?;
        let recorder = recorder.clone();
        let respond = move |given: Result<_, _>| {
            send_answer(answer, &recorder, body_max, given.map_err(|code| format!("{code:?}")));
        };
        let answer = store.data_mut().http().new_response_outparam_from_callback(respond)?;
        bindings.wasi_http_incoming_handler().call_handle(&mut *store, request, answer).await
    }
}
