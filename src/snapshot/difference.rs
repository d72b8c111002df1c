//! What changed from one version of a list to another, row by row.
//!
//! Two uses, one comparison: the approver is shown the difference before he signs, and a delta carries
//! it to devices. What a delta holds is therefore what was shown.

use std::cmp::Ordering;
use std::iter::Peekable;

use sync_format::v1::notice::{Category, Notice};
use sync_format::v1::register::{RegisterRow, TOMBSTONE};

/// How two versions of the notices differ. Everything ascends by order number.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct NoticeDifference {
    /// In the later version alone.
    pub added: Vec<(u64, Category)>,
    /// In both, and not the same.
    pub changed: Vec<ChangedNotice>,
    /// In the earlier version alone.
    pub withdrawn: Vec<(u64, Category)>,
}

/// A notice that stands in both versions. What its fields held is not here: it is a person's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangedNotice {
    /// Its order number.
    pub id: u64,
    /// Its category in the later version.
    pub category: Category,
    /// The fields that are not the same, under the names of their columns.
    pub fields: Vec<&'static str>,
}

impl NoticeDifference {
    /// Compares two versions, of which both ascend by order number.
    pub fn between(before: &[Notice], now: &[Notice]) -> NoticeDifference {
        let mut difference = NoticeDifference::default();
        let (mut before, mut now) = (before.iter().peekable(), now.iter().peekable());
        while let Some(pair) = next_pair(&mut before, &mut now, |notice| notice.id) {
            match pair {
                Pair::Before(gone) => difference.withdrawn.push((gone.id, gone.category)),
                Pair::Now(new) => difference.added.push((new.id, new.category)),
                Pair::Both(old, new) => {
                    let fields = changed_fields(old, new);
                    if !fields.is_empty() {
                        let (id, category) = (new.id, new.category);
                        difference.changed.push(ChangedNotice { id, category, fields });
                    }
                }
            }
        }
        difference
    }

    /// Says whether the versions hold the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.withdrawn.is_empty()
    }

    /// Returns the notices of the later version that are new or not the same: what a delta holds.
    pub fn of_the_later<'a>(&self, now: &'a [Notice]) -> Vec<&'a Notice> {
        let mut ids: Vec<u64> = self.added.iter().map(|(id, _)| *id).collect();
        ids.extend(self.changed.iter().map(|changed| changed.id));
        ids.sort_unstable();
        now.iter().filter(|notice| ids.binary_search(&notice.id).is_ok()).collect()
    }

    /// Returns for each category that occurs how many notices are new, changed and withdrawn.
    pub fn by_category(&self) -> Vec<(Category, Counts)> {
        let of = |wanted: Category| Counts {
            added: count(self.added.iter(), |(_, category)| *category == wanted),
            changed: count(self.changed.iter(), |changed| changed.category == wanted),
            removed: count(self.withdrawn.iter(), |(_, category)| *category == wanted),
        };
        let counts = Category::ALL.iter().map(|category| (*category, of(*category)));
        counts.filter(|(_, counts)| *counts != Counts::default()).collect()
    }
}

/// How many rows are new, changed and gone.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// In the later version alone.
    pub added: u64,
    /// In both, and not the same.
    pub changed: u64,
    /// In the earlier version alone.
    pub removed: u64,
}

fn count<T>(rows: impl Iterator<Item = T>, is_counted: impl Fn(&T) -> bool) -> u64 {
    rows.filter(is_counted).count() as u64
}

fn changed_fields(old: &Notice, new: &Notice) -> Vec<&'static str> {
    let fields = [
        ("category", old.category != new.category),
        ("code", old.code != new.code),
        ("decision", old.decision != new.decision),
        ("issuer", old.issuer != new.issuer),
        ("decided", old.decided != new.decided),
        ("valid_to", old.valid_to != new.valid_to),
        ("action", old.action != new.action),
        ("contact", old.contact != new.contact),
        ("name", old.name != new.name),
        ("aliases", old.aliases != new.aliases),
        ("birth", old.birth != new.birth),
        ("sex", old.sex != new.sex),
        ("numbers", old.numbers != new.numbers),
        ("caution", old.cautions != new.cautions),
        ("marks", old.marks != new.marks),
        ("photo", old.photo != new.photo),
    ];
    fields.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect()
}

