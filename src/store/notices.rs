//! One installed snapshot of the notices: written once, then asked by number and by name.

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
}

impl Notices {
    /// Opens an installed snapshot.
    pub fn open(path: &Path, key: &SecretKey) -> Result<Notices, StoreError> {
        Ok(Notices { connection: super::open(path, key, Kind::Notices, Access::Read)? })
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
        let mut by_number = self
            .connection
            .prepare_cached("SELECT notice FROM notice_number WHERE number = ? LIMIT ?")?;
        for number in numbers {
            let rows = by_number
                .query_map(params![number, MAX_CANDIDATES as i64 + 1], |row| row.get::<_, i64>(0))?
                .collect::<Result<Vec<_>, _>>()?;
            is_cut |= rows.len() > MAX_CANDIDATES;
            ids.extend(rows.into_iter().take(MAX_CANDIDATES));
        }
        let mut by_name = self.connection.prepare_cached(
            // Two seeks in the primary key: an OR would read every row of a common name.
            "SELECT notice FROM notice_name WHERE name = ?1 AND birth BETWEEN ?2 AND ?3
             UNION ALL
             SELECT notice FROM notice_name WHERE name = ?1 AND birth = ?4
             LIMIT ?5",
        )?;
        for (name, birth) in names {
            let Compatible { first, last, or } = Compatible::with(birth);
            let rows = by_name
                .query_map(params![name, first, last, or, MAX_CANDIDATES as i64 + 1], |row| {
                    row.get::<_, i64>(0)
                })?;
            for id in rows {
                let id = id?;
                if ids.len() < MAX_CANDIDATES {
                    ids.insert(id);
                } else if !ids.contains(&id) {
                    is_cut = true;
                }
            }
        }
        let mut body = self.connection.prepare_cached("SELECT body FROM notice WHERE id = ?")?;
        let mut notices = Vec::with_capacity(ids.len());
        for id in ids {
            let bytes: Vec<u8> = body.query_row(params![id], |row| row.get(0))?;
            let rows = decode_notices(&bytes).map_err(|_| StoreError::DamagedRow("notices"))?;
            notices.extend(rows);
        }
        Ok(Found { notices, is_cut })
    }

    /// Returns the notice with this order number.
    pub fn get(&self, id: u64) -> Result<Option<Notice>, StoreError> {
        let bytes: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT body FROM notice WHERE id = ?")?
            .query_row(params![id.cast_signed()], |row| row.get(0))
            .optional()?;
        let Some(bytes) = bytes else { return Ok(None) };
        let rows = decode_notices(&bytes).map_err(|_| StoreError::DamagedRow("notices"))?;
        Ok(rows.into_iter().next())
    }

    /// Returns the number of notices.
    pub fn count(&self) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .query_row("SELECT count(*) FROM notice", [], |row| row.get::<_, i64>(0))?
            .cast_unsigned())
    }
}

/// Writes rows into a snapshot that is being built.
pub(super) fn insert(connection: &Connection, rows: &[Notice]) -> Result<(), StoreError> {
    let mut notice = connection.prepare_cached("INSERT INTO notice VALUES (?, ?)")?;
    let mut number = connection.prepare_cached("INSERT INTO notice_number VALUES (?, ?)")?;
    // A notice may name the same person twice under names that fold to one.
    let mut name =
        connection.prepare_cached("INSERT OR IGNORE INTO notice_name VALUES (?, ?, ?)")?;
    for row in rows {
        let id = row.id.cast_signed();
        let body = encode_notices(std::slice::from_ref(row))
            .map_err(|_| StoreError::DamagedRow("notices"))?;
        notice.execute(params![id, body])?;
        for (at, entry) in row.numbers.iter().enumerate() {
            if !row.numbers[..at].iter().any(|earlier| earlier.text == entry.text) {
                number.execute(params![entry.text, id])?;
            }
        }
        for text in std::iter::once(&row.name).chain(&row.aliases) {
            let folded = fold(text);
            if !folded.is_empty() {
                name.execute(params![folded, packed(row.birth), id])?;
            }
        }
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
        insert(&connection, rows).unwrap();
        drop(connection);
        (folder, Notices::open(&path, &key).unwrap())
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
}
