//! A deployment is whole or it is not there, whenever the daemon is killed and however full the disk is.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::prelude::*;
use crate::small_disk::SmallDisk;

fn answer(number: usize) -> String {
    format!("(module (func (export \"run\") (result i32) (i32.const {number})))")
}

/// Deploys a module and a manifest at once. The answer may never come.
fn put_pair(daemon: &Daemon, module: &str, manifest: &str) -> Vec<u8> {
    let part = |name: &str, content: &str| {
        format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
    };
    let form = part("manifest", manifest) + &part("module", module) + "--b--\r\n";
    daemon.send(&request("PUT", "/functions/pair", &["content-type: multipart/form-data; boundary=b"], form.as_bytes()))
}

/// The numbers of the module and of the manifest that are served.
fn pair(daemon: &Daemon) -> Option<(String, String)> {
    let described = daemon.get("/functions/pair");
    (described.status == 200).then(|| {
        let number = described.json()["manifest"]["args"][0].as_str().unwrap().to_owned();
        (daemon.output("pair").as_str().unwrap().trim().to_owned(), number)
    })
}

/// Kills daemons while they deploy, a little later each time.
fn kill_and_compare(times: usize) {
    let state = temporary_folder();
    let options = ["--state", state.path().to_str().unwrap()];
    let mut torn = Vec::new();
    for number in 1..=times {
        let daemon = Daemon::start(&options);
        thread::scope(|scope| {
            let deploying = scope.spawn(|| put_pair(&daemon, &answer(number), &format!("args = [\"{number}\"]")));
            let folder = state.path().join("functions");
            // Kills are spread over the time in which files are written.
            until("the deployment is begun or done", || touched(&folder, number) || deploying.is_finished());
            thread::sleep(Duration::from_micros(150) * u32::try_from(number % 12).unwrap());
            daemon.signal(rustix::process::Signal::KILL);
            let _ = deploying.join();
        });
        daemon.kill();
        let again = Daemon::start(&options);
        if let Some((module, manifest)) = pair(&again)
            && module != manifest
        {
            torn.push(format!("module {module} with manifest {manifest}"));
        }
        let left: Vec<_> = names(&state.path().join("functions"));
        assert!(left.iter().all(|name| !name.starts_with('.')), "{left:?}");
    }
    assert!(torn.is_empty(), "{torn:?}");
}

/// Whether anything of this deployment has been written.
fn touched(folder: &Path, number: usize) -> bool {
    let begun = names(folder).iter().any(|name| name.starts_with('.'));
    begun || fs::read_to_string(folder.join("pair.toml")).is_ok_and(|text| text.contains(&format!("\"{number}\"")))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

#[test]
fn a_killed_daemon_leaves_a_module_with_its_own_manifest() {
    kill_and_compare(5);
}

#[test]
#[ignore = "heavy: starts 180 daemons"]
fn ninety_killed_daemons_leave_no_module_with_the_manifest_of_another() {
    kill_and_compare(90);
}

#[test]
fn a_full_disk_leaves_the_module_and_the_manifest_that_were_there() {
    let Some(disk) = SmallDisk::mount("64k") else { return };
    let folder = disk.path().to_str().unwrap();
    let daemon = Daemon::start(&["--functions", folder]);
    put_pair(&daemon, &answer(1), "args = [\"1\"]");
    assert_eq!(pair(&daemon), Some(("1".into(), "1".into())));
    // The manifest fits on the disk, the module does not.
    let refused = put_pair(&daemon, &format!("{};;{}", answer(2), "x".repeat(100 << 10)), "args = [\"2\"]");
    let (refused, _) = Response::parse(&refused);
    assert_eq!(refused.status, 507);
    daemon.stop();
    let daemon = Daemon::start(&["--functions", folder]);
    assert_eq!(pair(&daemon), Some(("1".into(), "1".into())));
    let mut left = names(disk.path());
    left.sort();
    assert_eq!(left, ["pair.toml", "pair.wat"]);
    // A full disk does not keep anybody from making room.
    disk.fill();
    assert_eq!(daemon.request("DELETE", "/functions/pair", &[], "").status, 204);
    assert_eq!(names(disk.path()), ["full"]);
    disk.make_room();
}
