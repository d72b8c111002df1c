//! Asks the installed snapshots about one document.
//!
//! The notices are asked by every number and by full name with birth date; the register by exact
//! personal number alone, and it answers agree, differ or not known per field: it holds no names and
//! shows nothing of its own (DESIGN 2.5). Look-ups are limited per hour, so that a device that was
//! grabbed unlocked cannot be used to try the register out; no limit ever hides a notice from a
//! card that was scanned.
//!
//! What this does not do: judge. It gives what [`crate::checks`] takes.

use std::path::Path;

use sync_format::codec::{self, Kind};
use sync_format::v1::notice::Notice;
use sync_format::v1::package::{Dataset, InnerManifest, Manifest};
use sync_format::v1::register::{Agreement, TagKey};

use crate::checks::{ListState, NoticeAnswer, RegisterAnswer};
use crate::clock::{DeviceTime, TrustedTime};
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

/// Returns how many uses of a limited thing are left in the hour of `now`.
pub fn left(state: &State, limited: Limited, now: DeviceTime) -> Result<u32, StoreError> {
    Ok(limited.per_hour().saturating_sub(state.used(limited.number(), now.hour())?))
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
    pub fn open(store: &Path, state: &State) -> Result<Lookup, StoreError> {
        let notices = match state.active(Dataset::Notices)? {
            None => None,
            Some(active) => {
                let rows = Notices::open(&store.join(&active.file), &active.key)?;
                Some(Installed::of(&active, "notices", rows)?)
            }
        };
        let register = match state.active(Dataset::Register)? {
            None => None,
            Some(active) => {
                let rows = Register::open(&store.join(&active.file), &active.key)?;
                let installed = Installed::of(&active, "register", rows)?;
                let key = installed.inner.tag_key.ok_or(StoreError::DamagedRow("register"))?;
                Some(Installed {
                    manifest: installed.manifest,
                    inner: installed.inner,
                    rows: (installed.rows, TagKey::new(key)),
                })
            }
        };
        Ok(Lookup { notices, register })
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
    pub fn ask(
        &self,
        document: &Document,
        time: TrustedTime,
        state: &mut State,
    ) -> Result<Answers, LookupError> {
        let now = time.upper;
        let typed = document.source == Source::Typed;
        let has_number = !document.numbers.is_empty();
        if typed && !has_number && !use_one(state, Limited::NameSearch, now)? {
            return Err(LookupError::NoSearchLeft);
        }
        Ok(Answers {
            notices: self.ask_notices(document)?,
            register: self.ask_register(document, typed, now, state)?,
            list: self.list_state(time),
        })
    }

    fn ask_notices(&self, document: &Document) -> Result<NoticeAnswer, StoreError> {
        let Some(notices) = &self.notices else { return Ok(NoticeAnswer::NotLoaded) };
        let numbers = document.numbers.iter().map(|number| number.value.as_str());
        let name = document.name.as_ref().map(|name| name.value.folded());
        let birth = document.birth.as_ref().map(|birth| birth.value);
        let by_name = name.as_deref().zip(birth);
        Ok(NoticeAnswer::Candidates(notices.rows.find(numbers, by_name)?))
    }

    fn ask_register(
        &self,
        document: &Document,
        typed: bool,
        now: DeviceTime,
        state: &mut State,
    ) -> Result<RegisterAnswer, StoreError> {
        let Some(Installed { inner, rows: (register, key), .. }) = &self.register else {
            return Ok(RegisterAnswer::NotLoaded);
        };
        let Some(number) = document.personal_number() else {
            return Ok(RegisterAnswer::NotAsked);
        };
        if !inner.regions.is_empty() && !inner.regions.contains(&number.prefix()) {
            return Ok(RegisterAnswer::OutOfRegion);
        }
        let limited = if typed { Limited::TypedNumber } else { Limited::ScannedNumber };
        if !use_one(state, limited, now)? {
            return Ok(RegisterAnswer::NotAsked);
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

fn use_one(state: &mut State, limited: Limited, now: DeviceTime) -> Result<bool, StoreError> {
    state.use_allowance(limited.number(), now.hour(), limited.per_hour())
}
