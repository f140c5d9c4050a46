//! How requests come to a module of a `modules.toml`: routes and arguments as WAGI has them.
//!
//! Source: WAGI, `docs/configuring_and_running.md` and `docs/environment_variables.md`; for `argv` the Wagi executor of
//! Spin, which took the format over.

use std::path::PathBuf;

use nebula_runtime::Grants;

use super::name::OWN_PATHS;

/// What ends a route that leads to everything below it.
const WILDCARD: &str = "/...";

/// Own paths of the daemon that a route may take all the same: what they offer is at `/invoke` too.
const FOR_THE_TAKING: [&str; 2] = ["api", "wasm"];

/// How requests come to a module.
#[derive(Debug, PartialEq, Eq)]
pub struct Gateway {
    /// The file that lists it.
    pub file: PathBuf,
    /// Which of its modules it is: the first whose route leads there has a request.
    pub position: usize,
    /// Where it is.
    pub route: ModuleRoute,
    /// What it is told as its arguments.
    pub argv: Argv,
    /// The export that is called, if not `_start`.
    pub entry: Option<String>,
    /// Outbound requests that a call may have under way.
    pub connections: Option<usize>,
}

impl Gateway {
    /// What the module is granted, of what every function would be.
    #[must_use]
    pub fn grant(&self, grants: Grants) -> Grants {
        let outbound = match self.connections {
            Some(connections) => grants.outbound.at_once(connections),
            None => grants.outbound,
        };
        Grants { start: self.entry.clone(), outbound, ..grants }
    }
}

/// A path, or a path and everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleRoute {
    text: String,
}

impl ModuleRoute {
    /// Reads a route.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
        if !text.starts_with('/') || !text.bytes().all(plain) {
            return Err("it must be a path such as /shop, or /shop/... for all below it".into());
        }
        let first = first_segment(text);
        if OWN_PATHS.contains(&first) && !FOR_THE_TAKING.contains(&first) {
            return Err(format!("`/{first}` is a path of the daemon's own"));
        }
        Ok(Self { text: text.into() })
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this path leads there. The daemon's own paths do only where a route names them.
    #[must_use]
    pub fn leads(&self, path: &str) -> bool {
        let own = first_segment(path);
        if OWN_PATHS.contains(&own) && first_segment(&self.text) != own {
            return false;
        }
        match self.text.strip_suffix(WILDCARD) {
            Some(prefix) => path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            None => path == self.text,
        }
    }

    /// The path of the module itself, `SCRIPT_NAME`, and what is below it.
    #[must_use]
    pub fn split<'p>(&self, path: &'p str) -> (&str, &'p str) {
        match self.text.strip_suffix(WILDCARD) {
            Some("") => ("/", path),
            Some(prefix) => (prefix, path.strip_prefix(prefix).unwrap_or_default()),
            None => (&self.text, ""),
        }
    }
}

fn first_segment(path: &str) -> &str {
    let below = path.get(1..).unwrap_or_default();
    below.split('/').next().unwrap_or_default()
}

/// What a module is told as its arguments, the first its own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argv(Vec<String>);

impl Default for Argv {
    fn default() -> Self {
        Self::read("${SCRIPT_NAME} ${ARGS}")
    }
}

impl Argv {
    /// Words, with `${SCRIPT_NAME}` and `${ARGS}` among them or in them.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_owned).collect())
    }

    /// The arguments of a request. Those of the query are its parts between `&`, as they came.
    #[must_use]
    pub fn fill(&self, script: &str, query: Option<&str>) -> Vec<String> {
        let args: Vec<&str> = query.unwrap_or_default().split('&').filter(|part| !part.is_empty()).collect();
        let mut filled = Vec::with_capacity(self.0.len() + args.len());
        for word in &self.0 {
            if word == "${ARGS}" {
                filled.extend(args.iter().map(|arg| (*arg).to_owned()));
            } else if word.contains("${") {
                filled.push(word.replace("${SCRIPT_NAME}", script).replace("${ARGS}", &args.join(" ")));
            } else {
                filled.push(word.clone());
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(route: &str, path: &str) -> bool {
        ModuleRoute::read(route).unwrap().leads(path)
    }

    #[test]
    fn a_route_leads_to_its_path_or_to_all_below() {
        for (route, path, expected) in [
            ("/", "/", true),
            ("/", "/x", false),
            ("/x", "/x", true),
            ("/x", "/x/", false),
            ("/x/", "/x/", true),
            ("/x/", "/x", false),
            ("/x", "/x/y", false),
            ("/x/...", "/x", true),
            ("/x/...", "/x/", true),
            ("/x/...", "/x/y/z", true),
            ("/x/...", "/xy", false),
            ("/...", "/", true),
            ("/...", "/anything/else", true),
        ] {
            assert_eq!(leads(route, path), expected, "{route} {path}");
        }
    }

    #[test]
    fn the_daemons_own_paths_are_not_for_the_taking_but_by_name() {
        for path in ["/metrics", "/healthz", "/invoke/f", "/api/f/1", "/functions"] {
            assert!(!leads("/...", path), "{path}");
        }
        assert!(leads("/api/...", "/api/f/1") && !leads("/api/...", "/wasm/f"));
        for own in ["/metrics", "/fn/...", "/functions/x", "/openapi.json"] {
            assert!(ModuleRoute::read(own).unwrap_err().contains("of the daemon's own"), "{own}");
        }
        for bad in ["", "x", "...", "/a b", "/a?b", "/ä"] {
            assert!(ModuleRoute::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_is_the_scripts_and_what_is_below() {
        for (route, path, expected) in [
            ("/static/...", "/static/images/icon.png", ("/static", "/images/icon.png")),
            ("/static/...", "/static", ("/static", "")),
            ("/static/icon.png", "/static/icon.png", ("/static/icon.png", "")),
            ("/...", "/", ("/", "/")),
            ("/...", "/a", ("/", "/a")),
            ("/", "/", ("/", "")),
        ] {
            assert_eq!(ModuleRoute::read(route).unwrap().split(path), expected, "{route} {path}");
        }
    }

    #[test]
    fn arguments_are_the_template_filled() {
        let fill = |template: &str, query| Argv::read(template).fill("/hello", query).join("|");
        assert_eq!(Argv::default().fill("/hello", Some("a=1&b=%20&&c")), ["/hello", "a=1", "b=%20", "c"]);
        assert_eq!(Argv::default().fill("/hello", None), ["/hello"]);
        assert_eq!(fill("ruby -v /lib/hello.rb ${SCRIPT_NAME} ${ARGS}", Some("x")), "ruby|-v|/lib/hello.rb|/hello|x");
        assert_eq!(fill("f --query=${ARGS} --at=${SCRIPT_NAME}", Some("x&y")), "f|--query=x y|--at=/hello");
        assert_eq!(fill("", Some("x")), "");
    }
}
