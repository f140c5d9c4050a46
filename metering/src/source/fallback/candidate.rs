//! One of several sources: how to open it, whether it works, and where its counters are.

use std::error::Error;
use std::fmt::Write;

use crate::source::{CounterSpec, ReadError, Source, SourceKind};
use crate::units::Microjoules;
use crate::work::Moment;

/// Opens a source. Called once for each try.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Source>, Box<dyn Error + Send + Sync>> + Send>;

/// A source that can be read instead of another.
pub struct Candidate {
    kind: SourceKind,
    open: Opener,
    source: Option<Box<dyn Source>>,
    readings: Vec<Result<Microjoules, ReadError>>,
    /// Place of each counter of `source` among those of all sources.
    places: Vec<usize>,
    /// Why it was not used at the last try.
    pub(super) refusal: Option<String>,
    /// Successful tries in a row.
    pub(super) answers: u32,
}

impl Candidate {
    /// A source of this kind, opened by `open`.
    #[must_use]
    pub fn new(kind: SourceKind, open: Opener) -> Self {
        Self { kind, open, source: None, readings: Vec::new(), places: Vec::new(), refusal: None, answers: 0 }
    }

    /// Which source this is.
    #[must_use]
    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    pub(super) fn describe(&self) -> Option<String> {
        self.source.as_ref().map(|source| source.describe())
    }

    /// Reads the source as it is. Returns whether an additive counter gave a reading.
    pub(super) fn read(&mut self, now: &Moment) -> bool {
        self.readings.clear();
        let Some(source) = &mut self.source else { return false };
        source.read(now, &mut self.readings);
        answers(source.as_ref(), &self.readings)
    }

    /// Reads the source, and opens it again if that fails. Keeps the reason if both fail.
    pub(super) fn probe(&mut self, now: &Moment) -> bool {
        if self.read(now) || self.reopen(now) {
            self.refusal = None;
            return true;
        }
        self.answers = 0;
        false
    }

    /// Opens the source again and keeps it if it works.
    fn reopen(&mut self, now: &Moment) -> bool {
        let mut source = match (self.open)() {
            Ok(source) => source,
            Err(error) => {
                self.refusal = Some(chain(error.as_ref()));
                return false;
            }
        };
        let mut readings = Vec::new();
        source.read(now, &mut readings);
        if !answers(source.as_ref(), &readings) {
            self.refusal = Some(format!("it gives no reading: {}", failure(source.as_ref(), &readings)));
            return false;
        }
        (self.source, self.readings) = (Some(source), readings);
        self.places.clear();
        true
    }

    pub(super) fn failure(&self) -> String {
        self.source.as_ref().map_or_else(String::new, |source| failure(source.as_ref(), &self.readings))
    }

    /// Finds a place among all `counters` for those of this source: where its zone was before, or at the end. `owners`
    /// holds the candidate of each counter; this one is `own`.
    pub(super) fn enlist(&mut self, own: usize, counters: &mut Vec<CounterSpec>, owners: &mut Vec<usize>) {
        let specs = self.source.as_ref().map_or(&[][..], |source| source.counters());
        for spec in &specs[self.places.len()..] {
            // A different range is a different counter: wraps could no longer be recognized.
            let same = |place: &usize| {
                let known: &CounterSpec = &counters[*place];
                owners[*place] == own && known.zone == spec.zone && known.range == spec.range
            };
            let place = (0..counters.len()).filter(same).find(|place| !self.places.contains(place));
            self.places.push(place.unwrap_or_else(|| {
                counters.push(spec.clone());
                owners.push(own);
                counters.len() - 1
            }));
        }
    }

    /// Moves the last readings to their places.
    pub(super) fn hand_over(&mut self, all: &mut [Result<Microjoules, ReadError>]) {
        for (&place, reading) in self.places.iter().zip(self.readings.drain(..)) {
            all[place] = reading;
        }
    }
}

fn additive<'a>(
    source: &dyn Source,
    readings: &'a [Result<Microjoules, ReadError>],
) -> impl Iterator<Item = &'a Result<Microjoules, ReadError>> {
    let specs = source.counters().iter().zip(readings);
    specs.filter(|(spec, _)| spec.zone.is_additive()).map(|(_, reading)| reading)
}

fn answers(source: &dyn Source, readings: &[Result<Microjoules, ReadError>]) -> bool {
    additive(source, readings).any(Result::is_ok)
}

fn failure(source: &dyn Source, readings: &[Result<Microjoules, ReadError>]) -> String {
    let error = additive(source, readings).find_map(|reading| reading.as_ref().err());
    error.map_or_else(|| "it has no counter of a package, memory or the machine".into(), |error| chain(error))
}

/// An error with its causes, in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}
