//! What the READMEs promise about the tree: every link leads to a file, and to a heading of it.

use std::collections::BTreeSet;
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
