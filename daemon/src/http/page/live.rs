//! The live page, which scripts fill: `live.html` reserves the space of everything that arrives later, so that nothing moves.

use std::sync::LazyLock;

use maud::{Markup, html as markup};

use super::files;

/// `live.html` without its line breaks and indentation, some of which browsers would show as spaces.
static FRAME: LazyLock<String> = LazyLock::new(|| include_str!("live.html").lines().map(str::trim_start).collect());

/// The live page around the plain one, which browsers without scripts show.
pub fn page(plain: Markup, page_key: Option<&str>) -> String {
    // Preloaded, so that the browser fetches all modules at once rather than import by import.
    let scripts = markup! {
        @if let Some(page_key) = page_key { meta name="nebula-page" content=(page_key); }
        script src={ (files::FOLDER) "begin.js" } {}
        @for name in files::modules() { link rel="modulepreload" href={ (files::FOLDER) (name) }; }
        script type="module" src={ (files::FOLDER) "main.js" } {}
    };
    let head = head("Joules per call", &scripts).into_string();
    FRAME.replacen("<!-- head -->", &head, 1).replacen("<!-- plain -->", &plain.into_string(), 1)
}

pub fn head(title: &str, more: &Markup) -> Markup {
    markup! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · Nebula" }
            link rel="icon" href="data:,";
            link rel="stylesheet" href={ (files::FOLDER) "style.css" };
            (more)
        }
    }
}
