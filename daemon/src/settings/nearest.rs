//! The key that was probably meant.

use strsim::osa_distance;

/// Letters that a short form must share with the key it stands for, as `mem` does with `memory`.
const SHARED_MIN: usize = 3;

/// The known key that `key` was probably meant to be. Keys are paths with dots, and their last part counts most: a key
/// that is right but in the wrong table finds its table.
#[must_use]
pub fn nearest<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = last(key);
    // One slip in three letters is a slip; more is another word.
    let slips_max = (wanted.chars().count() / 3).max(1);
    let close = known.into_iter().filter_map(|known| {
        let part = last(known);
        let slips = if wanted != part && is_short_for(wanted, part) { 1 } else { osa_distance(wanted, part) };
        (slips <= slips_max).then(|| (slips, osa_distance(key, known), known))
    });
    close.min().map(|(.., known)| known)
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn is_short_for(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    short.len() >= SHARED_MIN && (long.starts_with(short) || long.ends_with(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_short_forms_and_wrong_tables_are_recognized() {
        let known = ["env", "entry", "limits.memory", "limits.max_joules", "limits.concurrency", "limits.cpu"];
        let meant = [
            ("evn", "env"),
            ("environment", "env"),
            ("limits.memroy", "limits.memory"),
            ("mem", "limits.memory"),
            ("memory", "limits.memory"),
            ("limits.entry", "entry"),
            ("limits.joules", "limits.max_joules"),
            ("limits.concurrent", "limits.concurrency"),
        ];
        for (key, expected) in meant {
            assert_eq!(nearest(key, known), Some(expected), "{key}");
        }
        for strange in ["", "x", "colour", "limits.tsb", "limits", "évn.ü"] {
            assert_eq!(nearest(strange, known), None, "{strange}");
        }
    }
}
