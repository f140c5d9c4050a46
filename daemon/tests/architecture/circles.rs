//! Circles in a graph: what can be reached from itself.

use std::collections::{BTreeMap, BTreeSet};

pub type Graph<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// The largest sets in which each leads to every other (the strongly connected components of two and more).
pub fn circles<'a>(edges: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<BTreeSet<&'a str>> {
    let (mut onward, mut back) = (Graph::new(), Graph::new());
    for (from, to) in edges {
        onward.entry(from).or_default().insert(to);
        back.entry(to).or_default().insert(from);
    }
    let mut found = Vec::<BTreeSet<&str>>::new();
    for start in onward.keys() {
        if found.iter().any(|circle| circle.contains(start)) {
            continue;
        }
        let circle: BTreeSet<_> = reached(&onward, start).intersection(&reached(&back, start)).copied().collect();
        if circle.len() > 1 {
            found.push(circle);
        }
    }
    found
}

fn reached<'a>(graph: &Graph<'a>, start: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::from([start]);
    let mut open = vec![start];
    while let Some(next) = open.pop() {
        open.extend(graph.get(next).into_iter().flatten().filter(|to| reached.insert(to)));
    }
    reached
}
