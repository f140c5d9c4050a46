//! What the screen shows, and how keys and readings change it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::ledger::{LedgerReading, SourceInfo};
use super::order::Order;
use super::power_history::{POINT_OVER, PowerHistory};
use super::rates::{FunctionRates, LiveRates, Readings};
use super::units::seconds;

/// The longest name that a function can have (`functions::FunctionName`).
const FILTER_CHARS_MAX: usize = 63;

#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub source: SourceInfo,
    /// `None` before there are two readings.
    pub rates: Option<LiveRates>,
    pub history: PowerHistory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Table,
    Filter,
    Help,
}

/// What to do after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Go,
    Quit,
    /// Ctrl-Z.
    Suspend,
}

#[derive(Debug)]
pub struct View {
    pub daemon: String,
    pub order: Order,
    pub reversed: bool,
    pub filter: String,
    pub selected: Option<Arc<str>>,
    /// Whether the details of the selected function are shown.
    pub detail: bool,
    pub mode: Mode,
    /// The first visible row, and how many fit.
    pub first: usize,
    pub room: usize,
    readings: Readings,
    now: Shown,
    /// What is shown while paused.
    paused: Option<Box<Shown>>,
    last_answer: Instant,
    error: Option<String>,
    patience: Duration,
}

impl View {
    /// The daemon counts as silent if no reading comes for longer than `patience`.
    pub fn new(daemon: String, order: Order, first: LedgerReading, patience: Duration) -> Self {
        let mut view = Self {
            daemon,
            order,
            reversed: false,
            filter: String::new(),
            selected: None,
            detail: false,
            mode: Mode::Table,
            first: 0,
            room: 0,
            readings: Readings::default(),
            now: Shown::default(),
            paused: None,
            last_answer: first.at,
            error: None,
            patience,
        };
        view.read(first);
        view
    }

    pub fn read(&mut self, reading: LedgerReading) {
        (self.last_answer, self.error) = (reading.at, None);
        self.now.source = reading.source.clone();
        self.readings.push(reading);
        if let Some(rates) = self.readings.rates_over(POINT_OVER) {
            self.now.history.add(self.last_answer, &rates);
        }
        if let Some(rates) = self.readings.rates() {
            self.now.rates = Some(rates);
        }
    }

    pub fn miss(&mut self, why: String) {
        self.error = Some(why);
    }

    /// What to say while the daemon does not answer.
    pub fn silence(&self, now: Instant) -> Option<String> {
        let time = now.saturating_duration_since(self.last_answer);
        match &self.error {
            Some(why) => Some(format!("no answer for {}, trying again: {why}", seconds(time))),
            None => (time > self.patience).then(|| format!("no answer for {}, still waiting", seconds(time))),
        }
    }

    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    pub fn shown(&self) -> &Shown {
        self.paused.as_deref().unwrap_or(&self.now)
    }

    /// The rows that match the filter, sorted.
    pub fn rows(&self) -> Vec<&FunctionRates> {
        let functions = self.shown().rates.iter().flat_map(|rates| &rates.functions);
        let mut rows: Vec<_> = functions.filter(|function| function.name.contains(&self.filter)).collect();
        self.order.sort(self.reversed, &mut rows);
        rows
    }

    /// The function whose details are shown.
    pub fn detailed(&self) -> Option<&FunctionRates> {
        let selected = self.selected.as_ref().filter(|_| self.detail)?;
        self.shown().rates.iter().flat_map(|rates| &rates.functions).find(|function| function.name == *selected)
    }

    /// Scrolls so that the selected row is among the `room` visible ones.
    pub fn fit(&mut self, room: usize) {
        let last = self.rows().len().saturating_sub(room);
        let selected = self.selected_row().filter(|_| room > 0);
        let first = selected.map_or(self.first, |row| self.first.clamp((row + 1).saturating_sub(room), row));
        self.first = first.min(last);
        self.room = room;
    }

    fn selected_row(&self) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        self.rows().iter().position(|function| function.name == *selected)
    }

    /// Moves the selection; selects the first visible row if there was none.
    fn step(&mut self, by: isize) {
        let row = match self.selected_row() {
            Some(row) => row.saturating_add_signed(by),
            None if by.unsigned_abs() > 1 => self.first.saturating_add_signed(by),
            None => self.first,
        };
        self.select(row);
    }

    /// Selects this row, or the last one if there are fewer.
    fn select(&mut self, row: usize) {
        let rows = self.rows();
        self.selected = rows.get(row.min(rows.len().saturating_sub(1))).map(|function| function.name.clone());
    }

    /// Closes what was opened last, or quits.
    fn leave(&mut self) -> Next {
        match self.mode {
            Mode::Help => {}
            Mode::Table if self.filter.is_empty() && !self.detail => return Next::Quit,
            Mode::Table if self.filter.is_empty() => self.detail = false,
            Mode::Table | Mode::Filter => self.filter.clear(),
        }
        self.mode = Mode::Table;
        Next::Go
    }

    pub fn press(&mut self, key: KeyEvent) -> Next {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Next::Quit,
                KeyCode::Char('z') => Next::Suspend,
                _ => Next::Go,
            };
        }
        match self.mode {
            _ if key.code == KeyCode::Esc => return self.leave(),
            Mode::Filter => self.type_in(key.code),
            _ if key.code == KeyCode::Char('q') => return Next::Quit,
            // Any key closes the help, and does nothing else.
            Mode::Help => self.mode = Mode::Table,
            Mode::Table => self.move_or_sort(key.code),
        }
        Next::Go
    }

    fn type_in(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.mode = Mode::Table,
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(char) if self.filter.len() < FILTER_CHARS_MAX && char.is_ascii_graphic() => {
                self.filter.push(char.to_ascii_lowercase());
            }
            _ => {}
        }
    }

    fn move_or_sort(&mut self, key: KeyCode) {
        let page = self.room.max(2).cast_signed() - 1;
        match key {
            KeyCode::Up => self.step(-1),
            KeyCode::Down => self.step(1),
            KeyCode::PageUp => self.step(-page),
            KeyCode::PageDown => self.step(page),
            KeyCode::Home => self.select(0),
            KeyCode::End => self.select(usize::MAX),
            KeyCode::Enter => {
                if self.selected_row().is_none() {
                    self.select(self.first);
                }
                self.detail = !self.detail && self.selected.is_some();
            }
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Char('p' | ' ') => {
                self.paused = if self.is_paused() { None } else { Some(Box::new(self.now.clone())) };
            }
            KeyCode::Char(char) => {
                if let Some(order) = Order::of_key(char) {
                    (self.order, self.reversed) = (order, false);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
