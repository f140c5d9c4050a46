//! Where a deployed version comes from: an upload, completed by what is served, or an earlier version.

use std::path::Path;

use super::{DeployError, Deployer, Upload};
use crate::functions::commit::finish;
use crate::functions::directory::{built_in, manifest_path, module_path};
use crate::functions::history::Past;
use crate::functions::name::FunctionName;
use crate::functions::source::{Origin, Source};

impl Deployer {
    /// Takes from the served version what the upload leaves out.
    pub(super) async fn complete(
        &self,
        name: &FunctionName,
        upload: Upload,
        directory: &Path,
    ) -> Result<Source, DeployError> {
        let files = self.files.lock().await;
        finish(directory, name).map_err(|source| DeployError::Write { directory: directory.into(), source })?;
        let present = files.get(name).map(|files| files.read(name, self.preparation.settings.module_max));
        let present = || match present {
            Some(present) => Ok(present?),
            None => built_in(name).ok_or_else(|| DeployError::Unknown(name.clone())),
        };
        let manifest = |text: String| (manifest_path(directory, name), text);
        match upload {
            Upload { module: Some(module), manifest: text } => {
                // A file that cannot be read has no manifest to keep.
                let kept = || present().ok().filter(|present| present.origin != Origin::BuiltIn)?.manifest;
                let manifest = text.map_or_else(kept, |text| Some(manifest(text)));
                let origin = Origin::File(module_path(directory, name, &module));
                Ok(Source { name: name.clone(), origin, module: module.into(), manifest, example: "" })
            }
            Upload { module: None, manifest: text } => {
                let present = present()?;
                Ok(Source { manifest: text.map(manifest).or_else(|| present.manifest.clone()), ..present })
            }
        }
    }

    pub(super) fn restore(&self, name: &FunctionName, past: &Past) -> Result<Source, DeployError> {
        let history = self.history.as_ref().ok_or(DeployError::Nowhere)?;
        let directory = self.directory.as_deref().ok_or(DeployError::Nowhere)?;
        let (module, manifest) = history.read(name, past)?;
        Ok(Source {
            name: name.clone(),
            origin: Origin::File(module_path(directory, name, &module)),
            module: module.into(),
            manifest: manifest.map(|text| (manifest_path(directory, name), text)),
            example: "",
        })
    }
}
