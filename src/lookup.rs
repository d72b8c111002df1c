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
use sync_format::v1::anchors::Anchor;
use sync_format::v1::notice::Notice;
use sync_format::v1::package::{Dataset, Freshness, InnerManifest, Manifest, SnapshotVersion};
use sync_format::v1::register::{Agreement, TagKey, region_of};
use zeroize::Zeroize as _;

use crate::checks::{ListState, NoAnswer, NoticeAnswer, RegisterAnswer};
use crate::clock::{Boot, DeviceTime, TrustedTime};
use crate::document::{Document, Source};
use crate::store::StoreError;
use crate::store::anchors::Anchors;
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
    /// What the outside of the newest package said: the changes', where there are any.
    pub manifest: Manifest,
    /// What the inside of the full list said, as far as this unit may read.
    pub inner: InnerManifest,
    /// What the packages said of the changes that lie over it.
    pub overlay: Option<Overlay>,
    /// When the newest package was installed.
    pub installed_at: DeviceTime,
    freshness: Freshness,
    chip_required: bool,
    rows: T,
}

/// What was signed about changes to a full list.
#[derive(Debug)]
pub struct Overlay {
    /// The manifest of the full list below.
    pub base: Manifest,
    /// What the inside of the changes said.
    pub inner: InnerManifest,
    /// Whether they are installed and cannot be read.
    pub is_lost: bool,
}

impl<T> Installed<T> {
    fn of(
        full: &Active,
        changes: Option<&Active>,
        is_lost: bool,
        word: &'static str,
        rows: T,
    ) -> Result<Installed<T>, StoreError> {
        let damaged = |_| StoreError::DamagedRow(word);
        let manifest = |of: &Active| codec::decode(Kind::Manifest, &of.manifest).map_err(damaged);
        let inner = |of: &Active| codec::decode(Kind::InnerManifest, &of.inner).map_err(damaged);
        let newest = changes.unwrap_or(full);
        let overlay = match changes {
            None => None,
            Some(changes) => {
                Some(Overlay { base: manifest(full)?, inner: inner(changes)?, is_lost })
            }
        };
        Ok(Installed {
            manifest: manifest(newest)?,
            inner: inner(full)?,
            overlay,
            installed_at: newest.installed_at,
            freshness: newest.freshness,
            chip_required: newest.chip_required,
            rows,
        })
    }

    /// Counts the changes as lost; false where there are none, or none any more.
    fn lose_changes(&mut self) -> bool {
        match &mut self.overlay {
            Some(overlay) if !overlay.is_lost => {
                tracing::warn!("the changes to an installed snapshot are damaged");
                overlay.is_lost = true;
                true
            }
            _ => false,
        }
    }

    /// Returns how old it is at `time`, and its terms.
    fn state(&self, time: TrustedTime) -> ListState {
        let created = DeviceTime(self.manifest.created);
        ListState::Loaded {
            version: self.manifest.version,
            created,
            age_hours: time.upper.hours_since(created),
            fresh_hours: self.freshness.fresh_hours,
            usable_hours: self.freshness.usable_hours,
            chip_required: self.chip_required,
            changes_lost: self.lacks_changes(),
        }
    }

    /// Whether changes are installed and cannot be read.
    pub fn lacks_changes(&self) -> bool {
        self.overlay.as_ref().is_some_and(|overlay| overlay.is_lost)
    }
}

/// Lays the changes over a list, and says whether they are lost: installed and not to be read.
fn lay_over(
    changes: Option<&Active>,
    lay: impl FnOnce(&Active) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    let Some(changes) = changes else { return Ok(false) };
    let laid = trusted(changes, "changes").and_then(|()| lay(changes));
    match laid {
        Ok(()) => Ok(false),
        // Another program holds it just now: opening again helps, and nothing is lost.
        Err(StoreError::Busy) => Err(StoreError::Busy),
        Err(error) => {
            tracing::warn!(%error, "the changes to an installed snapshot cannot be read");
            Ok(true)
        }
    }
}

