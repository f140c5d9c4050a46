//! Entries are found again, and an entry that was changed is not run.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use wasmtime::{Config, Instance, Store as Guests, component};

use super::entry::{DIGEST, Entry};
use super::*;

const ROOM: u64 = 1 << 30;

/// A module that tells a number.
fn text(number: i32) -> Vec<u8> {
    format!("(module (func (export \"run\") (result i32) i32.const {number}))").into_bytes()
}

/// The same in binary: a type, a function, its export, its body. The number is below 64.
fn binary(number: u8) -> Vec<u8> {
    let before =
        b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x07\x07\x01\x03run\0\0\x0a\x06\x01\x04\0\x41";
    [&before[..], &[number, 0x0b]].concat()
}

const COMPONENT: &[u8] = br#"(component
    (core module $module (func (export "run") (result i32) i32.const 7))
    (core instance $instance (instantiate $module))
    (func (export "run") (result s32) (canon lift (core func $instance "run"))))"#;

/// Runs code, and so proves that it is what it should be.
fn run(engine: &Engine, code: &Code) -> i32 {
    let mut guests = Guests::new(engine, ());
    match code {
        Code::Module(module) => {
            let instance = Instance::new(&mut guests, module, &[]).unwrap();
            instance.get_typed_func::<(), i32>(&mut guests, "run").unwrap().call(&mut guests, ()).unwrap()
        }
        Code::Component(component) => {
            let instance = component::Linker::new(engine).instantiate(&mut guests, component).unwrap();
            instance.get_typed_func::<(), (i32,)>(&mut guests, "run").unwrap().call(&mut guests, ()).unwrap().0
        }
    }
}

struct Fixture {
    folder: TempDir,
    engine: Engine,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), engine: Engine::default() }
    }

    fn open(&self, bytes_max: u64) -> CodeCache {
        CodeCache::open(self.folder.path(), bytes_max).unwrap()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("code").join(name)
    }

    fn entry(&self, wasm: &[u8]) -> std::path::PathBuf {
        self.path(&format!("{}.cwasm", Key::of(&self.engine, wasm)))
    }

    /// What `wasm` gives with a cache that was just opened, and where its code came from.
    fn result(&self, wasm: &[u8]) -> (i32, Found) {
        self.result_of(&self.open(ROOM), wasm)
    }

    fn result_of(&self, cache: &CodeCache, wasm: &[u8]) -> (i32, Found) {
        let (code, found) = cache.code(&self.engine, wasm).unwrap();
        (run(&self.engine, &code), found)
    }

    fn names(&self, extension: &str) -> Vec<String> {
        let names = fs::read_dir(self.path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(extension)).collect()
    }

    fn sum(&self) -> u64 {
        self.names(".cwasm").iter().map(|name| self.path(name).metadata().unwrap().len()).sum()
    }
}

#[test]
fn what_was_compiled_once_is_found_again() {
    let fixture = Fixture::new();
    for (wasm, result) in [(&text(5)[..], 5), (&binary(6), 6), (COMPONENT, 7)] {
        assert_eq!(fixture.result(wasm), (result, Found::Compiled));
        assert_eq!(fixture.result(wasm), (result, Found::Cached));
    }
    assert_eq!(fixture.names(".cwasm").len(), 3);
    assert_eq!(fixture.names(".tmp"), [""; 0]);
    let mode = |name: &str| fixture.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode(&fixture.names(".cwasm")[0])), (0o700, 0o600));
}

#[test]
fn other_content_and_another_engine_are_something_else() {
    let fixture = Fixture::new();
    assert_eq!(fixture.result(&text(5)), (5, Found::Compiled));
    assert_eq!(fixture.result(&text(6)), (6, Found::Compiled));
    assert_eq!(fixture.result(&[&text(5)[..], b" "].concat()), (5, Found::Compiled));
    let fuel = Engine::new(Config::new().consume_fuel(true)).unwrap();
    assert_eq!(fixture.open(ROOM).code(&fuel, &text(5)).unwrap().1, Found::Compiled);
    assert_eq!(fixture.open(ROOM).code(&fuel, &text(5)).unwrap().1, Found::Cached);
    assert_eq!(fixture.result(&text(5)), (5, Found::Cached));
}

