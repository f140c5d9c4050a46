//! The result of one check, and what would fix it.

use std::fmt::Write;

use strum::IntoStaticStr;

/// Source: ECMA-48, SGR.
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// Of the widest word of a status.
const STATUS_WIDTH: usize = 9;

const INDENT: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Verdict {
    Ok,
    Missing,
    /// Present, but this process may not use it.
    Forbidden,
    /// A container runtime hides it.
    Masked,
    /// Present, but its contents make no sense.
    Broken,
}

impl Verdict {
    fn colour(self) -> &'static str {
        match self {
            Self::Ok => GREEN,
            Self::Forbidden | Self::Masked => YELLOW,
            Self::Missing | Self::Broken => RED,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Finding {
    pub status: Verdict,
    pub item: String,
    pub fact: String,
    pub parts: Vec<Finding>,
    /// Commands, or changes in words.
    pub remedies: Vec<String>,
}

impl Finding {
    pub fn new(status: Verdict, item: impl Into<String>, fact: impl Into<String>) -> Self {
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

    /// The widest name of the item and its parts, from the same column.
    fn width(&self) -> usize {
        let parts = self.parts.iter().map(|part| part.width() + INDENT).max().unwrap_or_default();
        parts.max(self.item.chars().count())
    }

    fn write(&self, indent: usize, width: usize, colours: bool, report: &mut String) {
        let (colour, plain) = if colours { (self.status.colour(), PLAIN) } else { ("", "") };
        let (word, item, fact): (&str, _, _) = (self.status.into(), &self.item, &self.fact);
        // Writing to a string cannot fail.
        let _ = writeln!(report, "{:indent$}{colour}{word:<STATUS_WIDTH$}{plain}  {item:<width$}  {fact}", "");
        for part in &self.parts {
            part.write(indent + INDENT, width.saturating_sub(INDENT), colours, report);
        }
        for remedy in &self.remedies {
            let _ = writeln!(report, "{:width$}-> {remedy}", "", width = indent + STATUS_WIDTH + 2);
        }
    }
}

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
        let mut powercap = Finding::new(Verdict::Forbidden, "powercap", "1 zone").with_remedy("sudo something");
        powercap.parts.push(Finding::new(Verdict::Forbidden, "package-0", "`/sys/x`"));
        let findings = [powercap, Finding::new(Verdict::Ok, "model", "of something")];
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
