//! What the command line looks like. `serve`'s options are those of the table in [`crate::config`].

use clap::{Arg, ArgAction, Command, ValueHint, value_parser};
use clap_complete::Shell;

use super::client;
use super::token::roles;
use super::top::{self, Colour, Order};
use crate::config::{options, options_by_heading};
use crate::settings::Setting;
use crate::units::Policy;
use crate::usage::{By, Format};

/// Options that `run` and `doctor` share with `serve`.
const SOURCE_OPTIONS: [&str; 3] = ["source", "sysfs-root", "procfs-root"];

/// The whole command line.
#[must_use]
pub fn command() -> Command {
    Command::new("nebula")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs WebAssembly functions and tells, for every call, how many joules it took")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(serve())
        .subcommand(run())
        .subcommand(invoke())
        .subcommand(deploy())
        .subcommand(list())
        .subcommand(top())
        .subcommand(report())
        .subcommand(rollback())
        .subcommand(remove())
        .subcommand(token())
        .subcommand(doctor())
        .subcommand(completions())
}

fn serve() -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .env("NEBULA_CONFIG")
        .value_hint(ValueHint::FilePath)
        .help("Read options from this TOML file; flags and variables go before it");
    Command::new("serve")
        .about("Serve functions over HTTP")
        .long_about(
            "Serves the functions that come with the program, and those of a directory, over HTTP. Its first line on \
             stdout is `listening on http://ADDRESS`; logs go to stderr.\n\nEvery option can be given as a flag, as a \
             variable (shown in brackets) or in the configuration file, where a flag --limits-wall is the key wall of the \
             table [limits].",
        )
        .after_help("Example:\n  nebula serve --functions ./functions --listen 127.0.0.1:9000")
        .arg(config)
        .args(options_by_heading().map(|(heading, setting)| option(setting).help_heading(heading)))
}

fn option(option: &Setting) -> Arg {
    let default = option.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let hint = if option.value == "DIR" { ValueHint::DirPath } else { ValueHint::Other };
    Arg::new(option.key).long(option.flag()).value_name(option.value).value_hint(hint).help(format!(
        "{}{default} [env: {}]",
        option.help,
        option.variable()
    ))
}

fn source_options() -> impl Iterator<Item = Arg> {
    options().filter(|option| SOURCE_OPTIONS.contains(&option.key)).map(option)
}

fn run() -> Command {
    Command::new("run")
        .about("Run one module here and tell the joules on stderr")
        .after_help(
            "The exit code is the module's own; 134 when it trapped. Arguments of a numeric module are its parameters.\n\n\
             Examples:\n  echo 10 | nebula run fibonacci.wasm\n  nebula run --dir . --env LEVEL=9 compress.wasm book.txt",
        )
        .arg(
            Arg::new("dir")
                .long("dir")
                .value_name("HOST[::GUEST]")
                .action(ArgAction::Append)
                .value_hint(ValueHint::DirPath)
                .help("Let the module use this directory, under its own name or another"),
        )
        .arg(
            Arg::new("env")
                .long("env")
                .value_name("NAME[=VALUE]")
                .action(ArgAction::Append)
                .help("Set an environment variable, or pass on our own of this name"),
        )
        .arg(Arg::new("quiet").long("quiet").short('q').action(ArgAction::SetTrue).help("Do not tell the joules"))
        .args(source_options())
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_hint(ValueHint::FilePath)
                .help("A .wasm or .wat module"),
        )
        .arg(
            Arg::new("arguments")
                .value_name("ARGS")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .help("Arguments of the module"),
        )
}

