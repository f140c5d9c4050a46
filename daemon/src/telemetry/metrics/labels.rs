//! The values of the label `function`: bounded, and the same for all versions of a function.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nebula_metering::FunctionId;
use parking_lot::Mutex;

/// The label of functions beyond the cap.
pub const OTHER: &str = "other";

/// The label of each function. A bounded number of functions have a label of their own.
pub struct Labels {
    max: usize,
    given: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    names: BTreeSet<Arc<str>>,
    by_id: BTreeMap<FunctionId, Arc<str>>,
}

impl Labels {
    pub fn new(max: usize) -> Self {
        Self { max, given: Mutex::default() }
    }

    pub fn of(&self, function: FunctionId) -> Arc<str> {
        let given = self.given.lock();
        given.by_id.get(&function).cloned().unwrap_or_else(|| OTHER.into())
    }

    /// The label of the function of this name. If labels are left, it gets its own.
    pub fn of_name(&self, name: &str) -> Arc<str> {
        let mut given = self.given.lock();
        match given.names.get(name) {
            Some(label) => label.clone(),
            None if name != OTHER && given.names.len() < self.max => {
                let label: Arc<str> = name.into();
                given.names.insert(label.clone());
                label
            }
            None => OTHER.into(),
        }
    }

    /// Gives this account the label of its function, or [`OTHER`] if there are none left.
    pub fn assign(&self, function: FunctionId, name: &str) -> Arc<str> {
        let label = self.of_name(name);
        self.given.lock().by_id.insert(function, label.clone());
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_beyond_the_cap_share_a_label() {
        let labels = Labels::new(2);
        for (id, name) in (0..).map(FunctionId).zip(["a", "b", "c", "d"]) {
            labels.assign(id, name);
        }
        labels.assign(FunctionId(4), "b");
        let given = [0, 1, 2, 3, 4].map(|id| labels.of(FunctionId(id)));
        assert_eq!(given.each_ref().map(AsRef::as_ref), ["a", "b", OTHER, OTHER, "b"]);
    }
}
