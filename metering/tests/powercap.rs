//! The powercap source on the trees of recorded machines: what it finds, what it leaves alone, and why.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is wrong")]

#[path = "fixtures/powercap/tree.rs"]
mod tree;

use std::error::Error;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

use nebula_metering::source::powercap::{ClassState, OpenPowercapError, Powercap, SkippedZone, ZoneObstacle, survey};
use nebula_metering::source::{CounterSpec, ReadError, Source, SourceKind};
use nebula_metering::work::Moment;
use nebula_metering::{Microjoules, Watts};
use tree::Tree;

const DESKTOP: &str = include_str!("fixtures/powercap/desktop.tree");
const DESKTOP_MMIO: &str = include_str!("fixtures/powercap/desktop-mmio.tree");
const LAPTOP_A: &str = include_str!("fixtures/powercap/laptop-a.tree");
const LAPTOP_B: &str = include_str!("fixtures/powercap/laptop-b.tree");
const I7_4770S: &str = include_str!("fixtures/powercap/i7-4770s.tree");
const SERVER_HEX: &str = include_str!("fixtures/powercap/server-hex.tree");
const AMD_MIRRORED_DIES: &str = include_str!("fixtures/powercap/amd-mirrored-dies.tree");
const CONTAINER_MASKED: &str = include_str!("fixtures/powercap/container-masked.tree");

fn open(tree: &Tree) -> Powercap {
    Powercap::open(tree.root()).expect("a readable package")
}

fn refusal(tree: &Tree) -> OpenPowercapError {
    Powercap::open(tree.root()).expect_err("nothing to read")
}

fn read(source: &mut Powercap) -> Vec<Result<Microjoules, ReadError>> {
    let mut readings = Vec::new();
    source.read(&Moment::default(), &mut readings);
    assert_eq!(readings.len(), source.counters().len());
    readings
}

/// Readings as numbers, where all of them succeed.
fn energies(source: &mut Powercap) -> Vec<u64> {
    read(source).into_iter().map(|reading| reading.expect("a reading").0).collect()
}

fn zones(source: &Powercap) -> Vec<String> {
    source.counters().iter().map(|spec| spec.zone.to_string()).collect()
}

fn spec<'a>(source: &'a Powercap, zone: &str) -> &'a CounterSpec {
    source.counters().iter().find(|spec| spec.zone.to_string() == zone).expect(zone)
}

fn id(problem: &SkippedZone) -> Option<&str> {
    problem.path.file_name()?.to_str()
}

/// The problems by the last part of their path.
fn problems(source: &Powercap) -> Vec<(&str, &ZoneObstacle)> {
    source.problems().iter().map(|problem| (id(problem).expect("an id"), &problem.obstacle)).collect()
}

mod machines {
    use super::*;

    #[test]
    fn desktop_adds_its_package_and_shows_its_cores() {
        let tree = Tree::unpack(DESKTOP);
        let mut source = open(&tree);
        assert_eq!(source.kind(), SourceKind::Powercap);
        assert_eq!(source.describe(), "powercap: package-0 (added); core-0 (shown only)");
        assert_eq!(energies(&mut source), [240_422_366_267, 118_821_284_256]);
        assert!(source.problems().is_empty());
        let package = spec(&source, "package-0");
        assert_eq!(package.range, Some(Microjoules(262_143_328_850)));
        assert_eq!(package.quantum, Microjoules(62));
        assert_eq!(package.watts_max, Watts(380.0), "four times 95 W, and not the 4090 W that mean no limit");
    }

    #[test]
    fn desktop_mmio_counts_its_package_once() {
        let tree = Tree::unpack(DESKTOP_MMIO);
        let source = open(&tree);
        assert_eq!(zones(&source), ["package-0", "core-0"]);
        match problems(&source).as_slice() {
            [("intel-rapl-mmio:0", ZoneObstacle::Duplicate { of })] => assert_eq!(*of, tree.zone("intel-rapl:0")),
            other => panic!("{other:?}"),
        }
        assert!(source.problems()[0].obstacle.is_repetition());
    }