/// What became of a row of the register. `Debug` shows neither number nor tags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterChange {
    /// In the later version alone.
    Added(RegisterRow),
    /// In both, with other tags: the row of the later version.
    Changed(RegisterRow),
    /// In the earlier version alone: the row of that version.
    Removed(RegisterRow),
}

impl RegisterChange {
    /// Returns the row by which a delta says this.
    pub fn delta_row(self) -> RegisterRow {
        match self {
            RegisterChange::Added(row) | RegisterChange::Changed(row) => row,
            RegisterChange::Removed(row) => RegisterRow { tags: TOMBSTONE, ..row },
        }
    }
}

/// Compares two versions of the register, both ascending by number and sealed under **one** key.
///
/// Two values of a field that share their tag are the same to a device, and so they are here: about
/// one changed name in 4,095, if nothing else of the row changed.
pub fn register_changes(
    before: impl IntoIterator<Item = RegisterRow>,
    now: impl IntoIterator<Item = RegisterRow>,
) -> impl Iterator<Item = RegisterChange> {
    let (mut before, mut now) = (before.into_iter().peekable(), now.into_iter().peekable());
    std::iter::from_fn(move || {
        loop {
            match next_pair(&mut before, &mut now, |row| row.number)? {
                Pair::Before(gone) => return Some(RegisterChange::Removed(gone)),
                Pair::Now(new) => return Some(RegisterChange::Added(new)),
                Pair::Both(old, new) if old != new => return Some(RegisterChange::Changed(new)),
                Pair::Both(..) => {}
            }
        }
    })
}

/// Lays a delta over the rows of its base, as a device does.
pub fn apply_register_delta(
    base: impl IntoIterator<Item = RegisterRow>,
    delta: impl IntoIterator<Item = RegisterRow>,
) -> impl Iterator<Item = RegisterRow> {
    let (mut base, mut delta) = (base.into_iter().peekable(), delta.into_iter().peekable());
    let merged = std::iter::from_fn(move || {
        next_pair(&mut base, &mut delta, |row| row.number).map(|pair| match pair {
            Pair::Before(row) | Pair::Now(row) | Pair::Both(_, row) => row,
        })
    });
    merged.filter(|row| row.tags != TOMBSTONE)
}

/// Lays a delta over the notices of its base, as a device does.
pub fn apply_notices_delta(
    base: Vec<Notice>,
    delta: Vec<Notice>,
    withdrawn: &[u64],
) -> Vec<Notice> {
    let (mut base, mut delta) = (base.into_iter().peekable(), delta.into_iter().peekable());
    let merged = std::iter::from_fn(move || {
        next_pair(&mut base, &mut delta, |notice| notice.id).map(|pair| match pair {
            Pair::Before(notice) | Pair::Now(notice) | Pair::Both(_, notice) => notice,
        })
    });
    merged.filter(|notice| withdrawn.binary_search(&notice.id).is_err()).collect()
}

/// Rows of two versions that belong together.
enum Pair<T> {
    Before(T),
    Now(T),
    Both(T, T),
}