/// Refuses what a verification found to be not what was signed.
fn trusted(active: &Active, word: &'static str) -> Result<(), StoreError> {
    if active.is_changed { Err(StoreError::Changed(word)) } else { Ok(()) }
}

fn open_notices(
    store: &Path,
    state: &State,
    full: &Active,
    changes: Option<&Active>,
) -> Result<Installed<Notices>, StoreError> {
    trusted(full, "notices")?;
    let mut rows = Notices::open(&store.join(&full.file), &full.key)?;
    let is_lost = lay_over(changes, |it| rows.lay_over(&store.join(&it.file), &it.key))?;
    let mut installed = Installed::of(full, changes, is_lost, "notices", rows)?;
    let version = installed.manifest.version;
    let withdrawn = state.withdrawn()?.into_iter().filter(|(_, until)| version <= *until);
    installed.rows.withdraw(withdrawn.map(|(notice, _)| notice));
    Ok(installed)
}

fn open_register(
    store: &Path,
    full: &Active,
    changes: Option<&Active>,
) -> Result<Installed<(Register, TagKey)>, StoreError> {
    trusted(full, "register")?;
    let mut register = Register::open(&store.join(&full.file), &full.key)?;
    let is_lost = lay_over(changes, |it| register.lay_over(&store.join(&it.file), &it.key))?;
    let mut installed = Installed::of(full, changes, is_lost, "register", ())?;
    // The key leaves the manifests, so that it is wiped with the look-up. That of the changes is the
    // same: `snapshot::verify` demands it.
    let key = installed.inner.tag_key.take().ok_or(StoreError::DamagedRow("register"))?;
    if let Some(mut same) = installed.overlay.as_mut().and_then(|it| it.inner.tag_key.take()) {
        same.zeroize();
    }
    let Installed { manifest, inner, overlay, installed_at, freshness, chip_required, .. } =
        installed;
    let rows = (register, TagKey::new(key));
    Ok(Installed { manifest, inner, overlay, installed_at, freshness, chip_required, rows })
}

fn open_anchors(store: &Path, full: &Active) -> Result<Installed<Anchors>, StoreError> {
    trusted(full, "anchors")?;
    let rows = Anchors::open(&store.join(&full.file), &full.key)?;
    Installed::of(full, None, false, "anchors", rows)
}

impl Installed<Notices> {
    /// Returns the notice with this order number.
    pub fn get(&self, id: u64) -> Result<Option<Notice>, StoreError> {
        self.rows.get(id)
    }

    /// Returns the number of notices that answer, changes included.
    pub fn count(&self) -> Result<u64, StoreError> {
        self.rows.count()
    }
}

/// The snapshots that answer on this device, opened.
#[derive(Debug)]
pub struct Lookup {
    notices: Option<Installed<Notices>>,
    register: Option<Installed<(Register, TagKey)>>,
    anchors: Option<Installed<Anchors>>,
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
    /// be installed again, and a device that did not open for it could never be mended. One whose
    /// changes alone are lost answers, more strictly: [`Lookup::lost_changes`].
    pub fn open(store: &Path, state: &State) -> Result<Lookup, StoreError> {
        let mut faults = Vec::new();
        let mut left_out = |dataset, error: StoreError| {
            tracing::warn!(%error, "an installed snapshot cannot be opened");
            faults.push(dataset);
        };
        let changes = state.overlay(Dataset::Notices)?;
        let notices = state.active(Dataset::Notices)?.and_then(|full| {
            open_notices(store, state, &full, changes.as_ref())
                .map_err(|error| left_out(Dataset::Notices, error))
                .ok()
        });
        let changes = state.overlay(Dataset::Register)?;
        let register = state.active(Dataset::Register)?.and_then(|full| {
            open_register(store, &full, changes.as_ref())
                .map_err(|error| left_out(Dataset::Register, error))
                .ok()
        });
        let anchors = state.active(Dataset::Anchors)?.and_then(|full| {
            open_anchors(store, &full).map_err(|error| left_out(Dataset::Anchors, error)).ok()
        });
        Ok(Lookup { notices, register, anchors, faults })
    }

