//! What guests write to stderr, made safe for a terminal and a log file.

use std::fmt::Write;

/// Characters of a line that are logged; the rest is cut off.
const LINE_MAX: usize = 1000;

/// The last lines of a call that are logged. The bound on bytes would let many empty lines through.
const LINES_MAX: usize = 100;

/// The text with every control character but the tab escaped, so that it can neither move a cursor nor fake a line.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        // Separators at which some viewers break lines, and marks that reverse text.
        let hidden = matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (character.is_control() && character != '\t') || hidden {
            // Writing to a string cannot fail.
            let _ = write!(safe, "{}", character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Logs what a guest wrote to stderr in a call, line by line.
pub fn log_guest(function: &str, request_id: Option<&str>, log: &[u8], truncated: bool) {
    if log.is_empty() {
        return;
    }
    let text = String::from_utf8_lossy(log);
    let surplus = text.lines().count().saturating_sub(LINES_MAX);
    if truncated || surplus > 0 {
        tracing::info!(target: "nebula::guest", function, request_id, "(earlier lines are left out)");
    }
    for line in text.lines().skip(surplus) {
        let line: String = line.chars().take(LINE_MAX).collect();
        tracing::info!(target: "nebula::guest", function, request_id, "{}", escaped(&line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_move_a_cursor_or_fake_a_line_are_escaped() {
        assert_eq!(escaped("a\x1b[2Jb\r\nc\u{202e}d\te\u{9b}"), "a\\u{1b}[2Jb\\u{d}\\u{a}c\\u{202e}d\te\\u{9b}");
        assert_eq!(escaped("plain, äöü ✓"), "plain, äöü ✓");
    }
}
