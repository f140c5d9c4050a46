//! `nebula doctor`.
pub fn doctor(_: &clap::ArgMatches) -> super::Result {
    unimplemented!()
}
