//! One thing that was looked at: how it is, and what would mend it.

use std::fmt::Write;

/// The colours of a terminal. Source: ECMA-48, SGR.
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// The widest word of a status.
const STATUS_WIDTH: usize = 9;

/// By how much parts are indented.
const INDENT: usize = 2;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It can be used.
    Ok,
    /// It is not there.
    Missing,
    /// It is there, and this process may not use it.
    Forbidden,
    /// A container runtime hides it.
    Masked,
    /// It is there, and what it shows makes no sense.
    Broken,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Forbidden => "forbidden",
            Self::Masked => "masked",
            Self::Broken => "broken",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Ok => GREEN,
            Self::Forbidden | Self::Masked => YELLOW,
            Self::Missing | Self::Broken => RED,
        }
    }
}

/// What was found out about one item.
#[derive(Clone, Debug)]
pub struct Finding {
    pub status: Status,
    pub item: String,
    pub fact: String,
    /// What it consists of.
    pub parts: Vec<Finding>,
    /// What would mend it: commands, or changes in words.
    pub remedies: Vec<String>,
}

impl Finding {
    pub fn new(status: Status, item: impl Into<String>, fact: impl Into<String>) -> Self {
        Self { status, item: item.into(), fact: fact.into(), parts: Vec::new(), remedies: Vec::new() }
    }

    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedies.push(remedy.into());
        self
    }

    pub fn with_remedies(mut self, remedies: impl IntoIterator<Item = String>) -> Self {
        self.remedies.extend(remedies);
        self
    }

    /// Columns of the item and, counted from the same place, of its parts' items.
    fn width(&self) -> usize {
        let parts = self.parts.iter().map(|part| part.width() + INDENT).max().unwrap_or_default();
        parts.max(self.item.chars().count())
    }

    fn write(&self, indent: usize, width: usize, colours: bool, report: &mut String) {
        let (colour, plain) = if colours { (self.status.colour(), PLAIN) } else { ("", "") };
        let (word, item, fact) = (self.status.word(), &self.item, &self.fact);
        // A string takes whatever is written to it.
        let _ = writeln!(report, "{:indent$}{colour}{word:<STATUS_WIDTH$}{plain}  {item:<width$}  {fact}", "");
        for part in &self.parts {
            part.write(indent + INDENT, width.saturating_sub(INDENT), colours, report);
        }
        for remedy in &self.remedies {
            let _ = writeln!(report, "{:width$}-> {remedy}", "", width = indent + STATUS_WIDTH + 2);
        }
    }
}

/// All findings, a line each.
pub fn report(findings: &[Finding], colours: bool) -> String {
    let width = findings.iter().map(Finding::width).max().unwrap_or_default();
    let mut report = String::new();
    for finding in findings {
        finding.write(0, width, colours, &mut report);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_and_its_remedies_stand_beneath() {
        let mut powercap = Finding::new(Status::Forbidden, "powercap", "1 zone").with_remedy("sudo something");
        powercap.parts.push(Finding::new(Status::Forbidden, "package-0", "`/sys/x`"));
        let findings = [powercap, Finding::new(Status::Ok, "model", "of something")];
        let expected = "\
forbidden  powercap     1 zone
  forbidden  package-0  `/sys/x`
           -> sudo something
ok         model        of something
";
        assert_eq!(report(&findings, false), expected);
        let coloured = report(&findings[1..], true);
        assert_eq!(coloured, "\x1b[32mok       \x1b[0m  model  of something\n");
    }
}
