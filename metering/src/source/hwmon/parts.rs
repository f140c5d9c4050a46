//! What each sensor measures, and which sensors may be added. The only file that knows drivers by name.
//!
//! sysfs does not say whether the power of one sensor contains that of another. Known drivers are in the table of
//! [`Measured::of`]; the rest follows one rule, [`choose`]: never add what may overlap.

use super::parse::{Quantity, parse_socket};
use crate::zone::{Domain, Zone};

/// Supplies that an `ina3221` measures. Its fourth current is the sum of the others, and its fourth voltage belongs to
/// the first shunt.
const INA3221_CHANNELS: u32 = 3;

/// What a sensor measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measured {
    /// A processor package, by its number.
    Package(u32),
    /// The input of the whole machine, by its label.
    Input,
    /// A supply: of the whole machine if it is the only one, else one of several rails.
    Supply,
    /// A driver that is not in the table.
    Unknown,
    /// Part of another sensor of the same device.
    Within,
    /// A separate device, such as a graphics card or battery, whose energy is not that of the processors.
    Apart,
}

/// Identity of a sensor.
#[derive(Clone, Copy, Debug)]
pub struct Traits<'a> {
    /// The device's `name`.
    pub driver: &'a str,
    /// Index among devices of that name.
    pub ordinal: u32,
    /// What its file holds.
    pub quantity: Quantity,
    /// The number in its file's name.
    pub channel: u32,
    /// Its channel's label, if it has one.
    pub label: Option<&'a str>,
}

impl Measured {
    /// The table. `None` for a file that must not be read.
    ///
    /// | driver | sensor | is of |
    /// |---|---|---|
    /// | `amd_energy` | energy `EsocketN` | package N |
    /// | | energy `EcoreN` | within |
    /// | `fam15h_power` | `power1_input` | the package of that device; reading `power1_average` takes as long as it averages |
    /// | `power_meter` (ACPI) | power | a supply |
    /// | `ina2xx` and its like | power | a supply |
    /// | `ina3221` | current × voltage | the input, if the board's maker labelled it so (`VDD_IN`, `POM_5V_IN`), else a supply |
    /// | `corsairpsu` | `power total` | the input |
    /// | | other power | within |
    /// | graphics, batteries, chargers | | apart |
    ///
    /// Source: Linux `Documentation/hwmon/` (`amd_energy` in 5.8 to 5.12, `fam15h_power`, `acpi_power_meter`, `ina2xx`,
    /// `ina238`, `ina3221`, `corsair-psu`), `drivers/hwmon/fam15h_power.c`; NVIDIA Jetson Linux Developer Guide, on
    /// power monitors, for the labels.
    #[must_use]
    pub fn of(sensor: Traits<'_>) -> Option<Self> {
        let Traits { driver, ordinal, quantity, channel, label } = sensor;
        let is_current = quantity == Quantity::Current;
        Some(match driver {
            "amd_energy" => label.and_then(parse_socket).map_or(Self::Within, Self::Package),
            "fam15h_power" if quantity == Quantity::Power => Self::Package(ordinal),
            "fam15h_power" => return None,
            "ina3221" if channel > INA3221_CHANNELS => return None,
            "ina3221" if matches!(label, Some("VDD_IN" | "POM_5V_IN")) => Self::Input,
            "ina3221" => Self::Supply,
            // Other devices with a current also report power, or have no matching voltage.
            _ if is_current => return None,
            "power_meter" => Self::Supply,
            driver if is_ina(driver) => Self::Supply,
            "corsairpsu" if label == Some("power total") => Self::Input,
            "corsairpsu" => Self::Within,
            "amdgpu" | "radeon" | "nouveau" | "i915" | "xe" => Self::Apart,
            driver if is_battery(driver) => Self::Apart,
            _ => Self::Unknown,
        })
    }
}

