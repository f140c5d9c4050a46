//! Runs a function: `cargo run -p nebula-runtime --example function -- functions/dist/fibonacci.wasm 10`

use std::time::Duration;

use nebula_runtime::{Grants, Input, Invocation, Limits, Pool, Program, Recorder, Runtime};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (file, input) = (arguments.next().ok_or("pass a WebAssembly file")?, arguments.next().unwrap_or_default());
    let wall = Duration::from_secs(10);
    let limits = Limits { wall, memory: 64 << 20, table_elements: 10_000, stdout: 1 << 20, stderr: 1 << 16, files: 64 };
    let runtime = Runtime::new(limits, Pool::OnDemand, Duration::from_millis(5))?;
    let program = Program::compile(&runtime, &std::fs::read(&file)?, Grants::of(limits))?;
    let invocation =
        Invocation { arguments: vec![file], input: Input::Captured(input.into()), ..Invocation::default() };
    let completion = program.call(invocation, Recorder::new(&limits)).await;
    print!("{}", String::from_utf8_lossy(&completion.output));
    eprintln!("{:?} after {:?}", completion.ending, completion.startup + completion.execution);
    Ok(())
}
