//! `nebula token`: makes a token that identifies a caller.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::ArgMatches;
use rustix::fs::{FlockOperation, flock};

use super::output::print;
use super::{Failure, note};
use crate::functions::joined;
use crate::http::{Tokens, check_token_name, read_tokens, secret};

const MODE: u32 = 0o600;

/// Makes a token and prints it once: only its hash is kept.
pub fn token(matches: &ArgMatches) -> super::Result {
    let name = matches.get_one::<String>("name").map(String::as_str).unwrap_or_default();
    check_token_name(name).map_err(|why| Failure::usage(anyhow!("`{name}` cannot be the name of a token: {why}")))?;
    let all = |key: &str| matches.get_many::<String>(key).into_iter().flatten().map(String::as_str);
    let (roles, functions): (Vec<_>, Vec<_>) = (all("role").collect(), all("function").collect());
    let token = secret::make().context("cannot read random numbers from the system")?;
    let lines = lines(name, &token, &roles, &functions);
    // Checked before anything is written.
    Tokens::parse(&lines).map_err(|wrong| Failure::usage(anyhow!(joined(&wrong))))?;
    match matches.get_one::<String>("tokens") {
        Some(path) => {
            append(Path::new(path), name, &lines)?;
            note(format_args!("nebula: added `{name}` to `{path}`; its token follows and will not be shown again"));
        }
        None => note(format_args!(
            "nebula: add this to your tokens file; the token follows and will not be shown again\n\n{lines}"
        )),
    }
    print(format!("{token}\n").as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn lines(name: &str, token: &str, roles: &[&str], functions: &[&str]) -> String {
    let list = |all: &[&str]| all.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ");
    let hash = secret::written(&secret::hash(token));
    let functions = if functions.is_empty() { String::new() } else { format!("functions = [{}]\n", list(functions)) };
    format!("[tokens.{name}]\nhash = {hash:?}\nroles = [{}]\n{functions}", list(roles))
}

/// Adds these lines to the file, or creates it. If the result were invalid, the file stays as it is.
fn append(path: &Path, name: &str, lines: &str) -> anyhow::Result<()> {
    let shown = path.display();
    let file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path);
    let mut file: File = file.with_context(|| format!("cannot open `{shown}`"))?;
    // Another process may be adding a token too.
    flock(&file, FlockOperation::LockExclusive).with_context(|| format!("cannot lock `{shown}`"))?;
    let text = read_tokens(&file, path)?;
    let wrong = |wrong: Vec<_>| anyhow!("the tokens in `{shown}` cannot be used: {}", joined(&wrong));
    if Tokens::parse(&text).map_err(wrong)?.has(name) {
        bail!("`{shown}` already has a token `{name}`; remove it first to make a new one");
    }
    let separator = match text.as_str() {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let added = format!("{separator}{lines}");
    Tokens::parse(&format!("{text}{added}")).map_err(wrong)?;
    file.write_all(added.as_bytes()).and_then(|()| file.sync_all()).with_context(|| format!("cannot write `{shown}`"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn tokens_are_added_and_none_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        append(&path, "alice", &lines("alice", "nebula_a", &["deploy", "invoke"], &[])).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        append(&path, "bob", &lines("bob", "nebula_b", &["invoke"], &["x", "y"])).unwrap();
        let tokens = Tokens::read(&path).unwrap();
        assert_eq!(tokens.find("nebula_a").unwrap().role, crate::http::Role::Deploy);
        assert!(tokens.find("nebula_b").unwrap().is_for("y") && !tokens.find("nebula_b").unwrap().is_for("z"));
        let before = fs::read(&path).unwrap();
        let again = append(&path, "alice", &lines("alice", "nebula_c", &["invoke"], &[])).unwrap_err();
        assert!(again.to_string().contains("already has a token `alice`"), "{again}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_file_that_cannot_be_added_to_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        for text in ["nonsense", "tokens = {}", "[tokens.a]\nhash = 1"] {
            fs::write(&path, text).unwrap();
            let refused = append(&path, "alice", &lines("alice", "nebula_a", &["invoke"], &[])).unwrap_err();
            assert!(refused.to_string().contains("cannot be used"), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        // The last line may lack its newline.
        fs::write(&path, "# ours").unwrap();
        append(&path, "alice", &lines("alice", "nebula_a", &["invoke"], &[])).unwrap();
        assert_eq!(Tokens::read(&path).unwrap().len(), 1);
    }
}
