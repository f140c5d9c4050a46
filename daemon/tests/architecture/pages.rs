//! What the READMEs promise about the tree: every link leads to a file, and to a heading of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The Markdown files that git knows.
fn pages() -> Vec<PathBuf> {
    let listed = Command::new("git").args(["-C", ROOT, "ls-files", "--", "*.md"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let pages: Vec<_> = listed.lines().map(|page| Path::new(ROOT).join(page)).filter(|page| page.exists()).collect();
    assert!(pages.len() > 5, "{pages:?}");
    pages
}

/// The text without its blocks of code, in which nothing is a link or a heading.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    let mut in_code = false;
    let mut keep = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !fence && !in_code
    };
    text.lines().filter(|line| keep(line)).collect::<Vec<_>>().join("\n")
}

fn links(prose: &str) -> impl Iterator<Item = &str> {
    prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &Path) -> BTreeSet<String> {
    let anchor = |heading: &str| {
        let kept = |mark: &char| mark.is_alphanumeric() || [' ', '-', '_'].contains(mark);
        heading.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
    };
    let headings = |line: &str| line.starts_with('#').then(|| anchor(line.trim_start_matches('#')));
    prose(page).lines().filter_map(headings).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        for link in links(&prose(&page)).filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let is_there = target.exists() && (anchor.is_empty() || anchors(&target).contains(anchor));
            if !is_there {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

/// Where the options stand in the daemon's README.
const OPTIONS: (&str, &str) = ("--test architecture -->\n", "<!-- end of options -->");

/// The options of `serve` as tables of Markdown, one for each group of its help.
fn options() -> String {
    let mut help = Command::new(env!("CARGO_BIN_EXE_nebula"));
    let help = help.args(["serve", "--help"]).env("COLUMNS", "10000").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let mut tables = String::new();
    let mut option = "";
    let groups = help
        .lines()
        .skip_while(|line| *line != "Options:")
        .skip(1)
        .skip_while(|line| line.starts_with(' ') || line.is_empty());
    for line in groups.take_while(|line| *line != "Example:") {
        if let Some(flag) = line.trim_start().strip_prefix("--") {
            option = flag;
        } else if let Some(text) = line.strip_prefix("          ") {
            let text = text.split(" [env:").next().unwrap_or(text);
            let (text, default) = text.split_once(" [default: ").unwrap_or((text, "]"));
            let default = match default.trim_end_matches(']') {
                "" => String::new(),
                default => format!("`{default}`"),
            };
            let _ = writeln!(tables, "| `--{option}` | {default} | {} |", text.replace('|', "\\|"));
        } else if let Some(group) = line.strip_suffix(':') {
            let _ = writeln!(tables, "\n**{group}**\n\n| Option | Default | |\n|---|---|---|");
        }
    }
    tables
}

#[test]
fn the_readme_lists_every_option() {
    let path = Path::new(ROOT).join("daemon/README.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(OPTIONS.0).unwrap();
    let (listed, after) = rest.split_once(OPTIONS.1).unwrap();
    let options = options();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, [before, OPTIONS.0, &options, "\n", OPTIONS.1, after].concat()).unwrap();
    } else {
        assert_eq!(listed.trim(), options.trim(), "daemon/README.md is not in step: UPDATE_GOLDEN=1 writes it anew");
    }
}

#[test]
fn the_front_page_is_short() {
    let words = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap().split_whitespace().count();
    assert!(words <= 900, "README.md has {words} words; the rest belongs to the README of a folder");
}
