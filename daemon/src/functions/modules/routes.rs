//! Routes that a module declares itself: its export `_routes` prints a path and an export in each line.
//!
//! Source: WAGI, `docs/writing_modules.md`, "Declaring (Sub-)Routes in the Module".

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nebula_runtime::{Ending, Grants, Invocation, Kind, Program, Recorder, Runtime};

use super::Module;
use super::file::name;
use crate::functions::gateway::Gateway;

const ROUTES: &str = "_routes";

/// Runs the module's `_routes`, if it has one, and returns what it prints. It gets no files, no hosts and no variables.
///
/// # Errors
/// Says how it failed.
pub fn declared(
    runtime: &Runtime,
    wasm: &[u8],
    grants: &Grants,
    spent: &mut dyn FnMut(Duration),
) -> Result<Option<String>, String> {
    // The name of an export stands in the binary, and in the text. Most modules need not be compiled twice.
    if !wasm.windows(ROUTES.len()).any(|window| window == ROUTES.as_bytes()) {
        return Ok(None);
    }
    let limits = grants.limits;
    let grants = Grants { start: Some(ROUTES.into()), ..Grants::of(limits) };
    let program = match Program::compile_watched(runtime, wasm, grants, spent) {
        Ok(program) if program.kind() == Kind::Command => program,
        // Whatever else is wrong shows when the module itself is compiled.
        Ok(_) | Err(_) => return Ok(None),
    };
    let tokio =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let completion = tokio.block_on(program.call(Invocation::default(), Recorder::new(&limits)));
    tokio.shutdown_timeout(Duration::ZERO);
    match completion.ending {
        Ending::Returned => String::from_utf8(completion.output).map(Some).map_err(|_| "it prints no text".to_owned()),
        Ending::Trapped(why) => Err(why),
        Ending::TimedOut => Err("it was stopped at its deadline (`limits.wall`)".into()),
        Ending::OutputTooLarge => Err("it was stopped at the limit of its output (`limits.stdout`)".into()),
        Ending::OutOfMemory => Err("it was refused more memory (`limits.memory`)".into()),
        Ending::Exited(code) => Err(format!("it exited with {code}")),
        other => Err(format!("it ended with {other:?}")),
    }
}

/// The modules at the declared routes. If several match a path, the last of them gets the request, and the module itself
/// comes after all of them.
///
/// # Errors
/// Names the first line that declares no route, or says that there are more than `routes_max`.
pub fn expand(
    module: &Module,
    declared: &str,
    names: &mut BTreeSet<String>,
    routes_max: usize,
) -> Result<Vec<Module>, String> {
    let lines: Vec<_> = declared.lines().filter(|line| !line.trim().is_empty()).take(routes_max + 1).collect();
    if lines.is_empty() {
        return Err("it prints no route".into());
    }
    if lines.len() > routes_max {
        return Err(format!("it prints more than {routes_max} routes (`limits.functions`)"));
    }
    let declare = |(number, line): (usize, &&str)| {
        let gateway = &module.gateway;
        let mut words = line.split_whitespace();
        let (Some(path), Some(entry), None) = (words.next(), words.next(), words.next()) else {
            return Err(format!("`{line}` is not a path and the name of an export"));
        };
        let route = gateway.route.below(path).map_err(|why| format!("invalid route `{path}`: {why}"))?;
        let name = name(Some(&route), Some(&module.path), names).ok_or_else(|| format!("`{path}` makes no name"))?;
        let place = (gateway.place.0, lines.len() - number);
        let entry = Some(entry.to_owned()).filter(|entry| entry != "_start");
        // As in the file: what is no key of a manifest still makes a different version.
        let manifest = format!("# {route:?} {entry:?}\n{}", module.manifest);
        let gateway = Gateway { place, route, entry, ..Gateway::clone(gateway) };
        Ok(Module { name, path: module.path.clone(), manifest, gateway: Arc::new(gateway) })
    };
    lines.iter().enumerate().map(declare).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::functions::modules::file::{Listed, parse};

    fn expanded(route: &str, declared: &str) -> Result<Vec<Module>, String> {
        let text = format!("[[module]]\nroute = \"{route}\"\nmodule = \"a.wasm\"\n");
        let listed = parse(Path::new("/nowhere/modules.toml"), &text).unwrap().listed;
        let [Listed::Module(module)] = &listed[..] else { panic!("{listed:?}") };
        expand(module, declared, &mut BTreeSet::from([module.name.as_str().to_owned()]), 3)
    }

    #[test]
    fn declared_routes_are_below_the_modules_own() {
        for (own, routes) in [
            ("/", ["/exact", "/wild/..."]),
            ("/a", ["/a/exact", "/a/wild/..."]),
            ("/a/", ["/a/exact", "/a/wild/..."]),
            ("/a/...", ["/a/exact", "/a/wild/..."]),
        ] {
            let modules = expanded(own, "/exact one\n\n wild/...   two \n").unwrap();
            let found: Vec<_> = modules.iter().map(|module| module.gateway.route.as_str()).collect();
            assert_eq!(found, routes, "{own}");
            assert!(modules[0].gateway.place > modules[1].gateway.place, "the last one comes first");
            assert_eq!(modules[1].gateway.entry.as_deref(), Some("two"));
        }
        let started = expanded("/a", "/main _start").unwrap();
        assert_eq!((started[0].name.as_str(), started[0].gateway.entry.as_deref()), ("a-main", None));
    }

    #[test]
    fn what_declares_no_route_is_refused() {
        for (declared, why) in [
            ("", "it prints no route"),
            ("/hello", "`/hello` is not a path and"),
            ("/a a\n/b b c", "`/b b c` is not a path and"),
            ("/a?b a", "invalid route `/a?b`"),
            ("/a a\n/b b\n/c c\n/d d", "more than 3 routes"),
        ] {
            let refused = expanded("/x", declared).unwrap_err();
            assert!(refused.contains(why), "{declared}: {refused}");
        }
        assert!(expanded("/", "/metrics a").unwrap_err().contains("reserved for the daemon"));
    }
}
