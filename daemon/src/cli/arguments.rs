//! What the command line looks like. The options of `serve` come from the rooms that they configure ([`crate::config`]).

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, Command, ValueHint, value_parser};
use clap_complete::Shell;
use strum::VariantNames;

use super::calibrate;
use super::client;
use super::top;
use crate::config::{options, options_by_heading};
use crate::functions::COMPILE_WORKER;
use crate::http::Role;
use crate::settings::Setting;
use crate::units::Policy;
use crate::usage::{By, ReportFormat};

/// Options that `run`, `doctor` and `calibrate` share with `serve`.
const SOURCE_OPTIONS: [&str; 3] = ["source", "sysfs-root", "procfs-root"];

/// The whole command line.
#[must_use]
pub fn command() -> Command {
    Command::new("nebula")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs WebAssembly functions and measures how many joules each call takes")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            serve(),
            run(),
            invoke(),
            deploy(),
            list(),
            top(),
            report(),
            rollback(),
            remove(),
            token(),
            doctor(),
            calibrate(),
            completions(),
            compile_worker(),
        ])
}

fn serve() -> Command {
    Command::new("serve")
        .about("Serve functions over HTTP")
        .long_about(
            "Serves the built-in functions, and those of a directory, over HTTP. The first line on stdout is `listening on \
             http://ADDRESS`; logs go to stderr.\n\nEvery option can be given as a flag, as an environment variable (shown \
             in brackets) or in the configuration file, where the flag --limits-wall is the key `wall` of the table \
             [limits].",
        )
        .after_help("Example:\n  nebula serve --functions ./functions --listen 127.0.0.1:9000")
        .arg(
            file("config", "FILE", "Read options from this TOML file; flags and variables override it")
                .env("NEBULA_CONFIG"),
        )
        .args(options_by_heading().map(|(heading, setting)| option(setting).help_heading(heading)))
}

fn option(setting: Setting) -> Arg {
    let default = setting.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let hint = if setting.value == "DIR" { ValueHint::DirPath } else { ValueHint::Other };
    Arg::new(setting.key).long(setting.flag()).value_name(setting.value).value_hint(hint).help(format!(
        "{}{default} [env: {}]",
        setting.help,
        setting.variable()
    ))
}

fn source_options() -> impl Iterator<Item = Arg> {
    options().filter(|setting| SOURCE_OPTIONS.contains(&setting.key)).map(option)
}

/// The directory for state, for commands that read or write what daemons keep there.
fn state_option() -> impl Iterator<Item = Arg> {
    options().filter(|setting| setting.key == "state").map(option)
}

/// An option with a value.
fn value(name: &'static str, placeholder: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(placeholder).help(help)
}

/// An option whose value is a file.
fn file(name: &'static str, placeholder: &'static str, help: &'static str) -> Arg {
    value(name, placeholder, help).value_hint(ValueHint::FilePath)
}

/// Parses one of the names of an enum's variants.
fn name_of<T>() -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = strum::ParseError> + VariantNames + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(T::VARIANTS).try_map(|name| name.parse::<T>())
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn positional(name: &'static str, placeholder: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name(placeholder).required(true).help(help)
}

fn json() -> Arg {
    switch("json", "Print the daemon's whole answer as JSON")
}

fn quiet() -> Arg {
    switch("quiet", "Print only name and version").short('q')
}

fn function() -> Arg {
    positional("name", "NAME", "Name of the function")
}

fn run() -> Command {
    Command::new("run")
        .about("Run one module here, and print its joules on stderr")
        .after_help(
            "Options stand before FILE; everything after it goes to the module. The exit code is the module's own, or 134 \
             if it trapped. The arguments of a numeric module are its parameters.\n\nExamples:\n  echo 10 | nebula run fibonacci.wasm\n  nebula run --dir . --env LEVEL=9 \
             compress.wasm book.txt\n  nebula run --network tcp:db.example.com:5432 report.wasm",
        )
        .args([
            value("dir", "HOST[::GUEST]", "Let the module use this directory, under its own name or another")
                .action(ArgAction::Append)
                .value_hint(ValueHint::DirPath),
            value("env", "NAME[=VALUE]", "Set an environment variable, or pass on the caller's of this name")
                .action(ArgAction::Append),
            value("outbound", "HOST", "Let the module send requests to this host, as in manifests: api.example.com, http://localhost:8080, https://*")
                .action(ArgAction::Append),
            value(
                "network",
                "SOCKETS",
                "Let the module open these sockets, as in manifests: tcp:HOST:PORT, udp-listen:ADDRESS:PORT, or * for any",
            )
            .action(ArgAction::Append),
            switch("quiet", "Do not print the joules").short('q'),
        ])
        .args(source_options())
        // One list, so that nothing after FILE is read as an option of ours, not even `--help` or `--`.
        .override_usage("nebula run [OPTIONS] <FILE> [ARGS]...")
        .arg(
            positional("command", "FILE", "A .wasm or .wat module, or a component; what follows it is the module's")
                .num_args(1..)
                .trailing_var_arg(true)
                .value_hint(ValueHint::FilePath),
        )
}