#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
#[test]
fn code_for_a_lesser_processor_is_something_else() {
    // A target that is named has the features that all processors of its kind have, and not those of this one.
    let any = Engine::new(Config::new().target("x86_64-unknown-linux-gnu").unwrap()).unwrap();
    let this = Engine::default();
    assert!(is_x86_feature_detected!("avx"), "this processor has nothing that others lack");
    assert!(Key::of(&any, COMPONENT) != Key::of(&this, COMPONENT));
    assert!(Key::of(&this, COMPONENT) == Key::of(&Engine::default(), COMPONENT));
}

#[test]
fn what_is_not_webassembly_is_an_error_and_not_kept() {
    let fixture = Fixture::new();
    assert!(fixture.open(ROOM).code(&fixture.engine, b"not WebAssembly at all").is_err());
    assert_eq!(fixture.names(".cwasm"), [""; 0]);
}

#[test]
fn a_changed_byte_anywhere_is_noticed_and_mended() {
    let fixture = Fixture::new();
    for wasm in [&text(5)[..], COMPONENT] {
        let (result, _) = fixture.result(wasm);
        let good = fs::read(fixture.entry(wasm)).unwrap();
        let last = good.len() - 1;
        let places = (0..last).step_by(last / 24).chain([last - DIGEST, last - DIGEST + 1, last]);
        for place in places {
            let mut bad = good.clone();
            bad[place] ^= 1;
            fs::write(fixture.entry(wasm), bad).unwrap();
            assert_eq!(fixture.result(wasm), (result, Found::Compiled), "byte {place}");
            assert_eq!(fixture.result(wasm), (result, Found::Cached), "byte {place}");
        }
    }
}

#[test]
fn an_entry_of_another_length_is_compiled_anew() {
    let fixture = Fixture::new();
    fixture.result(&text(5));
    let good = fs::read(fixture.entry(&text(5))).unwrap();
    let cut = [0, 1, DIGEST - 1, DIGEST, good.len() / 2, good.len() - 1];
    for bad in cut.map(|length| good[..length].to_vec()).into_iter().chain([[&good[..], b"\0"].concat()]) {
        fs::write(fixture.entry(&text(5)), &bad).unwrap();
        assert_eq!(fixture.result(&text(5)), (5, Found::Compiled), "{} bytes", bad.len());
        assert_eq!(fixture.result(&text(5)), (5, Found::Cached), "{} bytes", bad.len());
    }
}

#[test]
fn an_entry_under_the_name_of_another_is_compiled_anew() {
    let fixture = Fixture::new();
    fixture.result(&text(5));
    fs::copy(fixture.entry(&text(5)), fixture.entry(&text(6))).unwrap();
    assert_eq!(fixture.result(&text(6)), (6, Found::Compiled));
}

#[test]
fn an_entry_that_wasmtime_refuses_is_compiled_anew() {
    let fixture = Fixture::new();
    let key = Key::of(&fixture.engine, &text(5));
    fixture.open(ROOM);
    let another = Engine::new(Config::new().consume_fuel(true)).unwrap();
    let incompatible = another.precompile_module(&text(5)).unwrap();
    for artefact in [&b""[..], b"\x7fELF, or so it says", &incompatible] {
        fs::write(fixture.entry(&text(5)), [artefact, key.digest(artefact).as_bytes()].concat()).unwrap();
        assert_eq!(fixture.result(&text(5)), (5, Found::Compiled));
        assert_eq!(fixture.result(&text(5)), (5, Found::Cached));
    }
}

#[test]
fn an_entry_that_others_can_write_is_compiled_anew() {
    let fixture = Fixture::new();
    fixture.result(&text(5));
    fs::set_permissions(fixture.entry(&text(5)), Permissions::from_mode(0o620)).unwrap();
    assert_eq!(fixture.result(&text(5)), (5, Found::Compiled));
    assert_eq!(fixture.result(&text(5)), (5, Found::Cached));
    let elsewhere = fixture.folder.path().join("elsewhere");
    fs::rename(fixture.entry(&text(5)), &elsewhere).unwrap();
    symlink(&elsewhere, fixture.entry(&text(5))).unwrap();
    assert_eq!(fixture.result(&text(5)), (5, Found::Compiled));
    assert!(fixture.entry(&text(5)).symlink_metadata().unwrap().is_file() && elsewhere.exists());
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let fixture = Fixture::new();
    fixture.open(ROOM);
    for mode in [0o720, 0o702] {
        fs::set_permissions(fixture.path(""), Permissions::from_mode(mode)).unwrap();
        let error = CodeCache::open(fixture.folder.path(), ROOM).unwrap_err();
        assert!(matches!(error, CacheError::Writable { mode: told, .. } if told == mode), "{error}");
    }
    fs::set_permissions(fixture.path(""), Permissions::from_mode(0o755)).unwrap();
    fixture.open(ROOM);
    fs::write(fixture.folder.path().join("file"), "").unwrap();
    let error = CodeCache::open(&fixture.folder.path().join("file"), ROOM).unwrap_err();
    assert!(matches!(error, CacheError::Open { .. }), "{error}");
}

