//! Every option, once. Flags, environment variables, keys of the file, defaults and help all come from this table.

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct ServeOption {
    /// Its key in the file. The flag is `--` and the key with `-` for `.`; the variable `NEBULA_` and the key in
    /// capitals with `_`.
    pub key: &'static str,
    /// What its value is, as help shows it.
    pub value: &'static str,
    /// Used where nothing is said; `None` where the option may be absent.
    pub default: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
}

const fn option(
    key: &'static str,
    value: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> ServeOption {
    ServeOption { key, value, default, help }
}

/// All options of `nebula serve`, in the order in which help shows them.
pub const OPTIONS: &[ServeOption] = &[
    option("listen", "ADDRESS", Some("127.0.0.1:8080"), "Address and port to listen on; port 0 takes a free one"),
    option(
        "admin.listen",
        "ADDRESS",
        None,
        "A second address, for those who manage the daemon: everything is served there, with every figure in full; \
         deploying, /metrics, /energy, /usage and /events then only there",
    ),
    option(
        "access",
        "WHO",
        Some("auto"),
        "Of whom a token is asked: auto (of all who do not come from this machine, and of those too for what changes \
         something, where tokens are given), tokens (of everybody), local (as auto does, where whoever can reach it counts \
         as being on this machine: for a container whose port is published on 127.0.0.1) or open (of nobody)",
    ),
    option(
        "tokens",
        "FILE",
        None,
        "Tokens by which callers are known (TOML; `nebula token` makes them); read again as it changes",
    ),
    option(
        "tls.cert",
        "FILE",
        None,
        "Certificate (PEM) with which both addresses speak TLS, and those between it and an authority; read again as it \
         changes",
    ),
    option("tls.key", "FILE", None, "Private key (PEM) of that certificate"),
    option(
        "cors.origins",
        "ORIGINS",
        None,
        "Origins whose pages may use the answers, such as https://a.example,https://b.example, or * for any",
    ),
    option(
        "functions",
        "DIR",
        None,
        "Serve the .wasm and .wat files of this directory besides the built-in functions, as they come, change and go; \
         functions that are deployed are kept there. If not given, functions in state",
    ),
    option(
        "modules",
        "FILE",
        None,
        "Serve the modules of this modules.toml, in the format of WAGI, at their routes besides all functions",
    ),
    option(
        "state",
        "DIR",
        None,
        "Where the daemon keeps what outlives it; if not given, $STATE_DIRECTORY (which systemd sets), else nebula in \
         $XDG_STATE_HOME or in ~/.local/state",
    ),
    option(
        "cache.size",
        "SIZE",
        Some("512MiB"),
        "Most compiled code that is kept in state, so that the next start need not compile; 0 keeps none",
    ),
    option("cache.dir", "DIR", None, "Where compiled code is kept if not in state; several daemons may share it"),
    option(
        "source",
        "SOURCE",
        Some("auto"),
        "Energy source: auto (the best that answers, and another while it does not); powercap, perf or hwmon (measured); \
         model (an estimate); simulated (made up, for demonstrations); rapl-energy in builds that have it; off (nothing is \
         measured, and calls have no joules)",
    ),
    option("window", "DURATION", Some("100ms"), "Time between two readings of the energy source"),
    option(
        "policy",
        "POLICY",
        Some("active"),
        "What energy_joules means: active, or usage (adds a share of the base energy by CPU time)",
    ),
    option(
        "energy.resolution",
        "ENERGY",
        None,
        "To what the joules of a call are rounded for callers: full, or a step such as 1uJ or 1mJ; if not given, full on \
         loopback and 100uJ elsewhere",
    ),
    option(
        "energy.expose",
        "WHOM",
        Some("callers"),
        "Who is told joules: callers, or only operators: at the address of admin.listen, or with a token of that role",
    ),
    option(
        "carbon.intensity",
        "INTENSITY",
        None,
        "Grams of CO2e that come with a kilowatt-hour of electricity: a number, a schedule (a CSV file with the columns \
         start,g_per_kwh), or the http(s) address of an endpoint that answers as Electricity Maps does",
    ),
    option("carbon.token-file", "FILE", None, "A file with the token for that endpoint, sent as the header auth-token"),
    option("carbon.poll", "DURATION", Some("5m"), "How often that endpoint is asked"),
    option(
        "carbon.stale",
        "DURATION",
        Some("2h"),
        "How long an intensity is used after its time when no newer one is known; after that, grams are not known",
    ),
    option("price", "PRICE", None, "What a kilowatt-hour costs, such as \"0.30 EUR\""),
    option(
        "pue",
        "FACTOR",
        Some("1.0"),
        "Power usage effectiveness: energy that the building takes for each joule of the machine; counts in grams and cost",
    ),
    option(
        "outbound.ca",
        "FILE",
        None,
        "Certificates (PEM) of further authorities that functions' outbound requests trust, besides those of the web",
    ),
    option("sysfs-root", "DIR", Some("/sys"), "Where sysfs is mounted"),
    option("procfs-root", "DIR", Some("/proc"), "Where procfs is mounted"),
    option("limits.wall", "DURATION", Some("30s"), "Longest time a call may run"),
    option("limits.memory", "SIZE", Some("128MiB"), "Most memory a call may have"),
    option("limits.table", "COUNT", Some("100000"), "Most elements that a table of a call may have"),
    option("limits.stdout", "SIZE", Some("4MiB"), "Most output a call may write"),
    option("limits.stderr", "SIZE", Some("64KiB"), "How much of a call's stderr is kept, from its end"),
    option("limits.body", "SIZE", Some("4MiB"), "Largest request body"),
    option("limits.concurrency", "COUNT", Some("256"), "Most calls that run at once"),
    option("limits.queue", "COUNT", Some("1024"), "Most calls that wait for others to end"),
    option("limits.queue-wait", "DURATION", Some("10s"), "Longest time a call may wait for others to end"),
    option("limits.functions", "COUNT", Some("10000"), "Most functions that are loaded"),
    option(
        "limits.versions",
        "COUNT",
        Some("10000"),
        "Most versions of functions that one run of the daemon keeps accounts of",
    ),
    option("limits.module", "SIZE", Some("64MiB"), "Largest module that is loaded"),
    option(
        "quota.calls-per-second",
        "COUNT",
        None,
        "Most calls a second of each function whose manifest does not say; further ones are answered with 429",
    ),
    option(
        "quota.concurrency",
        "COUNT",
        None,
        "Most calls at once, waiting ones included, of each function whose manifest does not say; further ones are \
         answered with 429",
    ),
    option(
        "quota.joules-per-hour",
        "ENERGY",
        None,
        "Most active energy within any hour of each function whose manifest does not say, such as 500J or 0.1kWh; \
         further calls are answered with 429",
    ),
    option(
        "power.max",
        "POWER",
        None,
        "Most active power of all functions together, such as 40W: while they draw more, new calls wait (limits.queue, \
         limits.queue-wait) and are then answered with 503, those of the lowest priority first",
    ),
    option("deploy.compilations", "COUNT", Some("1"), "Most deployed functions that are compiled at once"),
    option("deploy.queue", "COUNT", Some("16"), "Most deployed functions that wait to be compiled"),
    option(
        "deploy.time",
        "DURATION",
        Some("60s"),
        "Longest time to compile a deployed function, and to wait for others",
    ),
    option("deploy.keep", "COUNT", Some("10"), "Versions of each function that are kept in state to go back to"),
    option(
        "deploy.directories",
        "DIRS",
        None,
        "Directories that manifests which come over the network may name, and those below them; several with colons \
         between them, none if not given",
    ),
    option("api.calls", "COUNT", Some("1000"), "Most calls that a form at /api/wasm may ask for"),
    option("api.wall", "DURATION", Some("5m"), "Longest time that the calls of such a form may take together"),
    option("http.connections", "COUNT", Some("10000"), "Most connections at once; further ones wait to be accepted"),
    option("http.head", "SIZE", Some("64KiB"), "Largest head of a request: its line and its headers"),
    option(
        "http.header-timeout",
        "DURATION",
        Some("10s"),
        "Longest time until a request's head is complete, and between two requests",
    ),
    option("http.body-timeout", "DURATION", Some("30s"), "Longest time until a request's body is complete"),
    option(
        "http.write-timeout",
        "DURATION",
        Some("30s"),
        "Longest time for which a client may take nothing of an answer",
    ),
    option("http.streams", "COUNT", Some("100"), "Most HTTP/2 streams at once on a connection"),
    option("http.grace", "DURATION", Some("10s"), "Longest time to finish running calls after SIGTERM or SIGINT"),
    option("runtime.tick", "DURATION", Some("5ms"), "After how long a running call lets others have their turn"),
    option("runtime.workers", "COUNT", None, "Threads that run calls; one for each processor if not given"),
    option("meter.postings", "COUNT", Some("16384"), "Slices of calls that each worker can report within a window"),
    option("meter.calls", "COUNT", Some("65536"), "Calls that are kept in mind until they are settled"),
    option(
        "meter.recent",
        "COUNT",
        Some("16384"),
        "Calls that have ended and /invocations remembers, at up to 500 bytes each",
    ),
    option("meter.waiters", "COUNT", Some("1024"), "Callers that wait at once for a settled charge (?settle=true)"),
    option("usage.flush", "DURATION", Some("1s"), "Time between two times that accounts are stored"),
    option(
        "usage.keep",
        "DURATION",
        Some("400d"),
        "How long accounts are kept by the hour; older hours become one sum, and 0 stores no accounts at all",
    ),
    option(
        "usage.rows",
        "COUNT",
        Some("1000000"),
        "Most rows of stored accounts, at some 40 bytes each; beyond that hours become one sum sooner",
    ),
    option("usage.log", "FILE", None, "Write a line of JSON to this file for each call that was settled"),
    option("usage.log-size", "SIZE", Some("100MiB"), "Size at which the usage log goes on in a new file"),
    option("usage.log-keep", "COUNT", Some("10"), "Files of the usage log that are kept besides, as FILE.1 and so on"),
    option(
        "usage.log-queue",
        "COUNT",
        Some("65536"),
        "Lines of the usage log that wait to be written; more are dropped",
    ),
    option(
        "metrics.functions",
        "COUNT",
        Some("1000"),
        "Functions with a label of their own in /metrics; the rest are `other`",
    ),
    option("log.format", "FORMAT", Some("text"), "Log format: text or json"),
    option(
        "log.level",
        "LEVEL",
        Some("info"),
        "Least severe log lines written: error, warn, info, debug, trace or off",
    ),
    option(
        "log.access",
        "WHERE",
        Some("off"),
        "Where every answer is logged: off, stderr or a file, which is begun anew at SIGHUP",
    ),
    option("log.access-format", "FORMAT", Some("combined"), "Format of that: combined (Apache's, and more) or json"),
    option(
        "traces.otlp",
        "URL",
        None,
        "Collector that traces of calls go to by OTLP over HTTP, such as http://127.0.0.1:4318, or off; if not given, what \
         OTEL_EXPORTER_OTLP_ENDPOINT says",
    ),
    option("traces.sample", "RATIO", Some("1"), "Which part of the traces that begin here is recorded, from 0 to 1"),
    option("traces.queue", "COUNT", Some("2048"), "Calls that wait for the export of their traces"),
    option(
        "events.queue",
        "COUNT",
        Some("256"),
        "How many events a client of /events may be behind before it is dropped",
    ),
    option("events.clients", "COUNT", Some("64"), "Clients of /events at once"),
];
