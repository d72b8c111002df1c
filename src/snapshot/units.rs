//! The units that lists go to, and their devices: two files that headquarters keeps.
//!
//! `units.csv` says what each unit may read and which of its rules are stricter than the list's;
//! `devices.csv` which devices it has, with their public keys. Both stand in for enrolment, which
//! will write the second one. A device that was revoked stays in its file, with the day: a line that
//! is gone could as well have been lost.
//!
//! Read whole or not at all: a unit that was left out by mistake would get no list, and a column
//! that nobody reads could be one that somebody relies on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use sync_format::v1::package::Freshness;
use sync_format::v1::package::seal::{PUBLIC_BYTES, SealPublic};
use sync_format::v1::register::ABROAD;

use super::build::Unit;
use super::keyfile::{hex, unhex};
use crate::document::Date;

/// Columns of the units, in any order; all must be there.
///
/// The unit's number; the regions of the register that it reads, `all` or such as `001;048;abroad`;
/// hours for which lists are fresh and usable there, both or none; `yes` where nobody is cleared
/// without a proven chip.
pub const UNIT_COLUMNS: [&str; 5] =
    ["unit", "regions", "fresh_hours", "usable_hours", "chip_required"];

/// Columns of the devices, in any order; all must be there.
///
/// The id of the device, 32 hexadecimal digits; its unit; its public sealing key (X-Wing, 2,432
/// digits); its public signing key (P-256, a compressed point, 66 digits); empty, or the day on which
/// it was revoked.
pub const DEVICE_COLUMNS: [&str; 5] = ["device", "unit", "seal_key", "sign_key", "revoked"];

/// Longest file that is worth reading, bytes: some 25,000 devices.
pub const MAX_UNITS_FILE_BYTES: u64 = 64 << 20;

/// Why a file of units or devices is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UnitsError {
    /// The file could not be read as CSV at all.
    #[error("the file is not readable CSV")]
    Csv(#[source] csv::Error),
    /// A column that nobody reads, or the same column again.
    #[error("column {column:?} is unknown or stands twice; the columns are {}", .known.join(", "))]
    Column {
        /// The column.
        column: String,
        /// Those that are known.
        known: &'static [&'static str],
    },
    /// A column that must be there.
    #[error("column {0:?} is missing")]
    MissingColumn(&'static str),
    /// A row breaks a rule.
    #[error("line {line}: {why}")]
    Row {
        /// Which, from 1; the header is line 1.
        line: u64,
        /// The rule.
        why: String,
    },
    /// No row at all.
    #[error("the file has no rows")]
    Empty,
    /// A device of a unit that is not in the file of units.
    #[error("device {} is of unit {unit}, which the file of units does not have", hex(.device))]
    UnknownUnit {
        /// The device.
        device: [u8; 16],
        /// Its unit.
        unit: u32,
    },
    /// No device has this id.
    #[error("no device {} is in the file", hex(.0))]
    NoSuchDevice([u8; 16]),
    /// The device was revoked before.
    #[error("device {} was revoked on {on} already", hex(.device))]
    RevokedBefore {
        /// The device.
        device: [u8; 16],
        /// When.
        on: Date,
    },
}

/// A device as headquarters knows it.
#[derive(Clone, Debug)]
pub struct KnownDevice {
    /// The id of its enrolment.
    pub id: [u8; 16],
    /// Its unit.
    pub unit: u32,
    /// What lists are sealed to.
    pub seal_key: SealPublic,
    /// What its signatures hold under: a compressed point of P-256.
    pub sign_key: [u8; 33],
    /// When it was revoked, where it was.
    pub revoked: Option<Date>,
}

/// Units and their devices, for a list to be built.
#[derive(Clone, Debug)]
pub struct Units {
    /// Those with a device that is not revoked, by ascending number.
    pub units: Vec<Unit>,
    /// Those without, to which nothing is sealed.
    pub without_device: Vec<u32>,
    /// How many devices are revoked.
    pub revoked: usize,
}

