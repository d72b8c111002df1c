//! Asks the installed snapshots about one document.
//!
//! The notices are asked by every number and by full name with birth date; the register by exact
//! personal number alone, and it answers agree, differ or not known per field: it holds no names and
//! shows nothing of its own (README, lawful use, 5). Look-ups are limited per hour, so that a device that was
//! grabbed unlocked cannot be used to try the register out; no limit ever hides a notice from a
//! card that was scanned.
//!
//! What this does not do: judge. It gives what [`crate::checks`] takes.

use std::path::Path;
use std::time::Duration;

use sync_format::codec::{self, Kind};
use sync_format::v1::notice::Notice;
use sync_format::v1::package::{Dataset, InnerManifest, Manifest};
use sync_format::v1::register::{Agreement, TagKey};

use crate::checks::{ListState, NoAnswer, NoticeAnswer, RegisterAnswer};
use crate::clock::{Boot, DeviceTime, TrustedTime};
use crate::document::{Document, Source};
use crate::store::StoreError;
use crate::store::notices::Notices;
use crate::store::register::Register;
use crate::store::state::{Active, State};

/// What is limited per hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limited {
    /// Searching the notices by a typed name.
    NameSearch,
    /// Asking the register for a typed number.
    TypedNumber,
    /// Asking the register for a scanned card.
    ScannedNumber,
}

impl Limited {
    /// Returns how often in one hour. Chosen: a busy post checks four people a minute; typing is for
    /// those who carry no card.
    pub fn per_hour(self) -> u32 {
        match self {
            Limited::NameSearch => 15,
            Limited::TypedNumber => 60,
            Limited::ScannedNumber => 240,
        }
    }

    fn number(self) -> u8 {
        match self {
            Limited::NameSearch => 1,
            Limited::TypedNumber => 2,
            Limited::ScannedNumber => 3,
        }
    }
}

/// Returns how many uses of a limited thing are left, and after how long all are there again.
pub fn left(state: &State, limited: Limited, boot: Boot) -> Result<(u32, Duration), StoreError> {
    let (used, renews_in) = state.used(limited.number(), boot)?;
    Ok((limited.per_hour().saturating_sub(used), renews_in))
}

/// Why a look-up was not done.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// No name search is left in this hour; scanning still works.
    #[error("no name search is left in this hour")]
    NoSearchLeft,
    /// A database could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An installed snapshot: what was signed about it, and the database that answers.
#[derive(Debug)]
pub struct Installed<T> {
    /// What the outside of its package said.
    pub manifest: Manifest,
    /// What the inside said.
    pub inner: InnerManifest,
    rows: T,
}

impl<T> Installed<T> {
    fn of(active: &Active, word: &'static str, rows: T) -> Result<Installed<T>, StoreError> {
        let damaged = |_| StoreError::DamagedRow(word);
        Ok(Installed {
            manifest: codec::decode(Kind::Manifest, &active.manifest).map_err(damaged)?,
            inner: codec::decode(Kind::InnerManifest, &active.inner).map_err(damaged)?,
            rows,
        })
    }
}

fn open_notices(store: &Path, active: &Active) -> Result<Installed<Notices>, StoreError> {
    let rows = Notices::open(&store.join(&active.file), &active.key)?;
    Installed::of(active, "notices", rows)
}

fn open_register(
    store: &Path,
    active: &Active,
) -> Result<Installed<(Register, TagKey)>, StoreError> {
    let rows = Register::open(&store.join(&active.file), &active.key)?;
    let mut installed = Installed::of(active, "register", rows)?;
    // The key leaves the manifest, so that it is wiped with the look-up.
    let key = installed.inner.tag_key.take().ok_or(StoreError::DamagedRow("register"))?;
    Ok(Installed {
        manifest: installed.manifest,
        inner: installed.inner,
        rows: (installed.rows, TagKey::new(key)),
    })
}

