//! One installed snapshot of the notices: written once, then asked by number and by name.
//!
//! Changes since the full list lie in a small file of their own, beside the order numbers that they
//! replace or withdraw. What an emergency withdrawal names is passed over here, so that it neither
//! shows nor takes up the place of another notice.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};
use sync_format::v1::date::PartialDate;
use sync_format::v1::notice::{Notice, decode_notices, encode_notices};

use super::{Access, Kind, StoreError};
use crate::document::fold;
use crate::keys::SecretKey;

/// As many notices are given for one person; a name that is listed more often needs a number.
pub const MAX_CANDIDATES: usize = 32;

/// What a look-up found.
#[derive(PartialEq, Eq, Debug)]
pub struct Found {
    /// The notices, ascending by order number.
    pub notices: Vec<Notice>,
    /// Whether there are more than were given.
    pub is_cut: bool,
}

/// The open notices.
#[derive(Debug)]
pub struct Notices {
    connection: Connection,
    statements: &'static Statements,
    /// Order numbers that an emergency withdrawal took away.
    withdrawn: BTreeSet<u64>,
}

/// How the tables are asked.
#[derive(Debug)]
struct Statements {
    by_number: &'static str,
    by_name: &'static str,
    body: &'static str,
    count: &'static str,
}

// By name two seeks in the primary key: an OR would read every row of a common name.
const OF_LIST: Statements = Statements {
    by_number: "SELECT notice FROM main.notice_number WHERE number = ?1",
    by_name: "SELECT notice FROM main.notice_name WHERE name = ?1 AND birth BETWEEN ?2 AND ?3
        UNION ALL SELECT notice FROM main.notice_name WHERE name = ?1 AND birth = ?4",
    body: "SELECT body FROM main.notice WHERE id = ?1",
    count: "SELECT count(*) FROM main.notice",
};

const OF_BOTH: Statements = Statements {
    by_number: "SELECT notice FROM overlay.notice_number WHERE number = ?1
        UNION ALL SELECT notice FROM main.notice_number WHERE number = ?1
            AND NOT EXISTS (SELECT 1 FROM overlay.replaced WHERE id = notice)",
    by_name: "SELECT notice FROM overlay.notice_name WHERE name = ?1 AND birth BETWEEN ?2 AND ?3
        UNION ALL SELECT notice FROM overlay.notice_name WHERE name = ?1 AND birth = ?4
        UNION ALL SELECT notice FROM main.notice_name WHERE name = ?1 AND birth BETWEEN ?2 AND ?3
            AND NOT EXISTS (SELECT 1 FROM overlay.replaced WHERE id = notice)
        UNION ALL SELECT notice FROM main.notice_name WHERE name = ?1 AND birth = ?4
            AND NOT EXISTS (SELECT 1 FROM overlay.replaced WHERE id = notice)",
    body: "SELECT body FROM overlay.notice WHERE id = ?1
        UNION ALL SELECT body FROM main.notice WHERE id = ?1
            AND NOT EXISTS (SELECT 1 FROM overlay.replaced WHERE id = ?1)",
    count: "SELECT (SELECT count(*) FROM overlay.notice) + (SELECT count(*) FROM main.notice)
        - (SELECT count(*) FROM overlay.replaced AS r JOIN main.notice AS n ON n.id = r.id)",
};

impl Notices {
    /// Opens an installed snapshot.
    pub fn open(path: &Path, key: &SecretKey) -> Result<Notices, StoreError> {
        let connection = super::open(path, key, Kind::Notices, Access::Read)?;
        Ok(Notices { connection, statements: &OF_LIST, withdrawn: BTreeSet::new() })
    }

    /// Opens changes alone, as what they are: to be probed and verified.
    pub fn open_overlay(path: &Path, key: &SecretKey) -> Result<Notices, StoreError> {
        let connection = super::open(path, key, Kind::NoticesOverlay, Access::Read)?;
        Ok(Notices { connection, statements: &OF_LIST, withdrawn: BTreeSet::new() })
    }

