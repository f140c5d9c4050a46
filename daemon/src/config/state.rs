//! Where state goes by default.

use std::ffi::OsString;
use std::path::PathBuf;

/// The daemon's own directory among others' state.
const NAME: &str = "nebula";

/// The directory for state that the environment names, if it does: a service may have no home.
///
/// Source: `systemd.exec(5)` on `StateDirectory=` (which may name several, separated by colons), and the XDG Base Directory
/// Specification, which ignores relative paths.
pub fn default_state(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let systemd = || std::env::split_paths(&variable("STATE_DIRECTORY")?).next().filter(|path| path.is_absolute());
    let xdg = || Some(absolute("XDG_STATE_HOME")?.join(NAME));
    let home = || Some(absolute("HOME")?.join(".local/state").join(NAME));
    systemd().or_else(xdg).or_else(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_comes_before_xdg_and_xdg_before_home() {
        let state = |variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            default_state(find)
        };
        let (systemd, xdg, home) =
            (("STATE_DIRECTORY", "/var/lib/nebula:/x"), ("XDG_STATE_HOME", "/s"), ("HOME", "/h"));
        assert_eq!(state(&[home, xdg, systemd]), Some("/var/lib/nebula".into()));
        assert_eq!(state(&[home, xdg]), Some("/s/nebula".into()));
        assert_eq!(state(&[home]), Some("/h/.local/state/nebula".into()));
        assert_eq!(state(&[]), None);
        for nothing in ["", "relative"] {
            assert_eq!(state(&[("STATE_DIRECTORY", nothing), ("XDG_STATE_HOME", nothing), ("HOME", nothing)]), None);
            assert_eq!(state(&[("XDG_STATE_HOME", nothing), home]), Some("/h/.local/state/nebula".into()));
        }
    }
}
