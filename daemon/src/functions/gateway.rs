//! How requests come to a module of a `modules.toml`: routes and arguments as WAGI has them.
//!
//! Source: WAGI, `docs/configuring_and_running.md` and `docs/environment_variables.md`; for `argv` the Wagi executor of
//! Spin, which took the format over.

use std::path::PathBuf;

use nebula_runtime::Grants;

use super::name::OWN_PATHS;

/// The end of a route that matches everything below it.
const WILDCARD: &str = "/...";

/// Paths of the daemon that a route may take anyway: `/invoke` offers the same.
const TAKEABLE: [&str; 2] = ["api", "wasm"];

/// The place of a route among all: the first that matches gets the request. The module's number in its file, and the route's
/// among those of the module.
pub type Place = (usize, usize);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    pub file: PathBuf,
    pub place: Place,
    pub route: ModuleRoute,
    pub argv: Argv,
    /// The export to call in place of `_start`.
    pub entry: Option<String>,
    /// How many outbound requests of a call may be under way.
    pub connections: Option<usize>,
}

impl Gateway {
    /// Narrows the grants of a function to what this entry says.
    pub fn grant(&self, grants: Grants) -> Grants {
        let outbound = match self.connections {
            Some(connections) => grants.outbound.at_once(connections),
            None => grants.outbound,
        };
        Grants { start: self.entry.clone(), outbound, ..grants }
    }
}

/// A path, or a path with everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleRoute {
    text: String,
}

impl ModuleRoute {
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
        if !text.starts_with('/') || !text.bytes().all(plain) {
            return Err("it must be a path such as /shop, or /shop/... for all below it".into());
        }
        let first = first_segment(text);
        if OWN_PATHS.contains(&first) && !TAKEABLE.contains(&first) {
            return Err(format!("`/{first}` is reserved for the daemon"));
        }
        Ok(Self { text: text.into() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A route below this one, which its module declares.
    pub fn below(&self, path: &str) -> Result<Self, String> {
        let own = self.text.strip_suffix(WILDCARD).unwrap_or(&self.text);
        Self::parse(&format!("{}/{}", own.strip_suffix('/').unwrap_or(own), path.strip_prefix('/').unwrap_or(path)))
    }

    /// Whether a request for `path` goes to the module. A path of the daemon matches only a route that names it.
    pub fn matches(&self, path: &str) -> bool {
        let own = first_segment(path);
        if OWN_PATHS.contains(&own) && first_segment(&self.text) != own {
            return false;
        }
        match self.text.strip_suffix(WILDCARD) {
            Some(prefix) => path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            None => path == self.text,
        }
    }

    /// The path of the module itself (`SCRIPT_NAME`), and the rest.
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

/// A template of a module's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argv(Vec<String>);

impl Default for Argv {
    fn default() -> Self {
        Self::parse("${SCRIPT_NAME} ${ARGS}")
    }
}

impl Argv {
    /// Words separated by spaces, with `${SCRIPT_NAME}` and `${ARGS}` in them.
    pub fn parse(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_owned).collect())
    }

    /// The arguments of a request. `${ARGS}` are the parts of the query between `&`, unchanged.
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

    fn matches(route: &str, path: &str) -> bool {
        ModuleRoute::parse(route).unwrap().matches(path)
    }

    #[test]
    fn a_route_matches_its_path_or_everything_below() {
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
            assert_eq!(matches(route, path), expected, "{route} {path}");
        }
    }

    #[test]
    fn the_daemons_paths_are_matched_only_by_name() {
        for path in ["/metrics", "/healthz", "/invoke/f", "/api/f/1", "/functions"] {
            assert!(!matches("/...", path), "{path}");
        }
        assert!(matches("/api/...", "/api/f/1") && !matches("/api/...", "/wasm/f"));
        for own in ["/metrics", "/fn/...", "/functions/x", "/openapi.json"] {
            assert!(ModuleRoute::parse(own).unwrap_err().contains("reserved for the daemon"), "{own}");
        }
        for bad in ["", "x", "...", "/a b", "/a?b", "/ä"] {
            assert!(ModuleRoute::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_is_split_into_script_and_rest() {
        for (route, path, expected) in [
            ("/static/...", "/static/images/icon.png", ("/static", "/images/icon.png")),
            ("/static/...", "/static", ("/static", "")),
            ("/static/icon.png", "/static/icon.png", ("/static/icon.png", "")),
            ("/...", "/", ("/", "/")),
            ("/...", "/a", ("/", "/a")),
            ("/", "/", ("/", "")),
        ] {
            assert_eq!(ModuleRoute::parse(route).unwrap().split(path), expected, "{route} {path}");
        }
    }

    #[test]
    fn arguments_come_from_the_template() {
        let fill = |template: &str, query| Argv::parse(template).fill("/hello", query).join("|");
        assert_eq!(Argv::default().fill("/hello", Some("a=1&b=%20&&c")), ["/hello", "a=1", "b=%20", "c"]);
        assert_eq!(Argv::default().fill("/hello", None), ["/hello"]);
        assert_eq!(fill("ruby -v /lib/hello.rb ${SCRIPT_NAME} ${ARGS}", Some("x")), "ruby|-v|/lib/hello.rb|/hello|x");
        assert_eq!(fill("f --query=${ARGS} --at=${SCRIPT_NAME}", Some("x&y")), "f|--query=x y|--at=/hello");
        assert_eq!(fill("", Some("x")), "");
    }
}
