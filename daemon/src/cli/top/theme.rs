//! How the screen is drawn: with or without colour, with block characters or ASCII.

use std::borrow::Cow;

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::bar;
use strum::{EnumString, VariantNames};

use super::account::Account;
use super::units;

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Colour {
    Auto,
    Always,
    Never,
}

pub const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);

pub const SELECTED: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Levels of an upright bar in ASCII.
const ASCII_LEVELS: bar::Set<'_> = bar::Set {
    full: "#",
    seven_eighths: "#",
    three_quarters: "#",
    five_eighths: ":",
    half: ":",
    three_eighths: ":",
    one_quarter: ".",
    one_eighth: ".",
    empty: " ",
};

/// A cell filled from the left, by eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    pub colour: bool,
    pub unicode: bool,
}

impl Theme {
    /// What the terminal can show, according to the environment.
    ///
    /// Sources: <https://no-color.org> (set, and not empty); POSIX, 8.2: of `LC_ALL`, `LC_CTYPE` and `LANG` the first that
    /// is set, and not empty, counts.
    pub fn of(colour: Colour, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let colour = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => set("NO_COLOR").is_none(),
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_ascii_lowercase();
        Self { colour, unicode: locale.contains("utf-8") || locale.contains("utf8") }
    }

    /// In ASCII if the terminal needs it.
    pub fn text<'t>(self, text: impl Into<Cow<'t, str>>) -> Cow<'t, str> {
        let text = text.into();
        if self.unicode || text.is_ascii() { text } else { units::ascii(&text).into() }
    }

    /// For secondary text.
    pub fn faint(self) -> Style {
        if self.colour { Style::new().fg(Color::DarkGray) } else { Style::new().add_modifier(Modifier::DIM) }
    }

    /// For errors.
    pub fn alarm(self) -> Style {
        if self.colour { Style::new().fg(Color::LightRed).add_modifier(Modifier::BOLD) } else { SELECTED }
    }

    /// For what a reader should know before trusting the figures.
    pub fn caution(self) -> Style {
        if self.colour { Style::new().fg(Color::Yellow) } else { STRONG }
    }

    pub fn account(self, account: Account) -> Style {
        if self.colour { Style::new().fg(look(account).0) } else { Style::new() }
    }

    /// The character that fills an account's part of a bar. Without colours each account has its own.
    pub fn fill(self, account: Account) -> &'static str {
        let (_, shade, ascii) = look(account);
        match (self.unicode, self.colour) {
            (true, true) => "█",
            (true, false) => shade,
            (false, _) => ascii,
        }
    }

    /// Stands before an account's name in the legend.
    pub fn swatch(self, account: Account) -> &'static str {
        if self.unicode && self.colour { "■" } else { self.fill(account) }
    }

    /// A bar of `width` cells, filled to this part. Anything above zero is visible.
    pub fn bar(self, width: usize, filled: f64) -> String {
        let filled = if filled.is_finite() { filled.clamp(0.0, 1.0) } else { 0.0 };
        if filled == 0.0 {
            return String::new();
        }
        if !self.unicode {
            return "#".repeat(((width as f64 * filled).round() as usize).max(1));
        }
        let eighths = ((width as f64 * 8.0 * filled).round() as usize).max(1);
        "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
    }

    pub fn levels(self) -> bar::Set<'static> {
        if self.unicode { bar::NINE_LEVELS } else { ASCII_LEVELS }
    }

    /// Marks the column that the table is sorted by.
    pub fn arrow(self, ascending: bool) -> &'static str {
        match (self.unicode, ascending) {
            (true, true) => "▲",
            (true, false) => "▼",
            (false, true) => "^",
            (false, false) => "v",
        }
    }
}

/// An account's colour, and what stands for it without colours and in ASCII.
fn look(account: Account) -> (Color, &'static str, &'static str) {
    match account {
        Account::Functions => (Color::Cyan, "█", "#"),
        Account::Runtime => (Color::Blue, "▓", "="),
        Account::Host => (Color::Magenta, "▒", "+"),
        Account::Base => (Color::DarkGray, "░", "-"),
        Account::Gap => (Color::Yellow, "·", "."),
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::*;

    fn theme(colour: Colour, variables: &[(&str, &str)]) -> (bool, bool) {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
        let Theme { colour, unicode } = Theme::of(colour, variable);
        (colour, unicode)
    }

    #[test]
    fn the_environment_says_what_the_terminal_can_show() {
        for (colour, variables, shown) in [
            (Colour::Auto, &[("LANG", "de_DE.UTF-8")][..], (true, true)),
            (Colour::Auto, &[], (true, false)),
            (Colour::Auto, &[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], (true, false)),
            (Colour::Auto, &[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")], (true, true)),
            (Colour::Auto, &[("NO_COLOR", "1")], (false, false)),
            (Colour::Auto, &[("NO_COLOR", "")], (true, false)),
            (Colour::Always, &[("NO_COLOR", "1")], (true, false)),
            (Colour::Never, &[], (false, false)),
        ] {
            assert_eq!(theme(colour, variables), shown, "{colour:?} {variables:?}");
        }
    }

    #[test]
    fn bars_are_as_long_as_their_part() {
        let (blocks, ascii) = (Theme { colour: true, unicode: true }, Theme { colour: true, unicode: false });
        assert_eq!(
            [0.0, 0.001, 0.5, 0.55, 1.0, 7.0].map(|part| blocks.bar(5, part)),
            ["", "▏", "██▌", "██▊", "█████", "█████"]
        );
        assert_eq!([0.0, 0.001, 0.5, 1.0, f64::NAN].map(|part| ascii.bar(4, part)), ["", "#", "##", "####", ""]);
    }

    #[test]
    fn accounts_can_be_told_apart_without_colour() {
        let accounts = Account::VARIANTS;
        for unicode in [true, false] {
            let theme = Theme { colour: false, unicode };
            let mut fills: Vec<_> = accounts.iter().map(|account| theme.fill(*account)).collect();
            fills.sort_unstable();
            fills.dedup();
            assert_eq!(fills.len(), accounts.len());
            assert!(accounts.iter().all(|account| theme.account(*account) == Style::new()));
        }
    }
}
