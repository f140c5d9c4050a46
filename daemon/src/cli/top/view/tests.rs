use super::super::account::Account;
use super::super::fixtures::{reading, used, watched};
use super::super::ledger::Used;
use super::*;

/// What functions have used after so many seconds: the first draws 3 W, the second 2 W, the third 1 W.
fn functions(second: u64) -> Vec<(&'static str, Used)> {
    let of = |watts: u64| used(second * watts * 1000, second * (4 - watts), second * watts * 1000);
    vec![("heavy", of(3)), ("medium", of(2)), ("light", of(1))]
}

fn view() -> (View, Instant) {
    watched(1, functions)
}

fn press(view: &mut View, code: KeyCode) -> Next {
    view.press(KeyEvent::new(code, KeyModifiers::NONE))
}

fn type_in(view: &mut View, text: &str) {
    text.chars().for_each(|char| assert_eq!(press(view, KeyCode::Char(char)), Next::Go));
}

fn names(view: &View) -> Vec<&str> {
    view.rows().iter().map(|function| &*function.name).collect()
}

#[test]
fn keys_sort_and_reverse() {
    let (mut view, _) = view();
    assert_eq!(names(&view), ["heavy", "medium", "light"]);
    type_in(&mut view, "c");
    assert_eq!(names(&view), ["light", "medium", "heavy"]);
    type_in(&mut view, "r");
    assert_eq!(names(&view), ["heavy", "medium", "light"]);
    type_in(&mut view, "n");
    assert_eq!((names(&view), view.reversed), (vec!["heavy", "light", "medium"], false));
}

#[test]
fn a_selection_follows_its_function_and_stays_in_sight() {
    let (mut view, _) = view();
    view.fit(1);
    for (key, selected, first) in [
        (KeyCode::Down, "heavy", 0),
        (KeyCode::Down, "medium", 1),
        (KeyCode::End, "light", 2),
        (KeyCode::Down, "light", 2),
        (KeyCode::Home, "heavy", 0),
        (KeyCode::PageDown, "medium", 1),
        (KeyCode::PageUp, "heavy", 0),
        (KeyCode::Up, "heavy", 0),
        (KeyCode::Char('c'), "heavy", 2),
    ] {
        assert_eq!(press(&mut view, key), Next::Go);
        view.fit(1);
        assert_eq!((view.selected.as_deref(), view.first), (Some(selected), first), "{key:?}");
    }
    view.fit(10);
    assert_eq!(view.first, 0, "there is room for all");
    view.fit(0);
}

#[test]
fn a_filter_is_typed_and_cleared() {
    let (mut view, _) = view();
    type_in(&mut view, "/Hxq");
    assert_eq!((&*view.filter, view.mode, names(&view).len()), ("hxq", Mode::Filter, 0));
    press(&mut view, KeyCode::Backspace);
    press(&mut view, KeyCode::Backspace);
    assert_eq!(names(&view), ["heavy", "light"]);
    press(&mut view, KeyCode::Enter);
    type_in(&mut view, "n");
    assert_eq!((view.order, names(&view)), (Order::Name, vec!["heavy", "light"]));
    assert_eq!(press(&mut view, KeyCode::Esc), Next::Go);
    assert_eq!(names(&view).len(), 3);
    assert_eq!(press(&mut view, KeyCode::Esc), Next::Quit);
}

#[test]
fn details_are_of_the_selected_function_or_the_first() {
    let (mut view, begin) = view();
    assert!(view.detailed().is_none());
    press(&mut view, KeyCode::Enter);
    assert_eq!(&*view.detailed().unwrap().name, "heavy");
    press(&mut view, KeyCode::Down);
    assert_eq!(&*view.detailed().unwrap().name, "medium");
    let grown = functions(2);
    view.read(reading(begin, 2000, &[grown[0], grown[2]]));
    assert!(view.detailed().is_none(), "it has gone");
    press(&mut view, KeyCode::Esc);
    assert!(!view.detail);
}

#[test]
fn a_pause_freezes_the_figures_and_loses_none() {
    let (mut view, begin) = view();
    type_in(&mut view, "p");
    for second in 2..=5 {
        view.read(reading(begin, second * 1000, &functions(second)));
    }
    let joules = |view: &View| view.rows()[0].joules.0;
    assert_eq!((view.is_paused(), joules(&view), view.shown().history.latest(99, None).len()), (true, 3.0, 1));
    type_in(&mut view, " ");
    assert_eq!((view.is_paused(), joules(&view), view.shown().history.latest(99, None).len()), (false, 15.0, 5));
}

#[test]
fn a_silent_daemon_is_noticed_and_so_is_its_return() {
    let (mut view, begin) = view();
    let at = |ms| begin + Duration::from_millis(ms);
    assert_eq!(view.silence(at(3900)), None);
    assert_eq!(view.silence(at(4100)), Some("no answer for 3s, still waiting".into()));
    view.miss("gone".into());
    assert_eq!(view.silence(at(2000)), Some("no answer for 1s, trying again: gone".into()));
    assert_eq!(names(&view).len(), 3, "the last figures stay");

    // It was started again: its sums begin at nothing, and the old figures stay until there are new rates.
    view.read(reading(begin, 6000, &[]));
    assert_eq!((view.silence(at(6000)), names(&view).len()), (None, 3));
    let mut again = reading(begin, 7000, &[("heavy", used(500, 1, 500))]);
    again.accounts[Account::Host as usize].0 += 1;
    view.read(again);
    assert_eq!((names(&view), view.rows()[0].watts.0), (vec!["heavy"], 0.5));
}

#[test]
fn any_key_closes_the_help() {
    let (mut view, _) = view();
    type_in(&mut view, "?");
    assert_eq!(view.mode, Mode::Help);
    type_in(&mut view, "n");
    assert_eq!((view.mode, view.order), (Mode::Table, Order::Watts));
    type_in(&mut view, "h");
    assert_eq!((press(&mut view, KeyCode::Esc), view.mode), (Next::Go, Mode::Table));
    type_in(&mut view, "?");
    assert_eq!(press(&mut view, KeyCode::Char('q')), Next::Quit);
}

#[test]
fn control_c_quits_from_everywhere() {
    let (mut view, _) = view();
    let control = |char| KeyEvent::new(KeyCode::Char(char), KeyModifiers::CONTROL);
    type_in(&mut view, "/");
    assert_eq!((view.press(control('c')), view.press(control('z')), &*view.filter), (Next::Quit, Next::Suspend, ""));
}