#[test]
fn what_belongs_to_another_user_is_not_trusted() {
    const ANOTHER: u32 = 65_533;
    let fixture = Fixture::new();
    fixture.result(&text(5));
    if std::os::unix::fs::chown(fixture.entry(&text(5)), Some(ANOTHER), None).is_err() {
        writeln!(std::io::stderr(), "SKIPPED: only root can give files away").unwrap();
        return;
    }
    assert_eq!(fixture.result(&text(5)), (5, Found::Compiled));
    assert_eq!(fixture.result(&text(5)), (5, Found::Cached));
    std::os::unix::fs::chown(fixture.path(""), Some(ANOTHER), None).unwrap();
    let error = CodeCache::open(fixture.folder.path(), ROOM).unwrap_err();
    assert!(matches!(error, CacheError::Foreign { owner: ANOTHER, .. }), "{error}");
}

#[test]
fn code_outlives_its_entry() {
    let fixture = Fixture::new();
    for wasm in [&text(7)[..], COMPONENT] {
        fixture.result(wasm);
        let (code, found) = fixture.open(ROOM).code(&fixture.engine, wasm).unwrap();
        fs::remove_file(fixture.entry(wasm)).unwrap();
        assert_eq!((run(&fixture.engine, &code), found), (7, Found::Cached));
    }
}

#[test]
fn code_is_copied_where_descriptors_are_scarce() {
    let fixture = Fixture::new();
    for wasm in [&text(7)[..], COMPONENT] {
        fixture.result(wasm);
        let key = Key::of(&fixture.engine, wasm);
        for (descriptors_max, mapped) in [(0, false), (u64::MAX, true)] {
            let entry = Entry::open(&fixture.entry(wasm), &key).unwrap().unwrap();
            let code = map::map(&fixture.engine, entry, descriptors_max).unwrap();
            let maps = fs::read_to_string("/proc/self/maps").unwrap();
            assert_eq!(maps.contains(fixture.entry(wasm).to_str().unwrap()), mapped);
            assert_eq!(run(&fixture.engine, &code), 7);
        }
    }
}

/// Three entries of one size, the first the oldest. They were used hours ago.
fn three(fixture: &Fixture) -> u64 {
    let cache = fixture.open(ROOM);
    for (number, hours) in [(1, 9), (2, 8), (3, 7)] {
        fixture.result_of(&cache, &text(number));
        let used = SystemTime::now() - Duration::from_secs(3600 * hours);
        File::open(fixture.entry(&text(number))).unwrap().set_modified(used).unwrap();
    }
    let size = fixture.sum() / 3;
    assert_eq!(fixture.entry(&text(1)).metadata().unwrap().len(), size);
    size
}

fn kept(fixture: &Fixture) -> Vec<i32> {
    (1..=4).filter(|number| fixture.entry(&text(*number)).exists()).collect()
}

#[test]
fn what_was_not_used_for_longest_goes_first_and_no_more_than_must() {
    for (room, kept_in_the_end) in [(4, &[1, 2, 3, 4][..]), (3, &[2, 3, 4]), (2, &[3, 4]), (1, &[4])] {
        for short in [0, 1] {
            let fixture = Fixture::new();
            let size = three(&fixture);
            fixture.result_of(&fixture.open(size * room - short), &text(4));
            let kept_in_the_end = &kept_in_the_end[usize::try_from(short).unwrap()..];
            // What is larger than all the room there is takes nothing from the others; opening did.
            assert_eq!(kept(&fixture), kept_in_the_end, "{room} entries less {short} bytes");
            assert!(fixture.sum() <= size * room - short);
        }
    }
}

#[test]
fn use_is_remembered() {
    let fixture = Fixture::new();
    let size = three(&fixture);
    assert_eq!(fixture.result(&text(1)), (1, Found::Cached));
    fixture.result_of(&fixture.open(size * 3), &text(4));
    assert_eq!(kept(&fixture), [1, 3, 4]);
}

