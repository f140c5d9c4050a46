//! `nebula invoke`.
pub fn invoke(_: &clap::ArgMatches) -> super::Result {
    unimplemented!()
}
