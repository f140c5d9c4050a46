//! The result of one check, and what several checks suggest to fix it.

use std::fmt::Write;

use nebula_metering::source::model::cpu::{Processor, Signature};
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

    pub fn with_remedy(self, remedy: impl Into<String>) -> Self {
        self.with_remedies([remedy])
    }

    pub fn with_remedies<R: Into<String>>(mut self, remedies: impl IntoIterator<Item = R>) -> Self {
        self.remedies.extend(remedies.into_iter().map(Into::into));
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

/// Source: moby's default seccomp profile.
pub const FILTERED: &str =
    "the kernel allows it, so a system call filter must forbid it: in a container, docker run --cap-add PERFMON …";

pub const NO_PROCFS: &str = "mount procfs, or pass its location with --procfs-root";

/// Whether a processor may have RAPL: any that is not known to be of another architecture.
pub fn is_x86(processor: &Processor) -> bool {
    match &processor.signature {
        Some(Signature::X86 { .. }) => true,
        Some(Signature::Arm { .. }) => false,
        None => cfg!(any(target_arch = "x86_64", target_arch = "x86")),
    }
}

/// The path of this program, quoted for a shell.
pub fn program() -> String {
    let plain = |path: &str| path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte));
    match std::env::current_exe().ok().and_then(|path| path.into_os_string().into_string().ok()) {
        Some(path) if plain(&path) => path,
        Some(path) => format!("'{}'", path.replace('\'', r"'\''")),
        None => r#""$(command -v nebula)""#.into(),
    }
}

/// What /proc/cpuinfo says of an Intel server and of an Arm one.
#[cfg(test)]
pub mod processors {
    pub const INTEL: &str =
        "processor : 0\nvendor_id : GenuineIntel\ncpu family : 6\nmodel : 85\nstepping : 4\nflags : fpu\n";
    pub const ARM: &str = "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd0c\n";
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
