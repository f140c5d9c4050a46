use super::super::ledger::Used;
use super::super::made_up::{reading, used};
use super::*;

/// What functions have used after so many seconds: the first draws 3 W, the second 2 W, the third 1 W.
fn functions(second: u64) -> [(&'static str, Used); 3] {
    let of = |watts: u64| used(second * watts * 1000, second * (4 - watts), second * watts * 1000);
    [("heavy", of(3)), ("medium", of(2)), ("light", of(1))]
}

fn state() -> (State, Instant) {
    let begin = Instant::now();
    let first = reading(begin, 0, &functions(0));
    let mut state = State::new("http://a".into(), Order::Watts, first, Duration::from_secs(3));
    state.read(reading(begin, 1000, &functions(1)));
    (state, begin)
}

fn press(state: &mut State, code: KeyCode) -> Next {
    state.press(KeyEvent::new(code, KeyModifiers::NONE))
}

fn type_in(state: &mut State, text: &str) {
    text.chars().for_each(|char| assert_eq!(press(state, KeyCode::Char(char)), Next::Go));
}

fn names(state: &State) -> Vec<&str> {
    state.rows().iter().map(|function| &*function.name).collect()
}

#[test]
fn keys_sort_and_turn_round() {
    let (mut state, _) = state();
    assert_eq!(names(&state), ["heavy", "medium", "light"]);
    type_in(&mut state, "c");
    assert_eq!(names(&state), ["light", "medium", "heavy"]);
    type_in(&mut state, "r");
    assert_eq!(names(&state), ["heavy", "medium", "light"]);
    type_in(&mut state, "n");
    assert_eq!((names(&state), state.reversed), (vec!["heavy", "light", "medium"], false));
}

#[test]
fn a_selection_follows_its_function_and_stays_in_sight() {
    let (mut state, _) = state();
    state.fit(1);
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
        assert_eq!(press(&mut state, key), Next::Go);
        state.fit(1);
        assert_eq!((state.selected.as_deref(), state.first), (Some(selected), first), "{key:?}");
    }
    state.fit(10);
    assert_eq!(state.first, 0, "there is room for all");
    state.fit(0);
}

#[test]
fn a_filter_is_typed_and_left() {
    let (mut state, _) = state();
    type_in(&mut state, "/Hxq");
    assert_eq!((&*state.filter, state.mode, names(&state).len()), ("hxq", Mode::Filter, 0));
    press(&mut state, KeyCode::Backspace);
    press(&mut state, KeyCode::Backspace);
    assert_eq!(names(&state), ["heavy", "light"]);
    press(&mut state, KeyCode::Enter);
    type_in(&mut state, "n");
    assert_eq!((state.order, names(&state)), (Order::Name, vec!["heavy", "light"]));
    assert_eq!(press(&mut state, KeyCode::Esc), Next::Go);
    assert_eq!(names(&state).len(), 3);
    assert_eq!(press(&mut state, KeyCode::Esc), Next::Quit);
}

#[test]
fn details_are_of_the_selected_function_or_the_first() {
    let (mut state, begin) = state();
    assert!(state.detailed().is_none());
    press(&mut state, KeyCode::Enter);
    assert_eq!(&*state.detailed().unwrap().name, "heavy");
    press(&mut state, KeyCode::Down);
    assert_eq!(&*state.detailed().unwrap().name, "medium");
    let grown = functions(2);
    state.read(reading(begin, 2000, &[grown[0], grown[2]]));
    assert!(state.detailed().is_none(), "it has gone");
    press(&mut state, KeyCode::Esc);
    assert!(!state.detail);
}

#[test]
fn a_pause_holds_what_is_shown_and_misses_nothing() {
    let (mut state, begin) = state();
    type_in(&mut state, "p");
    for second in 2..=5 {
        state.read(reading(begin, second * 1000, &functions(second)));
    }
    let joules = |state: &State| state.rows()[0].joules.0;
    assert_eq!((state.is_paused(), joules(&state), state.shown().trail.latest(99, None).len()), (true, 3.0, 1));
    type_in(&mut state, " ");
    assert_eq!((state.is_paused(), joules(&state), state.shown().trail.latest(99, None).len()), (false, 15.0, 5));
}

#[test]
fn a_silent_daemon_is_noticed_and_its_return_too() {
    let (mut state, begin) = state();
    let at = |ms| begin + Duration::from_millis(ms);
    assert_eq!(state.silence(at(3900)), None);
    assert_eq!(state.silence(at(4100)), Some(Silence { time: Duration::from_millis(3100), why: None }));
    state.miss("gone".into());
    assert_eq!(state.silence(at(2000)), Some(Silence { time: Duration::from_secs(1), why: Some("gone".into()) }));
    assert_eq!(names(&state).len(), 3, "the last figures stay");

    // It was started again: its sums begin at nothing, and the old figures stay until there are new rates.
    state.read(reading(begin, 6000, &[]));
    assert_eq!((state.silence(at(6000)), names(&state).len()), (None, 3));
    let mut again = reading(begin, 7000, &[("heavy", used(500, 1, 500))]);
    again.accounts.host.0 += 1;
    state.read(again);
    assert_eq!((names(&state), state.rows()[0].watts.0), (vec!["heavy"], 0.5));
}

#[test]
fn the_first_key_leaves_the_help() {
    let (mut state, _) = state();
    type_in(&mut state, "?");
    assert_eq!(state.mode, Mode::Help);
    type_in(&mut state, "n");
    assert_eq!((state.mode, state.order), (Mode::Table, Order::Watts));
    type_in(&mut state, "h");
    assert_eq!((press(&mut state, KeyCode::Esc), state.mode), (Next::Go, Mode::Table));
    type_in(&mut state, "?");
    assert_eq!(press(&mut state, KeyCode::Char('q')), Next::Quit);
}

#[test]
fn control_c_quits_from_everywhere() {
    let (mut state, _) = state();
    let control = |char| KeyEvent::new(KeyCode::Char(char), KeyModifiers::CONTROL);
    type_in(&mut state, "/");
    assert_eq!((state.press(control('c')), state.press(control('z')), &*state.filter), (Next::Quit, Next::Suspend, ""));
}
