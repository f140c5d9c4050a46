//! `GET /usage`: what was used since a time, by function, version or hour.

use std::path::PathBuf;
use std::time::SystemTime;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use tokio::sync::Semaphore;

use crate::causes::chain;
use crate::http::answer::exposure::Exposure;
use crate::http::answer::problem::Problem;
use crate::http::answer::{JSON, answer};
use crate::http::request::query::{shortened, unknown_parameter};
use crate::http::{Request, Response};
use crate::units::Policy;
use crate::usage::{By, ReportError, ReportFormat, Since, Store, report_of};

const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8; header=present");

/// The default of `since`.
pub const SINCE: &str = "7d";

/// Reports made at once: each reads a whole file on a thread of its own.
const AT_ONCE: usize = 1;

/// Where stored accounts are read.
pub struct UsageFile {
    file: Result<PathBuf, String>,
    places: Semaphore,
}

impl UsageFile {
    /// The file, or why there is none.
    pub fn new(file: Result<PathBuf, String>) -> Self {
        Self { file, places: Semaphore::new(AT_ONCE) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Query {
    since: Since,
    by: By,
    policy: Policy,
    format: ReportFormat,
}

impl UsageFile {
    /// The report that the query asks for; `policy` unless it names another.
    pub(crate) async fn report(
        &self,
        request: &Request,
        exposure: Exposure,
        policy: Policy,
    ) -> Result<Response, Problem> {
        exposure.check_totals()?;
        let query = parse(request.uri().query(), policy, SystemTime::now())?;
        let file = self.file.clone().map_err(Problem::NoAccounts)?;
        let failed = |why: String| Problem::Unhealthy(format!("cannot read the accounts: {why}"));
        let _place = self.places.acquire().await.map_err(|error| failed(error.to_string()))?;
        let read = move || -> Result<Vec<u8>, ReportError> {
            let report = report_of(&mut Store::read(&file)?, query.since, query.by, query.policy)?;
            query.format.write(&report, None)
        };
        let report = tokio::task::spawn_blocking(read).await.map_err(|error| failed(error.to_string()))?;
        let report = report.map_err(|error| failed(chain(&error)))?;
        let kind = if query.format == ReportFormat::Csv { CSV } else { JSON };
        Ok(answer(StatusCode::OK, kind, report))
    }
}

/// `default` is the policy where the query names none.
fn parse(query: Option<&str>, default: Policy, now: SystemTime) -> Result<Query, Problem> {
    let mut parsed = Query { since: Since::Ever, by: By::Function, policy: default, format: ReportFormat::Json };
    let mut since = SINCE.to_owned();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "since" => since = value.into_owned(),
            "by" => parsed.by = choice(&name, &value, &By::ALL.map(|by| (by.as_str(), by)))?,
            "format" => {
                let formats = [ReportFormat::Json, ReportFormat::Csv].map(|format| (format.as_str(), format));
                parsed.format = choice(&name, &value, &formats)?;
            }
            "policy" => {
                let policies = [Policy::Active, Policy::Usage].map(|policy| (policy.as_str(), policy));
                parsed.policy = choice(&name, &value, &policies)?;
            }
            _ => return Err(unknown_parameter(&name, "since, by, policy and format are")),
        }
    }
    parsed.since = Since::parse(&since, now)
        .map_err(|why| Problem::BadRequest(format!("`{}` is not a value of `since`: {why}", shortened(&since))))?;
    Ok(parsed)
}

/// The choice with this name.
fn choice<T: Copy>(parameter: &str, value: &str, choices: &[(&str, T)]) -> Result<T, Problem> {
    let found = choices.iter().find(|(name, _)| *name == value).map(|(_, choice)| *choice);
    found.ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let (value, names) = (shortened(value), names.join(", "));
        Problem::BadRequest(format!("`{value}` is not a value of `{parameter}`; the values are {names}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_query_is_refused_with_the_choices_there_are() {
        let parse = |query| parse(query, Policy::Usage, SystemTime::UNIX_EPOCH);
        let week = Since::parse(SINCE, SystemTime::UNIX_EPOCH).unwrap();
        let default = Query { since: week, by: By::Function, policy: Policy::Usage, format: ReportFormat::Json };
        assert_eq!(parse(None).unwrap(), default);
        let given = parse(Some("since=all&by=hour&format=csv&policy=active")).unwrap();
        let expected = Query { since: Since::Ever, by: By::Hour, policy: Policy::Active, format: ReportFormat::Csv };
        assert_eq!(given, expected);
        for (query, hint) in [
            ("since=yesterday", "7d"),
            ("since=", "7d"),
            ("by=day", "function, version, hour"),
            ("format=table", "json, csv"),
            ("policy=x", "active, usage"),
            ("form=csv", "since, by, policy and format"),
        ] {
            let Err(Problem::BadRequest(why)) = parse(Some(query)) else { panic!("{query}") };
            assert!(why.contains(hint), "{query}: {why}");
        }
    }
}
