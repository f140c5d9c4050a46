//! Entries are found again, and entries that were changed are not run.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::thread;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use wasmtime::{Config, Instance, Store as Guests, component};

use super::entry::{DIGEST, Entry};
use super::*;

const ROOM: u64 = 1 << 30;

/// A module that returns a number.
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

/// What the code returns when it runs.
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

    fn try_open(&self) -> Result<CodeCache, CacheError> {
        CodeCache::open(self.folder.path(), ROOM)
    }

    fn open(&self, bytes_max: u64) -> CodeCache {
        CodeCache::open(self.folder.path(), bytes_max).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("code").join(name)
    }

    fn entry(&self, wasm: &[u8]) -> PathBuf {
        self.path(&format!("{}.cwasm", Key::of(&self.engine, wasm)))
    }

    /// What `wasm` returns with a cache that was just opened, and where its code came from.
    fn result(&self, wasm: &[u8]) -> (i32, Found) {
        self.result_of(&self.open(ROOM), wasm)
    }

    fn result_of(&self, cache: &CodeCache, wasm: &[u8]) -> (i32, Found) {
        let (code, found) = cache.code(&self.engine, wasm).unwrap();
        (run(&self.engine, &code), found)
    }

    /// Whatever was done to its entry, the function is compiled again and the new entry is found.
    #[track_caller]
    fn assert_compiled_again(&self, wasm: &[u8], result: i32, damage: &str) {
        assert_eq!(self.result(wasm), (result, Found::Compiled), "{damage}");
        assert_eq!(self.result(wasm), (result, Found::Cached), "{damage}");
    }

    fn names(&self, extension: &str) -> Vec<String> {
        let names = fs::read_dir(self.path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(extension)).collect()
    }

    fn sum(&self) -> u64 {
        self.names(".cwasm").iter().map(|name| self.path(name).metadata().unwrap().len()).sum()
    }

    /// Adds three entries of one size that were last used hours ago, the first the longest ago.
    fn add_three(&self) -> u64 {
        let cache = self.open(ROOM);
        for (number, hours) in [(1, 9), (2, 8), (3, 7)] {
            self.result_of(&cache, &text(number));
            let used = SystemTime::now() - Duration::from_secs(3600 * hours);
            File::open(self.entry(&text(number))).unwrap().set_modified(used).unwrap();
        }
        let size = self.sum() / 3;
        assert_eq!(self.entry(&text(1)).metadata().unwrap().len(), size);
        size
    }

    fn kept(&self) -> Vec<i32> {
        (1..=4).filter(|number| self.entry(&text(*number)).exists()).collect()
    }
}

#[test]
fn compiled_code_is_found_again() {
    let fixture = Fixture::new();
    for (wasm, result) in [(&text(5)[..], 5), (&binary(6), 6), (COMPONENT, 7)] {
        fixture.assert_compiled_again(wasm, result, "no entry yet");
    }
    assert_eq!(fixture.names(".cwasm").len(), 3);
    assert_eq!(fixture.names(".tmp"), [""; 0]);
    let mode = |name: &str| fixture.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode(&fixture.names(".cwasm")[0])), (0o700, 0o600));
}