impl Units {
    /// Puts devices that are not revoked to their units.
    ///
    /// # Errors
    ///
    /// [`UnitsError::UnknownUnit`].
    pub fn join(units: Vec<Unit>, devices: Vec<KnownDevice>) -> Result<Units, UnitsError> {
        let mut by_number: BTreeMap<u32, Unit> =
            units.into_iter().map(|unit| (unit.unit, unit)).collect();
        let mut revoked = 0;
        for device in devices {
            let unit = by_number.get_mut(&device.unit);
            let unknown = UnitsError::UnknownUnit { device: device.id, unit: device.unit };
            let unit = unit.ok_or(unknown)?;
            match device.revoked {
                None => unit.devices.push(device.seal_key),
                Some(_) => revoked += 1,
            }
        }
        let (units, without): (Vec<Unit>, Vec<Unit>) =
            by_number.into_values().partition(|unit| !unit.devices.is_empty());
        let without_device = without.iter().map(|unit| unit.unit).collect();
        Ok(Units { units, without_device, revoked })
    }

    /// Gives every unit of the devices all regions and the list's own rules: for trials.
    pub fn of_devices(devices: Vec<KnownDevice>) -> Units {
        let numbers: BTreeSet<u32> = devices.iter().map(|device| device.unit).collect();
        let all = |unit| Unit {
            unit,
            regions: None,
            freshness: None,
            chip_required: false,
            devices: Vec::new(),
        };
        Units::join(numbers.into_iter().map(all).collect(), devices)
            .expect("the units are those of the devices")
    }
}

/// Reads the file of units; their devices are still to be joined.
///
/// # Errors
///
/// The first fault, with its line.
pub fn read_units(reader: impl Read) -> Result<Vec<Unit>, UnitsError> {
    let mut numbers = BTreeSet::new();
    read_rows(reader, &UNIT_COLUMNS, |row| {
        let unit = row.number("unit")?;
        if !numbers.insert(unit) {
            return Err(format!("unit {unit} stands twice"));
        }
        Ok(Unit {
            unit,
            regions: regions(row.cell("regions"))?,
            freshness: freshness(row)?,
            chip_required: match row.cell("chip_required") {
                "yes" => true,
                "no" => false,
                _ => return Err("chip_required is neither yes nor no".to_owned()),
            },
            devices: Vec::new(),
        })
    })
}

/// Reads the file of devices, those that were revoked too.
///
/// # Errors
///
/// The first fault, with its line.
pub fn read_devices(reader: impl Read) -> Result<Vec<KnownDevice>, UnitsError> {
    let mut seen = Seen::default();
    read_rows(reader, &DEVICE_COLUMNS, |row| known_device(row, &mut seen))
}

/// Writes a file of devices, as [`read_devices`] reads it.
pub fn write_devices(devices: &[KnownDevice]) -> String {
    let mut text = DEVICE_COLUMNS.join(",") + "\n";
    for device in devices {
        let cells = [
            hex(&device.id),
            device.unit.to_string(),
            hex(&device.seal_key.to_bytes()),
            hex(&device.sign_key),
            device.revoked.map(|day| day.to_string()).unwrap_or_default(),
        ];
        text += &cells.join(",");
        text.push('\n');
    }
    text
}

/// Returns the file of devices with one of them revoked; nothing else of it changes.
///
/// # Errors
///
/// The first fault of the file, [`UnitsError::NoSuchDevice`] and [`UnitsError::RevokedBefore`].
pub fn revoke(file: &[u8], device: [u8; 16], on: Date) -> Result<Vec<u8>, UnitsError> {
    let devices = read_devices(file)?;
    let found = devices.iter().position(|known| known.id == device);
    let found = found.ok_or(UnitsError::NoSuchDevice(device))?;
    if let Some(on) = devices[found].revoked {
        return Err(UnitsError::RevokedBefore { device, on });
    }
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().map_err(UnitsError::Csv)?.clone();
    let column = header.iter().position(|name| name.trim() == "revoked");
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).map_err(UnitsError::Csv)?;
    for (at, record) in reader.records().enumerate() {
        let record = record.map_err(UnitsError::Csv)?;
        let day = on.to_string();
        let cells = record.iter().enumerate();
        let cells = cells.map(|(cell, text)| match at == found && Some(cell) == column {
            true => day.as_str(),
            false => text,
        });
        writer.write_record(cells).map_err(UnitsError::Csv)?;
    }
    writer.into_inner().map_err(|error| UnitsError::Csv(error.into_error().into()))
}

/// Reads the id of a device: 32 hexadecimal digits.
pub fn parse_device(text: &str) -> Option<[u8; 16]> {
    unhex(&text.to_ascii_lowercase())
}

