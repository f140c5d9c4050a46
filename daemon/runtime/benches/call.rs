//! Microseconds of one call in process, without HTTP: a fresh instance of a sample, with and without the bracket.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark ends where something is wrong, and has no readers")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use nebula_metering::work::reader::WorkReader;
use nebula_metering::{Bracket, CallId, FunctionId, PostBox, Tally};
use nebula_runtime::{Grants, Input, Invocation, Limits, Pool, Program, Recorder, Runtime};

const LIMITS: Limits = Limits {
    wall: Duration::from_secs(30),
    memory: 128 << 20,
    table_elements: 100_000,
    stdout: 4 << 20,
    stderr: 64 << 10,
    files: 64,
};

fn invocation(name: &str) -> Invocation {
    Invocation { arguments: vec![name.into()], input: Input::Captured("10".into()), ..Invocation::default() }
}

fn calls(criterion: &mut Criterion) {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let pooled = Runtime::new(LIMITS, Pool::Slots(256), Duration::from_millis(5)).expect("an engine");
    let on_demand = Runtime::new(LIMITS, Pool::OnDemand, Duration::from_millis(5)).expect("an engine");
    let program = |runtime: &Runtime, name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions/dist").join(name).with_extension("wasm");
        let wasm = std::fs::read(path).expect("a sample");
        Program::compile(runtime, &wasm, Grants::of(LIMITS)).expect("a sample that compiles")
    };
    let mut group = criterion.benchmark_group("fresh instance");
    for name in ["hello-world", "fibonacci"] {
        let program = program(&pooled, name);
        group.bench_function(name, |bench| {
            bench.iter(|| executor.block_on(program.call(invocation(name), Recorder::new(&LIMITS))));
        });
    }
    let demand = program(&on_demand, "hello-world");
    group.bench_function("hello-world, without the pool", |bench| {
        bench.iter(|| executor.block_on(demand.call(invocation("hello-world"), Recorder::new(&LIMITS))));
    });
    let posts: Arc<PostBox<()>> = Arc::new(PostBox::new(1, 1 << 14));
    let reader = WorkReader::cpu_time_only();
    let tally = || Tally::new(CallId(1), FunctionId(0), reader, posts.clone());
    let hello = program(&pooled, "hello-world");
    group.bench_function("hello-world, bracketed", |bench| {
        bench.iter(|| {
            let done =
                executor.block_on(Bracket::new(hello.call(invocation("hello-world"), Recorder::new(&LIMITS)), tally()));
            posts.collect(drop);
            done
        });
    });
    group.finish();

    criterion.bench_function("empty bracket", |bench| {
        bench.iter(|| {
            let done = executor.block_on(Bracket::new(std::future::ready(()), tally()));
            posts.collect(drop);
            done
        });
    });
    criterion.bench_function("no bracket", |bench| bench.iter(|| executor.block_on(std::future::ready(()))));
}

criterion_group!(benches, calls);
criterion_main!(benches);