#[test]
fn other_content_or_another_engine_has_its_own_entry() {
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
fn another_processor_has_its_own_entry() {
    // A named target has the features that all processors of its kind have, and not those of this one.
    let any = Engine::new(Config::new().target("x86_64-unknown-linux-gnu").unwrap()).unwrap();
    let this = Engine::default();
    assert!(is_x86_feature_detected!("avx"), "this processor has no feature that others lack");
    assert!(Key::of(&any, COMPONENT) != Key::of(&this, COMPONENT));
    assert!(Key::of(&this, COMPONENT) == Key::of(&Engine::default(), COMPONENT));
}

/// A service of WASI 0.3 is looked up for the plain engine first, which does not understand it.
#[test]
fn what_does_not_compile_is_neither_kept_nor_counted() {
    let fixture = Fixture::new();
    let cache = fixture.open(ROOM);
    assert!(cache.code(&fixture.engine, b"not WebAssembly at all").is_err());
    assert_eq!(fixture.names(".cwasm"), [""; 0]);
    assert_eq!(cache.requests(), (0, 0));
    fixture.result_of(&cache, &text(5));
    fixture.result_of(&cache, &text(5));
    assert_eq!(cache.requests(), (1, 1));
}

#[test]
fn a_damaged_entry_is_compiled_again() {
    let fixture = Fixture::new();
    for wasm in [&text(5)[..], COMPONENT] {
        let (result, _) = fixture.result(wasm);
        let good = fs::read(fixture.entry(wasm)).unwrap();
        let last = good.len() - 1;
        let places = (0..last).step_by(last / 24).chain([last - DIGEST, last - DIGEST + 1, last]);
        let changed = places.map(|place| {
            let mut bad = good.clone();
            bad[place] ^= 1;
            (format!("byte {place} changed"), bad)
        });
        let lengths = [0, 1, DIGEST - 1, DIGEST, good.len() / 2, last];
        let cut = lengths.map(|length| (format!("cut to {length} bytes"), good[..length].to_vec()));
        let longer = ("a byte too long".to_owned(), [&good[..], b"\0"].concat());
        for (damage, bad) in changed.chain(cut).chain([longer]) {
            fs::write(fixture.entry(wasm), bad).unwrap();
            fixture.assert_compiled_again(wasm, result, &damage);
        }
    }
}

#[test]
fn an_entry_that_this_user_did_not_make_is_compiled_again() {
    let fixture = Fixture::new();
    let entry = fixture.entry(&text(5));
    fixture.result(&text(6));
    fs::copy(fixture.entry(&text(6)), &entry).unwrap();
    fixture.assert_compiled_again(&text(5), 5, "another function's entry under this name");

    let incompatible = Engine::new(Config::new().consume_fuel(true)).unwrap().precompile_module(&text(5)).unwrap();
    for artefact in [&b""[..], b"\x7fELF, or so it says", &incompatible] {
        let digest = Key::of(&fixture.engine, &text(5)).digest(artefact);
        fs::write(&entry, [artefact, digest.as_bytes()].concat()).unwrap();
        fixture.assert_compiled_again(&text(5), 5, "a good digest of code that wasmtime refuses");
    }

    fs::set_permissions(&entry, Permissions::from_mode(0o620)).unwrap();
    fixture.assert_compiled_again(&text(5), 5, "others can write to it");

    let elsewhere = fixture.folder.path().join("elsewhere");
    fs::rename(&entry, &elsewhere).unwrap();
    symlink(&elsewhere, &entry).unwrap();
    fixture.assert_compiled_again(&text(5), 5, "a link");
    assert!(entry.symlink_metadata().unwrap().is_file() && elsewhere.exists());
}

#[test]
fn nothing_of_another_user_is_trusted() {
    const ANOTHER: u32 = 65_533;
    let fixture = Fixture::new();
    fixture.result(&text(5));
    if std::os::unix::fs::chown(fixture.entry(&text(5)), Some(ANOTHER), None).is_err() {
        writeln!(std::io::stderr(), "SKIPPED: only root can give files away").unwrap();
        return;
    }
    fixture.assert_compiled_again(&text(5), 5, "another user's entry");
    std::os::unix::fs::chown(fixture.path(""), Some(ANOTHER), None).unwrap();
    let error = fixture.try_open().unwrap_err();
    assert!(matches!(error, CacheError::Foreign { owner: ANOTHER, .. }), "{error}");
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let fixture = Fixture::new();
    fixture.open(ROOM);
    for writable in [0o720, 0o702] {
        fs::set_permissions(fixture.path(""), Permissions::from_mode(writable)).unwrap();
        let error = fixture.try_open().unwrap_err();
        assert!(matches!(error, CacheError::Writable { mode, .. } if mode == writable), "{error}");
    }
    fs::set_permissions(fixture.path(""), Permissions::from_mode(0o755)).unwrap();
    fixture.open(ROOM);
    fs::write(fixture.folder.path().join("file"), "").unwrap();
    let error = CodeCache::open(&fixture.folder.path().join("file"), ROOM).unwrap_err();
    assert!(matches!(error, CacheError::Open { .. }), "{error}");
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
fn code_is_copied_if_descriptors_are_scarce() {
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

#[test]
fn the_least_recently_used_entries_are_evicted_and_no_more_than_necessary() {
    for (room, kept) in [(4, &[1, 2, 3, 4][..]), (3, &[2, 3, 4]), (2, &[3, 4]), (1, &[4])] {
        for short in [0, 1] {
            let fixture = Fixture::new();
            let size = fixture.add_three();
            fixture.result_of(&fixture.open(size * room - short), &text(4));
            // An entry larger than the cache evicts no others; opening did.
            let kept = &kept[usize::try_from(short).unwrap()..];
            assert_eq!(fixture.kept(), kept, "{room} entries less {short} bytes");
            assert!(fixture.sum() <= size * room - short);
        }
    }
}

#[test]
fn an_entry_that_was_found_counts_as_used() {
    let fixture = Fixture::new();
    let size = fixture.add_three();
    assert_eq!(fixture.result(&text(1)), (1, Found::Cached));
    fixture.result_of(&fixture.open(size * 3), &text(4));
    assert_eq!(fixture.kept(), [1, 3, 4]);
}

#[test]
fn use_is_noted_once_an_hour() {
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
fn an_entry_that_is_replaced_needs_no_further_space() {
    let fixture = Fixture::new();
    let size = fixture.add_three();
    let cache = fixture.open(size * 3);
    fs::write(fixture.entry(&text(1)), vec![0; usize::try_from(size).unwrap()]).unwrap();
    assert_eq!(fixture.result_of(&cache, &text(1)), (1, Found::Compiled));
    assert_eq!(fixture.kept(), [1, 2, 3]);
}

#[test]
fn a_wrong_sum_is_corrected_before_anything_is_evicted() {
    let fixture = Fixture::new();
    let size = fixture.add_three();
    let cache = fixture.open(size * 4);
    for sum in [&u64::MAX.to_le_bytes()[..], b"short", b""] {
        fs::write(fixture.path("lock"), sum).unwrap();
        fixture.result_of(&cache, &text(4));
        assert_eq!(fixture.kept(), [1, 2, 3, 4]);
        fs::remove_file(fixture.entry(&text(4))).unwrap();
    }
}

#[test]
fn entries_are_found_even_if_none_can_be_added() {
    let fixture = Fixture::new();
    fixture.result(&text(5));
    fs::remove_file(fixture.path("lock")).unwrap();
    fs::create_dir(fixture.path("lock")).unwrap();
    assert_eq!(fixture.result(&text(5)), (5, Found::Cached));
    assert_eq!(fixture.result(&text(6)), (6, Found::Compiled));
    assert_eq!(fixture.result(&text(6)), (6, Found::Compiled));
}

#[test]
fn abandoned_temporary_files_are_removed() {
    let fixture = Fixture::new();
    fixture.open(ROOM);
    fs::create_dir_all(fixture.entry(&text(5)).join("full")).unwrap();
    assert_eq!(fixture.result(&text(5)), (5, Found::Compiled));
    assert_eq!(fixture.names(".tmp"), [""; 0], "an entry could not be put in place");
    fs::write(fixture.path("17-0.tmp"), "half an ent").unwrap();
    let writing = File::create(fixture.path("18-0.tmp")).unwrap();
    writing.lock().unwrap();
    fixture.open(ROOM);
    assert_eq!(fixture.names(".tmp"), ["18-0.tmp"], "a process crashed, and another one is still writing");
}

#[test]
fn a_process_that_is_stopped_with_the_lock_does_not_hold_up_others() {
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
fn processes_share_a_directory_that_is_too_small_for_them() {
    const FUNCTIONS: i32 = 6;
    let fixture = Fixture::new();
    let size = fixture.add_three();
    let room = size * 4 + size / 2;
    let process = |start| {
        let mut cached = 0;
        for turn in 0..40 {
            // Opened again and again, as by processes that start.
            let cache = fixture.open(room);
            for number in [turn + start, turn * 5 + start, turn].map(|number| number % FUNCTIONS) {
                let (result, found) = fixture.result_of(&cache, &text(number));
                assert_eq!(result, number);
                cached += u64::from(found == Found::Cached);
            }
        }
        cached
    };
    let cached: u64 = thread::scope(|scope| {
        let processes = [0, 1, 2, 3].map(|start| scope.spawn(move || process(start)));
        processes.map(|process| process.join().unwrap()).into_iter().sum()
    });
    assert!(fixture.sum() <= room, "{} of {room}", fixture.sum());
    assert_eq!(fixture.names(".tmp"), [""; 0]);
    assert!(cached > 0);
}
