use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};

use super::super::fixtures::{self, used};
use super::super::ledger::Used;
use super::*;

const PLAIN: Theme = Theme { colour: false, unicode: true };
const FULL: Theme = Theme { colour: true, unicode: true };
const ASCII: Theme = Theme { colour: false, unicode: false };

fn functions(second: u64) -> Vec<(&'static str, Used)> {
    vec![
        ("fibonacci-recursive", used(second * 1500, second * 120, second * 1440)),
        ("hello-world", used(second * 500, second * 1000, second * 500)),
        ("sudoku", used(4, 2, 4)),
        ("add", used(0, 0, 0)),
    ]
}

/// A daemon that has been watched for so many seconds.
fn watched(seconds: u64) -> (View, Instant) {
    let (view, begin) = fixtures::watched(seconds, functions);
    (view, begin + Duration::from_secs(seconds))
}

fn drawn(view: &mut View, theme: Theme, now: Instant, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, view, theme, now)).unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let cells = buffer.content.chunks(buffer.area.width.max(1).into());
    cells.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()).collect()
}

fn press(view: &mut View, keys: &str) {
    for key in keys.chars() {
        let code = if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) };
        view.press(KeyEvent::new(code, KeyModifiers::NONE));
    }
}

#[test]
fn a_terminal_of_80_by_24_shows_every_part() {
    let (mut view, now) = watched(10);
    let screen = lines(&drawn(&mut view, PLAIN, now, 80, 24));
    let expected = [
        "nebula top  127.0.0.1:8080  model: estimated, ranks by CPU time    1,120 calls/s",
        "model of a made-up processor, 2 threads, 1.5–7.0 W ±80 %; not measured",
        "5.50 W ±80 % █████████████████████████▓▓▓▓▓▓▒▒▒▒▒▒▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░░░",
        "             █ functions 2.00 W  ▓ runtime 500 mW  ▒ host 1.00 W  ░ base 2.00 W",
        "all functions, last 9s                                            at most 2.00 W",
        "                                                                      ██████████",
        "                                                                      ██████████",
        "                                                                      ██████████",
        "FUNCTION              WATTS▼                  SHARE    J/CALL   CALLS/S   JOULES",
    ];
    for (row, line) in expected.iter().enumerate() {
        assert!(screen[row].starts_with(line), "row {row}: {screen:#?}");
    }
    assert!(screen[9].starts_with("fibonacci-recursive   1.50 W  ██"), "{screen:#?}");
    assert!(screen[9].contains("75 %   12.0 mJ       120   15.0 J"), "{screen:#?}");
    assert!(screen[11].starts_with("sudoku ") && screen[11].contains("~2.00 mJ         0  4.00 mJ"), "{screen:#?}");
    assert!(screen[23].starts_with("q quit  w j c t n sort  ? help  / filter  r reverse"), "{screen:#?}");
}

#[test]
fn drawing_fits_terminals_of_any_size() {
    for (keys, trouble) in
        [("", false), ("", true), ("?", false), ("\n", false), ("\n", true), ("/x", false), ("p", true)]
    {
        let (mut view, now) = watched(2);
        press(&mut view, keys);
        if trouble {
            view.miss("it has gone".into());
        }
        for theme in [FULL, ASCII] {
            for width in (0..=12).chain([20, 30, 59, 60, 80, 120, 300]) {
                for height in (0..=12).chain([16, 20, 24, 28, 40, 70]) {
                    drawn(&mut view, theme, now, width, height);
                }
            }
        }
    }
}

#[test]
fn a_small_terminal_keeps_the_most_important_figures() {
    let (mut view, now) = watched(10);
    let screen = lines(&drawn(&mut view, PLAIN, now, 60, 10));
    assert!(screen[1].starts_with("5.50 W ±80 % ███"), "{screen:#?}");
    assert_eq!(screen[2], "█ functions 36 %  ▓ runtime 9.1 %  ▒ host 18 %  ░ base 36 %");
    assert!(
        screen[3].starts_with("FUNCTION") && screen[3].contains("WATTS▼") && screen[3].contains("J/CALL"),
        "{screen:#?}"
    );
    assert!(screen[4].starts_with("fibonacci-recursive") && screen[4].contains("12.0 mJ"), "{screen:#?}");
    assert!(screen[9].starts_with("q quit"), "{screen:#?}");
    let screen = lines(&drawn(&mut view, PLAIN, now, 24, 5));
    assert!(screen[2].starts_with("fibonacci-recu…") && screen[2].ends_with("1.50 W"), "{screen:#?}");
    assert_eq!(screen[0].trim_start(), "5.50 W  1,120 calls/s");
    let screen = lines(&drawn(&mut view, PLAIN, now, 40, 4));
    assert!(screen[0].starts_with("nebula top  ") && screen[0].ends_with("5.50 W ±80 %  1,120 calls/s"), "{screen:#?}");
}

