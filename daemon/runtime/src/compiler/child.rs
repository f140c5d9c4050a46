//! Starts the child, watches it, and ends it if it takes too long.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};

use super::message::Request;
use crate::compile_error::{Bound, CompileError};
use crate::shortened::shortened;

/// How often a child is looked at: small modules compile within milliseconds, large ones need no haste.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// The allocator reserves address space in pieces of this many KiB. By default it takes a gigabyte at once, which is bounded here.
const ALLOCATOR: [(&str, &str); 1] = [("MIMALLOC_ARENA_RESERVE", "65536")];

/// What Rust's standard library prints when it runs out of memory, before it aborts.
const NO_MEMORY: &str = "memory allocation of";

/// The most of a child's stderr that is looked at.
const STDERR_MAX: u64 = 64 << 10;

/// Runs the child to its end, and returns its output. `spent` gets its CPU time as it is used.
pub fn run(
    program: &Path,
    arguments: &[OsString],
    request: &Request,
    wasm: &[u8],
    spent: &mut dyn FnMut(Duration),
) -> Result<Vec<u8>, CompileError> {
    let bounds = request.bounds;
    let started = Instant::now();
    let (mut output, mut stderr, child) = start(program, arguments, request, wasm).map_err(CompileError::Start)?;
    let mut child = Watched { child, cpu: Duration::ZERO };
    let mut pause = PAUSE_MIN;
    let mut late = false;
    while !child.has_ended(spent) {
        if !late && started.elapsed() >= bounds.time {
            late = true;
            // It may have ended since.
            let _ = child.child.kill();
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
    let status = child.child.wait().map_err(CompileError::Start)?;
    if status.success() {
        let mut answer = Vec::new();
        output.rewind().and_then(|()| output.read_to_end(&mut answer)).map_err(CompileError::Start)?;
        return Ok(answer);
    }
    let mut said = Vec::new();
    // Without it the error says less.
    let _ = stderr.rewind().and_then(|()| stderr.take(STDERR_MAX).read_to_end(&mut said));
    let said = String::from_utf8_lossy(&said);
    Err(failure(status, late, &said, request))
}

fn failure(status: ExitStatus, late: bool, said: &str, request: &Request) -> CompileError {
    let signal = status.signal().and_then(Signal::from_named_raw);
    match signal {
        Some(Signal::XCPU) => CompileError::TooSlow(request.bounds.time),
        _ if late => CompileError::TooSlow(request.bounds.time),
        Some(Signal::XFSZ) => CompileError::Beyond { bound: Bound::Memory, found: request.bounds.memory },
        Some(Signal::ABORT) if said.contains(NO_MEMORY) => {
            CompileError::Beyond { bound: Bound::Memory, found: request.bounds.memory }
        }
        _ => {
            tracing::warn!("a compiler ended with {status}: {}", shortened(said.trim()).escape_debug());
            CompileError::Compiler(status.to_string())
        }
    }
}

fn start(program: &Path, arguments: &[OsString], request: &Request, wasm: &[u8]) -> io::Result<(File, File, Child)> {
    let file = |name| memfd_create(name, MemfdFlags::CLOEXEC).map(File::from);
    let (mut input, output, stderr) = (file("module")?, file("code")?, file("stderr")?);
    input.write_all(wasm)?;
    input.rewind()?;
    let mut command = Command::new(program);
    command.args(arguments).args(request.arguments()).env_clear().envs(ALLOCATOR);
    command.stdin(input).stdout(output.try_clone()?).stderr(stderr.try_clone()?);
    let child = command.spawn()?;
    Ok((output, stderr, child))
}

/// A child that ends with this value.
struct Watched {
    child: Child,
    cpu: Duration,
}

impl Watched {
    /// Whether it has ended. It is left to be waited for, because its clock is gone then.
    fn has_ended(&mut self, spent: &mut dyn FnMut(Duration)) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let ended = !matches!(waitid(WaitId::Pid(Pid::from_child(&self.child)), options), Ok(None));
        if let Some(cpu) = cpu_time(self.child.id()) {
            spent(cpu.saturating_sub(self.cpu));
            self.cpu = self.cpu.max(cpu);
        }
        ended
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // If it has been waited for, neither does anything.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of a process with one thread.
///
/// Source: Linux `Documentation/scheduler/sched-stats.rst`, `/proc/<pid>/schedstat`: the first field, in nanoseconds.
fn cpu_time(pid: u32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
