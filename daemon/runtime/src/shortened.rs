//! Texts of others in our errors. A module can have names of a hundred kilobytes, and a text in one line as much.

/// Characters of what a module says or is called that an error shows.
pub const QUOTED_MAX: usize = 200;

/// The beginning of a text, and `…` if there is more.
#[must_use]
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The message of an error and of each of its causes, each shortened.
pub fn shortened_chain(error: &wasmtime::Error) -> String {
    error.chain().map(|cause| shortened(&cause.to_string())).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let exact = "ä".repeat(QUOTED_MAX);
        assert_eq!(shortened(&exact), exact);
        assert_eq!(shortened(&format!("{exact}ö")), format!("{exact}…"));
        let error = wasmtime::Error::msg("x".repeat(1000)).context("unknown import");
        assert_eq!(shortened_chain(&error), format!("unknown import: {}…", "x".repeat(QUOTED_MAX)));
    }
}
