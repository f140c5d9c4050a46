//! What every room needs to declare its options and to check their values. Knows no room.
//!
//! A room declares its options with [`options!`] in its `settings.rs`: a new option is one entry there.

mod checker;
mod layers;
mod moment;
mod nearest;
mod options;
mod quantity;

pub use checker::{Checker, Mistakes, UP_TO_A_DAY, duration_in, file_path, number_in, one_of, size_in};
pub use layers::{Layers, read_file, unknown_keys};
pub use moment::{rfc3339, time_of_day};
pub use nearest::nearest;
pub(crate) use options::options;
pub use quantity::{duration, energy, joules, shown_duration, shown_size, size, watts};

/// One option of `nebula serve`. Flag, environment variable, key of the file, default and help all come from here.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key in the file, such as `limits.wall`.
    pub key: &'static str,
    /// What help shows for the value, such as `DURATION`.
    pub value: &'static str,
    /// Used unless the user says otherwise; `None` if the option may be absent.
    pub default: Option<&'static str>,
    pub help: &'static str,
}

impl Setting {
    /// The flag without its dashes: `limits-wall`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.key.replace('.', "-")
    }

    /// The environment variable: `NEBULA_LIMITS_WALL`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("NEBULA_{}", self.key.replace(['.', '-'], "_").to_uppercase())
    }
}

/// Checks only the options of one room, as its tests do.
#[cfg(test)]
pub fn checked<T>(
    options: Vec<Setting>,
    flags: &[(&str, &str)],
    check: impl FnOnce(&mut Checker<'_>) -> T,
) -> Result<T, Mistakes> {
    let find = |key: &str| flags.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
    let layers = Layers::stack(options, find, |_| None, &std::collections::BTreeMap::new());
    let mut checker = Checker::new(&layers, Vec::new());
    let settings = check(&mut checker);
    checker.finish().map(|()| settings)
}