    /// Returns the snapshots that are active and cannot be opened.
    pub fn faults(&self) -> &[Dataset] {
        &self.faults
    }

    /// Returns the snapshots that answer without the changes which were laid over them, since those
    /// cannot be read: every answer is stricter until they are installed again.
    pub fn lost_changes(&self) -> Vec<Dataset> {
        let notices = self.notices.as_ref().filter(|it| it.lacks_changes());
        let register = self.register.as_ref().filter(|it| it.lacks_changes());
        let notices = notices.map(|_| Dataset::Notices);
        notices.into_iter().chain(register.map(|_| Dataset::Register)).collect()
    }

    /// Returns the installed notices.
    pub fn notices(&self) -> Option<&Installed<Notices>> {
        self.notices.as_ref()
    }

    /// Returns what is signed about the installed register: of the newest package, and of the full
    /// list.
    pub fn register(&self) -> Option<(&Manifest, &InnerManifest)> {
        self.register.as_ref().map(|installed| (&installed.manifest, &installed.inner))
    }

    /// Returns what is signed about the installed list of a dataset: of the newest package, and of
    /// the full list.
    pub fn signed(&self, dataset: Dataset) -> Option<(&Manifest, &InnerManifest)> {
        match dataset {
            Dataset::Notices => self.notices.as_ref().map(|it| (&it.manifest, &it.inner)),
            Dataset::Register => self.register(),
            Dataset::Anchors => self.anchors.as_ref().map(|it| (&it.manifest, &it.inner)),
        }
    }

    /// Returns what is signed about the changes to a list, where there are any.
    pub fn overlay(&self, dataset: Dataset) -> Option<&Overlay> {
        match dataset {
            Dataset::Notices => self.notices.as_ref()?.overlay.as_ref(),
            Dataset::Register => self.register.as_ref()?.overlay.as_ref(),
            Dataset::Anchors => None,
        }
    }

    /// Returns all anchors; none where no list of them is installed.
    ///
    /// A list that turns out to be damaged is closed and told by [`Lookup::faults`]: with some of its
    /// certificates or revocations nothing could be proven.
    ///
    /// # Errors
    ///
    /// What is no damage: another program holds the database.
    pub fn read_anchors(&mut self) -> Result<Vec<Anchor>, StoreError> {
        let Some(installed) = &self.anchors else { return Ok(Vec::new()) };
        match installed.rows.all() {
            Ok(rows) if rows.len() as u64 == installed.inner.rows => return Ok(rows),
            // A row that is gone leaves no trace in the others.
            Ok(_) => tracing::warn!("the installed anchors are not as many as were signed"),
            Err(error) if error.is_damage() => tracing::warn!(%error, "the anchors are damaged"),
            Err(error) => return Err(error),
        }
        self.anchors = None;
        self.faults.push(Dataset::Anchors);
        Ok(Vec::new())
    }

    /// Returns the state of the list of notices at `time`, by the stricter terms of list and unit.
    pub fn list_state(&self, time: TrustedTime) -> ListState {
        self.notices.as_ref().map_or(ListState::None, |installed| installed.state(time))
    }

    /// Returns the state of the list of anchors at `time`, by the stricter terms of list and unit.
    pub fn anchors_state(&self, time: TrustedTime) -> ListState {
        self.anchors.as_ref().map_or(ListState::None, |installed| installed.state(time))
    }

    /// Passes over these notices from now on, where the list is no newer than `until`.
    pub fn withdraw(&mut self, until: SnapshotVersion, notices: &[u64]) {
        if let Some(installed) = &mut self.notices
            && installed.manifest.version <= until
        {
            installed.rows.withdraw(notices.iter().copied());
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
        let mut notices = self.ask_notices(document);
        if notices.as_ref().is_err_and(StoreError::is_damage) && self.lose_notice_changes() {
            notices = self.ask_notices(document);
        }
        let notices = match notices {
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
            if error.is_damage() && !self.lose_register_changes() {
                self.register = None;
                self.faults.push(Dataset::Register);
            }
            RegisterAnswer::NoAnswer(NoAnswer::Fault)
        });
        Ok(Answers { notices, register, list: self.list_state(time) })
    }