    #[test]
    fn laptop_a_shows_core_and_uncore_beside_its_package() {
        let mut source = open(&Tree::unpack(LAPTOP_A));
        assert_eq!(source.describe(), "powercap: package-0 (added); core-0, uncore-0 (shown only)");
        assert_eq!(energies(&mut source), [26_963_529_117, 7_980_278_886, 6_564_982_278]);
        assert_eq!(spec(&source, "package-0").watts_max, Watts(150.0), "no bound is lower");
    }

    #[test]
    fn laptop_b_never_adds_its_psys() {
        let source = open(&Tree::unpack(LAPTOP_B));
        assert_eq!(source.describe(), "powercap: package-0 (added); core-0, uncore-0, psys (shown only)");
        assert!(spec(&source, "psys").zone.package.is_empty());
        assert!(!spec(&source, "psys").zone.is_additive());
        assert!(source.problems().is_empty(), "constraints without files are no problem: {:?}", source.problems());
    }

    #[test]
    fn i7_4770s_adds_its_memory_to_its_package() {
        let mut source = open(&Tree::unpack(I7_4770S));
        assert_eq!(source.describe(), "powercap: package-0, dram-0 (added)");
        assert_eq!(energies(&mut source)[1], 2_469_474_853);
        assert_eq!(spec(&source, "dram-0").range, Some(Microjoules(262_143_999_938)));
    }

    #[test]
    fn server_is_read_by_name_whatever_its_hexadecimal_ids_say() {
        let mut source = open(&Tree::unpack(SERVER_HEX));
        let zones = zones(&source);
        assert_eq!(zones.iter().filter(|zone| zone.starts_with("package-")).count(), 10);
        assert_eq!(zones[..4], ["package-0", "dram-0", "psys", "package-1"]);
        assert_eq!(zones[zones.len() - 2..], ["package-9", "dram-9"], "`intel-rapl:a` and what lies inside");
        let energies = energies(&mut source);
        assert_eq!(energies[3], 2_000_000_000);
        assert_eq!(energies[energies.len() - 2..], [10_000_000_000, 1_000_000_000]);
        let quanta = ["package-9", "dram-9", "psys"].map(|zone| spec(&source, zone).quantum.0);
        assert_eq!(quanta, [16, 16, 1_000_000], "2^-16 J, 15.3 µJ and 1 J");
    }

    #[test]
    fn amd_dies_that_show_one_counter_are_counted_once() {
        let tree = Tree::unpack(AMD_MIRRORED_DIES);
        let mut source = open(&tree);
        assert_eq!(spec(&source, "package-0-die-0").watts_max, Watts(2000.0), "nothing is stated");
        for step in 1..=100 {
            for die in ["intel-rapl:0", "intel-rapl:1"] {
                tree.set_energy(die, 5_000_000_000_u64 + step * 10_000_000);
            }
            read(&mut source);
        }
        assert_eq!(zones(&source), ["package-0-die-0", "core-0-die-0"]);
        assert_eq!(problems(&source).len(), 2);
        assert!(source.problems().iter().all(|problem| problem.obstacle.is_repetition()));
        assert_eq!(
            source.problems()[0].to_string(),
            format!(
                "`{}` (package-0-die-1): may show the same counter as `package-0-die-0`",
                tree.zone("intel-rapl:1").display()
            )
        );
    }

    #[test]
    fn container_says_that_its_zones_are_masked() {
        let tree = Tree::unpack(CONTAINER_MASKED);
        let refusal = refusal(&tree);
        assert!(matches!(refusal, OpenPowercapError::Masked { .. }), "{refusal:?}");
        assert!(refusal.to_string().ends_with("are masked by the container runtime"), "{refusal}");
        let survey = survey(tree.root());
        assert!(matches!(survey.class, ClassState::Masked));
        assert_eq!(survey.zones.len(), 2);
        for zone in survey.zones {
            assert!(matches!(zone.obstacle, Some(ZoneObstacle::Masked)), "{zone}");
        }
    }
}