/// The current and power monitors of Texas Instruments that report power themselves.
fn is_ina(driver: &str) -> bool {
    let models = ["209", "219", "220", "226", "228", "230", "231", "232", "233", "234", "237", "238", "260"];
    driver.strip_prefix("ina").is_some_and(|model| models.contains(&model))
}

/// Batteries and chargers, as ACPI and drivers name them.
fn is_battery(driver: &str) -> bool {
    let prefixes = ["BAT", "CMB", "ADP", "ucsi_source_psy"];
    driver == "AC" || driver.contains("battery") || prefixes.iter().any(|prefix| driver.starts_with(prefix))
}

/// Which sensors are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Packages, and nothing else.
    Packages,
    /// One sensor for the whole machine.
    Platform,
    /// None: several candidates may overlap.
    Ambiguous,
    /// None: there is no candidate.
    Nothing,
}

/// Gives every sensor its zone and chooses those that are added. In order of preference:
///
/// 1. packages, which never overlap; two drivers that know the same package are one and the same counter, so that the
///    first is taken;
/// 2. the one input of the machine;
/// 3. the one supply there is;
/// 4. the one sensor there is, whatever it is.
///
/// All others are shown under the names of driver and label.
#[must_use]
pub fn choose(sensors: &[(Traits<'_>, Measured)]) -> (Choice, Vec<Zone>) {
    let those = |wanted: &[Measured]| -> Vec<usize> {
        let matching = sensors.iter().enumerate().filter(|(_, (_, part))| wanted.contains(part));
        matching.map(|(index, _)| index).collect()
    };
    let (inputs, supplies) = (those(&[Measured::Input]), those(&[Measured::Input, Measured::Supply]));
    let unknown = those(&[Measured::Unknown]);
    let has_packages = sensors.iter().any(|(_, part)| matches!(part, Measured::Package(_)));
    let (choice, platform) = match (has_packages, &*inputs, &*supplies, &*unknown) {
        (true, ..) => (Choice::Packages, None),
        (_, &[only], ..) | (_, [], &[only], _) | (_, [], [], &[only]) => (Choice::Platform, Some(only)),
        (_, [], [], []) => (Choice::Nothing, None),
        _ => (Choice::Ambiguous, None),
    };
    let mut zones: Vec<Zone> = Vec::with_capacity(sensors.len());
    for (index, (sensor, part)) in sensors.iter().enumerate() {
        let package = match part {
            Measured::Package(number) => Some(Zone::new(Domain::Package, &number.to_string())),
            _ => None,
        };
        let zone = match package.filter(|package| !zones.contains(package)) {
            Some(package) => package,
            None if platform == Some(index) => Zone::new(Domain::Platform, ""),
            None => shown(sensor, &zones),
        };
        zones.push(zone);
    }
    (choice, zones)
}

/// A zone that is not added, with a unique name.
fn shown(sensor: &Traits<'_>, others: &[Zone]) -> Zone {
    let quantity = match sensor.quantity {
        Quantity::Energy => "energy",
        Quantity::Power | Quantity::AveragePower | Quantity::Current => "power",
    };
    let name = format!("{}:{}", sensor.driver, sensor.label.unwrap_or(quantity));
    let mut zone = Zone::new(Domain::Other(name.clone().into()), &sensor.ordinal.to_string());
    let mut number = 2;
    while others.contains(&zone) {
        zone.domain = Domain::Other(format!("{name}:{number}").into());
        number += 1;
    }
    zone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensor(driver: &'static str, quantity: Quantity, label: Option<&'static str>) -> (Traits<'static>, Measured) {
        let sensor = Traits { driver, ordinal: 0, quantity, channel: 1, label };
        (sensor, Measured::of(sensor).expect("a sensor to read"))
    }

    fn chosen(sensors: &[(Traits<'_>, Measured)]) -> (Choice, Vec<String>) {
        let (choice, zones) = choose(sensors);
        let additive = zones.iter().filter(|zone| zone.is_additive()).map(ToString::to_string).collect();
        assert_eq!(zones.len(), sensors.len());
        (choice, additive)
    }

    #[test]
    fn sockets_are_added_and_what_contains_them_is_not() {
        let sensors = [
            sensor("amd_energy", Quantity::Energy, Some("Ecore000")),
            sensor("amd_energy", Quantity::Energy, Some("Esocket0")),
            sensor("amd_energy", Quantity::Energy, Some("Esocket1")),
            sensor("power_meter", Quantity::AveragePower, None),
        ];
        assert_eq!(chosen(&sensors), (Choice::Packages, vec!["package-0".into(), "package-1".into()]));
    }

    #[test]
    fn a_package_that_two_drivers_know_is_added_once() {
        let sensors =
            [sensor("amd_energy", Quantity::Energy, Some("Esocket0")), sensor("fam15h_power", Quantity::Power, None)];
        assert_eq!(chosen(&sensors), (Choice::Packages, vec!["package-0".into()]));
    }

    #[test]
    fn one_supply_is_the_platform_and_two_are_nothing_that_may_be_added() {
        let meter = || sensor("power_meter", Quantity::AveragePower, None);
        let rail = |label| sensor("ina3221", Quantity::Current, Some(label));
        assert_eq!(chosen(&[meter()]), (Choice::Platform, vec!["platform".into()]));
        assert_eq!(chosen(&[meter(), meter()]), (Choice::Ambiguous, vec![]));
        assert_eq!(chosen(&[rail("VDD_SOC"), rail("VDD_CPU")]), (Choice::Ambiguous, vec![]));
        assert_eq!(chosen(&[rail("VDD_SOC"), rail("VDD_IN")]), (Choice::Platform, vec!["platform".into()]));
        assert_eq!(chosen(&[rail("VDD_IN"), rail("VDD_IN")]), (Choice::Ambiguous, vec![]));
    }

    #[test]
    fn an_unknown_driver_counts_only_where_it_is_alone() {
        let unknown = || sensor("somechip", Quantity::Power, None);
        assert_eq!(chosen(&[unknown()]), (Choice::Platform, vec!["platform".into()]));
        assert_eq!(chosen(&[unknown(), unknown()]), (Choice::Ambiguous, vec![]));
        assert_eq!(chosen(&[unknown(), sensor("ina226", Quantity::Power, None)]).0, Choice::Platform);
        let (_, zones) = choose(&[unknown(), sensor("ina226", Quantity::Power, None)]);
        assert_eq!(zones.iter().map(ToString::to_string).collect::<Vec<_>>(), ["somechip:power-0", "platform"]);
    }

    #[test]
    fn a_graphics_card_is_never_the_machine() {
        let cards = [
            sensor("amdgpu", Quantity::AveragePower, Some("PPT")),
            sensor("BAT0", Quantity::Power, None),
            sensor("hidpp_battery_0", Quantity::Power, None),
        ];
        assert_eq!(chosen(&cards), (Choice::Nothing, vec![]));
    }

    #[test]
    fn what_takes_time_to_read_or_is_no_power_is_left_alone() {
        let read =
            |driver, quantity, channel| Measured::of(Traits { driver, ordinal: 0, quantity, channel, label: None });
        assert_eq!(read("fam15h_power", Quantity::AveragePower, 1), None);
        assert_eq!(read("nvme", Quantity::Current, 1), None);
        assert_eq!(read("ina3221", Quantity::Current, 3), Some(Measured::Supply));
        assert_eq!(read("ina3221", Quantity::Current, 4), None, "the sum of the others");
    }

    #[test]
    fn no_two_sensors_have_one_zone() {
        let unlabelled = || sensor("ina226", Quantity::Power, None);
        let (_, zones) = choose(&[unlabelled(), unlabelled(), unlabelled()]);
        let shown: Vec<_> = zones.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["ina226:power-0", "ina226:power:2-0", "ina226:power:3-0"]);
    }
}