    /// Goes on without the changes to the notices, where there are any: if the full list answers
    /// then, it is they that are damaged.
    fn lose_notice_changes(&mut self) -> bool {
        let Some(installed) = &mut self.notices else { return false };
        let is_lost = installed.lose_changes();
        if is_lost {
            installed.rows.lay_bare();
        }
        is_lost
    }

    /// The same for the register, whose changes are as good as it without them.
    fn lose_register_changes(&mut self) -> bool {
        let Some(installed) = &mut self.register else { return false };
        let Installed { rows: (register, _), .. } = installed;
        // Only the changes are to blame if the list below can be read.
        register.lay_bare();
        register.is_readable() && installed.lose_changes()
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
        if !inner.regions.contains(&region_of(number.value())) {
            return Ok(RegisterAnswer::OutOfRegion);
        }
        // Whoever was added, taken out or changed since stands in what cannot be read.
        if self.lost_changes().contains(&Dataset::Register) {
            return Ok(RegisterAnswer::NoAnswer(NoAnswer::Fault));
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
    use sync_format::v1::register::{RegisterRow, Status, TOMBSTONE};
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
    use crate::store::testing::{Store, dump, notices_delta, register_delta};

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
            changes_lost: false,
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

    /// The active full list of a dataset.
    fn full(store: &Store, dataset: Dataset) -> Active {
        store.state.active(dataset).unwrap().expect("a list")
    }

    fn change_notices(store: &mut Store, number: u64, changed: &[Notice], withdrawn: &[u64]) {
        let delta = notices_delta(&full(store, Dataset::Notices), number, changed, withdrawn);
        store.install(&delta).unwrap();
    }

    #[test]
    fn changes_replace_add_and_withdraw_by_number_and_by_name() {
        let born = birth((1988, 3, 2));
        let other = Notice { id: 7, numbers: Vec::new(), ..named("Lê Văn Cũ") };
        let mut store = with(&[other.clone(), wanted()], &[]);
        assert_eq!(found(&mut store, &bearer(personal(HIS_NUMBER))), [wanted().id]);
        assert_eq!(found(&mut store, &called("Nguyễn Văn Mẫu", born)), [wanted().id]);

        let renamed = Notice { name: "Lê Văn Mới".into(), ..other };
        let added = Notice { id: 9_000, ..named("Trần Thị Thử") };
        change_notices(&mut store, 2, &[renamed, added], &[wanted().id]);
        assert_eq!(
            found(&mut store, &bearer(personal(HIS_NUMBER))),
            [9_000],
            "withdrawn, and added"
        );
        assert_eq!(found(&mut store, &called("Nguyễn Văn Mẫu", born)), [0; 0]);
        assert_eq!(found(&mut store, &called("Lê Văn Cũ", born)), [0; 0]);
        assert_eq!(found(&mut store, &called("Lê Văn Mới", born)), [7]);

        let lookup = Lookup::open(&store.path(), &store.state).unwrap();
        let notices = lookup.notices().unwrap();
        assert_eq!(notices.manifest.version, version(2), "the newest is what is shown");
        assert_eq!((notices.inner.rows, notices.count().unwrap()), (2, 2));
        assert_eq!(notices.overlay.as_ref().map(|overlay| overlay.inner.rows), Some(2));
        assert_eq!((lookup.faults(), lookup.lost_changes()), (&[][..], vec![]));
        // Cumulative: what the next changes do not name is as the full list has it.
        change_notices(&mut store, 3, &[Notice { id: 9_001, ..named("Trần Thị Thử") }], &[]);
        assert_eq!(found(&mut store, &bearer(personal(HIS_NUMBER))), [wanted().id, 9_001]);
    }

    #[test]
    fn changes_to_the_register_answer_in_the_place_of_its_rows() {
        let row = |number, status| tag_key().seal_row(number, None, None, None, status);
        let mut store = with(&[], &[citizen_row(), row(48_088_999_902, Status::Valid)]);
        let changes = [
            row(48_088_999_901, Status::Lost),
            RegisterRow { number: 48_088_999_902, tags: TOMBSTONE },
            row(48_088_999_903, Status::Stolen),
        ];
        let delta = register_delta(&full(&store, Dataset::Register), 2, &changes);
        store.install(&delta).unwrap();
        let mut status = |number: &str| match ask(&mut store, &bearer(personal(number))) {
            Ok(Answers { register: RegisterAnswer::Row { status, .. }, .. }) => Some(status),
            Ok(Answers { register: RegisterAnswer::Unknown, .. }) => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(status("048088999901"), Some(Status::Lost));
        assert_eq!(status("048088999902"), None, "taken out");
        assert_eq!(status("048088999903"), Some(Status::Stolen));
        assert_eq!(status("048088999904"), None);
    }

    #[test]
    fn lost_changes_are_told_and_the_register_below_them_says_nothing() {
        let mut store = with(&[wanted()], &[citizen_row()]);
        let changes = [RegisterRow { number: 48_088_999_902, tags: TOMBSTONE }];
        let delta = register_delta(&full(&store, Dataset::Register), 2, &changes);
        store.install(&delta).unwrap();
        change_notices(&mut store, 2, &[Notice { id: 7, ..named("Lê Văn Mới") }], &[]);
        for file in ["register-changes-1-2.db", "notices-changes-1-2.db"] {
            std::fs::remove_file(store.path().join(file)).unwrap();
        }
        let lookup = Lookup::open(&store.path(), &store.state).unwrap();
        assert_eq!(lookup.faults(), []);
        assert_eq!(lookup.lost_changes(), [Dataset::Notices, Dataset::Register]);
        assert!(lookup.list_state(now()).is_incomplete());
        let answers = ask(&mut store, &a_citizen()).unwrap();
        assert_eq!(answers.notices.candidates(), [wanted()]);
        assert_eq!(answers.register, RegisterAnswer::NoAnswer(NoAnswer::Fault));
    }

    #[test]
    fn changes_that_are_damaged_inside_are_found_when_they_are_asked() {
        let mut store = with(&[wanted()], &[]);
        change_notices(&mut store, 2, &[Notice { id: 7, ..named("Lê Văn Mới") }], &[]);
        let path = store.path().join("notices-changes-1-2.db");
        let mut bytes = std::fs::read(&path).unwrap();
        for page in bytes.chunks_mut(4_096).skip(1) {
            page[100] ^= 1;
        }
        std::fs::write(&path, bytes).unwrap();
        let mut lookup = Lookup::open(&store.path(), &store.state).unwrap();
        for _ in 0..2 {
            let answers = lookup.ask(&a_citizen(), now(), boot(0), &mut store.state).unwrap();
            let silent = matches!(answers.notices, NoticeAnswer::NotLoaded);
            assert!(silent || answers.list.is_incomplete(), "{answers:?}");
        }
    }

    #[test]
    fn an_emergency_withdrawal_takes_away_from_lists_up_to_its_version_alone() {
        let mut store = with(&[wanted()], &[]);
        let his = bearer(personal(HIS_NUMBER));
        store.state.withdraw(version(0), NOW, &[wanted().id]).unwrap();
        assert_eq!(found(&mut store, &his), [wanted().id], "this list is newer");
        store.state.withdraw(version(1), NOW, &[wanted().id]).unwrap();
        assert_eq!(found(&mut store, &his), [0; 0]);
        assert_eq!(found(&mut store, &a_citizen()), [0; 0], "by name neither");
        let lookup = Lookup::open(&store.path(), &store.state).unwrap();
        assert_eq!(lookup.notices().unwrap().get(wanted().id).unwrap(), None);
        // A newer list that names him again answers again.
        store.install(&notices_package(2, &[wanted()])).unwrap();
        assert_eq!(found(&mut store, &his), [wanted().id]);
        assert!(store.state.withdrawn().unwrap().is_empty());
    }
}