impl Installed<Notices> {
    /// Returns the notice with this order number.
    pub fn get(&self, id: u64) -> Result<Option<Notice>, StoreError> {
        self.rows.get(id)
    }
}

/// The snapshots that answer on this device, opened.
#[derive(Debug)]
pub struct Lookup {
    notices: Option<Installed<Notices>>,
    register: Option<Installed<(Register, TagKey)>>,
    /// Snapshots that are active and cannot be opened: as good as not loaded, but said.
    faults: Vec<Dataset>,
}

/// What the snapshots say about a document.
#[derive(Debug)]
pub struct Answers {
    /// The candidates among the notices.
    pub notices: NoticeAnswer,
    /// What the register says.
    pub register: RegisterAnswer,
    /// The state of the list of notices.
    pub list: ListState,
}

impl Lookup {
    /// Opens what `state` says is active, in the folder `store`.
    ///
    /// A snapshot whose file is missing or damaged is left out and told by [`Lookup::faults`]: it can
    /// be installed again, and a device that did not open for it could never be mended.
    pub fn open(store: &Path, state: &State) -> Result<Lookup, StoreError> {
        let mut faults = Vec::new();
        let mut left_out = |dataset, error: StoreError| {
            tracing::warn!(%error, "an installed snapshot cannot be opened");
            faults.push(dataset);
        };
        let notices = state.active(Dataset::Notices)?.and_then(|active| {
            open_notices(store, &active).map_err(|error| left_out(Dataset::Notices, error)).ok()
        });
        let register = state.active(Dataset::Register)?.and_then(|active| {
            open_register(store, &active).map_err(|error| left_out(Dataset::Register, error)).ok()
        });
        Ok(Lookup { notices, register, faults })
    }

    /// Returns the snapshots that are active and cannot be opened.
    pub fn faults(&self) -> &[Dataset] {
        &self.faults
    }

    /// Returns the installed notices.
    pub fn notices(&self) -> Option<&Installed<Notices>> {
        self.notices.as_ref()
    }

    /// Returns what is signed about the installed register.
    pub fn register(&self) -> Option<(&Manifest, &InnerManifest)> {
        self.register.as_ref().map(|installed| (&installed.manifest, &installed.inner))
    }

    /// Returns the state of the list of notices at `time`.
    pub fn list_state(&self, time: TrustedTime) -> ListState {
        let Some(Installed { manifest, .. }) = &self.notices else { return ListState::None };
        let created = DeviceTime(manifest.created);
        ListState::Loaded {
            version: manifest.version,
            created,
            age_hours: time.upper.hours_since(created),
            fresh_hours: manifest.freshness.fresh_hours,
            usable_hours: manifest.freshness.usable_hours,
            chip_required: manifest.chip_required,
        }
    }

    /// Asks both snapshots about `document`, and counts what is limited.
    ///
    /// A snapshot that turns out to be damaged is closed and told by [`Lookup::faults`].
    pub fn ask(
        &mut self,
        document: &Document,
        time: TrustedTime,
        boot: Boot,
        state: &mut State,
    ) -> Result<Answers, LookupError> {
        if is_name_search(document) && !use_one(state, Limited::NameSearch, boot)? {
            return Err(LookupError::NoSearchLeft);
        }
        let notices = match self.ask_notices(document) {
            Err(error) if error.is_damage() => {
                tracing::warn!(%error, "the notices are damaged");
                self.notices = None;
                self.faults.push(Dataset::Notices);
                NoticeAnswer::NotLoaded
            }
            answer => answer?,
        };
        // What goes wrong from here on must not hide what the notices said.
        let register = self.ask_register(document, boot, state).unwrap_or_else(|error| {
            tracing::warn!(%error, "the register gave no answer");
            if error.is_damage() {
                self.register = None;
                self.faults.push(Dataset::Register);
            }
            RegisterAnswer::NoAnswer(NoAnswer::Fault)
        });
        Ok(Answers { notices, register, list: self.list_state(time) })
    }

