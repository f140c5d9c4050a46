//! What was learned about this machine outlives the daemon: it is kept in a file in the directory for state, and taken up
//! again at the next start.

mod file;
mod keeper;
mod machine;
mod stored;
#[cfg(test)]
mod tests;

pub use file::KnowledgeError;
pub use keeper::{KnowledgeKeeper, KnowledgeKeeperError};
pub use machine::Machine;
pub use stored::{Examined, FILE, KnowledgeFile};