/// What may stand in one line only, and on which line it stands.
#[derive(Default)]
struct Seen {
    ids: BTreeMap<[u8; 16], u64>,
    keys: BTreeMap<[u8; 32], u64>,
}

fn known_device(row: &Row<'_>, seen: &mut Seen) -> Result<KnownDevice, String> {
    let id = parse_device(row.cell("device")).ok_or("device is not an id of 32 digits")?;
    if let Some(line) = seen.ids.insert(id, row.line) {
        return Err(format!("this device stands on line {line} too"));
    }
    let seal_key = row.cell("seal_key").to_ascii_lowercase();
    let bytes: Option<[u8; PUBLIC_BYTES]> = unhex(&seal_key);
    let bytes = bytes.ok_or_else(|| {
        format!("seal_key has {} characters and not {} digits", seal_key.len(), 2 * PUBLIC_BYTES)
    })?;
    let seal_key = SealPublic::from_bytes(&bytes).map_err(|_| "seal_key is no X-Wing key")?;
    let text = row.cell("sign_key").to_ascii_lowercase();
    let sign_key: [u8; 33] = unhex(&text)
        .ok_or_else(|| format!("sign_key has {} characters and not 66 digits", text.len()))?;
    if !matches!(sign_key[0], 2 | 3) || p256::PublicKey::from_sec1_bytes(&sign_key).is_err() {
        return Err("sign_key is no compressed point of P-256".to_owned());
    }
    let sign_hash = sync_format::v1::package::sha256(&sign_key);
    for key in [seal_key.fingerprint(), sign_hash] {
        if let Some(line) = seen.keys.insert(key, row.line) {
            return Err(format!("a key of this device stands on line {line} too"));
        }
    }
    let revoked = match row.cell("revoked") {
        "" => None,
        day => Some(day.parse().map_err(|_| "revoked is neither empty nor a day")?),
    };
    Ok(KnownDevice { id, unit: row.number("unit")?, seal_key, sign_key, revoked })
}

fn regions(cell: &str) -> Result<Option<Vec<u16>>, String> {
    if cell == "all" {
        return Ok(None);
    }
    let mut regions = BTreeSet::new();
    for word in cell.split(';').map(str::trim) {
        let is_prefix = word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit());
        let region = match word {
            "abroad" => Some(ABROAD),
            _ => word.parse().ok().filter(|region| is_prefix && (1..ABROAD).contains(region)),
        };
        let region =
            region.ok_or_else(|| format!("{word:?} is no region: 001 to 099 or abroad"))?;
        if !regions.insert(region) {
            return Err(format!("region {word} stands twice"));
        }
    }
    Ok(Some(regions.into_iter().collect()))
}

fn freshness(row: &Row<'_>) -> Result<Option<Freshness>, String> {
    match (row.cell("fresh_hours"), row.cell("usable_hours")) {
        ("", "") => Ok(None),
        ("", _) | (_, "") => Err("fresh_hours and usable_hours stand together".to_owned()),
        _ => {
            let (fresh_hours, usable_hours) =
                (row.number("fresh_hours")?, row.number("usable_hours")?);
            if fresh_hours == 0 || fresh_hours > usable_hours {
                return Err("fresh_hours is 1 or more, and usable_hours no less".to_owned());
            }
            Ok(Some(Freshness { fresh_hours, usable_hours }))
        }
    }
}

/// One row, its cells by column.
struct Row<'a> {
    line: u64,
    cells: &'a csv::StringRecord,
    columns: &'a BTreeMap<&'static str, usize>,
}

impl Row<'_> {
    fn cell(&self, column: &'static str) -> &str {
        let at = self.columns.get(column).copied();
        at.and_then(|at| self.cells.get(at)).unwrap_or_default().trim()
    }

    fn number(&self, column: &'static str) -> Result<u32, String> {
        let cell = self.cell(column);
        let digits = !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
        let number = cell.parse().ok().filter(|_| digits);
        number.ok_or_else(|| format!("{column} is not a whole number"))
    }
}

