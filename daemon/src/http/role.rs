//! What a token allows.

use strum::{Display, EnumString, VariantNames};

/// Each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Display, EnumString, VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Call functions and list them.
    Invoke,
    /// Deploy and remove functions.
    Deploy,
    /// See totals, and figures that are not rounded.
    Operate,
}

impl Role {
    pub fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("it must be one of {}", Self::VARIANTS.join(", ")))
    }
}
