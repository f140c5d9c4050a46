//! `nebula list`.
pub fn list(_: &clap::ArgMatches) -> super::Result {
    unimplemented!()
}