    fn ask_notices(&self, document: &Document) -> Result<NoticeAnswer, StoreError> {
        let Some(notices) = &self.notices else { return Ok(NoticeAnswer::NotLoaded) };
        let numbers = document.numbers.iter().map(|number| number.value.as_str());
        let name = document.name.as_ref().map(|name| name.value.folded());
        let birth = document.birth.as_ref().map(|birth| birth.value);
        let by_name = name.as_deref().zip(birth);
        let found = notices.rows.find(numbers, by_name)?;
        Ok(if found.is_cut {
            NoticeAnswer::TooMany(found.notices)
        } else {
            NoticeAnswer::Candidates(found.notices)
        })
    }

    fn ask_register(
        &self,
        document: &Document,
        boot: Boot,
        state: &mut State,
    ) -> Result<RegisterAnswer, StoreError> {
        if self.faults.contains(&Dataset::Register) {
            return Ok(RegisterAnswer::NoAnswer(NoAnswer::Fault));
        }
        let Some(Installed { inner, rows: (register, key), .. }) = &self.register else {
            return Ok(RegisterAnswer::NotLoaded);
        };
        let Some(number) = document.personal_number() else {
            return Ok(RegisterAnswer::NotAsked);
        };
        if !inner.regions.is_empty() && !inner.regions.contains(&number.prefix()) {
            return Ok(RegisterAnswer::OutOfRegion);
        }
        let limited = match document.source {
            Source::Typed => Limited::TypedNumber,
            _ => Limited::ScannedNumber,
        };
        if !use_one(state, limited, boot)? {
            return Ok(RegisterAnswer::NoAnswer(NoAnswer::LimitReached));
        }
        let Some(row) = register.find(number.value())? else { return Ok(RegisterAnswer::Unknown) };
        // A name that the machine-readable zone cut off cannot be compared with a tag.
        let name = document.name.as_ref().filter(|name| !name.value.is_cut());
        Ok(RegisterAnswer::Row {
            name: name
                .map_or(Agreement::NotKnown, |name| key.name_agrees(row, &name.value.folded())),
            birth: document
                .birth
                .as_ref()
                .map_or(Agreement::NotKnown, |birth| key.birth_agrees(row, birth.value)),
            issued: document
                .issued
                .as_ref()
                .map_or(Agreement::NotKnown, |issued| key.issued_agrees(row, issued.value)),
            status: key.status(row).map_err(|_| StoreError::DamagedRow("register"))?,
        })
    }
}

/// Whether looking up this document searches the notices by a name that somebody typed: limited and
/// logged, whatever number stands beside the name.
pub fn is_name_search(document: &Document) -> bool {
    document.source == Source::Typed && document.name.is_some() && document.birth.is_some()
}

fn use_one(state: &mut State, limited: Limited, boot: Boot) -> Result<bool, StoreError> {
    state.use_allowance(limited.number(), boot, limited.per_hour())
}

#[cfg(test)]
mod tests {
    use sync_format::v1::notice::{NumberKind, Sex};
    use sync_format::v1::register::Status;
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;
    use crate::checks::ListCondition;
    use crate::document::typed::{self, TypedEntry};
    use crate::document::{DocumentNumber, Field, Name, PartialDate};
    use crate::matching::testing::{
        HIS_NUMBER, a_citizen, a_cut_name, birth, cmnd, day, named, number, personal, read, wanted,
    };
    use crate::snapshot::testing::{
        NOW, citizen_row, notices_package, register_package, tag_key, version,
    };
    use crate::store::testing::{Store, dump};

    /// A device with these notices and, with rows, a register.
    fn with(notices: &[Notice], register: &[sync_format::v1::register::RegisterRow]) -> Store {
        let mut store = Store::new();
        store.install(&notices_package(1, notices)).unwrap();
        if !register.is_empty() {
            store.install(&register_package(1, register)).unwrap();
        }
        store
    }