mod layouts {
    use super::*;

    #[test]
    fn plain_directories_in_the_class_do() {
        let tree = Tree::unpack(
            "[class/powercap/intel-rapl:0]\nname = package-0\nenergy_uj = 5\n\
             [class/powercap/intel-rapl:0/intel-rapl:0:0]\nname = core\nenergy_uj = 3\n\
             [class/powercap/intel-rapl:0:1]\nname = dram\nenergy_uj = 2\n",
        );
        assert_eq!(zones(&open(&tree)), ["package-0", "core-0", "dram-0"]);
    }

    #[test]
    fn the_devices_do_where_there_is_no_class() {
        let tree = Tree::unpack(DESKTOP);
        fs::remove_dir_all(tree.root().join("class")).expect("a class to remove");
        assert_eq!(zones(&open(&tree)), ["package-0", "core-0"]);
    }

    #[test]
    fn the_devices_do_where_the_links_of_the_class_dangle() {
        let tree = Tree::unpack(
            "[class]\npowercap -> /nowhere\n[devices/virtual/powercap/intel-rapl/intel-rapl:0]\nname = package-0\n\
             energy_uj = 5\n",
        );
        assert_eq!(zones(&open(&tree)), ["package-0"]);
        let tree = Tree::unpack(
            "[class/powercap]\nintel-rapl:0 -> /nowhere\n[devices/virtual/powercap/intel-rapl/intel-rapl:0]\n\
             name = package-0\nenergy_uj = 5\n",
        );
        assert_eq!(zones(&open(&tree)), ["package-0"]);
    }

    #[test]
    fn links_in_a_circle_are_followed_once() {
        let tree = Tree::unpack(
            "[class/powercap/intel-rapl:0]\nname = package-0\nenergy_uj = 5\nintel-rapl:0 -> .\n\
             intel-rapl:0:0 -> ../intel-rapl:0\nsubsystem -> ..\n",
        );
        let source = open(&tree);
        assert_eq!(zones(&source), ["package-0"]);
        assert!(matches!(problems(&source)[..], [("intel-rapl:0:0", ZoneObstacle::Duplicate { .. })]));
    }
}

mod refusals {
    use super::*;

    #[test]
    fn no_class() {
        let tree = Tree::unpack("");
        let refusal = refusal(&tree);
        assert!(matches!(refusal, OpenPowercapError::NoClass { .. }), "{refusal:?}");
        let class = tree.root().join("class/powercap");
        assert_eq!(refusal.to_string(), format!("there is no powercap class `{}`", class.display()));
        assert!(matches!(survey(tree.root()).class, ClassState::Missing));
    }

    #[test]
    fn zones_whose_links_dangle_or_whose_directory_is_empty_are_masked() {
        for text in [
            "[class/powercap]\nintel-rapl:0 -> /nowhere\n",
            "[class/powercap]\nintel-rapl -> /nowhere\n",
            "[class]\npowercap -> /nowhere\n",
            "[devices/virtual/powercap]\n",
            "[class/powercap]\n[devices/virtual/powercap]\n",
        ] {
            let refusal = refusal(&Tree::unpack(text));
            assert!(matches!(refusal, OpenPowercapError::Masked { .. }), "{text}: {refusal:?}");
        }
    }

    #[test]
    fn a_class_without_a_rapl_zone() {
        for text in ["[class/powercap]\n", "[class/powercap/dtpm]\nenabled = 1\n[class/powercap/intel-rapl]\n"] {
            let tree = Tree::unpack(text);
            let refusal = refusal(&tree);
            assert!(matches!(refusal, OpenPowercapError::NoZone { .. }), "{refusal:?}");
            assert!(matches!(survey(tree.root()).class, ClassState::Empty));
        }
    }

