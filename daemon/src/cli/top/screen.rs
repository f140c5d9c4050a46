//! Takes over the terminal, and handles events from it and from the daemon.

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
use super::ledger::{LedgerError, LedgerReading};
use super::poll::poll;
use super::theme::Theme;
use super::view::{Next, View};
use crate::cli::client::Client;

/// Redraw at least this often: the screen shows for how long the daemon has been silent.
const REDRAW_AFTER: Duration = Duration::from_secs(1);

/// Added to the signal's number: the exit code that shells report.
const EXIT_SIGNAL: u8 = 128;

#[derive(Debug, Error)]
pub enum ScreenError {
    #[error("cannot use this terminal; `nebula top --batch` prints text")]
    Terminal(#[source] io::Error),
    #[error("cannot start a thread or signal handler")]
    Start(#[source] io::Error),
}

#[derive(Debug)]
enum Event {
    Reading(Result<Box<LedgerReading>, LedgerError>),
    Terminal(io::Result<event::Event>),
    Signal(Signal),
}

/// The terminal; dropping it restores it.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> io::Result<Self> {
        // `try_init` also restores the terminal on a panic, before the message is printed.
        let mut screen = ratatui::try_init().inspect_err(|_| drop(ratatui::try_restore())).map(Self)?;
        // A terminal without an alternate screen still shows old text.
        screen.clear()?;
        Ok(screen)
    }

    /// Stops the process, and takes the terminal over again when it continues.
    fn suspend(&mut self) -> io::Result<()> {
        self.0.show_cursor()?;
        ratatui::try_restore()?;
        kill_process(getpid(), Signal::TSTP)?;
        enable_raw_mode()?;
        execute!(self.0.backend_mut(), EnterAlternateScreen)?;
        self.clear()
    }

    /// Redraws everything. Not `Terminal::clear`: it asks for the cursor's position, and the thread that reads keys
    /// would get the answer.
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

/// Shows the daemon until the user quits or a signal arrives.
pub fn show(client: Client, mut view: View, interval: Duration, theme: Theme) -> Result<ExitCode, ScreenError> {
    let (sender, events) = channel();
    style::force_color_output(theme.colour);
    let mut screen = Screen::open().map_err(ScreenError::Terminal)?;
    watch_terminal(sender.clone()).map_err(ScreenError::Start)?;
    watch_signals(sender.clone()).map_err(ScreenError::Start)?;
    let receive = move |reading: Result<_, _>| sender.send(Event::Reading(reading.map(Box::new))).is_ok();
    poll(client, interval, receive).map_err(ScreenError::Start)?;
    loop {
        screen.0.draw(|frame| draw(frame, &mut view, theme, Instant::now())).map_err(ScreenError::Terminal)?;
        let next = match events.recv_timeout(REDRAW_AFTER) {
            Ok(Event::Reading(Ok(reading))) => {
                view.read(*reading);
                Next::Go
            }
            Ok(Event::Reading(Err(error))) => {
                view.miss(format!("{:#}", anyhow::Error::from(error)));
                Next::Go
            }
            // Some terminals also report when a key is released.
            Ok(Event::Terminal(Ok(event::Event::Key(key)))) if key.kind != KeyEventKind::Release => view.press(key),
            // A new size only needs a redraw.
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