    fn now() -> TrustedTime {
        TrustedTime::new(NOW, NOW)
    }

    fn ask(store: &mut Store, document: &Document) -> Result<Answers, LookupError> {
        ask_at(store, document, boot(0))
    }

    fn ask_at(store: &mut Store, document: &Document, boot: Boot) -> Result<Answers, LookupError> {
        let mut lookup = Lookup::open(&store.path(), &store.state).unwrap();
        lookup.ask(document, now(), boot, &mut store.state)
    }

    /// The boot of the device, so many seconds after its first look-up.
    fn boot(seconds: u64) -> Boot {
        Boot { id: [1; 16], since: Duration::from_secs(1_000 + seconds) }
    }

    /// The order numbers of the notices found for `document`.
    fn found(store: &mut Store, document: &Document) -> Vec<u64> {
        let answers = ask(store, document).unwrap();
        answers.notices.candidates().iter().map(|notice| notice.id).collect()
    }

    /// A document that states a number and nothing that is on file by name.
    fn bearer(number: Field<DocumentNumber>) -> Document {
        let name = Some(Field::new(Name::parse("Lê Thị Khác").unwrap(), Source::Qr));
        Document { numbers: vec![number], name, ..a_citizen() }
    }

    fn called(name: &str, born: PartialDate) -> Document {
        let name = Some(Field::new(Name::parse(name).unwrap(), Source::Qr));
        let birth = Some(Field::new(born, Source::Qr));
        Document { numbers: vec![personal("001099000001")], name, birth, ..a_citizen() }
    }

    fn typed_name() -> Document {
        let entry = TypedEntry {
            name: "nguyen van mau".into(),
            birth: "02/03/1988".into(),
            ..TypedEntry::default()
        };
        typed::parse(&entry).unwrap()
    }

    fn typed_number() -> Document {
        typed::parse(&TypedEntry { number: HIS_NUMBER.into(), ..TypedEntry::default() }).unwrap()
    }

    #[test]
    fn a_notice_is_found_by_every_kind_of_number() {
        let kinds = [
            (1, NumberKind::Personal, "048088999911"),
            (2, NumberKind::Cmnd, "201999911"),
            (3, NumberKind::Cancelled, "048088999913"),
            (4, NumberKind::Passport, "B9999911"),
        ];
        let notices = kinds.map(|(id, kind, text)| Notice {
            id,
            numbers: vec![number(kind, text)],
            ..named("Trần Thị Thử")
        });
        let mut store = with(&notices, &[]);
        for (id, kind, text) in kinds {
            assert_eq!(found(&mut store, &bearer(read(kind, text))), [id], "{kind}");
        }
        // A number that has been cancelled may stand on an old card as the personal number.
        assert_eq!(found(&mut store, &bearer(personal("048088999913"))), [3]);
        assert_eq!(found(&mut store, &bearer(personal("048088999912"))), [0; 0]);
        // And each of several numbers is asked for.
        let mut both = bearer(personal("048088999912"));
        both.numbers.push(cmnd("201999911"));
        assert_eq!(found(&mut store, &both), [2]);
    }

