//! Deployments and rollbacks of one function at the same time.

use std::thread;

use crate::prelude::*;

/// A module of its own for each number.
fn module(number: usize) -> String {
    format!("(module (func (export \"run\") (result i32) i32.const {number}))")
}

#[test]
fn no_unconditional_deployment_conflicts_and_no_rollback_reads_what_is_being_forgotten() {
    const EACH: usize = 25;
    let functions = temporary_folder();
    let daemon = Daemon::start(&["--deploy-keep 2 --functions", functions.path().to_str().unwrap()]);
    let daemon = &daemon;
    assert_eq!(daemon.request("PUT", "/functions/race", &[], module(0)).status, 201);
    thread::scope(|scope| {
        for thread in 0..3 {
            scope.spawn(move || {
                for turn in 0..EACH {
                    // Few modules, so that one is often served by the time it is deployed.
                    let answer = daemon.request("PUT", "/functions/race", &[], module((thread + turn) % 3));
                    assert!([200, 201].contains(&answer.status), "{answer:?}");
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let answer = daemon.request("POST", "/functions/race/rollback", &[], "");
                    // There may be no earlier version.
                    assert!([200, 409].contains(&answer.status), "{answer:?}");
                    assert_eq!(daemon.get("/functions/race/versions").status, 200);
                }
            });
        }
    });
}
