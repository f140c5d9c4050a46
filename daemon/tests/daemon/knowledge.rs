//! What a daemon has learned about its machine, and what the next one makes of it.

use std::fs;
use std::path::Path;

use crate::daemon::CACHE;
use crate::prelude::*;

fn daemon(tree: &Tree, state: &Path) -> Daemon {
    tree.daemon(&["--window 20ms --state", state.to_str().unwrap(), "--cache-dir", CACHE])
}

/// What `/energy` says of the only zone.
fn calibration(daemon: &Daemon) -> Value {
    daemon.get("/energy").json()["zones"][0]["calibration"].clone()
}

/// The learned base power and its deviation.
fn base(calibration: &Value) -> (f64, f64) {
    let coefficients = calibration["coefficients"].as_array().unwrap();
    let base = coefficients.iter().find(|coefficient| coefficient["feature"] == "base");
    let base = base.unwrap_or_else(|| panic!("{calibration}"));
    (base["value"].as_f64().unwrap(), base["deviation"].as_f64().unwrap())
}

/// Calls a function until something is known of what it costs.
fn learn(daemon: &Daemon) -> Value {
    eventually("the daemon learns", || {
        assert_eq!(daemon.get("/invoke/fibonacci-recursive?input=30").status, 200);
        Some(calibration(daemon)).filter(|known| !known["learned_since"].is_null())
    })
}

#[test]
fn a_restarted_daemon_starts_with_what_it_knew() {
    let tree = Tree::new();
    let _moving = tree.zone("intel-rapl:0", "package-0", 0).follow_cpu(12.0, 5.0);
    let state = temporary_folder();
    let first = daemon(&tree, state.path());
    let learned = learn(&first);
    first.stop();
    let file = state.path().join("knowledge.json");
    let mut known: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let zone = &mut known["zones"][0];
    assert_eq!((&zone["zone"], &zone["source"]), (&json!("package-0"), &json!("powercap")));
    assert_eq!((&zone["learned_since"], &zone["calibrated"]), (&learned["learned_since"], &Value::Null));
    // As if it had run for longer: it knows the base power to a tenth of a watt.
    let coefficients = zone["coefficients"].as_array_mut().unwrap();
    assert_eq!(coefficients[0]["feature"], "base");
    coefficients[0]["mean"] = json!(12.0);
    for coefficient in &mut *coefficients {
        coefficient["covariance"][0] = json!(0.0);
    }
    let mut alone = vec![0.0; coefficients.len()];
    alone[0] = 0.01;
    coefficients[0]["covariance"] = json!(alone);
    let own = coefficients.iter().find(|coefficient| coefficient["feature"] == "function");
    let name = own.and_then(|own| own["function"].as_str()).unwrap_or_else(|| panic!("{coefficients:?}"));
    assert!(name.starts_with("fibonacci-recursive "), "{name}");
    fs::write(&file, known.to_string()).unwrap();

    let second = daemon(&tree, state.path());
    let known = calibration(&second);
    let recalled = known["coefficients"].as_array().unwrap().iter().map(|of| &of["feature"]);
    assert!(recalled.into_iter().any(|feature| feature == "function"), "{known}");
    assert_eq!(known["learned_since"], learned["learned_since"]);
    assert!(
        second.log().contains("starting with what was learned of package-0 by powercap since "),
        "{}",
        second.log()
    );
    let (watts, deviation) = base(&known);
    assert!((watts - 12.0).abs() < 1.5 && deviation < 0.5, "it starts with {watts} W, give or take {deviation}");
}

#[test]
fn what_another_machine_learned_is_ignored_and_a_broken_file_set_aside() {
    let tree = Tree::new();
    let _moving = tree.zone("intel-rapl:0", "package-0", 0).follow_cpu(12.0, 5.0);
    let state = temporary_folder();
    let file = state.path().join("knowledge.json");
    let first = daemon(&tree, state.path());
    learn(&first);
    first.stop();

    let known = fs::read_to_string(&file).unwrap();
    let other = known.replacen("\"kernel\": \"", "\"kernel\": \"another-", 1);
    assert_ne!(known, other);
    fs::write(&file, &other).unwrap();
    let second = daemon(&tree, state.path());
    assert!(second.log().contains("it was learned on another machine ("), "{}", second.log());
    assert!(!second.log().contains("starting with what was learned"), "{}", second.log());
    second.stop();

    fs::write(&file, &known[..known.len() / 2]).unwrap();
    let third = daemon(&tree, state.path());
    assert!(third.log().contains("knowledge.json` is damaged: "), "{}", third.log());
    assert!(third.log().contains("knowledge.json.broken-"), "{}", third.log());
    assert_eq!(third.get("/invoke/answer").status, 200);
    learn(&third);
    third.stop();
    assert!(fs::read_to_string(&file).unwrap().contains("\"zone\": \"package-0\""));
}
