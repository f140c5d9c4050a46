//! `nebula top`: on a terminal, and in pipes.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::prelude::*;
use crate::terminal::Terminal;

const BUSY: &str = "fibonacci-recursive";

fn load(daemon: &Daemon) -> Load {
    Load::on(daemon, &["/invoke/fibonacci-recursive?input=22"])
}

fn top(daemon: &str, options: &[&str]) -> (Option<i32>, String, String) {
    let output = run(nebula().args(["top", "--interval", "500ms", "--daemon", daemon]).args(options));
    (output.status.code(), stdout(&output), stderr(&output))
}

#[test]
fn the_busiest_function_comes_first() {
    let daemon = Daemon::start(&[]);
    let _load = load(&daemon);
    let frame: Value = eventually("the busy function comes first, with its joules per call", || {
        let (code, out, err) = top(&daemon.url(), &["--format", "json"]);
        assert_eq!((code, out.lines().count()), (Some(0), 1), "{out}{err}");
        let frame: Value = serde_json::from_str(&out).unwrap();
        let first = &frame["functions"][0];
        (first["function"] == BUSY && first["joules_per_call"].as_f64()? > 0.0).then(|| frame.clone())
    });
    let first = &frame["functions"][0];
    assert!(first["watts"].as_f64() > Some(0.0) && first["calls_per_second"].as_f64() > Some(0.0), "{frame}");
    assert_eq!((&frame["source"], &frame["measured"]), (&"model".into(), &false.into()));
    assert!(frame["work_model"].as_str().is_some_and(|model| model.starts_with("cpu_time")), "{frame}");
    assert!(frame["relative_error"].as_f64().is_some_and(|error| (0.1..1.0).contains(&error)), "{frame}");
    let watts = |account: &str| frame["watts"][account].as_f64().unwrap();
    let sum: f64 = ["functions", "runtime", "host", "base", "gap"].map(watts).iter().sum();
    assert!((sum - watts("total")).abs() < 1e-9 && watts("base") > 0.0, "{frame}");

    let (code, out, err) = top(&daemon.url(), &["--batch", "--count", "2", "--sort", "name"]);
    assert_eq!((code, &*err), (Some(0), ""));
    assert!(!out.contains('\x1b'), "{out}");
    assert_eq!(out.matches("model: estimated, ranks by CPU time").count(), 2);
    let rows: Vec<_> = out.lines().skip_while(|line| !line.starts_with("FUNCTION")).collect();
    assert!(rows[1].starts_with("add ") && rows.iter().any(|row| row.starts_with(BUSY)), "{out}");
}

#[test]
fn a_closed_pipe_ends_it_without_an_error() {
    let daemon = Daemon::shared(&[]);
    let mut command = nebula();
    command.args(["top", "--count", "0", "--interval", "200ms", "--daemon", &daemon.url()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    assert!(line.starts_with(&daemon.url()), "{line}");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*stderr(&output)), (Some(0), ""));
}

#[test]
fn the_terminal_is_drawn_on_and_restored() {
    let daemon = Daemon::start(&[]);
    let _load = load(&daemon);
    let command = format!("top --interval 200ms --daemon {}", daemon.url());
    let Some(mut terminal) = Terminal::start(&command, &[]) else { return };
    terminal.await_line("the busy function calls", |line| line.starts_with(BUSY) && !line.contains(" 0 W "));
    terminal.await_line("it is sorted by watts", |line| line.starts_with("FUNCTION") && line.contains("WATTS▼"));
    terminal.await_line("what the joules are", |line| line.contains("model: estimated, ranks by CPU time"));
    terminal.await_line("the accounts", |line| line.contains("■ functions ") && line.contains("■ base "));
    terminal.press("n");
    terminal.await_line("it is sorted by name", |line| line.starts_with("FUNCTION▲"));
    let rows = || terminal.lines().into_iter().skip_while(|line| !line.starts_with("FUNCTION")).skip(1);
    until("names are sorted", || rows().next().is_some_and(|row| row.starts_with("add ")));
    terminal.press("\x1b[B\r");
    terminal.await_line("the details", |line| line.starts_with("add: "));
    terminal.press("/sud\r");
    terminal.await_line("the filter", |line| line.starts_with("filter `sud`"));
    terminal.resize(60, 12);
    until("it is drawn anew", || terminal.lines().iter().all(|line| line.chars().count() <= 60));
    terminal.await_line("the row", |line| line.starts_with("sudoku "));
    // Nobody controls jobs here, so that it is not stopped: it gives the terminal back, and takes it again.
    terminal.press("\x1a");
    terminal.press("c");
    terminal.await_line("it is drawn anew", |line| line.starts_with("FUNCTION") && line.contains("CALLS/S▼"));
    terminal.await_line("all of it", |line| line.starts_with("nebula top"));
    terminal.press("q");
    let (status, screen) = terminal.wait();
    assert_eq!(status.code(), Some(0), "{}", screen.text);
    assert!(!screen.alternate && !screen.cursor_hidden, "{screen:?}");
}