    /// Lays changes over the snapshot.
    pub fn lay_over(&mut self, path: &Path, key: &SecretKey) -> Result<(), StoreError> {
        super::attach_overlay(&self.connection, path, key, Kind::NoticesOverlay)?;
        self.statements = &OF_BOTH;
        Ok(())
    }

    /// Asks the full list alone from now on.
    pub fn lay_bare(&mut self) {
        self.statements = &OF_LIST;
    }

    /// Passes over these notices from now on.
    pub fn withdraw(&mut self, notices: impl IntoIterator<Item = u64>) {
        self.withdrawn.extend(notices);
    }

    /// Returns the notices that hold one of `numbers`, or one of `names` with a birth date that can
    /// be the same; each once, ascending by order number. [`MAX_CANDIDATES`] of each number come, and
    /// as many by name as make up that many.
    ///
    /// Numbers are text without spaces, names are folded. A notice that knows the year alone is not
    /// found by a full date, since a name and a year are shared by every fourth person (measured on
    /// invented lists); where the document leaves the date open, every date in it is found.
    pub fn find<'a>(
        &self,
        numbers: impl IntoIterator<Item = &'a str>,
        names: impl IntoIterator<Item = (&'a str, PartialDate)>,
    ) -> Result<Found, StoreError> {
        let mut ids = BTreeSet::new();
        let mut is_cut = false;
        let mut by_number = self.connection.prepare_cached(self.statements.by_number)?;
        for number in numbers {
            let mut of_this = 0;
            let mut rows = by_number.query(params![number])?;
            while let Some(row) = rows.next()? {
                let id = row.get::<_, i64>(0)?.cast_unsigned();
                if self.withdrawn.contains(&id) {
                    continue;
                }
                if of_this == MAX_CANDIDATES {
                    is_cut = true;
                    break;
                }
                of_this += 1;
                ids.insert(id);
            }
        }
        let mut by_name = self.connection.prepare_cached(self.statements.by_name)?;
        for (name, birth) in names {
            let Compatible { first, last, or } = Compatible::with(birth);
            let mut rows = by_name.query(params![name, first, last, or])?;
            while let Some(row) = rows.next()? {
                let id = row.get::<_, i64>(0)?.cast_unsigned();
                if self.withdrawn.contains(&id) || ids.contains(&id) {
                    continue;
                }
                if ids.len() >= MAX_CANDIDATES {
                    is_cut = true;
                    break;
                }
                ids.insert(id);
            }
        }
        let mut notices = Vec::with_capacity(ids.len());
        for id in ids {
            // The index names it, so the list holds it.
            notices.push(self.body(id)?.ok_or(StoreError::DamagedRow("notices"))?);
        }
        Ok(Found { notices, is_cut })
    }

    /// Returns the notice with this order number.
    pub fn get(&self, id: u64) -> Result<Option<Notice>, StoreError> {
        if self.withdrawn.contains(&id) { Ok(None) } else { self.body(id) }
    }

    fn body(&self, id: u64) -> Result<Option<Notice>, StoreError> {
        let bytes: Option<Vec<u8>> = self
            .connection
            .prepare_cached(self.statements.body)?
            .query_row(params![id.cast_signed()], |row| row.get(0))
            .optional()?;
        bytes.map(|bytes| one_notice(&bytes)).transpose()
    }

