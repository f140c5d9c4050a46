//! `GET /openapi.json`: what this daemon answers, for programs. The document is `openapi.json` beside this file.

use std::sync::LazyLock;

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::Value;

use crate::http::Response;
use crate::http::answer::{JSON, answer};

const DOCUMENT: &str = include_str!("openapi.json");

/// With the version of this program.
static VERSIONED: LazyLock<Bytes> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(DOCUMENT).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document.to_string().into()
});

/// The document.
pub fn openapi() -> Response {
    answer(StatusCode::OK, JSON, VERSIONED.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
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
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
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
        let document = document();
        let operations =
            document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
        let names: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    }
}
