//! The files of the page. They are served as they are written: no build step, and nothing from elsewhere.

use hyper::StatusCode;
use hyper::header::HeaderValue;

use crate::http::Response;
use crate::http::answer::answer as plain;
use crate::http::problem::Problem;

/// Where they are. No function is called so, for names begin with a letter or a digit.
pub const FOLDER: &str = "/_page/";

const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
const SHEET: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");

macro_rules! files {
    ($($name:literal)*) => { [$(($name, include_str!($name))),*] };
}

/// Names and texts. They tell nothing of this daemon, so that whoever asks may have them.
const FILES: [(&str, &str); 18] = files! {
    "style.css" "begin.js" "main.js" "calls.js" "chart.js" "confirm.js" "daemon.js" "deploy.js" "dom.js" "functions.js"
    "history.js" "ledger.js" "polling.js" "power.js" "rates.js" "stream.js" "try.js" "units.js"
};

fn is_sheet(name: &str) -> bool {
    name.rsplit('.').next() == Some("css")
}

/// The file of this name.
pub fn answer(name: &str, path: &str) -> Result<Response, Problem> {
    let found = FILES.iter().find(|(known, _)| *known == name);
    let (name, text) = found.ok_or_else(|| Problem::NoRoute(path.to_owned()))?;
    let kind = if is_sheet(name) { SHEET } else { SCRIPT };
    Ok(plain(StatusCode::OK, kind, *text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_import_files_that_are_served_and_nothing_else() {
        for (name, text) in FILES.iter().filter(|(name, _)| !is_sheet(name)) {
            let imports = text.lines().filter(|line| line.starts_with("import ")).map(|line| {
                line.rsplit_once("from \"./").unwrap_or_else(|| panic!("{name}: {line}")).1.trim_end_matches("\";")
            });
            for import in imports {
                assert!(FILES.iter().any(|(known, _)| *known == import), "{name} imports {import}");
            }
            for foreign in ["http://", "https://", "innerHTML", "eval(", "import("] {
                let lines = text.lines().filter(|line| !line.contains("www.w3.org/2000/svg"));
                assert!(!lines.into_iter().any(|line| line.contains(foreign)), "{name} has {foreign}");
            }
        }
    }
}
