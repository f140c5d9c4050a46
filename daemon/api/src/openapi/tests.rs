use std::collections::BTreeSet;

use super::*;

#[test]
fn the_description_is_the_one_that_is_checked_in() {
    let made = format!("{:#}\n", document());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"), &made).unwrap();
        return;
    }
    assert!(made == JSON, "`openapi.json` is out of step: run this test with UPDATE_GOLDEN=1");
}

#[test]
fn every_reference_leads_somewhere_and_everything_is_referred_to() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
    for (kind, components) in document["components"].as_object().unwrap() {
        for name in components.as_object().unwrap().keys().filter(|name| !name.ends_with("Event")) {
            let reference = format!("#/components/{kind}/{name}");
            assert!(kind == "securitySchemes" || found.contains(&reference), "nobody refers to {reference}");
        }
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let operations = operations::all();
    let names: BTreeSet<_> =
        operations.iter().map(|(.., operation)| operation.operation_id.as_deref().unwrap()).collect();
    assert_eq!(names.len(), operations.len(), "{names:?}");
}

#[test]
fn what_may_be_null_is_always_there_and_what_is_flattened_may_be_missing() {
    let schemas = document()["components"]["schemas"].take();
    let required = |schema: &Value| schema["required"].as_array().cloned().unwrap_or_default();
    assert!(required(&schemas["Work"]).contains(&"instructions".into()), "{}", schemas["Work"]);
    assert!(!required(&schemas["Work"]).contains(&"reason".into()));
    let carbon = required(&schemas["CallCarbon"]);
    assert!(carbon.is_empty(), "{carbon:?}");
    assert!(schemas["Problem"]["allOf"][0]["anyOf"].is_array(), "{}", schemas["Problem"]);
}
