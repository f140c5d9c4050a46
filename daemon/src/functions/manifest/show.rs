//! How a manifest is shown to those who ask about a function.

use std::collections::BTreeMap;

use nebula_metering::Joules;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::Limits;
use crate::settings::{shown_duration, shown_size};

/// The names of variables without their values.
pub fn names<S: Serializer>(variables: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(variables.keys())
}

impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let size = |bytes: Option<usize>| bytes.map(|bytes| shown_size(bytes as u64));
        let mut limits = serializer.serialize_struct("Limits", 6)?;
        limits.serialize_field("memory", &size(self.memory))?;
        limits.serialize_field("wall", &self.wall.map(shown_duration))?;
        limits.serialize_field("cpu", &self.cpu.map(shown_duration))?;
        limits.serialize_field("max_joules", &self.max_joules.map(|Joules(joules)| joules))?;
        limits.serialize_field("output", &size(self.output))?;
        limits.serialize_field("concurrency", &self.concurrency)?;
        limits.end()
    }
}
