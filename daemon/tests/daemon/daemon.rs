//! The program under test: started as people start it and stopped as systemd stops it, with its exit code checked.

use std::fs::{self, DirEntry};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::guests;
use crate::waiting::eventually;

/// The cache of compiled code that all daemons of the suite share.
pub const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/state");

/// A directory for the state of one daemon: neither the user's own nor another daemon's.
fn state() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    STATES.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Holds the states of all daemons, each named after its test process and a number.
static STATES: LazyLock<PathBuf> = LazyLock::new(|| {
    let states = Path::new(env!("CARGO_TARGET_TMPDIR")).join("states");
    for left in fs::read_dir(&states).into_iter().flatten().flatten() {
        // Test processes that have ended, however they did, need theirs no more.
        let name = left.file_name();
        let pid = name.to_str().and_then(|name| name.split_once('-')).map_or("none", |(pid, _)| pid);
        if !Path::new("/proc").join(pid).exists() {
            let _ = fs::remove_dir_all(left.path());
        }
    }
    states
});

pub fn temporary_folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A running `nebula serve`.
pub struct Daemon {
    child: Child,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// Removed with this value, if it is nobody else's.
    state: Option<PathBuf>,
    /// Removed with this value: the functions that were made for it.
    functions: Option<TempDir>,
}

impl Daemon {
    /// Serves on a free port with these options, as [`serve`] takes them. If they name a directory for its state,
    /// compiled code is kept there too.
    pub fn start(options: &[&str]) -> Self {
        let mut command = serve(options);
        if words(options).contains(&"--state") && !words(options).contains(&"--cache-dir") {
            command.env_remove("NEBULA_CACHE_DIR");
        }
        Self::start_command(&mut command)
    }

    /// Serves the guests of this suite too.
    pub fn with_guests(options: &[&str]) -> Self {
        Self::start(&[&["--functions", guests::folder()], options].concat())
    }

    /// Serves functions from a folder with these files.
    pub fn with_files<B: AsRef<[u8]>>(files: &[(&str, B)], options: &[&str]) -> Self {
        let folder = guests::folder_of(files);
        let functions = ["--functions", folder.path().to_str().unwrap()];
        let mut daemon = Self::start(&[&functions, options].concat());
        daemon.functions = Some(folder);
        daemon
    }

