use super::*;
use crate::functions::manifest::{CEILINGS, Manifest};

fn parsed(folder: &Path, text: &str) -> Vec<Listed> {
    parse(&folder.join("modules.toml"), text).unwrap().listed
}

fn good(listed: &[Listed]) -> Vec<&Module> {
    listed.iter().filter_map(|listed| if let Listed::Module(module) = listed { Some(module) } else { None }).collect()
}

fn mistakes(text: &str) -> Vec<String> {
    let listed = parsed(Path::new("/nowhere"), text);
    listed
        .into_iter()
        .flat_map(|listed| if let Listed::Wrong(wrong) = listed { wrong.mistakes } else { vec![] })
        .collect()
}

#[test]
fn every_key_of_wagi_is_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let text = r#"
        [[module]]
        route = "/"
        module = "Hello World.wasm"

        [[module]]
        route = "/bar/..."
        module = "file:///srv/b%20r.wasm"
        entrypoint = "hello"
        volumes = { "/data" = "data" }
        environment = { GREETING = "hi" }
        allowed_hosts = ["https://example.com/", "insecure:allow-all"]
        http_max_concurrency = 3
        argv = "bar ${ARGS}"
        repository = "reserved"
    "#;
    let listed = parsed(folder.path(), text);
    let modules = good(&listed);
    let [root, bar] = modules[..] else { panic!("{:?}", mistakes(text)) };
    assert_eq!((root.name.as_str(), &root.path), ("hello-world", &folder.path().join("Hello World.wasm")));
    assert_eq!((root.gateway.entry.as_ref(), &root.gateway.argv), (None, &Argv::default()));
    assert_eq!((bar.name.as_str(), bar.path.to_str()), ("bar", Some("/srv/b r.wasm")));
    assert_eq!((bar.gateway.entry.as_deref(), bar.gateway.connections), (Some("hello"), Some(3)));
    assert_eq!((bar.gateway.place.0, bar.gateway.route.as_str()), (1, "/bar/..."));
    let manifest = Manifest::parse_at(Path::new("/x"), &bar.manifest, &CEILINGS).unwrap();
    assert_eq!(manifest.env["GREETING"], "hi");
    assert_eq!(manifest.outbound, ["https://example.com", "https://*", "http://*"]);
    let directory = &manifest.directories[0];
    assert_eq!((&directory.host, &*directory.guest, directory.writable), (&folder.path().join("data"), "/data", true));
}

#[test]
fn mistakes_name_their_line_and_the_other_modules_are_served() {
    let text = "[[module]]\nroute = \"/good\"\nmodule = \"a.wasm\"\n\n\
                [[module]]\nrout = \"/x\"\nmodule = \"oci:foo/bar:1.2.3\"\nbindle_server = \"http://localhost\"\n\n\
                [[module]]\nroute = \"/metrics\"\nmodule = 3\nhttp_max_concurrency = 0\nargv = [\"a\"]\n\n\
                [[module]]\nroute = \"/v\"\nmodule = \"a.wasm\"\nvolumes = { \"/data\" = \"missing\" }\n\
                environment = { A = 1 }\nallowed_hosts = \"all\"\n\n\
                [[module]]\nroute = \"/good\"\nmodule = \"https://example.com/a.wasm\"\n";
    let listed = parsed(Path::new("/nowhere"), text);
    assert_eq!(good(&listed).iter().map(|module| module.name.as_str()).collect::<Vec<_>>(), ["good"]);
    let found = mistakes(text);
    for expected in [
        "line 7: invalid value `oci:foo/bar:1.2.3` for `module`: modules must be files: download it and name the file",
        "line 8: `bindle_server` is not supported: modules must be files",
        "line 5: `route` is missing",
        "line 11: invalid value `/metrics` for `route`: `/metrics` is reserved for the daemon",
        "line 12: `module` must be text",
        "line 13: `http_max_concurrency` must be a whole number from 1",
        "line 14: `argv` must be text",
        "line 19: there is no directory `missing` for the volume `/data`",
        "line 20: `environment.A` must be text",
        "line 21: `allowed_hosts` must be a list of texts",
        "line 25: invalid value `https://example.com/a.wasm` for `module`: modules must be files: download it and name the file",
        "line 23: the module of line 1 has the route `/good`",
    ] {
        assert!(found.iter().any(|mistake| mistake == expected), "{expected}\n{found:#?}");
    }
    assert_eq!(found.len(), 12, "{found:#?}");
}

#[test]
fn a_file_that_is_not_a_list_of_modules_is_refused() {
    let wrong = |text: &str| parse(Path::new("modules.toml"), text).unwrap_err();
    assert!(wrong("[[module]\n").starts_with("line 1: "), "{}", wrong("[[module]\n"));
    assert_eq!(wrong(""), "it has no `[[module]]`");
    assert_eq!(wrong("\nmodule = 1\n"), "line 2: modules are in `[[module]]`");
    assert_eq!(wrong("a = 1\n"), "line 1: unknown key `a`; modules are in `[[module]]`");
}

#[test]
fn unknown_keys_are_ignored_with_a_warning() {
    // `default_host` stands in WAGI's own example, for earlier versions.
    let text =
        "default_host = \"localhost:3000\"\n[[module]]\nroute = \"/\"\nmodule = \"a.wasm\"\nargs = 1\nhost = \"a\"\n";
    let file = parse(Path::new("modules.toml"), text).unwrap();
    assert_eq!(good(&file.listed).len(), 1);
    let expected = [
        "line 1: unknown key `default_host`; modules are in `[[module]]`",
        "line 5: unknown key `args` in a module; did you mean `argv`?",
        "line 6: unknown key `host` in a module",
    ];
    assert_eq!(file.warnings, expected);
}

#[test]
fn names_come_from_routes_and_are_unique() {
    let module = |route: &str| format!("[[module]]\nroute = \"{route}\"\nmodule = \"Main_App.wasm\"\n");
    let routes = ["/", "/...", "/a/b", "/a-b/...", "/api/...", "/_x", "/Shop/", "/other", "/.../"];
    let text: String = routes.iter().map(|route| module(route)).collect();
    let listed = parsed(Path::new("/nowhere"), &text);
    let names: Vec<_> = good(&listed).iter().map(|module| module.name.as_str()).collect();
    let expected = ["main_app", "main_app-2", "a-b", "a-b-2", "api-module", "x", "shop", "other-module", "main_app-3"];
    assert_eq!(names, expected);
    let long = format!("/{}", "x".repeat(100));
    assert_eq!(good(&parsed(Path::new("/"), &module(&long)))[0].name.as_str(), "x".repeat(50));
}

#[test]
fn no_text_makes_it_panic() {
    for text in
        ["module = []", "[[module]]", "[module]\na=1", "module = [1, 2]", "[[module]]\nroute = \"/é\"\nmodule=\"é\""]
    {
        let _ = parse(Path::new("modules.toml"), text);
    }
}