    #[test]
    fn a_class_that_cannot_be_listed() {
        let tree = Tree::unpack("[class]\npowercap = a file\n");
        let refusal = refusal(&tree);
        assert!(matches!(refusal, OpenPowercapError::ListClass { .. }), "{refusal:?}");
        assert!(refusal.source().is_some());
    }

    #[test]
    fn nothing_that_may_be_added() {
        let refusal = refusal(&Tree::unpack("[class/powercap/intel-rapl:0]\nname = psys\nenergy_uj = 5\n"));
        assert!(matches!(refusal, OpenPowercapError::NoAdditiveZone { .. }), "{refusal:?}");
    }

    #[test]
    fn packages_that_cannot_be_read_while_others_can() {
        let tree = Tree::unpack(
            "[class/powercap/intel-rapl:0]\nname = package-0\nenergy_uj/\n\
             [class/powercap/intel-rapl:0:0]\nname = core\nenergy_uj = 5\n",
        );
        match refusal(&tree) {
            OpenPowercapError::ReadZones { path, source: ZoneObstacle::Read { file: "energy_uj", .. } } => {
                assert_eq!(path, tree.zone("intel-rapl:0"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn packages_that_may_not_be_read() {
        let tree = Tree::unpack(DESKTOP);
        let energy = tree.zone("intel-rapl:0").join("energy_uj");
        fs::set_permissions(&energy, fs::Permissions::from_mode(0o000)).expect("a file of ours");
        if fs::read(&energy).is_ok() {
            // Not `println!`, which is shown for failing tests alone.
            let _ = writeln!(std::io::stderr(), "SKIPPED: this process may read any file, as root may");
            return;
        }
        let refusal = refusal(&tree);
        assert!(matches!(refusal, OpenPowercapError::Forbidden { .. }), "{refusal:?}");
        let survey = survey(tree.root());
        assert!(matches!(survey.zones[0].obstacle, Some(ZoneObstacle::Forbidden { file: "energy_uj", .. })));
        assert!(survey.zones[1].obstacle.is_none());
    }
}

mod zone_files {
    use super::*;

    /// The desktop, with one file of its cores replaced, or of its package.
    fn with_file(id: &str, name: &str, content: &str) -> (Tree, Powercap) {
        let tree = Tree::unpack(DESKTOP);
        fs::write(tree.zone(id).join(name), content).expect("a file to replace");
        let source = open(&tree);
        (tree, source)
    }

    #[test]
    fn optional_files_may_be_empty_or_missing() {
        let (tree, source) = with_file("intel-rapl:0", "max_energy_range_uj", "");
        assert_eq!(spec(&source, "package-0").range, None);
        assert_eq!(spec(&source, "package-0").quantum, Microjoules(62));
        for name in ["max_energy_range_uj", "enabled", "constraint_0_max_power_uw", "constraint_0_power_limit_uw"] {
            fs::remove_file(tree.zone("intel-rapl:0").join(name)).expect(name);
        }
        let source = open(&tree);
        assert_eq!(spec(&source, "package-0").range, None);
        assert_eq!(spec(&source, "package-0").watts_max, Watts(2000.0), "the reach of a package");
        assert!(source.problems().is_empty());
    }

    #[test]
    fn a_range_that_is_garbage_or_zero_is_not_stated() {
        for content in ["0\n", "lots\n", "99999999999999999999999\n"] {
            let (_tree, source) = with_file("intel-rapl:0", "max_energy_range_uj", content);
            assert_eq!(spec(&source, "package-0").range, None, "{content}");
        }
    }

    #[test]
    fn huge_statements_are_taken_for_no_statement() {
        let (_tree, source) = with_file("intel-rapl:0", "constraint_0_max_power_uw", &format!("{}\n", u64::MAX));
        assert_eq!(spec(&source, "package-0").watts_max, Watts(2000.0));
    }

    #[test]
    fn an_unknown_name_is_shown_and_not_added() {
        let (_tree, source) = with_file("intel-rapl:0:0", "name", "npu\n");
        assert_eq!(source.describe(), "powercap: package-0 (added); npu-0 (shown only)");
    }

    #[test]
    fn a_zone_without_a_usable_name_is_a_problem_and_so_is_what_lies_inside() {
        let tree = Tree::unpack(
            "[class/powercap/intel-rapl:0]\nname =\nenergy_uj = 1\n\
             [class/powercap/intel-rapl:0:0]\nname = dram\nenergy_uj = 1\n\
             [class/powercap/intel-rapl:1]\nenergy_uj = 1\n\
             [class/powercap/intel-rapl:2]\nname = package-1\nenergy_uj = 1\n",
        );
        let source = open(&tree);
        assert_eq!(zones(&source), ["package-1"]);
        assert!(matches!(
            problems(&source)[..],
            [
                ("intel-rapl:0", ZoneObstacle::ParseName { .. }),
                ("intel-rapl:0:0", ZoneObstacle::Orphan),
                ("intel-rapl:1", ZoneObstacle::Missing { file: "name" }),
            ]
        ));
    }

    #[test]
    fn a_counter_that_holds_no_number_is_a_problem() {
        for content in ["", "n/a\n", "-1\n", "18446744073709551616\n"] {
            let (_tree, source) = with_file("intel-rapl:0:0", "energy_uj", content);
            assert_eq!(zones(&source), ["package-0"]);
            assert!(
                matches!(problems(&source)[..], [("intel-rapl:0:0", ZoneObstacle::ParseCounter { .. })]),
                "{content}"
            );
        }
    }

    #[test]
    fn of_two_zones_with_one_name_the_first_is_read() {
        let tree = Tree::unpack(
            "[class/powercap/intel-rapl:9]\nname = package-0\nenergy_uj = 9\n\
             [class/powercap/intel-rapl:a]\nname = package-0\nenergy_uj = 10\n",
        );
        let mut source = open(&tree);
        assert_eq!(energies(&mut source), [9]);
        assert!(matches!(problems(&source)[..], [("intel-rapl:a", ZoneObstacle::Duplicate { .. })]));
    }

    #[test]
    fn the_mmio_zone_is_read_where_the_preferred_one_cannot_be() {
        let tree = Tree::unpack(DESKTOP_MMIO);
        let energy = tree.zone("intel-rapl:0").join("energy_uj");
        fs::remove_file(&energy).expect("a counter to remove");
        fs::create_dir(&energy).expect("a directory in its place");
        tree.set_energy("intel-rapl-mmio:0", 77);
        let mut source = open(&tree);
        assert_eq!(zones(&source), ["core-0", "package-0"]);
        assert_eq!(energies(&mut source)[1], 77);
        assert!(matches!(problems(&source)[..], [("intel-rapl:0", ZoneObstacle::Read { file: "energy_uj", .. })]));
    }
}

mod readings {
    use super::*;

    #[test]
    fn every_reading_is_read_anew() {
        let tree = Tree::unpack(DESKTOP);
        let mut source = open(&tree);
        tree.set_energy("intel-rapl:0", 240_422_400_000);
        assert_eq!(energies(&mut source)[0], 240_422_400_000);
        tree.set_energy("intel-rapl:0", 17);
        assert_eq!(energies(&mut source)[0], 17, "a value below the last one is not this source's concern");
        tree.set_energy("intel-rapl:0", u64::MAX);
        assert_eq!(energies(&mut source)[0], u64::MAX);
    }

    #[test]
    fn garbage_fails_one_reading_of_one_counter() {
        let tree = Tree::unpack(DESKTOP);
        let mut source = open(&tree);
        let endless = "1".repeat(100_000);
        for garbage in ["", "\n", "garbage\n", "-5\n", "18446744073709551616\n", &endless] {
            tree.set_energy_text("intel-rapl:0", garbage);
            let readings = read(&mut source);
            match &readings[0] {
                Err(ReadError::ParseCounter { path, text }) => {
                    assert_eq!(*path, tree.zone("intel-rapl:0").join("energy_uj"));
                    assert!(text.len() <= 32, "{text}");
                }
                other => panic!("{other:?}"),
            }
            assert!(readings[1].is_ok());
            tree.set_energy("intel-rapl:0", 18);
            assert_eq!(energies(&mut source)[0], 18);
        }
    }

    #[test]
    fn the_vector_is_emptied_first() {
        let tree = Tree::unpack(DESKTOP);
        let mut source = open(&tree);
        let mut readings = vec![Ok(Microjoules(1)), Ok(Microjoules(2)), Ok(Microjoules(3))];
        source.read(&Moment::default(), &mut readings);
        assert_eq!(readings.len(), 2);
    }
}

mod dies {
    use super::*;

    /// Lets each die's counter grow by a joule a reading, from `starts`, and gives the zones after every reading.
    fn grow(tree: &Tree, source: &mut Powercap, starts: &[u64], readings: u64) -> Vec<Vec<String>> {
        let mut seen = Vec::new();
        for step in 1..=readings {
            for (die, start) in starts.iter().enumerate() {
                tree.set_energy(&format!("intel-rapl:{die}"), start + step * 1_000_000);
            }
            read(source);
            seen.push(zones(source));
        }
        seen
    }

    fn four_dies() -> Tree {
        let die = |n| format!("[class/powercap/intel-rapl:{n}]\nname = package-0-die-{n}\nenergy_uj = 0\n");
        Tree::unpack(&(0..4).map(die).collect::<String>())
    }

    #[test]
    fn a_die_is_appended_once_its_readings_have_differed_several_times_in_a_row() {
        let tree = Tree::unpack(AMD_MIRRORED_DIES);
        let mut source = open(&tree);
        grow(&tree, &mut source, &[0, 0], 20);
        let seen = grow(&tree, &mut source, &[100_000_000, 900_000_000], 20);
        let only_first = ["package-0-die-0", "core-0-die-0"];
        let both = ["package-0-die-0", "core-0-die-0", "package-0-die-1"];
        assert_eq!(seen[1], only_first, "two that differ are no proof");
        assert_eq!(seen[19], both, "the list grows at its end, and the cores still read the same");
        assert_eq!(energies(&mut source), [120_000_000, 123_456_789, 920_000_000]);
        assert!(matches!(problems(&source)[..], [("intel-rapl:1:0", ZoneObstacle::SuspectedMirror { .. })]));
    }

    #[test]
    fn dies_that_never_count_stay_suspects() {
        let tree = four_dies();
        let mut source = open(&tree);
        for _ in 0..100 {
            read(&mut source);
        }
        assert_eq!(zones(&source), ["package-0-die-0"]);
    }

    #[test]
    fn a_mirror_of_a_die_that_is_itself_distinct_is_not_counted() {
        let tree = four_dies();
        let mut source = open(&tree);
        let (one, other) = (0, 700_000_000);
        let seen = grow(&tree, &mut source, &[one, one, other, other], 100);
        assert_eq!(seen[99], ["package-0-die-0", "package-0-die-2"]);
    }

    #[test]
    fn dies_that_are_all_distinct_are_all_reported() {
        let tree = four_dies();
        let mut source = open(&tree);
        let seen = grow(&tree, &mut source, &[0, 300_000_000, 600_000_000, 900_000_000], 100);
        assert_eq!(seen[99].len(), 4);
        assert!(source.problems().is_empty());
        let mut appended = seen.windows(2).enumerate().filter(|(_, pair)| pair[0] != pair[1]).map(|(index, _)| index);
        let (first, second) = (appended.next(), appended.next());
        assert!(first.zip(second).is_some_and(|(one, other)| one + 8 <= other), "each is proven against the last");
    }

    #[test]
    fn a_die_that_is_reported_is_no_problem_any_more_and_its_duplicate_still_is() {
        let tree = Tree::unpack(
            "[class/powercap/intel-rapl:0]\nname = package-0-die-0\nenergy_uj = 0\n\
             [class/powercap/intel-rapl:1]\nname = package-0-die-1\nenergy_uj = 0\n\
             [class/powercap/intel-rapl-mmio:1]\nname = package-0-die-1\nenergy_uj = 0\n",
        );
        let mut source = open(&tree);
        assert_eq!(source.problems().len(), 2);
        grow(&tree, &mut source, &[0, 500_000_000], 20);
        assert!(matches!(problems(&source)[..], [("intel-rapl-mmio:1", ZoneObstacle::Duplicate { .. })]));
    }

    #[test]
    fn packages_are_no_suspects_of_each_other() {
        let tree = Tree::unpack(
            "[class/powercap/intel-rapl:0]\nname = package-0\nenergy_uj = 0\n\
             [class/powercap/intel-rapl:1]\nname = package-1\nenergy_uj = 0\n",
        );
        assert_eq!(zones(&open(&tree)), ["package-0", "package-1"]);
    }

    #[test]
    fn the_first_readable_die_stands_for_the_package() {
        let tree = Tree::unpack(AMD_MIRRORED_DIES);
        fs::remove_file(tree.zone("intel-rapl:0").join("energy_uj")).expect("a counter to remove");
        assert_eq!(zones(&open(&tree)), ["core-0-die-0", "package-0-die-1"]);
    }
}

mod surveys {
    use super::*;

    #[test]
    fn a_survey_names_every_zone_with_its_path_and_what_is_wrong_with_it() {
        let tree = Tree::unpack(DESKTOP_MMIO);
        fs::remove_file(tree.zone("intel-rapl:0:0").join("energy_uj")).expect("a counter to remove");
        symlink("/nowhere", tree.zone("intel-rapl:1")).expect("a link that dangles");
        let survey = survey(tree.root());
        assert!(matches!(survey.class, ClassState::Present));
        assert_eq!(survey.looked_in, tree.root().join("class/powercap"));
        let shown: Vec<_> = survey.zones.iter().map(ToString::to_string).collect();
        let path = |id| tree.zone(id).display().to_string();
        assert_eq!(
            shown,
            [
                format!("`{}` (package-0): there", path("intel-rapl:0")),
                format!("`{}` (core-0): `energy_uj` is missing", path("intel-rapl:0:0")),
                format!("`{}`: masked by the container runtime", path("intel-rapl:1")),
                format!("`{}` (package-0): has the same name as `{}`", path("intel-rapl-mmio:0"), path("intel-rapl:0")),
            ]
        );
    }

    #[test]
    fn a_survey_needs_no_readable_counter() {
        let tree = Tree::unpack("[class/powercap/intel-rapl:0]\nname = package-0\nenergy_uj/\n");
        let survey = survey(tree.root());
        assert!(matches!(survey.zones[0].obstacle, Some(ZoneObstacle::Read { file: "energy_uj", .. })));
    }

    #[test]
    fn a_survey_suspects_the_dies_that_reading_suspects() {
        let survey = survey(Tree::unpack(AMD_MIRRORED_DIES).root());
        let suspected = |zone: &_| matches!(zone, Some(ZoneObstacle::SuspectedMirror { .. }));
        let shown: Vec<_> = survey.zones.iter().map(|zone| suspected(&zone.obstacle)).collect();
        assert_eq!(shown, [false, false, true, true]);
    }
}
