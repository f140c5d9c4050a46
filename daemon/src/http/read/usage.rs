//! `GET /usage`: what was used since a time, by function, version or hour.

use std::path::PathBuf;
use std::time::SystemTime;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use tokio::sync::Semaphore;

use crate::causes::chain;
use crate::http::Request;
use crate::http::Response;
use crate::http::answer::exposure::Door;
use crate::http::answer::problem::Problem;
use crate::http::answer::{JSON, answer};
use crate::http::app::App;
use crate::units::Policy;
use crate::usage::{By, Format, ReportError, Since, Store, report_of};

const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8; header=present");

/// From when on, if nothing is said.
pub const SINCE: &str = "7d";

/// Reports that are made at once: each reads a file from beginning to end on a thread of its own.
const AT_ONCE: usize = 1;

/// Where stored accounts are read.
pub struct UsageFile {
    file: Result<PathBuf, String>,
    places: Semaphore,
}

impl UsageFile {
    /// In this file, or nowhere, and why.
    #[must_use]
    pub fn new(file: Result<PathBuf, String>) -> Self {
        Self { file, places: Semaphore::new(AT_ONCE) }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Asked {
    since: Since,
    by: By,
    policy: Policy,
    format: Format,
}

impl App {
    pub(crate) async fn usage(&self, request: &Request, door: Door) -> Result<Response, Problem> {
        door.to_totals()?;
        let asked = asked(request.uri().query(), self.policy, SystemTime::now())?;
        let file = self.usage.file.clone().map_err(Problem::NoAccounts)?;
        let failed = |why: String| Problem::Unhealthy(format!("the accounts cannot be read: {why}"));
        let _place = self.usage.places.acquire().await.map_err(|error| failed(error.to_string()))?;
        let read = move || -> Result<Vec<u8>, ReportError> {
            let report = report_of(&mut Store::read(&file)?, asked.since, asked.by, asked.policy)?;
            asked.format.write(&report, None)
        };
        let told = tokio::task::spawn_blocking(read).await.map_err(|error| failed(error.to_string()))?;
        let told = told.map_err(|error| failed(chain(&error)))?;
        let kind = if asked.format == Format::Csv { CSV } else { JSON };
        Ok(answer(StatusCode::OK, kind, told))
    }
}

fn asked(query: Option<&str>, policy: Policy, now: SystemTime) -> Result<Asked, Problem> {
    let wrong = |what: String| Problem::BadRequest(what);
    let mut asked = Asked { since: Since::Ever, by: By::Function, policy, format: Format::Json };
    let mut since = SINCE.to_owned();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let shown: String = value.chars().take(40).collect();
        let one_of =
            |names: &[&str]| wrong(format!("`{shown}` is no good for `{name}`: it is one of {}", names.join(", ")));
        match &*name {
            "since" => since = value.into_owned(),
            "by" => {
                let found = By::ALL.into_iter().find(|by| by.as_str() == value);
                asked.by = found.ok_or_else(|| one_of(&By::ALL.map(By::as_str)))?;
            }
            "format" => {
                let formats = [Format::Json, Format::Csv];
                let found = formats.into_iter().find(|format| format.as_str() == value);
                asked.format = found.ok_or_else(|| one_of(&formats.map(Format::as_str)))?;
            }
            "policy" => {
                let policies = [Policy::Active, Policy::Usage];
                let found = policies.into_iter().find(|policy| policy.as_str() == value);
                asked.policy = found.ok_or_else(|| one_of(&policies.map(Policy::as_str)))?;
            }
            _ => {
                let shown: String = name.chars().take(40).collect();
                return Err(wrong(format!("`{shown}` is not asked for here: there are since, by, policy and format")));
            }
        }
    }
    asked.since = Since::parse(&since, now).map_err(|why| {
        let shown: String = since.chars().take(40).collect();
        wrong(format!("`{shown}` is no good for `since`: {why}"))
    })?;
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_told_or_refused_with_what_there_is() {
        let asked = |query| asked(query, Policy::Usage, SystemTime::UNIX_EPOCH);
        let week = Since::parse(SINCE, SystemTime::UNIX_EPOCH).unwrap();
        let default = Asked { since: week, by: By::Function, policy: Policy::Usage, format: Format::Json };
        assert_eq!(asked(None).unwrap(), default);
        let given = asked(Some("since=all&by=hour&format=csv&policy=active")).unwrap();
        let expected = Asked { since: Since::Ever, by: By::Hour, policy: Policy::Active, format: Format::Csv };
        assert_eq!(given, expected);
        for (query, hint) in [
            ("since=yesterday", "7d"),
            ("since=", "7d"),
            ("by=day", "function, version, hour"),
            ("format=table", "json, csv"),
            ("policy=x", "active, usage"),
            ("form=csv", "since, by, policy and format"),
        ] {
            let Err(Problem::BadRequest(why)) = asked(Some(query)) else { panic!("{query}") };
            assert!(why.contains(hint), "{query}: {why}");
        }
    }
}
