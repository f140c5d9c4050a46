//! Requests per second of `/invoke/hello-world` as a share of what a bare hyper server does with the same bytes: same
//! load generator, same processors, turn by turn in one run.
//!
//! `cargo bench --bench throughput` prints the table. It needs `wrk` (Debian: `apt-get install wrk`).

mod contest;

use std::process::ExitCode;

use contest::{Contender, Effort, Goal, PATH, Pair, Server};

/// A call in a fresh instance, metered, costs little more than half of all that is done for a request.
const GOAL: Goal = Goal::AtLeast(0.45);

const ROUNDS: usize = 7;

fn main() -> ExitCode {
    contest::main("throughput", throughput)
}

fn throughput(effort: Effort) -> anyhow::Result<()> {
    contest::require_wrk()?;
    let nebula = Server::nebula(&[])?;
    let bare = Server::bare(&nebula, PATH)?;
    println!("{PATH} against a bare hyper server that answers the same {} bytes", nebula.get(PATH)?.len());
    let contenders =
        [("nebula", &nebula), ("bare", &bare)].map(|(name, server)| Contender { name, server, path: PATH });
    contest::compare(effort, ROUNDS, &contenders, &[Pair { one: "nebula", other: "bare", goal: Some(GOAL) }])
}
