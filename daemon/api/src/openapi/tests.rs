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
fn every_reference_resolves_and_every_component_is_used() {
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
    let paths = operations::paths();
    let operations = || paths.as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let names: BTreeSet<_> = operations().map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), operations().count(), "{names:?}");
}

#[test]
fn nullable_members_are_required_and_flattened_parts_are_not() {
    let schemas = document()["components"]["schemas"].take();
    let required = |schema: &Value| schema["required"].as_array().cloned().unwrap_or_default();
    assert!(required(&schemas["Work"]).contains(&"instructions".into()), "{}", schemas["Work"]);
    assert!(!required(&schemas["Work"]).contains(&"reason".into()));
    let carbon = required(&schemas["CallCarbon"]);
    assert!(carbon.is_empty(), "{carbon:?}");
    assert!(schemas["Problem"]["allOf"][0]["anyOf"].is_array(), "{}", schemas["Problem"]);
}