    /// Returns the number of notices, those withdrawn in an emergency included.
    pub fn count(&self) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .query_row(self.statements.count, [], |row| row.get::<_, i64>(0))?
            .cast_unsigned())
    }

    /// Returns the notices of this file with order numbers from `first` to `last`, ascending; at most
    /// `most`.
    pub(super) fn rows(
        &self,
        first: u64,
        last: u64,
        most: usize,
    ) -> Result<Vec<Notice>, StoreError> {
        rows_in(&self.connection, first, last, most)
    }

    /// Whether every number and name of `rows` is in the indexes of this file.
    pub(super) fn is_indexed(&self, rows: &[Notice]) -> Result<bool, StoreError> {
        let mut entries = Entries::default();
        entries.add(rows);
        let mut number = self.connection.prepare_cached(
            "SELECT count(*) FROM main.notice_number WHERE number = ? AND notice = ?",
        )?;
        let mut name = self.connection.prepare_cached(
            "SELECT count(*) FROM main.notice_name WHERE name = ? AND birth = ? AND notice = ?",
        )?;
        for (text, id) in &entries.numbers {
            if number.query_row(params![text, id], |row| row.get::<_, u32>(0))? != 1 {
                return Ok(false);
            }
        }
        for (text, birth, id) in &entries.names {
            if name.query_row(params![text, birth, id], |row| row.get::<_, u32>(0))? != 1 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns how many entries the indexes of this file have: by number, by name.
    pub(super) fn index_sizes(&self) -> Result<(u64, u64), StoreError> {
        let count = |sql: &str| {
            self.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
        };
        let numbers = count("SELECT count(*) FROM main.notice_number")?;
        Ok((numbers, count("SELECT count(*) FROM main.notice_name")?))
    }

    /// Returns how many entries `rows` have in the indexes: by number, by name.
    pub(super) fn index_sizes_of(rows: &[Notice]) -> (u64, u64) {
        let mut entries = Entries::default();
        entries.add(rows);
        entries.names.sort_unstable();
        entries.names.dedup();
        (entries.numbers.len() as u64, entries.names.len() as u64)
    }

    /// Returns the order numbers that changes replace; of changes alone.
    pub(super) fn replaced(&self) -> Result<BTreeSet<u64>, StoreError> {
        self.numbers("SELECT id FROM main.replaced")
    }

    /// Returns the order numbers of this file.
    pub(super) fn ids(&self) -> Result<BTreeSet<u64>, StoreError> {
        self.numbers("SELECT id FROM main.notice")
    }

    fn numbers(&self, sql: &str) -> Result<BTreeSet<u64>, StoreError> {
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get::<_, i64>(0))?;
        rows.map(|id| Ok(id?.cast_unsigned())).collect()
    }
}

fn rows_in(
    connection: &Connection,
    first: u64,
    last: u64,
    most: usize,
) -> Result<Vec<Notice>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT body FROM main.notice WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
    )?;
    let bounds = params![first.cast_signed(), last.cast_signed(), most as i64];
    let rows = statement.query_map(bounds, |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|bytes| one_notice(&bytes?)).collect()
}

fn one_notice(bytes: &[u8]) -> Result<Notice, StoreError> {
    let rows = decode_notices(bytes).map_err(|_| StoreError::DamagedRow("notices"))?;
    rows.into_iter().next().ok_or(StoreError::DamagedRow("notices"))
}

/// Writes the bodies of rows into a snapshot that is being built, and remembers what they are to be
/// found by.
///
/// The indexes are written from [`Entries::write`], sorted: entries in the order of the notices would
/// touch a page each, and every commit would write half of the index again.
pub(super) fn insert(
    connection: &Connection,
    rows: &[Notice],
    entries: &mut Entries,
) -> Result<(), StoreError> {
    let mut notice = connection.prepare_cached("INSERT INTO notice VALUES (?, ?)")?;
    for row in rows {
        let body = encode_notices(std::slice::from_ref(row))
            .map_err(|_| StoreError::DamagedRow("notices"))?;
        notice.execute(params![row.id.cast_signed(), body])?;
    }
    entries.add(rows);
    entries.relieve(connection)
}

/// What notices are found by, until it is written.
#[derive(Default)]
pub(super) struct Entries {
    numbers: Vec<(String, i64)>,
    names: Vec<(String, u32, i64)>,
}

