//! Errors for a log, where one line must say it all.

use std::error::Error;

/// An error with its causes, in one line: some errors draw pictures of the text they are about.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_one_line() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot link it")]
        struct CannotLink(#[source] std::io::Error);
        let cause = std::io::Error::other("expected `(`\n   --> <anon>:1:1\n    |\n  1 | nonsense");
        let error = CannotLink(cause);
        assert_eq!(chain(&error), "cannot link it: expected `(` --> <anon>:1:1 | 1 | nonsense");
    }
}
