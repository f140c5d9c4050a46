//! A terminal for the program under test: made by `script`, and its screen read here.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::daemon::{nebula, run, stderr};
use crate::skipped;
use crate::waiting::{LONGEST_WAIT, eventually};

const ESCAPE: u8 = 0x1b;

const PAUSE: Duration = Duration::from_millis(10);

/// The screen, as far as our programs use it: text, movements of the cursor, clearing, and the alternate screen.
///
/// Source: ECMA-48 (CUP, ED, EL, SGR); xterm's control sequences for the modes 25 and 1049.
#[derive(Debug, Default)]
pub struct Screen {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// Whether the alternate screen is shown.
    pub alternate: bool,
    pub cursor_hidden: bool,
    /// Everything that was written, without control sequences.
    pub text: String,
    /// Bytes of a sequence or a character that is not complete yet.
    pending: Vec<u8>,
    /// The number of control sequences.
    pub sequences: usize,
}

impl Screen {
    pub fn lines(&self) -> Vec<String> {
        self.lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned()).collect()
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.pending.push(*byte);
            if self.pending[0] == ESCAPE {
                let whole = match self.pending[..] {
                    [_, b'[', .., last] => self.pending.len() > 2 && (0x40..=0x7e).contains(&last),
                    [_, b'[' | b'('] | [_] => false,
                    _ => true,
                };
                if whole {
                    let sequence = std::mem::take(&mut self.pending);
                    self.obey(&sequence);
                }
            } else if let Ok(text) = str::from_utf8(&self.pending) {
                let char = text.chars().next().unwrap();
                self.pending.clear();
                self.put(char);
            }
        }
    }

    fn obey(&mut self, sequence: &[u8]) {
        self.sequences += 1;
        let sequence = str::from_utf8(sequence).unwrap();
        let Some(control) = sequence.strip_prefix("\x1b[") else { return };
        let (parameters, kind) = control.split_at(control.len() - 1);
        let number = |index: usize| parameters.split(';').nth(index).and_then(|number| number.parse::<usize>().ok());
        match (kind, parameters) {
            ("H", _) => (self.row, self.column) = (number(0).unwrap_or(1) - 1, number(1).unwrap_or(1) - 1),
            ("J", "2") => self.lines.clear(),
            ("J", _) => self.lines.truncate(self.row),
            ("K", _) => {
                let column = self.column;
                if let Some(line) = self.lines.get_mut(self.row) {
                    line.truncate(column);
                }
            }
            ("h" | "l", "?1049") => {
                self.alternate = kind == "h";
                self.lines.clear();
            }
            ("h" | "l", "?25") => self.cursor_hidden = kind == "l",
            _ => {}
        }
    }

    fn put(&mut self, char: char) {
        self.text.push(char);
        match char {
            '\r' => self.column = 0,
            '\n' => self.row += 1,
            char if char.is_control() => {}
            char => {
                let (row, column) = (self.row, self.column);
                self.lines.resize_with(self.lines.len().max(row + 1), Vec::new);
                let line = &mut self.lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = char;
                self.column += 1;
            }
        }
    }
}

/// A program on a terminal of its own.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<Screen>>,
    reader: Option<JoinHandle<()>>,
    pid: i32,
}

impl Terminal {
    /// Runs `nebula` with these arguments on a terminal of 80 columns and 24 lines, or returns `None` without `script`.
    /// The settings of the terminal are printed before and after.
    pub fn start(arguments: &str, variables: &[(&str, &str)]) -> Option<Self> {
        let program = nebula();
        let path = program.get_program().to_str().unwrap();
        let settings = "echo settings $(stty -g) end";
        let line = format!(
            "stty rows 24 cols 80; {settings}; sh -c 'echo pid $$; exec {path} {arguments}'; code=$?; {settings}; exit $code"
        );
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
        command.env("SHELL", "/bin/sh").env("TERM", "xterm").env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8");
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.envs(variables.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let Ok(mut child) = command.spawn() else {
            skipped("there is no `script` to make a terminal");
            return None;
        };
        let keys = child.stdin.take().unwrap();
        let screen = Arc::new(Mutex::new(Screen::default()));
        let (mut output, shared) = (child.stdout.take().unwrap(), screen.clone());
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                shared.lock().unwrap().write(&buffer[..count]);
            }
        });
        let pid = eventually("the program has been started", || {
            let text = &screen.lock().unwrap().text;
            text.split_once("pid ")?.1.split_once('\r')?.0.parse().ok()
        });
        Some(Self { child, keys, screen, reader: Some(reader), pid })
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let size = [columns, rows].map(|size| size.to_string());
        let terminal = format!("/proc/{}/fd/0", self.pid);
        let output = run(Command::new("stty").args(["-F", &terminal, "cols", &size[0], "rows", &size[1]]));
        assert!(output.status.success(), "{}", stderr(&output));
    }

    pub fn lines(&self) -> Vec<String> {
        self.screen.lock().unwrap().lines()
    }

    /// Waits until a line of the screen is like this.
    pub fn await_line(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + LONGEST_WAIT;
        while !self.lines().iter().any(|line| is_so(line)) {
            assert!(Instant::now() < deadline, "not within {LONGEST_WAIT:?}: {what}: {:#?}", self.lines());
            thread::sleep(PAUSE);
        }
    }

    /// Waits for the end of the program, and checks that the settings of the terminal are restored.
    pub fn wait(mut self) -> (ExitStatus, Screen) {
        let status = eventually("the program ends", || self.child.try_wait().unwrap());
        self.reader.take().unwrap().join().unwrap();
        let screen = std::mem::take(&mut *self.screen.lock().unwrap());
        let settings = screen.text.split("settings ").skip(1).map(|rest| rest.split(" end").next());
        let settings: Vec<_> = settings.collect();
        let [before, after] = settings[..] else { panic!("{settings:?} in {}", screen.text) };
        assert_eq!(before, after, "the terminal is left as it was found");
        (status, screen)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.reader.is_some() {
            let _ = (self.child.kill(), self.child.wait());
        }
    }
}