    #[test]
    fn a_notice_is_found_by_full_name_and_birth_however_the_name_is_written() {
        let notice = Notice {
            id: 5,
            numbers: Vec::new(),
            aliases: vec!["Hoà Thuý Đen".into()],
            ..named("Nguyễn Thị Hoà")
        };
        let mut store = with(&[notice], &[]);
        let born = birth((1988, 3, 2));
        let decomposed: String = "Nguyễn Thị Hoà".nfd().collect();
        for name in [
            "Nguyễn Thị Hoà",
            "Nguyễn Thị Hòa",
            "NGUYỄN THỊ HOÀ",
            "nguyễn  thị   hoà",
            "NGUYEN THI HOA",
            decomposed.as_str(),
            "Hòa Thúy Đen",
            "HOA THUY DEN",
        ] {
            assert_eq!(found(&mut store, &called(name, born)), [5], "{name}");
        }
        for name in ["Nguyễn Thị", "Thị Hoà", "Nguyễn Thị Hoa Mai", "Nguyễn Văn Hoà"]
        {
            assert_eq!(found(&mut store, &called(name, born)), [0; 0], "{name}");
        }
        for other in [(1988, 3, 3), (1988, 2, 2), (1989, 3, 2)] {
            let document = called("Nguyễn Thị Hoà", birth(other));
            assert_eq!(found(&mut store, &document), [0; 0], "{other:?}");
        }
    }

    #[test]
    fn a_common_name_with_a_year_alone_does_not_flood_the_officer() {
        let year_only = (1..=200).map(|id| Notice {
            id,
            birth: birth((1988, 0, 0)),
            numbers: Vec::new(),
            ..wanted()
        });
        let full = Notice { id: 900, numbers: Vec::new(), ..wanted() };
        let notices: Vec<Notice> = year_only.chain([full]).collect();
        let mut store = with(&notices, &[]);
        let his = called("Nguyễn Văn Mẫu", birth((1988, 3, 2)));
        assert_eq!(found(&mut store, &his), [900]);
    }

    #[test]
    fn a_document_without_name_or_date_is_asked_by_its_numbers() {
        let mut store = with(&[wanted()], &[]);
        let nameless = Document { name: None, birth: None, ..a_citizen() };
        assert_eq!(found(&mut store, &nameless), [wanted().id]);
        let dateless =
            Document { birth: None, ..called("Nguyễn Văn Mẫu", PartialDate::UNKNOWN) };
        assert_eq!(found(&mut store, &dateless), [0; 0]);
    }

    #[test]
    fn without_snapshots_nothing_is_said() {
        let mut store = Store::new();
        let answers = ask(&mut store, &a_citizen()).unwrap();
        assert!(matches!(answers.notices, NoticeAnswer::NotLoaded), "{answers:?}");
        assert_eq!(answers.register, RegisterAnswer::NotLoaded);
        assert_eq!(answers.list, ListState::None);
    }

    #[test]
    fn the_list_tells_its_age_by_the_later_bound_of_the_time() {
        let mut store = with(&[wanted()], &[]);
        let answers = ask(&mut store, &a_citizen()).unwrap();
        let expected = ListState::Loaded {
            version: version(1),
            created: NOW.plus_seconds(-3 * 3_600),
            age_hours: 3,
            fresh_hours: 24,
            usable_hours: 72,
            chip_required: false,
        };
        assert_eq!(answers.list, expected);
        let later = TrustedTime::new(NOW.plus_seconds(100 * 3_600), NOW);
        let lookup = Lookup::open(&store.path(), &store.state).unwrap();
        assert_eq!(lookup.list_state(later).condition(), ListCondition::TooOld);
    }