fn read_rows<T>(
    reader: impl Read,
    known: &'static [&'static str],
    mut parse: impl FnMut(&Row<'_>) -> Result<T, String>,
) -> Result<Vec<T>, UnitsError> {
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
    let mut columns = BTreeMap::new();
    for (at, name) in csv.headers().map_err(UnitsError::Csv)?.iter().enumerate() {
        let known_name = known.iter().find(|known| **known == name.trim());
        let new = known_name.is_some_and(|name| columns.insert(*name, at).is_none());
        if !new {
            return Err(UnitsError::Column { column: name.to_owned(), known });
        }
    }
    if let Some(missing) = known.iter().find(|name| !columns.contains_key(*name)) {
        return Err(UnitsError::MissingColumn(missing));
    }
    let mut rows = Vec::new();
    for record in csv.records() {
        let cells = record.map_err(UnitsError::Csv)?;
        let line = cells.position().map_or(0, csv::Position::line);
        let row = Row { line, cells: &cells, columns: &columns };
        let parsed = match cells.len() == columns.len() {
            true => parse(&row),
            false => Err(format!("{} cells instead of {}", cells.len(), columns.len())),
        };
        rows.push(parsed.map_err(|why| UnitsError::Row { line, why })?);
    }
    if rows.is_empty() { Err(UnitsError::Empty) } else { Ok(rows) }
}

#[cfg(test)]
mod tests {
    use sync_format::v1::package::seal::SealSecret;

    use super::*;
    use crate::keys::{DeviceKey as _, SimulatedDeviceKey};

    /// A line of the file of devices.
    fn device(number: u8, unit: u32, revoked: &str) -> String {
        let id = hex(&[number; 16]);
        let seal = hex(&seal_key(number).to_bytes());
        let sign = hex(&SimulatedDeviceKey::numbered(number).public_key());
        format!("{id},{unit},{seal},{sign},{revoked}\n")
    }

    fn seal_key(number: u8) -> SealPublic {
        SealSecret::new([number; 32]).public()
    }

    fn devices(rows: &[String]) -> String {
        format!("{}\n{}", DEVICE_COLUMNS.join(","), rows.concat())
    }

    fn units(rows: &str) -> Result<Vec<Unit>, UnitsError> {
        read_units(format!("{}\n{rows}", UNIT_COLUMNS.join(",")).as_bytes())
    }