#[test]
fn use_is_written_down_once_an_hour() {
    let fixture = Fixture::new();
    fixture.result(&text(1));
    let entry = File::open(fixture.entry(&text(1))).unwrap();
    for (minutes, noted) in [(59, false), (61, true)] {
        let used = SystemTime::now() - Duration::from_secs(60 * minutes);
        entry.set_modified(used).unwrap();
        assert_eq!(fixture.result(&text(1)), (1, Found::Cached));
        assert_eq!(entry.metadata().unwrap().modified().unwrap() > used, noted, "{minutes} minutes");
    }
}

#[test]
fn an_entry_that_is_replaced_takes_its_own_room() {
    let fixture = Fixture::new();
    let size = three(&fixture);
    let cache = fixture.open(size * 3);
    fs::write(fixture.entry(&text(1)), vec![0; usize::try_from(size).unwrap()]).unwrap();
    assert_eq!(fixture.result_of(&cache, &text(1)), (1, Found::Compiled));
    assert_eq!(kept(&fixture), [1, 2, 3]);
}

#[test]
fn a_wrong_sum_is_made_exact_before_anything_goes() {
    let fixture = Fixture::new();
    let size = three(&fixture);
    let cache = fixture.open(size * 4);
    for sum in [&u64::MAX.to_le_bytes()[..], b"short", b""] {
        fs::write(fixture.path("lock"), sum).unwrap();
        fixture.result_of(&cache, &text(4));
        assert_eq!(kept(&fixture), [1, 2, 3, 4]);
        fs::remove_file(fixture.entry(&text(4))).unwrap();
    }
}

#[test]
fn a_directory_that_takes_nothing_still_gives() {
    let fixture = Fixture::new();
    fixture.result(&text(5));
    fs::remove_file(fixture.path("lock")).unwrap();
    fs::create_dir(fixture.path("lock")).unwrap();
    assert_eq!(fixture.result(&text(5)), (5, Found::Cached));
    assert_eq!(fixture.result(&text(6)), (6, Found::Compiled));
    assert_eq!(fixture.result(&text(6)), (6, Found::Compiled));
}

#[test]
fn what_cannot_be_put_in_place_leaves_nothing_behind() {
    let fixture = Fixture::new();
    fixture.open(ROOM);
    fs::create_dir_all(fixture.entry(&text(5)).join("full")).unwrap();
    assert_eq!(fixture.result(&text(5)), (5, Found::Compiled));
    assert_eq!(fixture.names(".tmp"), [""; 0]);
}

#[test]
fn what_a_crash_left_behind_is_removed_and_what_is_being_written_is_not() {
    let fixture = Fixture::new();
    fixture.open(ROOM);
    fs::write(fixture.path("17-0.tmp"), "half an ent").unwrap();
    let writing = File::create(fixture.path("18-0.tmp")).unwrap();
    writing.lock().unwrap();
    fixture.open(ROOM);
    assert_eq!(fixture.names(".tmp"), ["18-0.tmp"]);
}

#[test]
fn a_daemon_that_stands_still_with_the_lock_does_not_hold_up_others() {
    let fixture = Fixture::new();
    let cache = fixture.open(ROOM);
    let lock = File::open(fixture.path("lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(fixture.result_of(&cache, &text(5)), (5, Found::Compiled));
    assert_eq!((fixture.names(".cwasm"), fixture.names(".tmp")), (vec![], vec![]));
    lock.unlock().unwrap();
    assert_eq!(fixture.result_of(&cache, &text(5)), (5, Found::Compiled));
    assert_eq!(fixture.result_of(&cache, &text(5)), (5, Found::Cached));
}

#[test]
fn daemons_share_a_directory_that_is_too_small_for_them() {
    const FUNCTIONS: i32 = 6;
    let fixture = Fixture::new();
    let size = three(&fixture);
    let room = size * 4 + size / 2;
    let cached = AtomicU64::new(0);
    thread::scope(|scope| {
        for start in 0..4 {
            let (fixture, cached) = (&fixture, &cached);
            scope.spawn(move || {
                for turn in 0..40 {
                    // Opened time and again, as by daemons that start.
                    let cache = fixture.open(room);
                    for number in [turn + start, turn * 5 + start, turn].map(|number| number % FUNCTIONS) {
                        let (result, found) = fixture.result_of(&cache, &text(number));
                        assert_eq!(result, number);
                        cached.fetch_add(u64::from(found == Found::Cached), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert!(fixture.sum() <= room, "{} of {room}", fixture.sum());
    assert_eq!(fixture.names(".tmp"), [""; 0]);
    assert!(cached.into_inner() > 0);
}
