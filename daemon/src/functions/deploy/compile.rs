//! Compiles beside the calls that run, within bounds.

use tokio::sync::oneshot;

use super::{DeployError, Deployer};
use crate::functions::broken::Broken;
use crate::functions::prepare::Compiled;
use crate::functions::source::Source;
use crate::thread_priority::lower_priority;

impl Deployer {
    /// Compiles on a thread of lower priority than those that run calls. It waits for the compiler, which is killed if it takes
    /// too long, and keeps its permit until that is done.
    pub(super) async fn compile(&self, source: Source) -> Result<Compiled, DeployError> {
        let permit = self.compilers.enter().await?;
        let (done, compiled) = oneshot::channel();
        let preparation = self.preparation.clone();
        let work = move || {
            lower_priority();
            let compiled = preparation.compile(source, true);
            drop(permit);
            // Nobody may be waiting any more.
            let _ = done.send(compiled);
        };
        let failed = |_| Broken::CompilerFailed;
        std::thread::Builder::new().name("compiler".into()).spawn(work).map_err(failed)?;
        let time_max = self.preparation.settings.deploy.time;
        match tokio::time::timeout(time_max, compiled).await {
            Ok(Ok(compiled)) => Ok(compiled?),
            Ok(Err(_)) => Err(Broken::CompilerFailed.into()),
            Err(_) => Err(Broken::TooSlow(time_max).into()),
        }
    }
}
