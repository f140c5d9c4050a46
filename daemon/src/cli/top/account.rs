//! The accounts that share the machine's energy.

use nebula_metering::Watts;
use strum::{IntoStaticStr, VariantArray};

#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Account {
    Functions,
    Runtime,
    Host,
    Base,
    Gap,
}

/// A figure for each account, in the order in which they are declared.
pub type PerAccount<T> = [T; Account::VARIANTS.len()];

impl Account {
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What the machine draws.
pub fn total(power: &PerAccount<Watts>) -> Watts {
    Watts(power.iter().map(|watts| watts.0).sum())
}

/// The accounts to show; `gap` only if there is one.
pub fn shown(power: &PerAccount<Watts>) -> impl Iterator<Item = (Account, Watts)> {
    let accounts = Account::VARIANTS.iter().copied().zip(power.iter().copied());
    accounts.filter(|(account, watts)| *account != Account::Gap || watts.0 > 0.0)
}