fn invoke() -> Command {
    Command::new("invoke")
        .about("Call a function of a running daemon; print its output and its energy")
        .after_help(
            "Output goes to stdout, energy to stderr. The exit code is the function's own, or 1 if it was stopped or the \
             daemon could not be reached.\n\nExamples:\n  nebula invoke fibonacci --input 10\n  nebula invoke sudoku --env \
             puzzle=53..7....\n  nebula invoke echo <letter.txt --input -",
        )
        .args([
            function(),
            value("input", "TEXT", "Input of the call; `-` reads stdin").short('i').allow_hyphen_values(true),
            value("env", "NAME=VALUE", "Set an environment variable of the call").action(ArgAction::Append),
            switch("settle", "Wait a few windows for the final charge instead of printing an estimate"),
            json(),
        ])
        .args(client::arguments())
}

fn deploy() -> Command {
    Command::new("deploy")
        .about("Deploy a function, or a new version of it, to a running daemon")
        .after_help(
            "Prints the function's name and version. A new version takes over between two calls; if it cannot be served, \
             the previous version keeps serving.\n\nExamples:\n  nebula deploy fibonacci.wasm\n  nebula deploy build/out.wasm \
             --name shop --manifest shop.toml",
        )
        .args([
            positional("file", "FILE", "A .wasm or .wat module, or a component").value_hint(ValueHint::FilePath),
            value("name", "NAME", "Name of the function; by default the name of the file"),
            file(
                "manifest",
                "FILE",
                "Manifest of the function; by default the .toml beside FILE or, without one, the manifest that is served now",
            ),
            value("if-match", "VERSION", "Deploy only if this version (64 digits) is served now"),
            quiet(),
            json(),
        ])
        .args(client::arguments())
}

fn rollback() -> Command {
    Command::new("rollback")
        .about("Go back to the previous version of a function")
        .after_help("Examples:\n  nebula rollback shop\n  nebula rollback shop --to 2a55e855a3fd")
        .args([
            function(),
            value("to", "VERSION", "Go back to this version; its first digits are enough"),
            quiet(),
            json(),
        ])
        .args(client::arguments())
}

fn remove() -> Command {
    Command::new("remove")
        .about("Remove a function from a running daemon")
        .after_help("Its versions are kept: `nebula rollback NAME` brings it back.")
        .arg(function())
        .args(client::arguments())
}

fn list() -> Command {
    Command::new("list")
        .about("List the functions of a running daemon")
        .arg(switch("json", "Print JSON"))
        .args(client::arguments())
}

fn token() -> Command {
    Command::new("token")
        .about("Make a token that callers identify themselves with")
        .after_help(
            "The token is printed on stdout, only this once; daemons keep its hash. Callers send it as `Authorization: \
             Bearer TOKEN`. Roles: invoke (call functions and read), deploy (also change functions), operate (also read \
             totals and exact figures).\n\nExamples:\n  nebula token alice --tokens tokens.toml >alice.token\n  nebula token \
             ci --role deploy --function shop --tokens tokens.toml\n  nebula serve --tokens tokens.toml --listen \
             0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem",
        )
        .args([
            positional("name", "NAME", "Name of the token, in the file and in logs"),
            value("role", "ROLE", "What its bearer may do")
                .action(ArgAction::Append)
                .default_value("invoke")
                .value_parser(PossibleValuesParser::new(Role::VARIANTS)),
            value("function", "NAME", "Restrict it to this function; by default it is for all").action(ArgAction::Append),
            file("tokens", "FILE", "Add it to this file, which is created if missing; by default print its entry on stderr"),
        ])
}

fn report() -> Command {
    Command::new("report")
        .about("Print what functions have used: joules, carbon and cost")
        .after_help(
            "Asks a daemon for what it has stored or, with --state, reads its file, whether or not it runs.\n\nExamples:\n  \
             nebula report --since 24h --by hour\n  nebula report --since 2026-11-01 --format csv >november.csv",
        )
        .args([
            value(
                "since",
                "TIME",
                "Begin this long ago (90m, 36h, 7d, 4w), at a day (2026-11-01, UTC), at a moment (RFC 3339), or `all`",
            )
            .default_value("7d"),
            value("by", "WHAT", "Print a row for each function, version or hour")
                .default_value(By::Function.as_str())
                .value_parser(By::ALL.map(By::as_str)),
            value("format", "FORMAT", "Print a table for people, or all figures for programs")
                .default_value(ReportFormat::Table.as_str())
                .value_parser(ReportFormat::ALL.map(ReportFormat::as_str)),
            value(
                "policy",
                "POLICY",
                "Which energy counts: active, or usage (adds a share of the base energy); by default the daemon's policy, \
                 and active with --state",
            )
            .value_parser([Policy::Active, Policy::Usage].map(Policy::as_str)),
            value("state", "DIR", "Read the accounts in this directory instead of asking a daemon")
                .value_hint(ValueHint::DirPath),
        ])
        .args(client::arguments())
}

