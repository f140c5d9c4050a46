//! `nebula deploy`, `rollback` and `remove`: change what a running daemon serves.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use clap::ArgMatches;
use hyper::Method;
use indicatif::{ProgressBar, ProgressStyle};
use nebula_api::functions::{Deployed, Function, FunctionDetails};
use percent_encoding::utf8_percent_encode;
use uuid::Uuid;

use super::client::{Answer, Client, Content, Sent};
use super::invoke::RESERVED;
use super::list::size;
use super::output::print;
use super::{EXIT_FAILURE, Failure, note};

const VERSION_DIGITS: usize = 12;

/// How often the spinner turns.
const SPIN: Duration = Duration::from_millis(100);

pub fn deploy(matches: &ArgMatches) -> super::Result {
    let client = Client::of(matches)?;
    let file = matches.get_one::<String>("file").map(PathBuf::from).unwrap_or_default();
    let name = match matches.get_one::<String>("name") {
        Some(name) => name.clone(),
        None => file.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned).ok_or_else(|| {
            Failure::usage(anyhow!("`{}` gives no name for the function: pass --name", file.display()))
        })?,
    };
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()));
    let module = read(&file)?;
    let beside = file.with_extension("toml");
    let manifest = match matches.get_one::<String>("manifest") {
        Some(path) => Some(PathBuf::from(path)),
        None => beside.exists().then_some(beside),
    };
    let quiet = matches.get_flag("quiet");
    let (body, content_type) = match &manifest {
        Some(path) => {
            if !quiet && !matches.contains_id("manifest") {
                note(format_args!("using the manifest `{}` beside it", path.display()));
            }
            let (body, boundary) = form(&module, &read(path)?);
            (body, format!("multipart/form-data; boundary={boundary}"))
        }
        None => (module, "application/wasm".to_owned()),
    };
    let progress =
        if quiet || !std::io::stderr().is_terminal() { ProgressBar::hidden() } else { bar(body.len() as u64) };
    let content = Content {
        body: Bytes::from(body),
        media_type: Some(content_type),
        if_match: matches.get_one::<String>("if-match").cloned(),
        sent: Some(show(&progress)),
    };
    let answer = client.send(Method::PUT, &path(&name, ""), content);
    progress.finish_and_clear();
    report_deployed(&answer?, matches, |_| format!("`nebula rollback {name}` goes back"))
}

pub fn roll_back(matches: &ArgMatches) -> super::Result {
    let client = Client::of(matches)?;
    let to = matches.get_one::<String>("to").map(|to| format!("?to={}", utf8_percent_encode(to, RESERVED)));
    let below = format!("/rollback{}", to.unwrap_or_default());
    let name = name(matches);
    let answer = client.send(Method::POST, &path(name, &below), Content::default())?;
    report_deployed(&answer, matches, |before| format!("`nebula rollback {name} --to {before}` undoes it"))
}

pub fn remove(matches: &ArgMatches) -> super::Result {
    let client = Client::of(matches)?;
    let name = name(matches);
    let answer = client.send(Method::DELETE, &path(name, ""), Content::default())?;
    if !answer.is_success() {
        return refused(&answer);
    }
    note(format_args!("removed `{name}`; `nebula rollback {name}` brings it back"));
    Ok(ExitCode::SUCCESS)
}

fn name(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("name").map(String::as_str).unwrap_or_default()
}

fn path(name: &str, below: &str) -> String {
    format!("/functions/{}{below}", utf8_percent_encode(name, RESERVED))
}

/// A form with both parts. Source: RFC 7578.
fn form(module: &[u8], manifest: &[u8]) -> (Vec<u8>, String) {
    // Random enough that neither part contains it.
    let boundary = Uuid::now_v7().simple().to_string();
    let mut form = Vec::with_capacity(module.len() + manifest.len() + 512);
    for (name, kind, bytes) in [("manifest", "application/toml", manifest), ("module", "application/wasm", module)] {
        let head =
            format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\ncontent-type: {kind}\r\n\r\n");
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(bytes);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (form, boundary)
}

fn bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = ProgressStyle::with_template("uploading {bar:30} {bytes} of {total_bytes}") {
        bar.set_style(style);
    }
    bar
}

/// Shows how much was sent and then, once all of it was, that the daemon compiles.
fn show(bar: &ProgressBar) -> Sent {
    let bar = bar.clone();
    Arc::new(move |sent| {
        bar.set_position(sent);
        if Some(sent) == bar.length()
            && let Ok(style) = ProgressStyle::with_template("{spinner} compiling, {elapsed}")
        {
            bar.set_style(style);
            bar.enable_steady_tick(SPIN);
        }
    })
}

/// `undo` says how to return to the version that was served before.
fn report_deployed(answer: &Answer, matches: &ArgMatches, undo: impl Fn(&str) -> String) -> super::Result {
    if !answer.is_success() {
        return refused(answer);
    }
    let deployed: Deployed = answer.parse()?;
    if matches.get_flag("json") {
        print(answer.bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let Deployed { details: FunctionDetails { function, cold_start, .. }, changed, version_before } = deployed;
    let Function { name, version, kind, size_bytes, .. } = function;
    let how = if cold_start.compiled { "compiled" } else { "found compiled" };
    let (version, took) = (short(&version), cold_start.duration_us as f64 / 1e3);
    print(format!("{name} {version}\n").as_bytes())?;
    if matches.get_flag("quiet") {
        return Ok(ExitCode::SUCCESS);
    }
    match (changed, version_before) {
        (false, _) => note(format_args!("`{name}` already serves this version")),
        (true, before) => {
            note(format_args!("{kind} of {}, {how} in {took:.1} ms", size(size_bytes)));
            if let Some(before) = before {
                let before = short(&before);
                note(format_args!("replaces {before}; {}", undo(before)));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn short(version: &str) -> &str {
    version.get(..VERSION_DIGITS).unwrap_or(version)
}

fn refused(answer: &Answer) -> super::Result {
    let refusal = answer.expect::<serde_json::Value>().err();
    Err(Failure { code: EXIT_FAILURE, error: refusal.map(Into::into) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_both_parts() {
        let (form, boundary) = form(b"\0asm", b"args = []");
        let text = String::from_utf8(form).unwrap();
        let parts: Vec<_> = text.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 4);
        assert!(parts[1].ends_with("\r\n\r\nargs = []\r\n") && parts[2].ends_with("\r\n\r\n\0asm\r\n"));
        assert_eq!(parts[3], "--\r\n");
    }
}
