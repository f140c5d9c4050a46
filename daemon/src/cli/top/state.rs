//! What the screen shows, and what keys and readings do to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::ledger::{Reading, Source};
use super::order::Order;
use super::rates::{Function, History, Rates};
use super::trail::{POINT_OVER, Trail};

/// Longest filter: no name is longer. Source: `functions::FunctionName`.
const FILTER_CHARS_MAX: usize = 63;

/// What is shown, until something newer comes.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub source: Source,
    /// `None` before there are two readings.
    pub rates: Option<Rates>,
    pub trail: Trail,
}

/// Why nothing new is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// For how long.
    pub time: Duration,
    pub why: Option<String>,
}

/// What keys are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The table: sorting it, and moving in it.
    Table,
    /// Typing the filter.
    Filter,
    /// Reading the help.
    Help,
}

/// What a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Go,
    Quit,
    /// Back to the shell until it is called upon again.
    Suspend,
}

/// The screen's state.
#[derive(Debug)]
pub struct State {
    /// The daemon's address.
    pub daemon: String,
    pub order: Order,
    pub reversed: bool,
    pub filter: String,
    pub selected: Option<Arc<str>>,
    /// Whether more is told of the selected function.
    pub detail: bool,
    pub mode: Mode,
    /// The first row that is shown, and how many there is room for.
    pub first: usize,
    pub room: usize,
    history: History,
    now: Shown,
    /// What is shown instead while it is paused.
    held: Option<Box<Shown>>,
    heard: Instant,
    trouble: Option<String>,
    patience: Duration,
}

impl State {
    /// Shows what `first` says. A daemon is silent if no reading comes for longer than `patience`.
    pub fn new(daemon: String, order: Order, first: Reading, patience: Duration) -> Self {
        let mut state = Self {
            daemon,
            order,
            reversed: false,
            filter: String::new(),
            selected: None,
            detail: false,
            mode: Mode::Table,
            first: 0,
            room: 0,
            history: History::default(),
            now: Shown::default(),
            held: None,
            heard: first.at,
            trouble: None,
            patience,
        };
        state.read(first);
        state
    }

    /// A reading has come.
    pub fn read(&mut self, reading: Reading) {
        (self.heard, self.trouble) = (reading.at, None);
        self.now.source = reading.source.clone();
        self.history.push(reading);
        if let Some(rates) = self.history.rates_over(POINT_OVER) {
            self.now.trail.add(self.heard, &rates);
        }
        if let Some(rates) = self.history.rates() {
            self.now.rates = Some(rates);
        }
    }

    /// None has come, for this reason.
    pub fn miss(&mut self, why: String) {
        self.trouble = Some(why);
    }

    /// Whether the daemon is silent.
    pub fn silence(&self, now: Instant) -> Option<Silence> {
        let time = now.saturating_duration_since(self.heard);
        (self.trouble.is_some() || time > self.patience).then(|| Silence { time, why: self.trouble.clone() })
    }

    pub fn is_paused(&self) -> bool {
        self.held.is_some()
    }

    pub fn shown(&self) -> &Shown {
        self.held.as_deref().unwrap_or(&self.now)
    }

    /// The rows of the table, all of them.
    pub fn rows(&self) -> Vec<&Function> {
        let functions = self.shown().rates.iter().flat_map(|rates| &rates.functions);
        let mut rows: Vec<_> = functions.filter(|function| function.name.contains(&self.filter)).collect();
        self.order.sort(self.reversed, &mut rows);
        rows
    }

    /// The function of which more is told.
    pub fn detailed(&self) -> Option<&Function> {
        let selected = self.selected.as_ref().filter(|_| self.detail)?;
        self.shown().rates.iter().flat_map(|rates| &rates.functions).find(|function| function.name == *selected)
    }

    /// There is room for so many rows: those shown are moved so that the selected one is among them.
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

    /// Selects the row so many further on; the first one if none was selected.
    fn step(&mut self, by: isize) {
        let row = match self.selected_row() {
            Some(row) => row.saturating_add_signed(by),
            None if by.unsigned_abs() > 1 => self.first.saturating_add_signed(by),
            None => self.first,
        };
        self.select(row);
    }

    /// Selects this row, or the last one.
    fn select(&mut self, row: usize) {
        let rows = self.rows();
        self.selected = rows.get(row.min(rows.len().saturating_sub(1))).map(|function| function.name.clone());
    }

    /// Leaves what was opened last; if nothing was, the program.
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

    /// A key was pressed.
    pub fn press(&mut self, key: KeyEvent) -> Next {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Next::Quit,
                KeyCode::Char('z') => Next::Suspend,
                _ => Next::Go,
            };
        }
        match self.mode {
            _ if key.code == KeyCode::Esc => self.leave(),
            Mode::Filter => {
                self.type_in(key.code);
                Next::Go
            }
            _ if key.code == KeyCode::Char('q') => Next::Quit,
            // The first key after reading the help is meant for nothing else.
            Mode::Help => {
                self.mode = Mode::Table;
                Next::Go
            }
            Mode::Table => {
                self.move_or_sort(key.code);
                Next::Go
            }
        }
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
                self.held = if self.is_paused() { None } else { Some(Box::new(self.now.clone())) };
            }
            KeyCode::Char(char) => {
                if let Some(order) = Order::ALL.into_iter().find(|order| order.key() == char) {
                    (self.order, self.reversed) = (order, false);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