    #[test]
    fn the_register_agrees_or_differs_field_by_field() {
        use Agreement::{Agrees, Differs, NotKnown};
        let mut store = with(&[], &[citizen_row()]);
        let mut answer = |document: &Document| match ask(&mut store, document).unwrap().register {
            RegisterAnswer::Row { name, birth, issued, status: Status::Valid } => {
                [name, birth, issued]
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(answer(&a_citizen()), [Agrees, Agrees, Agrees]);

        let mut other_name = a_citizen();
        other_name.name = Some(Field::new(Name::parse("Trần Văn Thử").unwrap(), Source::Qr));
        assert_eq!(answer(&other_name), [Differs, Agrees, Agrees]);
        let mut other_birth = a_citizen();
        other_birth.birth = Some(Field::new(birth((1988, 3, 3)), Source::Qr));
        assert_eq!(answer(&other_birth), [Agrees, Differs, Agrees]);
        let mut other_issue = a_citizen();
        other_issue.issued = Some(Field::new(day("2022-05-11"), Source::Qr));
        assert_eq!(answer(&other_issue), [Agrees, Agrees, Differs]);

        let bare = Document { name: None, birth: None, issued: None, ..a_citizen() };
        assert_eq!(answer(&bare), [NotKnown, NotKnown, NotKnown]);
        let mut cut = a_citizen();
        cut.name = Some(Field::new(a_cut_name(), Source::Mrz));
        assert_eq!(answer(&cut), [NotKnown, Agrees, Agrees]);
        let mut year = a_citizen();
        year.birth = Some(Field::new(birth((1988, 0, 0)), Source::Qr));
        assert_eq!(answer(&year), [Agrees, NotKnown, Agrees]);
    }

    #[test]
    fn the_register_does_not_compare_what_it_does_not_know() {
        let bare = tag_key().seal_row(48_088_999_901, None, None, None, Status::Deceased);
        let mut store = with(&[], &[bare]);
        let expected = RegisterAnswer::Row {
            name: Agreement::NotKnown,
            birth: Agreement::NotKnown,
            issued: Agreement::NotKnown,
            status: Status::Deceased,
        };
        assert_eq!(ask(&mut store, &a_citizen()).unwrap().register, expected);
    }

    #[test]
    fn the_register_is_asked_by_exact_personal_number_in_its_regions() {
        let mut store = with(&[], &[citizen_row()]);
        let mut register = |document: &Document| ask(&mut store, document).unwrap().register;
        let unknown = bearer(personal("048088999902"));
        assert_eq!(register(&unknown), RegisterAnswer::Unknown);
        let elsewhere = bearer(personal("001088999901"));
        assert_eq!(register(&elsewhere), RegisterAnswer::OutOfRegion);
        for kind in [(NumberKind::Cmnd, "201999901"), (NumberKind::Passport, "B1234567")] {
            let document = bearer(read(kind.0, kind.1));
            assert_eq!(register(&document), RegisterAnswer::NotAsked, "{kind:?}");
        }
        assert_eq!(register(&typed_name()), RegisterAnswer::NotAsked);
    }

    #[test]
    fn beyond_its_limit_the_register_gives_no_answer_and_the_notices_still_do() {
        for (document, limited) in
            [(typed_number(), Limited::TypedNumber), (a_citizen(), Limited::ScannedNumber)]
        {
            let mut store = with(&[wanted()], &[citizen_row()]);
            let mut lookup = Lookup::open(&store.path(), &store.state).unwrap();
            let mut ask =
                |boot: Boot| lookup.ask(&document, now(), boot, &mut store.state).unwrap();
            for _ in 0..limited.per_hour() {
                assert!(matches!(ask(boot(0)).register, RegisterAnswer::Row { .. }));
            }
            let answers = ask(boot(3_599));
            let used_up = RegisterAnswer::NoAnswer(NoAnswer::LimitReached);
            assert_eq!(answers.register, used_up, "{limited:?}");
            assert_eq!(answers.notices.candidates(), [wanted()]);
            let answers = ask(boot(3_600));
            assert!(matches!(answers.register, RegisterAnswer::Row { .. }), "{limited:?}");
        }
    }

    #[test]
    fn names_are_searched_fifteen_times_an_hour() {
        let mut store = with(&[wanted()], &[]);
        let mut search = |boot: Boot| {
            ask_at(&mut store, &typed_name(), boot)
                .map(|answers| answers.notices.candidates().len())
        };
        for _ in 0..15 {
            assert_eq!(search(boot(0)).unwrap(), 1);
        }
        assert!(matches!(search(boot(3_599)), Err(LookupError::NoSearchLeft)));
        let restarted = Boot { id: [2; 16], since: Duration::ZERO };
        assert!(matches!(search(restarted), Err(LookupError::NoSearchLeft)));
        assert_eq!(search(boot(3_600)).unwrap(), 1);
        let (left, renews_in) = left(&store.state, Limited::NameSearch, boot(3_700)).unwrap();
        assert_eq!((left, renews_in), (14, Duration::from_secs(3_500)));
    }

    #[test]
    fn a_number_beside_the_name_makes_it_no_less_a_name_search() {
        let entry = TypedEntry {
            number: "123456789".into(),
            name: "Trần Thị Thử".into(),
            birth: "17/09/1999".into(),
            sex: None,
        };
        let dummy = typed::parse(&entry).unwrap();
        let mut store = with(&[wanted()], &[]);
        for _ in 0..15 {
            ask(&mut store, &dummy).unwrap();
        }
        assert!(matches!(ask(&mut store, &dummy), Err(LookupError::NoSearchLeft)));
        ask(&mut store, &a_citizen()).expect("scanning still works");
    }

    #[test]
    fn no_name_search_is_used_up_by_cards_and_numbers() {
        let mut store = with(&[wanted()], &[citizen_row()]);
        for document in [a_citizen(), typed_number(), bearer(personal(HIS_NUMBER))] {
            ask(&mut store, &document).unwrap();
        }
        assert_eq!(left(&store.state, Limited::NameSearch, boot(0)).unwrap().0, 15);
        ask(&mut store, &typed_name()).unwrap();
        assert_eq!(left(&store.state, Limited::NameSearch, boot(0)).unwrap().0, 14);
        assert_eq!(left(&store.state, Limited::TypedNumber, boot(0)).unwrap().0, 59);
        assert_eq!(left(&store.state, Limited::ScannedNumber, boot(0)).unwrap().0, 238);
    }

    #[test]
    fn nothing_of_what_was_asked_stands_in_the_state_database() {
        // The snapshot's own bytes are signed statements without names: they may stand there.
        let mut store = with(&[wanted()], &[citizen_row()]);
        let entry = TypedEntry {
            number: "001 099 888 777".into(),
            name: "Phạm Thị Dò".into(),
            birth: "17/09/1999".into(),
            sex: Some(Sex::Female),
        };
        ask(&mut store, &typed::parse(&entry).unwrap()).unwrap();
        let name_only = TypedEntry { number: String::new(), ..entry };
        ask(&mut store, &typed::parse(&name_only).unwrap()).unwrap();
        ask(&mut store, &a_citizen()).unwrap();
        let held = dump(&store.state_connection());
        for asked in [
            "Phạm",
            "PHAM",
            "Dò",
            "001099888777",
            "99888777",
            "1999",
            "Nguyễn",
            "NGUYEN",
            HIS_NUMBER,
            "88999901",
            "19880302",
            "1988-03-02",
        ] {
            assert!(!held.windows(asked.len()).any(|part| part == asked.as_bytes()), "{asked}");
        }
    }

    #[test]
    fn a_snapshot_whose_statements_are_damaged_does_not_answer() {
        let store = with(&[wanted()], &[citizen_row()]);
        let break_it = |sql: &str| {
            store.state_connection().execute_batch(sql).unwrap();
            Lookup::open(&store.path(), &store.state).unwrap()
        };
        let lookup = break_it("UPDATE active SET inner = x'00' WHERE dataset = 2");
        assert_eq!(lookup.faults(), [Dataset::Register]);
        assert!(lookup.notices().is_some() && lookup.register().is_none());
        let lookup = break_it("UPDATE active SET manifest = x'00' WHERE dataset = 1");
        assert_eq!(lookup.faults(), [Dataset::Notices, Dataset::Register]);
        let lookup = break_it("UPDATE active SET file = 'gone.db' WHERE dataset = 1");
        assert_eq!(lookup.faults(), [Dataset::Notices, Dataset::Register]);
        assert!(lookup.notices().is_none());
    }
}