/// So many entries are held before they are written: some 40 MB. Chosen: a list of 200,000 notices is
/// written in two runs, and one of any length in bounded memory.
const MOST_ENTRIES: usize = 500_000;

impl Entries {
    /// Returns the entries of all bodies that an earlier run has written.
    pub(super) fn of_stored(connection: &Connection) -> Result<Entries, StoreError> {
        let mut entries = Entries::default();
        let mut bodies = connection.prepare("SELECT body FROM notice")?;
        let mut rows = bodies.query([])?;
        while let Some(row) = rows.next()? {
            entries.add(&[one_notice(&row.get::<_, Vec<u8>>(0)?)?]);
            entries.relieve(connection)?;
        }
        Ok(entries)
    }

    /// Writes what is held where it is much.
    pub(super) fn relieve(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if self.numbers.len() + self.names.len() > MOST_ENTRIES {
            std::mem::take(self).write(connection)?;
        }
        Ok(())
    }

    fn add(&mut self, rows: &[Notice]) {
        for row in rows {
            let id = row.id.cast_signed();
            for (at, entry) in row.numbers.iter().enumerate() {
                if !row.numbers[..at].iter().any(|earlier| earlier.text == entry.text) {
                    self.numbers.push((entry.text.clone(), id));
                }
            }
            for text in std::iter::once(&row.name).chain(&row.aliases) {
                let folded = fold(text);
                if !folded.is_empty() {
                    self.names.push((folded, packed(row.birth), id));
                }
            }
        }
    }

    /// Writes the indexes. What an earlier run has written already is passed over.
    pub(super) fn write(mut self, connection: &Connection) -> Result<(), StoreError> {
        self.numbers.sort_unstable();
        let mut number =
            connection.prepare_cached("INSERT OR IGNORE INTO notice_number VALUES (?, ?)")?;
        for (text, id) in &self.numbers {
            number.execute(params![text, id])?;
        }
        self.names.sort_unstable();
        // A notice may name the same person twice under names that fold to one.
        let mut name =
            connection.prepare_cached("INSERT OR IGNORE INTO notice_name VALUES (?, ?, ?)")?;
        for (text, birth, id) in &self.names {
            name.execute(params![text, birth, id])?;
        }
        Ok(())
    }
}

/// Writes which order numbers of the list below changes replace: their own, and the `withdrawn` ones.
pub(super) fn replace(connection: &Connection, withdrawn: &[u64]) -> Result<(), StoreError> {
    connection.execute("INSERT INTO replaced SELECT id FROM notice", [])?;
    let mut replaced = connection.prepare("INSERT OR IGNORE INTO replaced VALUES (?)")?;
    for id in withdrawn {
        replaced.execute(params![id.cast_signed()])?;
    }
    Ok(())
}

/// The stored birth dates that can be those of a document: a range, and one beside it.
struct Compatible {
    first: u32,
    last: u32,
    or: u32,
}

impl Compatible {
    fn with(birth: PartialDate) -> Compatible {
        let (year, month) = (packed_year(birth), packed(birth) / 100 * 100);
        match (birth.month(), birth.day()) {
            (0, _) if birth.year() == 0 => Compatible { first: 0, last: 0, or: 0 },
            (0, _) => Compatible { first: year, last: year + 9_999, or: year },
            (_, 0) => Compatible { first: month, last: month + 99, or: year },
            _ => Compatible { first: packed(birth), last: packed(birth), or: month },
        }
    }
}

fn packed_year(date: PartialDate) -> u32 {
    u32::from(date.year()) * 10_000
}

/// Returns a birth date as yyyymmdd, unknown parts as zeros.
fn packed(date: PartialDate) -> u32 {
    u32::from(date.year()) * 10_000 + u32::from(date.month()) * 100 + u32::from(date.day())
}

