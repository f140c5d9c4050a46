//! What measuring costs: nanoseconds of a bracket around nothing, and of its parts.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark ends where something is wrong, and has no readers")]

use std::future::ready;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use criterion::{Criterion, criterion_group, criterion_main};
use nebula_metering::work::reader::WorkReader;
use nebula_metering::work::thread::{ThreadMoment, how, processor, thread_cpu};
use nebula_metering::{Bracket, CallId, FunctionId, PostBox, Tally};

fn brackets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("empty bracket");
    let posts: Arc<PostBox<()>> = Arc::new(PostBox::new(1, 1 << 14));
    let reader = WorkReader::cpu_time_only();
    let tally = || Tally::new(CallId(1), FunctionId(0), reader, posts.clone());
    let mut context = Context::from_waker(Waker::noop());
    group.bench_function(how(), |bench| {
        bench.iter(|| {
            let done = pin!(Bracket::new(ready(()), tally())).poll(&mut context);
            posts.collect(drop);
            done
        });
    });
    group.bench_function("two readings of the thread clock alone", |bench| {
        bench.iter(|| (thread_cpu(), black_box(thread_cpu())));
    });
    group.bench_function("two readings of both clocks", |bench| {
        bench.iter(|| (ThreadMoment::now(), black_box(ThreadMoment::now())));
    });
    group.bench_function("the processor", |bench| bench.iter(processor));
    group.bench_function("its future and its tally, without measuring", |bench| {
        bench.iter(|| {
            let done = pin!(ready(())).poll(&mut context);
            drop(tally());
            posts.collect(drop);
            done
        });
    });
    group.finish();
}

criterion_group!(benches, brackets);
criterion_main!(benches);