    /// A daemon that tests with the same options share. It serves the guests of this suite, unless the options name other
    /// functions, and ends with the last test that uses it.
    pub fn shared(options: &'static [&'static str]) -> Arc<Self> {
        static SHARED: Mutex<Vec<(&[&str], Weak<Daemon>)>> = Mutex::new(Vec::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let found = shared.iter().find(|(known, _)| *known == options).and_then(|(_, daemon)| daemon.upgrade());
        found.unwrap_or_else(|| {
            let own = words(options).contains(&"--functions");
            let daemon = Arc::new(if own { Self::start(options) } else { Self::with_guests(options) });
            shared.retain(|(known, _)| *known != options);
            shared.push((options, Arc::downgrade(&daemon)));
            daemon
        })
    }

    /// Runs a command that serves.
    pub fn start_command(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let reader = collect(child.stderr.take().unwrap(), stderr.clone());
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        // With TLS the address is an https URL.
        let plain = line.replace("https://", "http://");
        let Some(address) = plain.strip_prefix("listening on http://") else {
            let _ = (child.kill(), child.wait(), reader.join());
            panic!("the first line is {line:?}; stderr: {}", stderr.lock().unwrap());
        };
        let address = address.trim_end().parse().unwrap();
        // Both lines come at once.
        let second = str::from_utf8(stdout.buffer()).unwrap();
        let given = command.get_envs().find(|(name, _)| *name == "NEBULA_STATE").and_then(|(_, state)| state);
        let state = given.map(PathBuf::from).filter(|state| state.starts_with(&*STATES));
        let admin = second.replace("https://", "http://");
        let admin = admin.strip_prefix("admin on http://").map(|address| address.trim_end().parse().unwrap());
        Self { child, address, admin, stderr, reader: Some(reader), state, functions: None }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address, as commands take it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens for operators.
    pub fn admin(&self) -> SocketAddr {
        self.admin.unwrap()
    }

    /// The names of its threads.
    pub fn threads(&self) -> Vec<String> {
        self.nice().into_iter().map(|(name, _)| name).collect()
    }

    /// Its threads: their names, and how much lower their priority is.
    ///
    /// Source: proc(5), `/proc/pid/stat`: the 19th field; the second, in brackets, is the name.
    pub fn nice(&self) -> Vec<(String, i64)> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        // A thread may have ended since.
        let stat = |task: std::io::Result<DirEntry>| fs::read_to_string(task.ok()?.path().join("stat")).ok();
        let nice = |stat: String| {
            let (name, fields) = stat.split_once('(').unwrap().1.rsplit_once(") ").unwrap();
            (name.to_owned(), fields.split(' ').nth(16).unwrap().parse().unwrap())
        };
        tasks.filter_map(stat).map(nice).collect()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills it without a shutdown.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Waits until it has ended for a reason of its own, or after a signal.
    pub fn wait(&mut self) -> ExitStatus {
        let status = eventually("the daemon ends", || self.child.try_wait().unwrap());
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }

    /// Stops it, and returns its whole log.
    pub fn stop(mut self) -> String {
        self.end();
        self.log()
    }

    fn end(&mut self) {
        if self.reader.is_none() {
            return;
        }
        if self.child.try_wait().unwrap().is_none() {
            self.signal(Signal::TERM);
        }
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{status}; stderr: {}", self.log());
        assert!(!self.log().contains("panicked"), "{}", self.log());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = (self.child.kill(), self.child.wait());
            eprintln!("the daemon's log:\n{}", self.log());
        } else {
            self.end();
        }
        if let Some(state) = &self.state {
            let _ = fs::remove_dir_all(state);
        }
    }
}

fn collect(mut from: impl Read + Send + 'static, into: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    })
}

/// The program, in an environment without settings for it.
pub fn nebula() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nebula"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("NEBULA_")) {
        command.env_remove(name);
    }
    command.env("NEBULA_STATE", state()).env("NEBULA_CACHE_DIR", CACHE);
    // A backtrace costs each trap of a guest milliseconds, and nobody here reads it.
    command.env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    command
}

/// The command that serves with these options, on a free port and from the model unless they say otherwise. Options may
/// stand together with their values: `"--window 20ms --policy usage"`.
pub fn serve(options: &[&str]) -> Command {
    let options = words(options);
    let mut command = nebula();
    command.arg("serve");
    for (option, default) in [("--listen", "127.0.0.1:0"), ("--source", "model")] {
        if !options.contains(&option) {
            command.args([option, default]);
        }
    }
    command.args(options);
    command
}

fn words<'a>(options: &[&'a str]) -> Vec<&'a str> {
    let split = |option: &&'a str| match *option {
        options if options.starts_with("--") => options.split(' ').collect(),
        value => vec![value],
    };
    options.iter().flat_map(split).collect()
}

/// What a daemon writes to stderr that exits with this code before it listens.
#[track_caller]
pub fn start_error(options: &[&str], code: i32) -> String {
    let output = run(&mut serve(options));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{}", stderr(&output));
    stderr(&output)
}

/// The command of a daemon under this `ulimit`.
pub fn limited(ulimit: &str) -> Command {
    let mut command = Command::new("sh");
    let exec = format!("ulimit {ulimit} && exec \"$0\" \"$@\"");
    command.args(["-c", &exec, env!("CARGO_BIN_EXE_nebula"), "serve", "--listen", "127.0.0.1:0"]);
    command.env("NEBULA_STATE", state()).env("NEBULA_CACHE_DIR", CACHE).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