    #[track_caller]
    fn check<T>(read: Result<T, UnitsError>, expected: &str) {
        let text = match read {
            Ok(_) => panic!("taken"),
            Err(error) => error.to_string(),
        };
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_unit_reads_its_regions_and_gets_the_devices_that_are_not_revoked() {
        let units = units("7,abroad;048;001,12,48,yes\n3,all,,,no\n9,001,,,no\n").unwrap();
        let rows =
            [device(1, 3, ""), device(2, 7, ""), device(3, 7, "2026-11-02"), device(4, 7, "")];
        let devices = read_devices(devices(&rows).as_bytes()).unwrap();
        let joined = Units::join(units, devices).unwrap();
        assert_eq!((joined.without_device, joined.revoked), (vec![9], 1));
        let [three, seven] = joined.units.as_slice() else { panic!("{:?}", joined.units) };
        assert_eq!((three.unit, &three.regions, three.freshness), (3, &None, None));
        assert_eq!((seven.unit, &seven.regions), (7, &Some(vec![1, 48, ABROAD])));
        assert_eq!(seven.freshness, Some(Freshness { fresh_hours: 12, usable_hours: 48 }));
        assert!(seven.chip_required && !three.chip_required);
        let prints = |unit: &Unit| -> Vec<[u8; 32]> {
            unit.devices.iter().map(SealPublic::fingerprint).collect()
        };
        assert_eq!(prints(seven), [2, 4].map(|number| seal_key(number).fingerprint()));
    }

    #[test]
    fn without_a_file_of_units_everybody_reads_everything() {
        let rows = [device(1, 3, ""), device(2, 7, ""), device(3, 9, "2026-11-02")];
        let joined = Units::of_devices(read_devices(devices(&rows).as_bytes()).unwrap());
        let numbers: Vec<u32> = joined.units.iter().map(|unit| unit.unit).collect();
        assert_eq!((numbers, joined.without_device), (vec![3, 7], vec![9]));
        assert!(joined.units.iter().all(|unit| unit.regions.is_none()));
    }

    #[test]
    fn a_row_of_the_units_is_refused_by_its_line_and_reason() {
        for (rows, expected) in [
            ("", "no rows"),
            ("1,all,,,no\n1,all,,,no\n", "line 3: unit 1 stands twice"),
            ("one,all,,,no\n", "line 2: unit is not a whole number"),
            ("+1,all,,,no\n", "line 2: unit is not a whole number"),
            ("4294967296,all,,,no\n", "line 2: unit is not a whole number"),
            ("1,,,,no\n", "line 2: \"\" is no region"),
            ("1,48,,,no\n", "line 2: \"48\" is no region"),
            ("1,000,,,no\n", "line 2: \"000\" is no region"),
            ("1,100,,,no\n", "line 2: \"100\" is no region"),
            ("1,001;all,,,no\n", "line 2: \"all\" is no region"),
            ("1,001;001,,,no\n", "line 2: region 001 stands twice"),
            ("1,all,12,,no\n", "line 2: fresh_hours and usable_hours stand together"),
            ("1,all,13,12,no\n", "line 2: fresh_hours is 1 or more"),
            ("1,all,0,12,no\n", "line 2: fresh_hours is 1 or more"),
            ("1,all,x,12,no\n", "line 2: fresh_hours is not a whole number"),
            ("1,all,,,\n", "line 2: chip_required is neither yes nor no"),
            ("1,all,,no\n", "line 2: 4 cells instead of 5"),
        ] {
            check(units(rows), expected);
        }
    }

    #[test]
    fn a_row_of_the_devices_is_refused_by_its_line_and_reason() {
        let good = device(1, 1, "");
        let read = |rows: &[String]| read_devices(devices(rows).as_bytes());
        let with = |cell: usize, text: &str| {
            let mut cells: Vec<&str> = good.trim_end().split(',').collect();
            cells[cell] = text;
            read(&[device(2, 1, ""), cells.join(",") + "\n"])
        };
        assert!(read(std::slice::from_ref(&good)).is_ok());
        assert!(read(&[good.to_uppercase()]).is_ok());
        check(read(&[]), "no rows");
        check(with(0, &hex(&[2; 16])), "line 3: this device stands on line 2 too");
        check(with(0, "1"), "line 3: device is not an id of 32 digits");
        check(with(1, ""), "line 3: unit is not a whole number");
        check(with(2, "00"), "line 3: seal_key has 2 characters and not 2432 digits");
        let of_another = hex(&seal_key(2).to_bytes());
        check(with(2, &of_another), "line 3: a key of this device stands on line 2 too");
        check(with(3, "02"), "line 3: sign_key has 2 characters and not 66 digits");
        check(
            with(3, &format!("05{}", "11".repeat(32))),
            "line 3: sign_key is no compressed point",
        );
        check(
            with(3, &format!("02{}", "ff".repeat(32))),
            "line 3: sign_key is no compressed point",
        );
        check(with(4, "yes"), "line 3: revoked is neither empty nor a day");
    }

    #[test]
    fn columns_are_those_that_are_known_in_any_order() {
        let reordered = "chip_required,unit,regions,usable_hours,fresh_hours\nyes,1,all,2,1\n";
        assert!(read_units(reordered.as_bytes()).unwrap()[0].chip_required);
        let read = |header: &str| read_units(format!("{header}\n1,all,,,no\n").as_bytes());
        check(read("unit,regions,fresh_hours,usable_hours,colour"), "column \"colour\" is unknown");
        check(read("unit,unit,fresh_hours,usable_hours,regions"), "column \"unit\" is unknown or");
        check(read("unit,regions,fresh_hours,usable_hours"), "column \"chip_required\" is missing");
    }

    #[test]
    fn a_device_of_no_unit_is_refused() {
        let units = units("7,all,,,no\n").unwrap();
        let devices = read_devices(devices(&[device(1, 8, "")]).as_bytes()).unwrap();
        check(Units::join(units, devices), "is of unit 8, which the file of units does not have");
    }

    #[test]
    fn revoking_changes_one_cell_and_happens_once() {
        let file = devices(&[device(1, 3, ""), device(2, 7, ""), device(3, 7, "2026-11-02")]);
        let day = "2026-11-26".parse().unwrap();
        let revoked = revoke(file.as_bytes(), [2; 16], day).unwrap();
        let expected =
            devices(&[device(1, 3, ""), device(2, 7, "2026-11-26"), device(3, 7, "2026-11-02")]);
        assert_eq!(String::from_utf8(revoked.clone()).unwrap(), expected);
        check(revoke(&revoked, [2; 16], day), "was revoked on 2026-11-26 already");
        check(revoke(file.as_bytes(), [9; 16], day), "no device 0909");
        check(revoke(b"device\n", [9; 16], day), "column \"unit\" is missing");
    }
}