#[test]
fn the_accounts_fill_the_bar_exactly() {
    for width in [20, 61, 80, 133] {
        let (mut view, now) = watched(3);
        let screen = lines(&drawn(&mut view, ASCII, now, width, 24));
        let bar = screen.iter().find(|line| line.starts_with("5.50 W")).unwrap();
        assert_eq!(bar.len(), usize::from(width));
        let parts = ['#', '=', '+', '-'].map(|fill| bar["5.50 W +-80 % ".len()..].matches(fill).count());
        assert_eq!(parts.iter().sum::<usize>(), usize::from(width) - 14, "{bar}");
        assert!(parts[0].abs_diff(parts[3]) <= 1 && parts[1].abs_diff(parts[2] / 2) <= 1, "{bar}");
    }
}

#[test]
fn a_plain_theme_uses_no_colour_and_an_ascii_theme_only_ascii() {
    let (mut view, now) = watched(10);
    press(&mut view, "\n");
    for theme in [PLAIN, ASCII] {
        let buffer = drawn(&mut view, theme, now, 100, 40);
        let coloured = buffer.content.iter().filter(|cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset));
        assert_eq!(coloured.count(), 0);
        assert!(buffer.content.iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)), "a row is selected");
        assert_eq!(lines(&buffer).concat().is_ascii(), theme == ASCII, "{:#?}", lines(&buffer));
    }
    press(&mut view, "?");
    assert!(lines(&drawn(&mut view, ASCII, now, 100, 40)).concat().is_ascii());
    let coloured = drawn(&mut watched(3).0, FULL, now, 100, 40);
    assert!(coloured.content.iter().any(|cell| cell.fg == Color::Cyan));
}

#[test]
fn details_of_a_selected_function_are_shown() {
    let (mut view, now) = watched(10);
    press(&mut view, "\n");
    let screen = lines(&drawn(&mut view, PLAIN, now, 100, 24)).join("\n");
    assert!(screen.contains("`fibonacci-recursive`, last 9s") && screen.contains("at most 1.50 W"), "{screen}");
    let details = "fibonacci-recursive: 1.50 W, 75 % of all functions; 12.0 mJ per call, 120 calls/s.";
    assert!(screen.contains(details) && screen.contains("15.0 J ± 2.88 J active and 7.50 J base in 1,200"), "{screen}");
}

#[test]
fn a_silent_daemon_is_reported_and_its_last_figures_stay() {
    let (mut view, now) = watched(10);
    view.miss("no daemon answers at http://127.0.0.1:8080".into());
    for height in [24, 10, 4] {
        let screen = lines(&drawn(&mut view, PLAIN, now + Duration::from_secs(70), 90, height));
        let last = screen.last().unwrap();
        assert!(last.starts_with("no answer for 1m 10s, trying again: no daemon answers"), "{screen:#?}");
        assert!(screen.iter().any(|line| line.starts_with("fibonacci-recursive")), "{screen:#?}");
    }
}

#[test]
fn the_filter_and_the_pause_are_shown() {
    let (mut view, now) = watched(10);
    press(&mut view, "/hell");
    let screen = lines(&drawn(&mut view, PLAIN, now, 80, 24));
    assert!(screen[23] == "filter: hell" && screen[9].starts_with("hello-world"), "{screen:#?}");
    press(&mut view, "\np");
    let screen = lines(&drawn(&mut view, PLAIN, now, 80, 24));
    assert!(screen[23].starts_with("filter `hell`, esc clears it  q quit"), "{screen:#?}");
    assert!(screen[0].ends_with("PAUSED"), "{screen:#?}");
    press(&mut view, "/x\n");
    let screen = lines(&drawn(&mut view, PLAIN, now, 80, 24));
    assert_eq!(screen[9], "no function matches");
}

#[test]
fn one_reading_alone_shows_that_another_is_needed() {
    let (mut view, now) = watched(0);
    let screen = lines(&drawn(&mut view, PLAIN, now, 80, 24)).join("\n");
    assert!(screen.contains("waiting for the second reading"), "{screen}");
}

#[test]
fn every_key_is_explained() {
    let (mut view, now) = watched(1);
    press(&mut view, "?");
    let screen = lines(&drawn(&mut view, PLAIN, now, 80, 30)).join("\n");
    let explained = ["quit", "freeze", "sort by watts", "J/CALL", "gap", "any key to go back"];
    assert!(explained.iter().all(|text| screen.contains(text)), "{screen}");
}
