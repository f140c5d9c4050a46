//! What a token lets its bearer do.

use std::fmt;

/// What a token lets its bearer do. Each role implies those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Call functions, and read what there is.
    Invoke,
    /// Deploy functions and remove them.
    Deploy,
    /// See totals and every figure in full.
    Operate,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Invoke, Self::Deploy, Self::Operate];

    /// The name used in files and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Deploy => "deploy",
            Self::Operate => "operate",
        }
    }

    pub(super) fn read(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| format!("it is one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