#[test]
fn a_signal_restores_the_terminal_too() {
    let daemon = Daemon::shared(&[]);
    let Some(terminal) = Terminal::start(&format!("top --daemon {}", daemon.url()), &[]) else { return };
    terminal.await_line("the table", |line| line.starts_with("FUNCTION"));
    kill_process(Pid::from_raw(terminal.pid()).unwrap(), Signal::TERM).unwrap();
    let (status, screen) = terminal.wait();
    assert_eq!(status.code(), Some(128 + 15), "{}", screen.text);
    assert!(!screen.alternate && !screen.cursor_hidden);
}

#[test]
fn terminals_without_colours_or_utf_8_or_control_are_respected() {
    let daemon = Daemon::shared(&[]);
    let arguments = format!("top --daemon {}", daemon.url());
    let Some(mut terminal) = Terminal::start(&arguments, &[("LC_ALL", "C"), ("NO_COLOR", "1")]) else { return };
    terminal.await_line("the accounts", |line| line.contains("# functions ") && line.contains("- base "));
    terminal.press("q");
    let (status, screen) = terminal.wait();
    assert!(status.success() && screen.text.is_ascii(), "{}", screen.text);

    let Some(terminal) = Terminal::start(&arguments, &[("TERM", "dumb")]) else { return };
    let (status, screen) = terminal.wait();
    assert_eq!((status.code(), screen.sequences), (Some(0), 0), "{}", screen.text);
    assert!(screen.text.contains("means over"), "{}", screen.text);
}

#[test]
fn a_daemon_that_goes_away_is_waited_for() {
    let daemon = Daemon::start(&[]);
    let address = daemon.address().to_string();
    let command = format!("top --interval 200ms --daemon http://{address}");
    let Some(mut terminal) = Terminal::start(&command, &[]) else { return };
    terminal.await_line("rates", |line| line.contains("functions "));
    daemon.stop();
    terminal.await_line("it is missed", |line| line.starts_with("no answer for ") && line.contains("trying again"));
    terminal.await_line("the last figures stay", |line| line.contains("functions "));
    let again = Daemon::start_command(&mut serve(&["--listen", &address]));
    until("it is back", || !terminal.lines().iter().any(|line| line.starts_with("no answer")));
    let _load = load(&again);
    terminal.await_line("it is watched anew", |line| line.starts_with(BUSY) && !line.contains(" 0 W "));
    terminal.press("\x03");
    assert!(terminal.wait().0.success());
}

#[test]
fn without_the_right_token_the_error_says_what_to_do() {
    let tokens = TokensFile::empty();
    let caller = make(&tokens.path(), "caller", &[]);
    let operator = make(&tokens.path(), "operator", &["--role", "operate"]);
    let daemon = Daemon::start(&["--access tokens --tokens", &tokens.path_str()]);
    let (code, out, err) = top(&daemon.url(), &[]);
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(err.contains("A token is needed") && err.contains("--token-file or --token"), "{err}");
    let (code, _, err) = top(&daemon.url(), &["--token", &caller]);
    assert!(code == Some(1) && err.contains("--role operate") && err.contains("--token"), "{err}");
    let (code, out, err) = top(&daemon.url(), &["--token", &operator]);
    assert!(code == Some(0) && out.contains("FUNCTION"), "{out}{err}");
}

#[test]
fn without_a_daemon_or_a_meter_the_error_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, out, err) = top(&format!("http://{free}"), &[]);
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(err.starts_with("nebula: no daemon answers at http://127.0.0.1:"), "{err}");

    let daemon = Daemon::shared(&["--source off"]);
    let (code, out, err) = top(&daemon.url(), &[]);
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(err.contains("nothing is measured at http://127.0.0.1:") && err.contains("switched off"), "{err}");

    for wrong in [["--interval", "10ms"], ["--sort", "joules"], ["--daemon", "localhost"]] {
        assert_eq!(run(nebula().arg("top").args(wrong)).status.code(), Some(64), "{wrong:?}");
    }
}
