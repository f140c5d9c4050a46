//! What the daemon sends is what `nebula_api` says: clients read every body with the type that the server writes it with.

use nebula_api::call::Envelope;
use nebula_api::form::FormReport;
use nebula_api::functions::{FunctionDetails, Functions, Versions};
use nebula_api::invocations::Invocations;
use nebula_api::ledger::Ledger;
use nebula_api::problem::Problem;
use nebula_api::usage::Report;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, from_value, to_value};

use crate::prelude::*;

/// Every member is read, and written again as it was.
#[track_caller]
pub fn assert_is<T: DeserializeOwned + Serialize>(body: &Value) {
    let read: T = from_value(body.clone()).unwrap_or_else(|error| panic!("{error}: {body}"));
    assert_eq!(&to_value(read).unwrap(), body);
}

#[test]
fn every_body_is_of_its_type() {
    for options in [
        &["--source", "model"][..],
        &["--source", "simulated", "--carbon-intensity", "300", "--power-max", "100W"],
        &["--source", "off"],
    ] {
        let daemon = Daemon::with_guests(options);
        assert_is::<Envelope<'_>>(&daemon.get("/invoke/fibonacci?input=5").json());
        assert_is::<Envelope<'_>>(&daemon.get("/invoke/fibonacci?input=5&settle=true").json());
        assert_is::<Envelope<'_>>(&daemon.post("/invoke/echo", [0xff]).json());
        assert_is::<Problem<'_>>(&daemon.get("/invoke/unreachable").problem());
        assert_is::<Problem<'_>>(&daemon.get("/invoke/nobody").problem());
        let form = b"function_name=unreachable&num_calls=2";
        let kind = "content-type: application/x-www-form-urlencoded";
        assert_is::<FormReport<'_>>(&daemon.request("POST", "/api/wasm", &[kind], form).json());
        assert_is::<Functions>(&daemon.get("/functions").json());
        assert_is::<FunctionDetails>(&daemon.get("/functions/add").json());
        assert_is::<Versions>(&daemon.get("/functions/add/versions").json());
        assert_is::<Invocations>(&daemon.get("/invocations").json());
        assert_is::<Ledger>(&daemon.get("/energy").json());
        assert_is::<Report>(&daemon.get("/usage").json());
    }
}
