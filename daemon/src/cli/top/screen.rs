//! The terminal, taken and given back, and what comes from it and from the daemon.

use std::io;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, KeyEventKind};
use ratatui::crossterm::terminal::{EnterAlternateScreen, enable_raw_mode};
use ratatui::crossterm::{execute, style};
use rustix::process::{Signal, getpid, kill_process};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

use super::draw::draw;
use super::ledger::{LedgerError, Reading};
use super::look::Look;
use super::poll::poll;
use super::state::{Next, State};
use crate::cli::client::Client;

/// How often the screen is drawn although nothing has come: it tells for how long.
const REDRAW_AFTER: Duration = Duration::from_secs(1);

/// What a shell reports of a process that a signal ended.
const EXIT_SIGNAL: u8 = 128;

/// Why the screen cannot be.
#[derive(Debug, Error)]
pub enum ScreenError {
    #[error("cannot use this terminal; `nebula top --batch` prints text")]
    Terminal(#[source] io::Error),
    #[error("cannot start what `nebula top` listens with")]
    Start(#[source] io::Error),
}

/// Something has happened.
#[derive(Debug)]
pub enum Event {
    Reading(Result<Box<Reading>, LedgerError>),
    Terminal(io::Result<event::Event>),
    /// Somebody wants us to end.
    Signal(Signal),
}

/// The terminal, which is given back in whatever way this value goes.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> io::Result<Self> {
        // A panic gives the terminal back before it tells its message.
        let mut screen = ratatui::try_init().inspect_err(|_| drop(ratatui::try_restore())).map(Self)?;
        // Not every terminal has an alternate screen, which would be empty.
        screen.clear()?;
        Ok(screen)
    }

    /// Back to the shell, until it calls upon us again.
    fn suspend(&mut self) -> io::Result<()> {
        self.0.show_cursor()?;
        ratatui::try_restore()?;
        kill_process(getpid(), Signal::TSTP)?;
        enable_raw_mode()?;
        execute!(self.0.backend_mut(), EnterAlternateScreen)?;
        self.clear()
    }

    /// Everything is drawn anew. `Terminal::clear` asks the terminal where its cursor is, and the answer goes to the thread
    /// that waits for keys.
    fn clear(&mut self) -> io::Result<()> {
        let size = self.0.size()?;
        self.0.resize(size.into())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = (self.0.show_cursor(), ratatui::try_restore());
    }
}

/// Shows the daemon until somebody has seen enough.
///
/// # Errors
/// When the terminal is none that can be drawn on.
pub fn show(client: Client, mut state: State, interval: Duration, look: Look) -> Result<ExitCode, ScreenError> {
    let (sender, events) = channel();
    style::force_color_output(look.colour);
    let mut screen = Screen::open().map_err(ScreenError::Terminal)?;
    watch_terminal(sender.clone()).map_err(ScreenError::Start)?;
    watch_signals(sender.clone()).map_err(ScreenError::Start)?;
    poll(client, interval, sender).map_err(ScreenError::Start)?;
    loop {
        screen.0.draw(|frame| draw(frame, &mut state, look, Instant::now())).map_err(ScreenError::Terminal)?;
        let next = match events.recv_timeout(REDRAW_AFTER) {
            Ok(Event::Reading(Ok(reading))) => {
                state.read(*reading);
                Next::Go
            }
            Ok(Event::Reading(Err(error))) => {
                state.miss(told(error));
                Next::Go
            }
            // A key that is let go is no key.
            Ok(Event::Terminal(Ok(event::Event::Key(key)))) if key.kind != KeyEventKind::Release => state.press(key),
            // A new size is drawn on, whatever it is.
            Ok(Event::Terminal(Ok(_))) | Err(RecvTimeoutError::Timeout) => Next::Go,
            Ok(Event::Terminal(Err(error))) => return Err(ScreenError::Terminal(error)),
            Ok(Event::Signal(signal)) => return Ok(ExitCode::from(EXIT_SIGNAL + signal.as_raw() as u8)),
            Err(RecvTimeoutError::Disconnected) => Next::Quit,
        };
        match next {
            Next::Go => {}
            Next::Quit => return Ok(ExitCode::SUCCESS),
            Next::Suspend => screen.suspend().map_err(ScreenError::Terminal)?,
        }
    }
}

/// An error with its causes.
fn told(error: LedgerError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

fn watch_terminal(events: Sender<Event>) -> io::Result<()> {
    let watch = move || {
        loop {
            let event = event::read();
            let failed = event.is_err();
            if events.send(Event::Terminal(event)).is_err() || failed {
                return;
            }
        }
    };
    thread::Builder::new().name("terminal".into()).spawn(watch).map(drop)
}

fn watch_signals(events: Sender<Event>) -> io::Result<()> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let context = executor.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    drop(context);
    let wait = async move {
        tokio::select! {
            _ = terminate.recv() => Signal::TERM,
            _ = interrupt.recv() => Signal::INT,
            _ = hangup.recv() => Signal::HUP,
        }
    };
    let watch = move || {
        let signal = executor.block_on(wait);
        drop(events.send(Event::Signal(signal)));
    };
    thread::Builder::new().name("signals".into()).spawn(watch).map(drop)
}