fn top() -> Command {
    Command::new("top")
        .about("Watch a running daemon's functions by watts, joules per call and calls per second")
        .long_about(
            "Shows what the functions of a running daemon draw, what a call of each takes, and what else draws power, and \
             keeps that up to date.\n\nWatts, calls per second and joules per call are means over the last 5 seconds, or \
             over the time between two readings if that is longer. A `~` before J/CALL marks the mean since the daemon \
             started: no call was settled lately.\n\nKeys: w, j, c, t and n sort by watts, joules per call, calls per second, \
             total joules and name; r reverses the order; arrows, page up and down, home and end select; enter shows \
             details; / filters by name; p pauses; ? explains every figure; q quits.\n\nIf stdout is not a terminal, or TERM \
             is `dumb`, it prints one frame of text, as with --batch. NO_COLOR turns colours off. Bars are drawn in ASCII \
             unless the locale (LC_ALL, LC_CTYPE or LANG) is UTF-8. A daemon that asks for tokens needs one with the role \
             operate.",
        )
        .after_help(
            "Examples:\n  nebula top\n  nebula top --sort joules-per-call --daemon http://10.0.0.7:8080 --token-file \
             operator.token\n  nebula top --batch --count 10 --interval 1m >>watts.txt\n  nebula top --format json | jq \
             '.watts.functions'",
        )
        .args([
            value("sort", "ORDER", "Sort by this; keys change it")
                .default_value("watts")
                .value_parser(name_of::<top::Order>()),
            value("interval", "TIME", "Ask the daemon this often, from 200ms to 1h")
                .default_value("1s")
                .value_parser(top::interval),
            value("color", "WHEN", "Use colours on the screen; frames have none")
                .default_value("auto")
                .value_parser(name_of::<top::Colour>()),
            switch("batch", "Print frames of text one after the other instead of drawing on the terminal").short('b'),
            value("count", "N", "Print this many frames, or 0 for no end [default: 1]")
                .short('n')
                .value_parser(value_parser!(u64)),
            value("format", "FORMAT", "Print frames as a table for people, or as lines of JSON for programs [default: table]")
                .value_parser(name_of::<top::FrameFormat>()),
        ])
        .args(client::arguments())
}

fn doctor() -> Command {
    Command::new("doctor")
        .about("Show what this machine can measure, what is missing, and how to fix it")
        .after_help("Exits with 0 if something can be measured, and with 1 if there is only the model.")
        .args(source_options().filter(|option| option.get_id() != "source"))
        .args(state_option())
}

fn calibrate() -> Command {
    Command::new("calibrate")
        .about("Learn within half a minute what work costs on this machine, so that the first calls are charged right")
        .long_about(
            "Runs known work - integers, vectors, memory, sleep - on one thread up to all of them, in a mixed order with rests \
             between, and reads the energy counters meanwhile. From that it learns what the machine draws when nothing runs, \
             what waking it takes, and what a busy thread draws, each with its 95 % interval, and stores it in the directory \
             for state, where the next `nebula serve` finds it.\n\nA daemon learns the same from the calls that it runs. But a \
             daemon that is started busy, with one function or under constant load, takes long to tell base power from work, \
             and its intervals are wide until then.\n\nThe machine must be quiet: if others use more than a tenth of a \
             processor (or a fiftieth of many), this command names them and stops. A daemon that uses the same directory must \
             be stopped meanwhile.",
        )
        .after_help(
            "Exits with 0 if something was learned, with 1 if the machine is busy or a daemon holds the directory, and with 64 if \
             nothing is measured here, as with the model: its figures are stated, so there is nothing to \
             learn.\n\nExamples:\n  nebula calibrate\n  sudo nebula calibrate --state /var/lib/nebula\n  nebula calibrate --time \
             2m --json >calibration.json",
        )
        .args([
            value("time", "DURATION", "Take this long, from 5s to 10m [default: 30s]").value_parser(calibrate::time),
            switch("force", "Calibrate although the machine is busy; intervals get wider"),
            switch("json", "Print JSON"),
        ])
        .args(source_options())
        .args(state_option())
}

/// What daemons start to compile a function.
fn compile_worker() -> Command {
    let arguments = Arg::new("arguments").num_args(0..);
    Command::new(COMPILE_WORKER).about("Compile a module on stdin, for a daemon").hide(true).arg(arguments)
}

fn completions() -> Command {
    Command::new("completions")
        .about("Print the completion script of a shell")
        .after_help("Example:\n  nebula completions bash >~/.local/share/bash-completion/completions/nebula")
        .arg(positional("shell", "SHELL", "The shell to complete for").value_parser(value_parser!(Shell)))
}