fn next_pair<T>(
    before: &mut Peekable<impl Iterator<Item = T>>,
    now: &mut Peekable<impl Iterator<Item = T>>,
    key: impl Fn(&T) -> u64,
) -> Option<Pair<T>> {
    let order = match (before.peek(), now.peek()) {
        (Some(before), Some(now)) => key(before).cmp(&key(now)),
        (Some(_), None) => Ordering::Less,
        (None, _) => Ordering::Greater,
    };
    match order {
        Ordering::Less => before.next().map(Pair::Before),
        Ordering::Greater => now.next().map(Pair::Now),
        Ordering::Equal => before.next().zip(now.next()).map(|(old, new)| Pair::Both(old, new)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::matching::testing::{named, reported, wanted};

    fn notice(id: u64) -> Notice {
        Notice { id, ..wanted() }
    }

    #[test]
    fn notices_are_added_changed_and_withdrawn_by_category() {
        let lost = |id| Notice { id, ..reported(Category::D1, "2026-01-01") };
        let before = [notice(1), notice(2), lost(3), lost(4)];
        let marked =
            Notice { marks: "sẹo".into(), name: "Trần Thị Thử".into(), ..notice(2) };
        let now = [notice(1), marked, lost(3), notice(5), notice(6)];
        let difference = NoticeDifference::between(&before, &now);
        assert_eq!(difference.added, [(5, Category::W1), (6, Category::W1)]);
        let fields = vec!["name", "marks"];
        assert_eq!(difference.changed, [ChangedNotice { id: 2, category: Category::W1, fields }]);
        assert_eq!(difference.withdrawn, [(4, Category::D1)]);
        let counts = |added, changed, removed| Counts { added, changed, removed };
        let expected = [(Category::W1, counts(2, 1, 0)), (Category::D1, counts(0, 0, 1))];
        assert_eq!(difference.by_category(), expected);
        let ids = |notices: Vec<&Notice>| notices.iter().map(|it| it.id).collect::<Vec<_>>();
        assert_eq!(ids(difference.of_the_later(&now)), [2, 5, 6]);
        assert!(NoticeDifference::between(&now, &now).is_empty());
    }

    #[test]
    fn every_field_of_a_notice_is_compared() {
        use sync_format::v1::date::{Date, PartialDate};
        use sync_format::v1::notice::{Action, Caution};

        type Change = (&'static str, fn(&mut Notice));
        let changes: [Change; 16] = [
            ("category", |it| it.category = Category::W2),
            ("code", |it| it.code = "174".into()),
            ("decision", |it| it.decision.push('x')),
            ("issuer", |it| it.issuer.push('x')),
            ("decided", |it| it.decided = Date::MIN),
            ("valid_to", |it| it.valid_to = Date::MAX),
            ("action", |it| it.action = Action::Protect),
            ("contact", |it| it.contact.push('x')),
            ("name", |it| it.name.push('x')),
            ("aliases", |it| it.aliases.push("x".into())),
            ("birth", |it| it.birth = PartialDate::UNKNOWN),
            ("sex", |it| it.sex = None),
            ("numbers", |it| it.numbers.clear()),
            ("caution", |it| it.cautions.insert(Caution::Armed)),
            ("marks", |it| it.marks.push('x')),
            ("photo", |it| it.photo.push(1)),
        ];
        for (field, change) in changes {
            let mut changed = named("Trần Thị Thử");
            change(&mut changed);
            let difference = NoticeDifference::between(&[named("Trần Thị Thử")], &[changed]);
            assert_eq!(difference.changed[0].fields, [field]);
        }
    }

    fn version() -> impl Strategy<Value = BTreeMap<u64, u32>> {
        prop::collection::btree_map(0..60_u64, 0..3_u32, 0..40)
    }

    fn rows(version: &BTreeMap<u64, u32>) -> Vec<RegisterRow> {
        version.iter().map(|(number, tags)| RegisterRow { number: *number, tags: *tags }).collect()
    }

    proptest! {
        #[test]
        fn a_register_and_its_delta_are_the_later_register(before in version(), now in version()) {
            let (before, now) = (rows(&before), rows(&now));
            let delta: Vec<RegisterRow> = register_changes(before.clone(), now.clone())
                .map(RegisterChange::delta_row)
                .collect();
            prop_assert!(delta.is_sorted_by(|left, right| left.number < right.number));
            let applied: Vec<RegisterRow> = apply_register_delta(before.clone(), delta.clone()).collect();
            prop_assert_eq!(applied, now.clone());
            let same = before.iter().filter(|row| now.contains(row)).count();
            let all = before.iter().chain(&now).map(|row| row.number);
            let numbers = all.collect::<std::collections::BTreeSet<_>>().len();
            prop_assert_eq!(delta.len(), numbers - same, "what did not change is in no delta");
        }

        #[test]
        fn notices_and_their_delta_are_the_later_notices(before in version(), now in version()) {
            let notices = |version: &BTreeMap<u64, u32>| -> Vec<Notice> {
                let notice = |(id, marks): (&u64, &u32)| Notice { marks: marks.to_string(), ..notice(*id) };
                version.iter().map(notice).collect()
            };
            let (before, now) = (notices(&before), notices(&now));
            let difference = NoticeDifference::between(&before, &now);
            let delta: Vec<Notice> = difference.of_the_later(&now).into_iter().cloned().collect();
            let withdrawn: Vec<u64> = difference.withdrawn.iter().map(|(id, _)| *id).collect();
            prop_assert_eq!(apply_notices_delta(before, delta, &withdrawn), now);
        }
    }
}
