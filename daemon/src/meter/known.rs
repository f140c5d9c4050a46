//! What is known of a zone, with its history: it may come from an earlier process.

use std::time::SystemTime;

use nebula_metering::source::CounterSpec;
use nebula_metering::{FunctionId, Knowledge, Meter};

/// What was learned about one zone.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneKnowledge {
    /// The numbers of its functions are this process's.
    pub knowledge: Knowledge,
    /// The names of its functions, which outlive the process.
    pub functions: Vec<String>,
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

    /// With the numbers that functions have now.
    pub fn numbered(&self, number: impl Fn(&str) -> Option<FunctionId>) -> Knowledge {
        let functions = self.functions.iter().map(|name| number(name)).collect();
        Knowledge { functions, ..self.knowledge.clone() }
    }

    /// Everything that is known now: what `meter`, which runs since `start`, has learned and, of sources that it has not
    /// read, what was recalled. `name` names functions.
    pub fn all<E>(
        meter: &Meter<E>,
        recalled: &[Self],
        start: SystemTime,
        name: impl Fn(FunctionId) -> Option<String>,
    ) -> Vec<Self> {
        let specs = meter.source().counters();
        let learned = meter.knowledge().into_iter().filter_map(|knowledge| {
            let spec = specs.iter().find(|spec| is_of(&knowledge, spec))?;
            // A zone keeps its scale, unless what was recalled is refuted and learned anew.
            let is_kept =
                |known: &&Self| known.is_of(spec) && known.knowledge.scale.to_bits() == knowledge.scale.to_bits();
            let kept = recalled.iter().find(is_kept);
            let functions = knowledge.functions.iter().map(|function| function.and_then(&name).unwrap_or_default());
            Some(Self {
                functions: functions.collect(),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nebula_metering::source::{ReadError, Source, SourceKind};
    use nebula_metering::work::Moment;
    use nebula_metering::work::topology::Topology;
    use nebula_metering::{Domain, Microjoules, PostBox, Watts, Zone};

    use super::*;

    const WINDOW: Duration = Duration::from_millis(100);

    /// Draws the same power all the time.
    struct Steady {
        spec: [CounterSpec; 1],
        energy: u64,
    }

    impl Steady {
        fn new(kind: SourceKind) -> Self {
            let spec = CounterSpec {
                source: kind,
                zone: Zone::new(Domain::Package, "0"),
                range: None,
                watts_max: Watts(600.0),
                quantum: Microjoules(61),
                relative_error: 0.0,
                base: None,
                stated: None,
            };
            Self { spec: [spec], energy: 0 }
        }
    }

    impl Source for Steady {
        fn kind(&self) -> SourceKind {
            self.spec[0].source
        }

        fn counters(&self) -> &[CounterSpec] {
            &self.spec
        }

        fn read(&mut self, _: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
            self.energy += 2_000_000;
            readings.clear();
            readings.push(Ok(Microjoules(self.energy)));
        }

        fn describe(&self) -> String {
            "steady".into()
        }
    }

    /// A meter of a machine with one busy processor, after so many windows.
    fn meter(recalled: &[ZoneKnowledge], windows: u32) -> Meter<()> {
        let mut meter = Meter::new(Box::new(Steady::new(SourceKind::Powercap)), Topology::one_package(4), 16);
        meter.recall(recalled.iter().map(|known| known.knowledge.clone()).collect());
        let posts = PostBox::new(1, 16);
        for window in 0..=windows {
            let time = WINDOW * window;
            let mut moment = Moment { monotonic: time, boottime: time, busy: time, ..Moment::default() };
            moment.packages[0] = time;
            meter.close_window(&moment, &posts, &mut Vec::new());
        }
        meter
    }

    #[test]
    fn knowledge_keeps_its_age_until_it_is_refuted_and_other_sources_keep_theirs() {
        let second = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let learned = ZoneKnowledge::all(&meter(&[], 20), &[], second(1), |_| None);
        assert_eq!((learned.len(), learned[0].since, learned[0].calibrated), (1, second(1), None));

        let own = ZoneKnowledge { calibrated: Some(second(1)), ..learned[0].clone() };
        let mut other = own.clone();
        other.knowledge.source = SourceKind::Hwmon.as_str().into();
        let recalled = [own.clone(), other.clone()];
        let known = ZoneKnowledge::all(&meter(&recalled, 20), &recalled, second(2), |_| None);
        assert_eq!(known.len(), 2);
        assert_eq!((known[0].since, known[0].calibrated), (second(1), Some(second(1))));
        assert_eq!(known[1], other, "its source is not read");

        let mut wrong = own;
        wrong.knowledge.scale *= 30.0;
        wrong.knowledge.mean.iter_mut().for_each(|mean| *mean *= 30.0);
        let recalled = [wrong];
        let known = ZoneKnowledge::all(&meter(&recalled, 200), &recalled, second(3), |_| None);
        assert_eq!((known[0].since, known[0].calibrated), (second(3), None), "{known:?}");
    }
}
