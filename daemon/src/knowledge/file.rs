//! The file: JSON, so that people can read what is known of their machine.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use humantime::format_rfc3339_seconds;
use nebula_api::Timestamp;
use nebula_metering::Knowledge;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::machine::Machine;
use crate::meter::{ZoneKnowledge, ZoneLimits};
use crate::regular_file;
use crate::state::write_whole;

/// Version of the form of the file.
const VERSION: u32 = 1;

/// A machine has a few zones of two kilobytes each.
const SIZE_MAX: u64 = 1 << 20;

/// The feature of what belongs to one function.
const FUNCTION: &str = "function";

#[derive(Debug, Error)]
pub enum KnowledgeError {
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{}` is damaged", path.display())]
    Parse { path: PathBuf, source: serde_json::Error },
    #[error("`{}` is damaged: it has {size} bytes", path.display())]
    TooLarge { path: PathBuf, size: u64 },
    #[error("`{}` has version {version}, but this program reads version {VERSION}", path.display())]
    Version { path: PathBuf, version: u32 },
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

impl KnowledgeError {
    /// Whether nobody can use the file as it is.
    pub fn is_unusable(&self) -> bool {
        matches!(self, Self::Parse { .. } | Self::TooLarge { .. } | Self::Version { .. })
    }
}

/// What a file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    pub machine: Machine,
    pub zones: Vec<ZoneKnowledge>,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    version: u32,
    machine: Machine,
    zones: Vec<ZoneForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneForm {
    zone: String,
    source: String,
    range_microjoules: Option<u64>,
    watts_max: f64,
    learned_since: Timestamp,
    /// When `nebula calibrate` last learned it.
    calibrated: Option<Timestamp>,
    method: u32,
    hardware_events: bool,
    joules_per_cpu_second: f64,
    coefficients: Vec<CoefficientForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CoefficientForm {
    feature: String,
    /// Whose it is, if it belongs to one function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    mean: f64,
    /// With each coefficient, in their order.
    covariance: Vec<f64>,
}

/// What the file says; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<Contents>, KnowledgeError> {
    let failed = |source| KnowledgeError::Read { path: path.into(), source };
    let size = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(failed)?.len(),
    };
    if size > SIZE_MAX {
        return Err(KnowledgeError::TooLarge { path: path.into(), size });
    }
    let bytes = regular_file::read(path).map_err(failed)?;
    let damaged = |source| KnowledgeError::Parse { path: path.into(), source };
    let Versioned { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if version != VERSION {
        return Err(KnowledgeError::Version { path: path.into(), version });
    }
    let form: Form = serde_json::from_slice(&bytes).map_err(damaged)?;
    Ok(Some(Contents { machine: form.machine, zones: form.zones.into_iter().map(ZoneKnowledge::from).collect() }))
}

/// Replaces the file in one step.
pub fn write(path: &Path, contents: &Contents) -> Result<(), KnowledgeError> {
    let zones = contents.zones.iter().map(ZoneForm::from).collect();
    let form = Form { version: VERSION, machine: contents.machine.clone(), zones };
    let text = serde_json::to_string_pretty(&form).map_err(std::io::Error::from);
    let written = text.and_then(|text| write_whole(path, (text + "\n").as_bytes()));
    written.map_err(|source| KnowledgeError::Write { path: path.into(), source })
}

/// Renames a file that cannot be used, and returns its new name.
pub fn set_aside(path: &Path, now: SystemTime) -> std::io::Result<PathBuf> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".broken-{}", format_rfc3339_seconds(now)));
    std::fs::rename(path, &aside)?;
    Ok(aside.into())
}

impl From<&ZoneKnowledge> for ZoneForm {
    fn from(known: &ZoneKnowledge) -> Self {
        let ZoneKnowledge { knowledge, limits, since, calibrated, .. } = known;
        let rows = knowledge.covariance.chunks(knowledge.mean.len().max(1));
        let shared = knowledge.features.iter().map(|feature| (feature.clone(), None));
        let own = known.functions.iter().map(|name| (FUNCTION.to_owned(), Some(name.clone())));
        let coefficients = shared.chain(own).zip(&knowledge.mean).zip(rows);
        let coefficient = |(((feature, function), &mean), row): (((String, _), _), &[f64])| CoefficientForm {
            feature,
            function,
            mean,
            covariance: row.to_vec(),
        };
        Self {
            zone: knowledge.zone.clone(),
            source: knowledge.source.clone(),
            range_microjoules: limits.range_microjoules,
            watts_max: limits.watts_max,
            learned_since: Timestamp(*since),
            calibrated: calibrated.map(Timestamp),
            method: knowledge.method,
            hardware_events: knowledge.has_events,
            joules_per_cpu_second: knowledge.scale,
            coefficients: coefficients.map(coefficient).collect(),
        }
    }
}

impl From<ZoneForm> for ZoneKnowledge {
    fn from(form: ZoneForm) -> Self {
        let mean = form.coefficients.iter().map(|coefficient| coefficient.mean).collect();
        let covariance = form.coefficients.iter().flat_map(|coefficient| coefficient.covariance.clone()).collect();
        let (mut features, mut functions) = (Vec::new(), Vec::new());
        for coefficient in form.coefficients {
            match coefficient.function {
                Some(name) => functions.push(name),
                None => features.push(coefficient.feature),
            }
        }
        Self {
            limits: ZoneLimits { range_microjoules: form.range_microjoules, watts_max: form.watts_max },
            since: form.learned_since.0,
            calibrated: form.calibrated.map(|time| time.0),
            knowledge: Knowledge {
                zone: form.zone,
                source: form.source,
                method: form.method,
                has_events: form.hardware_events,
                scale: form.joules_per_cpu_second,
                functions: vec![None; functions.len()],
                mean,
                covariance,
                features,
            },
            functions,
        }
    }
}
