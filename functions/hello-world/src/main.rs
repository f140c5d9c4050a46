//! Greets the world, or whoever the environment variable `name` names. This is the function
//! that the benchmarks call: whatever it does beyond one write would be measured with them.

use std::borrow::Cow;
use std::env;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let name = env::var_os("name");
    let mut stdout = io::stdout().lock();
    // The flush is explicit because the one at exit would drop its error.
    let sent = stdout.write_all(&greeting(name.as_deref())).and_then(|()| stdout.flush());
    if sent.is_err() {
        // Where stderr is closed too, the exit code is all that is left to say it with.
        let _ = io::stderr().write_all(b"error: cannot write the greeting\n");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Bytes, not text: a name is passed on as it came.
fn greeting(name: Option<&OsStr>) -> Cow<'static, [u8]> {
    match name {
        Some(name) if !name.is_empty() => Cow::Owned([b"Hello, ", name.as_encoded_bytes(), b"!\n"].concat()),
        _ => Cow::Borrowed(b"Hello, World!\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greets_the_world_where_nobody_is_named() {
        assert_eq!(*greeting(None), *b"Hello, World!\n");
        assert_eq!(*greeting(Some(OsStr::new(""))), *b"Hello, World!\n");
    }

    #[test]
    fn greets_by_name() {
        let greeting = greeting(Some(OsStr::new("Ada")));
        assert_eq!(*greeting, *b"Hello, Ada!\n");
    }
}
