//! A node_exporter that reads the same counters shows them as they stand, wraps included.

use std::io::Write;
use std::process::Command;

use crate::client::connect;
use crate::peer::Peer;
use crate::powercap_tree::{MODULUS, RANGE};
use crate::prelude::*;

/// How often the counters move, each time once the daemon has seen the last.
const STEPS: u64 = 24;

/// What the package uses in a step, and what memory does, in microjoules.
const PACKAGE_STEP: u64 = 250_021;
const DRAM_STEP: u64 = 7_003;

/// How far the package is from its range at first: it wraps in the middle of a step, halfway.
const BEFORE_RANGE: u64 = 2_900_000;

/// Debian's `prometheus-node-exporter`, with the collector of energy counters alone.
struct NodeExporter(Peer);

impl NodeExporter {
    /// `None` where it is not installed.
    fn reading(tree: &Tree) -> Option<Self> {
        let mut command = Command::new("prometheus-node-exporter");
        command.args(["--collector.disable-defaults", "--collector.rapl"]);
        Peer::start(command.arg(format!("--path.sysfs={}", tree.root()))).map(Self)
    }

    fn metrics(&self) -> Exposition {
        let mut stream = connect(self.0.address()).unwrap();
        stream.write_all(&request("GET", "/metrics", &[], b"")).unwrap();
        // It sends the text in chunks, whose lengths stand in lines of their own.
        let text = String::from_utf8(read_to_end(&mut stream)).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        let lines = text.lines().filter(|line| line.starts_with("node_rapl_"));
        Exposition::parse(&lines.collect::<Vec<_>>().join("\n"))
    }

    fn microjoules(&self, zone: &str) -> u64 {
        self.metrics().microjoules(&format!("node_rapl_{zone}_joules_total"), &[])
    }
}

/// What Prometheus' `increase()` makes of samples: a counter that falls was started again, at zero.
fn increase(samples: &[u64]) -> u64 {
    samples.windows(2).map(|pair| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] }).sum()
}

#[test]
fn totals_are_exact_across_a_wrap_unlike_those_of_node_exporter() {
    let tree = Tree::new();
    let start = RANGE - BEFORE_RANGE;
    let mut package = tree.zone("intel-rapl:0", "package-0", start);
    let mut dram = tree.zone("intel-rapl:0:0", "dram", 5_000_000);
    let Some(exporter) = NodeExporter::reading(&tree) else {
        skipped("prometheus-node-exporter is not installed");
        return;
    };
    let daemon = tree.daemon(&["--window 20ms"]);
    let ours = |zone: &str| daemon.metrics().exact_microjoules(ZONE_ENERGY, &[("zone", zone), ("package", "0")]);

    let mut theirs = vec![exporter.microjoules("package")];
    assert_eq!(theirs, [start], "it shows the counter as it stands");
    for step in 1..=STEPS {
        package.advance(PACKAGE_STEP);
        dram.advance(DRAM_STEP);
        let truth = (step * PACKAGE_STEP, step * DRAM_STEP);
        until(&format!("step {step} is booked"), || (ours("package"), ours("dram")) == truth);
        theirs.push(exporter.microjoules("package"));
        assert_eq!(theirs.last(), Some(&package.shown()), "it shows the counter as it stands");
    }
    assert_eq!(exporter.microjoules("dram"), 5_000_000 + STEPS * DRAM_STEP, "what does not wrap, both count alike");

    let truth = STEPS * PACKAGE_STEP;
    let falls: Vec<usize> = (1..theirs.len()).filter(|&index| theirs[index] < theirs[index - 1]).collect();
    let [fall] = falls[..] else { panic!("the exporter's counter fell {} times", falls.len()) };
    let (first, last, before_fall) = (theirs[0], theirs[theirs.len() - 1], theirs[fall - 1]);
    let summary = format!(
        "package, in microjoules, across one wrap: truth {truth}; nebula {}; node_exporter fell from {before_fall} to \
         {}, its difference is {} and increase() of it {}\n",
        ours("package"),
        theirs[fall],
        i128::from(last) - i128::from(first),
        increase(&theirs),
    );
    std::io::stderr().write_all(summary.as_bytes()).unwrap();

    assert_eq!(ours("package"), truth);
    assert_eq!(i128::from(last) - i128::from(first), i128::from(truth) - i128::from(MODULUS), "a modulus is missing");
    // A fall taken for a new start leaves out what was counted between the last sample and the wrap.
    assert_eq!(increase(&theirs), truth - (MODULUS - before_fall));
}