fn invoke() -> Command {
    Command::new("invoke")
        .about("Call a function of a running daemon; print its output and its energy")
        .after_help(
            "The output goes to stdout, the energy to stderr. The exit code is the function's own; 1 when it was stopped \
             or the daemon could not be reached.\n\nExamples:\n  nebula invoke fibonacci --input 10\n  nebula invoke \
             sudoku --env puzzle=53..7....\n  nebula invoke echo <letter.txt --input -",
        )
        .arg(Arg::new("name").value_name("NAME").required(true).help("The function"))
        .arg(
            Arg::new("input")
                .long("input")
                .short('i')
                .value_name("TEXT")
                .allow_hyphen_values(true)
                .help("What it reads; `-` for our own stdin"),
        )
        .arg(
            Arg::new("env")
                .long("env")
                .value_name("NAME=VALUE")
                .action(ArgAction::Append)
                .help("Set an environment variable of the call"),
        )
        .arg(
            Arg::new("settle")
                .long("settle")
                .action(ArgAction::SetTrue)
                .help("Wait some windows for what the call is finally charged, rather than print an estimate"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print the daemon's whole answer as JSON"))
        .args(client::arguments())
}

fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print the daemon's whole answer as JSON")
}

fn quiet() -> Arg {
    Arg::new("quiet").long("quiet").short('q').action(ArgAction::SetTrue).help("Print name and version only")
}

fn function() -> Arg {
    Arg::new("name").value_name("NAME").required(true).help("The function")
}

fn deploy() -> Command {
    Command::new("deploy")
        .about("Deploy a function, or a new version of it, to a running daemon")
        .after_help(
            "Prints the function's name and version. A new version takes over between two calls; the one before goes on if \
             the new one cannot be served.\n\nExamples:\n  nebula deploy fibonacci.wasm\n  nebula deploy build/out.wasm \
             --name shop --manifest shop.toml",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_hint(ValueHint::FilePath)
                .help("A .wasm or .wat module, or a component"),
        )
        .arg(Arg::new("name").long("name").value_name("NAME").help("What to call it, if not like its file"))
        .arg(
            Arg::new("manifest")
                .long("manifest")
                .value_name("FILE")
                .value_hint(ValueHint::FilePath)
                .help("Its manifest; if not given, the .toml beside it or, failing that, the one that is served with it"),
        )
        .arg(
            Arg::new("if-match")
                .long("if-match")
                .value_name("VERSION")
                .help("Deploy only in the place of this version (64 digits)"),
        )
        .args([quiet(), json()])
        .args(client::arguments())
}

fn rollback() -> Command {
    Command::new("rollback")
        .about("Go back to the version of a function before the one that is served")
        .after_help("Examples:\n  nebula rollback shop\n  nebula rollback shop --to 2a55e855a3fd")
        .arg(function())
        .arg(Arg::new("to").long("to").value_name("VERSION").help("Go to this version; its first digits will do"))
        .args([quiet(), json()])
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
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
        .args(client::arguments())
}

fn token() -> Command {
    Command::new("token")
        .about("Make a token by which a caller is known")
        .after_help(
            "The token goes to stdout, this once; a daemon keeps only its hash. It is presented as `Authorization: Bearer \
             TOKEN`. Roles: invoke (call functions, and read), deploy (that, and change them), operate (that, and totals and \
             every figure in full).\n\nExamples:\n  nebula token alice --tokens tokens.toml >alice.token\n  nebula token ci \
             --role deploy --function shop --tokens tokens.toml\n  nebula serve --tokens tokens.toml --listen 0.0.0.0:8443 \
             --tls-cert cert.pem --tls-key key.pem",
        )
        .arg(Arg::new("name").value_name("NAME").required(true).help("What it is called, in the file and in logs"))
        .arg(
            Arg::new("role")
                .long("role")
                .value_name("ROLE")
                .action(ArgAction::Append)
                .default_value("invoke")
                .value_parser(roles())
                .help("What its bearer may do"),
        )
        .arg(
            Arg::new("function")
                .long("function")
                .value_name("NAME")
                .action(ArgAction::Append)
                .help("A function that it is for; for all, if none is named"),
        )
        .arg(
            Arg::new("tokens")
                .long("tokens")
                .value_name("FILE")
                .value_hint(ValueHint::FilePath)
                .help("Add it to this file, which is made if there is none; if not given, the lines for it go to stderr"),
        )
}

fn report() -> Command {
    Command::new("report")
        .about("Tell what functions have used: joules, carbon, cost")
        .after_help(
            "Reads what a daemon has stored: asks it, or reads its file with --state, also while it runs or when it has \
             ended.\n\nExamples:\n  nebula report --since 24h --by hour\n  nebula report --since 2026-11-01 --format csv \
             >november.csv",
        )
        .arg(
            Arg::new("since")
                .long("since")
                .value_name("TIME")
                .default_value("7d")
                .help("How long ago (90m, 36h, 7d, 4w), a day (2026-11-01, UTC), a moment (RFC 3339), or all"),
        )
        .arg(
            Arg::new("by")
                .long("by")
                .value_name("WHAT")
                .value_parser(By::ALL.map(By::as_str))
                .default_value(By::Function.as_str())
                .help("A row for each function, version or hour"),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(Format::ALL.map(Format::as_str))
                .default_value(Format::Table.as_str())
                .help("A table for people, or everything for programs"),
        )
        .arg(
            Arg::new("policy")
                .long("policy")
                .value_name("POLICY")
                .value_parser([Policy::Active, Policy::Usage].map(Policy::as_str))
                .help(
                    "Which energy is shared, paid and turned into carbon: active, or usage (adds a share of the base \
                     energy); if not given, the daemon's, and active with --state",
                ),
        )
        .arg(
            Arg::new("state")
                .long("state")
                .value_name("DIR")
                .value_hint(ValueHint::DirPath)
                .help("Read the accounts in this directory instead of asking a daemon"),
        )
        .args(client::arguments())
}

fn top() -> Command {
    let choices =
        |name, value, default: &'static str| Arg::new(name).long(name).value_name(value).default_value(default);
    Command::new("top")
        .about("Watch a running daemon's functions by watts, joules per call and calls a second")
        .long_about(
            "Shows, and keeps up to date, what the functions of a running daemon draw, what a call of each takes, and what \
             else draws power.\n\nWatts, calls a second and joules per call are means over the last 5 seconds, or over the time \
             between two readings if that is longer; J/CALL with a `~` before it is the mean since the daemon started, since \
             no call was settled lately.\n\nKeys: w, j, c, t and n sort by watts, joules per call, calls a second, total joules \
             and name, r the other way round; arrows, page up and down, home and end select, enter tells more; / filters by \
             name, p pauses, ? explains every figure, q quits.\n\nWhere stdout is no terminal, or one whose TERM is `dumb`, it \
             prints a frame of text instead, as with --batch. Colours are left out where NO_COLOR is set. Bars are drawn in \
             ASCII unless the locale (LC_ALL, LC_CTYPE or LANG) is one of UTF-8. Where tokens are asked for, it takes one of \
             the role operate.",
        )
        .after_help(
            "Examples:\n  nebula top\n  nebula top --sort joules-per-call --daemon http://10.0.0.7:8080 --token-file \
             operator.token\n  nebula top --batch --count 10 --interval 1m >>watts.txt\n  nebula top --format json | jq \
             '.watts.functions'",
        )
        .arg(
            choices("sort", "ORDER", Order::Watts.as_str())
                .value_parser(Order::ALL.map(Order::as_str))
                .help("What comes first; keys change it"),
        )
        .arg(
            choices("interval", "TIME", "1s")
                .value_parser(top::interval)
                .help("How often the daemon is asked, from 200ms to 1h"),
        )
        .arg(
            choices("color", "WHEN", Colour::Auto.as_str())
                .value_parser(Colour::ALL.map(Colour::as_str))
                .help("Whether the screen has colours; frames have none"),
        )
        .arg(
            Arg::new("batch")
                .long("batch")
                .short('b')
                .action(ArgAction::SetTrue)
                .help("Print frames of text, one after the other, instead of drawing on the terminal"),
        )
        .arg(
            Arg::new("count")
                .long("count")
                .short('n')
                .value_name("N")
                .value_parser(value_parser!(u64))
                .help("Print so many frames [default: 1]; 0 for no end"),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(top::FrameFormat::ALL.map(top::FrameFormat::as_str))
                .help("Print frames as a table for people, or as lines of JSON for programs [default: table]"),
        )
        .args(client::arguments())
}

fn doctor() -> Command {
    Command::new("doctor")
        .about("Tell what this machine can measure, what is missing, and what would mend it")
        .after_help("Exits with 0 if something can be measured, with 1 if there is only the model.")
        .args(source_options().filter(|option| option.get_id() != "source"))
}

fn completions() -> Command {
    Command::new("completions")
        .about("Print the completion script of a shell")
        .after_help("Example:\n  nebula completions bash >~/.local/share/bash-completion/completions/nebula")
        .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell)))
}