#[cfg(test)]
mod tests {
    use sync_format::v1::notice::Category;

    use super::*;
    use crate::matching::testing::{HIS_NUMBER, named, reported, wanted};

    fn birth(year: u16, month: u8, day: u8) -> PartialDate {
        PartialDate::new(year, month, day).unwrap()
    }

    /// A snapshot of these notices, in a folder that goes with it.
    fn filed(rows: &[Notice]) -> (tempfile::TempDir, Notices) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notices.db");
        let key = SecretKey::new(&[1; 32]);
        let connection = crate::store::open(&path, &key, Kind::Notices, Access::Create).unwrap();
        write(&connection, rows);
        drop(connection);
        (folder, Notices::open(&path, &key).unwrap())
    }

    fn write(connection: &Connection, rows: &[Notice]) {
        let mut entries = Entries::default();
        insert(connection, rows, &mut entries).unwrap();
        entries.write(connection).unwrap();
    }

    fn ids(found: Vec<Notice>) -> Vec<u64> {
        found.into_iter().map(|notice| notice.id).collect()
    }

    #[test]
    fn a_notice_found_in_several_ways_comes_once_and_in_order() {
        let first = Notice { id: 3, ..wanted() };
        let second = Notice { id: 2, aliases: vec!["NGUYỄN VĂN MẪU".into()], ..wanted() };
        let (_folder, notices) = filed(&[second, first]);
        let his_name = ("NGUYEN VAN MAU", birth(1988, 3, 2));
        let found = notices.find([HIS_NUMBER, HIS_NUMBER], [his_name, his_name]).unwrap().notices;
        assert_eq!(ids(found), [2, 3]);
        assert_eq!(notices.find([], []).unwrap().notices, []);
    }

    #[test]
    fn those_with_the_number_come_however_many_share_the_name() {
        let namesakes = (1..=100).map(|id| Notice { id, numbers: Vec::new(), ..wanted() });
        let by_number = Notice { id: 500, ..named("Trần Thị Thử") };
        let rows: Vec<Notice> = namesakes.chain([by_number]).collect();
        let (_folder, notices) = filed(&rows);
        let found = notices.find([HIS_NUMBER], [("NGUYEN VAN MAU", birth(1988, 3, 2))]).unwrap();
        assert!(found.is_cut, "the rest is not passed over in silence");
        let found = found.notices;
        assert_eq!(found.len(), MAX_CANDIDATES);
        assert_eq!(found.last().map(|notice| notice.id), Some(500));
    }

    #[test]
    fn a_notice_without_a_name_is_found_by_number_alone() {
        let lost = reported(Category::D1, "2026-01-01");
        let (_folder, notices) = filed(std::slice::from_ref(&lost));
        assert_eq!(notices.find([HIS_NUMBER], []).unwrap().notices, std::slice::from_ref(&lost));
        assert_eq!(notices.find([], [("", PartialDate::UNKNOWN)]).unwrap().notices, []);
        assert_eq!(notices.get(lost.id).unwrap(), Some(lost));
        assert_eq!(notices.get(9).unwrap(), None);
    }

    #[test]
    fn a_row_that_no_program_wrote_is_damage_and_no_empty_answer() {
        let (folder, notices) = filed(&[wanted()]);
        drop(notices);
        let (path, key) = (folder.path().join("notices.db"), SecretKey::new(&[1; 32]));
        let connection = crate::store::open(&path, &key, Kind::Notices, Access::ReadWrite).unwrap();
        connection.execute_batch("UPDATE notice SET body = x'00'").unwrap();
        drop(connection);
        let notices = Notices::open(&path, &key).unwrap();
        let refused = notices.find([HIS_NUMBER], []);
        assert!(matches!(refused, Err(StoreError::DamagedRow("notices"))), "{refused:?}");
        let refused = notices.get(wanted().id);
        assert!(matches!(refused, Err(StoreError::DamagedRow("notices"))), "{refused:?}");
    }

    #[test]
    fn a_date_finds_what_it_can_be_and_a_full_one_no_year_alone() {
        let stored = [0, 19880000, 19880300, 19880302, 19880331, 19881231, 19890000];
        for (asked, expected) in [
            (birth(1988, 3, 2), &[19880300, 19880302][..]),
            (birth(1988, 3, 0), &[19880000, 19880300, 19880302, 19880331]),
            (birth(1988, 0, 0), &[19880000, 19880300, 19880302, 19880331, 19881231]),
            (PartialDate::UNKNOWN, &[0]),
        ] {
            let Compatible { first, last, or } = Compatible::with(asked);
            let found = stored.into_iter().filter(|at| (first..=last).contains(at) || *at == or);
            assert_eq!(found.collect::<Vec<u32>>(), expected, "{}", packed(asked));
        }
    }

    #[test]
    fn changes_come_in_the_place_of_notices_and_withdrawn_ones_are_gone() {
        let by_name = |id, name: &str| Notice { id, numbers: Vec::new(), ..named(name) };
        let his = wanted();
        let rows = [his.clone(), by_name(2_000, "Lê Cũ"), by_name(2_001, "Lê Rút")];
        let (folder, mut notices) = filed(&rows);
        let key = SecretKey::new(&[2; 32]);
        let path = folder.path().join("overlay.db");
        let connection =
            crate::store::open(&path, &key, Kind::NoticesOverlay, Access::Create).unwrap();
        write(&connection, &[by_name(2_000, "Lê Mới"), by_name(3_000, "Lê Thêm")]);
        replace(&connection, &[his.id, 2_001]).unwrap();
        drop(connection);
        let by = |notices: &Notices, name: &str| {
            ids(notices.find([], [(name, his.birth)]).unwrap().notices)
        };

        assert_eq!(ids(notices.find([HIS_NUMBER], []).unwrap().notices), [his.id]);
        assert_eq!(by(&notices, "LE CU"), [2_000]);
        notices.lay_over(&path, &key).unwrap();
        assert_eq!(ids(notices.find([HIS_NUMBER], []).unwrap().notices), [0; 0], "by number");
        assert_eq!(by(&notices, "NGUYEN VAN MAU"), [0; 0], "by name");
        assert_eq!(by(&notices, "LE RUT"), [0; 0]);
        assert_eq!(by(&notices, "LE CU"), [0; 0], "the name before the change finds nobody");
        assert_eq!(by(&notices, "LE MOI"), [2_000]);
        assert_eq!(by(&notices, "LE THEM"), [3_000]);
        assert_eq!(notices.get(2_000).unwrap().map(|notice| notice.name), Some("Lê Mới".into()));
        assert_eq!(notices.get(his.id).unwrap(), None);
        assert_eq!(notices.count().unwrap(), 2);
        assert_eq!(Notices::open_overlay(&path, &key).unwrap().replaced().unwrap().len(), 4);

        notices.withdraw([3_000]);
        assert_eq!(by(&notices, "LE THEM"), [0; 0]);
        assert_eq!(notices.get(3_000).unwrap(), None);
    }

    #[test]
    fn a_withdrawn_notice_takes_no_place_among_the_candidates() {
        let rows: Vec<Notice> = (1..=40).map(|id| Notice { id, ..wanted() }).collect();
        let (_folder, mut notices) = filed(&rows);
        assert!(notices.find([HIS_NUMBER], []).unwrap().is_cut);
        notices.withdraw(1..=8);
        for found in [
            notices.find([HIS_NUMBER], []).unwrap(),
            notices.find([], [("NGUYEN VAN MAU", birth(1988, 3, 2))]).unwrap(),
        ] {
            assert!(!found.is_cut, "32 are left");
            assert_eq!(ids(found.notices), (9..=40).collect::<Vec<u64>>());
        }
    }
}
