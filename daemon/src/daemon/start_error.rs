//! Why a daemon does not start.

#[derive(Debug)]
pub enum StartError {
    /// A file that the configuration names cannot be used.
    Configuration(anyhow::Error),
    Failed(anyhow::Error),
}

impl StartError {
    pub(super) fn configuration(error: impl Into<anyhow::Error>) -> Self {
        Self::Configuration(error.into())
    }
}

impl<E: Into<anyhow::Error>> From<E> for StartError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
