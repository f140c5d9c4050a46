//! What is known of a zone, with its history: it may come from an earlier process.

use std::time::SystemTime;

use nebula_metering::source::CounterSpec;
use nebula_metering::{Knowledge, Meter};

/// What was learned about one zone.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneKnowledge {
    pub knowledge: Knowledge,
    pub limits: ZoneLimits,
    /// Since when it has been learned, by whatever process.
    pub since: SystemTime,
    /// When `nebula calibrate` last learned it.
    pub calibrated: Option<SystemTime>,
}

/// What the firmware says of a zone. If that changes, so may what work costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZoneLimits {
    pub range_microjoules: Option<u64>,
    pub watts_max: f64,
}

impl ZoneLimits {
    pub fn of(spec: &CounterSpec) -> Self {
        Self { range_microjoules: spec.range.map(|range| range.0), watts_max: spec.watts_max.0 }
    }
}

impl ZoneKnowledge {
    /// Whether this is about the zone that a counter measures.
    pub fn is_of(&self, spec: &CounterSpec) -> bool {
        is_of(&self.knowledge, spec)
    }

    /// Everything that is known now: what `meter`, which runs since `start`, has learned and, of sources that it has not
    /// read, what was recalled.
    pub fn all<E>(meter: &Meter<E>, recalled: &[Self], start: SystemTime) -> Vec<Self> {
        let specs = meter.source().counters();
        let learned = meter.knowledge().into_iter().filter_map(|knowledge| {
            let spec = specs.iter().find(|spec| is_of(&knowledge, spec))?;
            // A zone keeps its scale, unless what was recalled is refuted and learned anew.
            let is_kept =
                |known: &&Self| known.is_of(spec) && known.knowledge.scale.to_bits() == knowledge.scale.to_bits();
            let kept = recalled.iter().find(is_kept);
            Some(Self {
                knowledge,
                limits: ZoneLimits::of(spec),
                since: kept.map_or(start, |kept| kept.since),
                calibrated: kept.and_then(|kept| kept.calibrated),
            })
        });
        let unread = recalled.iter().filter(|known| !specs.iter().any(|spec| known.is_of(spec)));
        learned.chain(unread.cloned()).collect()
    }
}

fn is_of(knowledge: &Knowledge, spec: &CounterSpec) -> bool {
    knowledge.zone == spec.zone.to_string() && knowledge.source == spec.source.as_str()
}
