//! The format as README.md describes it, for wincode: every closed list is a byte, every date a
//! number.

use sync_format::v1::anchors::{Anchor, AnchorKind};
use sync_format::v1::date::{Date, PartialDate};
use sync_format::v1::message;
use sync_format::v1::notice::{self, Notice};
use sync_format::v1::package;
use sync_format::v1::record;
use sync_format::v1::register::RegisterRow;
use wincode::config::{Configuration, DefaultConfig};
use wincode::int_encoding::{LittleEndian, VarInt};
use wincode::len::BincodeLen;
use wincode::{SchemaRead, SchemaWrite};

type Varint = Configuration<true, { 4 << 20 }, BincodeLen, LittleEndian, VarInt>;

const CONFIG: Varint = DefaultConfig::new().with_varint_encoding();

pub trait Readable<'de>: SchemaRead<'de, Varint, Dst = Self> {}
impl<'de, T: SchemaRead<'de, Varint, Dst = T>> Readable<'de> for T {}
pub trait Writable: SchemaWrite<Varint, Src = Self> {}
impl<T: SchemaWrite<Varint, Src = T>> Writable for T {}

pub fn read<'de, T: Readable<'de>>(bytes: &'de [u8]) -> T {
    wincode::config::deserialize_exact(bytes, CONFIG).unwrap()
}

pub fn write<T: Writable>(value: &T) -> Vec<u8> {
    wincode::config::serialize(value, CONFIG).unwrap()
}

/// Says whether a mirrored value means what the library's value means.
pub trait Same<T> {
    fn same(&self, other: &T) -> bool;
}

macro_rules! equal {
    ($($plain:ty)+) => {
        $(impl Same<$plain> for $plain {
            fn same(&self, other: &$plain) -> bool {
                self == other
            }
        })+
    };
}
equal!(bool u8 u16 u32 u64 i64 String);

macro_rules! numbers {
    ($($list:ty)+) => {
        $(impl Same<$list> for u8 {
            fn same(&self, other: &$list) -> bool {
                *self == other.number()
            }
        })+
    };
}
numbers!(package::Purpose package::Role package::Dataset);
numbers!(notice::Category notice::NumberKind);
numbers!(record::Event record::Channel record::CheckReason record::CheckVerdict);
numbers!(record::Outcome record::OutcomeWhy);
numbers!(AnchorKind);

impl Same<PartialDate> for u32 {
    fn same(&self, other: &PartialDate) -> bool {
        *self == packed(*other)
    }
}

impl<T, M: Same<T>> Same<Vec<T>> for Vec<M> {
    fn same(&self, other: &Vec<T>) -> bool {
        self.len() == other.len() && self.iter().zip(other).all(|(left, right)| left.same(right))
    }
}

impl<T, M: Same<T>> Same<Option<T>> for Option<M> {
    fn same(&self, other: &Option<T>) -> bool {
        match (self, other) {
            (Some(left), Some(right)) => left.same(right),
            (left, right) => left.is_none() && right.is_none(),
        }
    }
}

impl<const N: usize> Same<[u8; N]> for [u8; N] {
    fn same(&self, other: &[u8; N]) -> bool {
        self == other
    }
}

fn packed(date: PartialDate) -> u32 {
    u32::from(date.year()) * 10_000 + u32::from(date.month()) * 100 + u32::from(date.day())
}

fn packed_day(date: Date) -> u32 {
    packed(date.into())
}

/// A structure whose fields have the names and the order of the library's.
macro_rules! mirrors {
    ($($name:ident of $original:ty { $($field:ident: $type:ty,)+ })+) => {
        $(
            #[derive(SchemaRead, SchemaWrite)]
            pub struct $name {
                $($field: $type,)+
            }

            impl Same<$original> for $name {
                fn same(&self, other: &$original) -> bool {
                    $(self.$field.same(&other.$field))&&+
                }
            }
        )+
    };
}

mirrors! {
    KeySet of package::KeySet { threshold: u8, keys: Vec<[u8; 32]>, }
    RoleKeys of package::RoleKeys { role: u8, keys: KeySet, }
    Root of package::Root {
        purpose: u8, epoch: u32, root_version: u32, made: i64, expires: i64, root_keys: KeySet,
        roles: Vec<RoleKeys>,
    }
    Signature of package::Signature { key_id: [u8; 8], bytes: [u8; 64], }
    SignedRoot of package::SignedRoot { root: Vec<u8>, signatures: Vec<Signature>, }
    SnapshotVersion of package::SnapshotVersion { epoch: u32, version: u64, }
    Freshness of package::Freshness { fresh_hours: u32, usable_hours: u32, }
    PartRef of package::PartRef { hash: [u8; 32], len: u32, }
    Base of package::Base { version: u64, manifest: [u8; 32], }
    Manifest of package::Manifest {
        package: [u8; 16], dataset: u8, version: SnapshotVersion, created: i64, expires: i64,
        base: Option<Base>, min_app: u32, freshness: Freshness, chip_required: bool,
        envelopes: Vec<PartRef>, inner: PartRef, chunks: Vec<PartRef>,
    }
    SignedManifest of package::SignedManifest {
        manifest: Vec<u8>, signatures: Vec<Signature>,
    }
    Recipient of package::Recipient {
        hint: [u8; 8], encapsulated: Vec<u8>, wrapped: Vec<u8>,
    }
    Run of package::Run { first: u32, count: u32, }
    Envelope of package::Envelope {
        package: [u8; 16], chunks: Vec<Run>, recipients: Vec<Recipient>, grant: Vec<u8>,
    }
    Grant of package::Grant {
        package: [u8; 16], unit: u32, inner_key: [u8; 32], content_keys: Vec<ContentKey>,
        freshness: Option<Freshness>, chip_required: bool,
    }
    ChunkInfo of package::ChunkInfo {
        rows: u32, first: u64, last: u64, raw_len: u32, raw_hash: [u8; 32],
    }
    InnerManifest of package::InnerManifest {
        package: [u8; 16], regions: Vec<u16>, tag_key: Option<[u8; 32]>, rows: u64,
        chunks: Vec<ChunkInfo>, counts: Vec<Count>, withdrawn: Vec<u64>,
    }
    Withdrawal of message::Withdrawal {
        purpose: u8, version: SnapshotVersion, made: i64, notices: Vec<u64>,
    }
    SignedWithdrawal of message::SignedWithdrawal {
        withdrawal: Vec<u8>, signatures: Vec<Signature>,
    }
    Release of message::Release {
        purpose: u8, app: u32, label: String, made: i64, hash: [u8; 32], len: u64,
    }
    SignedRelease of message::SignedRelease { release: Vec<u8>, signatures: Vec<Signature>, }
    Entry of message::Entry {
        dataset: u8, version: SnapshotVersion, base: Option<u64>, manifest: PartRef,
        inner: PartRef, chunks: Vec<PartRef>, units: Vec<UnitEnvelope>,
    }
    Index of message::Index {
        serial: u64, published: i64, root_chain: PartRef, entries: Vec<Entry>,
        release: Option<PartRef>,
    }
    Installed of message::Installed {
        device: [u8; 16], dataset: u8, version: SnapshotVersion, manifest: [u8; 32], hour: u32,
        app: u32,
    }
    SignedInstalled of message::SignedInstalled { installed: Vec<u8>, signature: [u8; 64], }
    RecordHeader of record::RecordHeader {
        device: [u8; 16], sequence: u64, previous: [u8; 32], hour: u32,
        notices: Option<SnapshotVersion>, register: Option<SnapshotVersion>, event: u8,
        key_id: [u8; 8], body_hash: [u8; 32],
    }
    Record of record::Record { header: Vec<u8>, signature: [u8; 64], sealed: Vec<u8>, }
    Number of notice::Number { kind: u8, text: String, }
    Person of record::Person { name: String, birth: u32, number: Option<Number>, }
}

#[derive(SchemaRead, SchemaWrite)]
pub struct RootChain {
    roots: Vec<SignedRoot>,
}

impl Same<package::RootChain> for RootChain {
    fn same(&self, other: &package::RootChain) -> bool {
        self.roots.same(&other.0)
    }
}

#[derive(SchemaRead, SchemaWrite)]
pub struct ContentKey {
    region: u16,
    key: [u8; 32],
}

impl Same<(u16, [u8; 32])> for ContentKey {
    fn same(&self, other: &(u16, [u8; 32])) -> bool {
        self.region == other.0 && self.key == other.1
    }
}

#[derive(SchemaRead, SchemaWrite)]
pub struct UnitEnvelope {
    unit: u32,
    envelope: PartRef,
}

impl Same<(u32, package::PartRef)> for UnitEnvelope {
    fn same(&self, other: &(u32, package::PartRef)) -> bool {
        self.unit == other.0 && self.envelope.same(&other.1)
    }
}

#[derive(SchemaRead, SchemaWrite)]
pub struct Count {
    category: u8,
    count: u32,
}

impl Same<(notice::Category, u32)> for Count {
    fn same(&self, other: &(notice::Category, u32)) -> bool {
        self.category.same(&other.0) && self.count == other.1
    }
}

#[derive(SchemaRead, SchemaWrite)]
pub enum Body {
    Cleared { unit: u32, channel: u8, reason: u8, verdict: u8 },
    Hit { unit: u32, channel: u8, reason: u8, verdict: u8, notices: Vec<u64> },
    Outcome { check: u64, notice: u64, outcome: u8, why: u8, person: Option<Person> },
    Event { detail: u32 },
    Report { reason: u8, person: Person },
}

impl Same<record::Body> for Body {
    fn same(&self, other: &record::Body) -> bool {
        use record::Body as Other;
        match (self, other) {
            (
                Body::Cleared { unit, channel, reason, verdict },
                Other::Cleared { unit: u, channel: c, reason: r, verdict: v },
            ) => unit == u && channel.same(c) && reason.same(r) && verdict.same(v),
            (
                Body::Hit { unit, channel, reason, verdict, notices },
                Other::Hit { unit: u, channel: c, reason: r, verdict: v, notices: n },
            ) => {
                (unit == u && channel.same(c) && reason.same(r) && verdict.same(v))
                    && notices.same(n)
            }
            (
                Body::Outcome { check, notice, outcome, why, person },
                Other::Outcome { check: c, notice: n, outcome: o, why: w, person: p },
            ) => (check == c && notice == n) && outcome.same(o) && why.same(w) && person.same(p),
            (Body::Event { detail }, Other::Event { detail: d }) => detail == d,
            (Body::Report { reason, person }, Other::Report { reason: r, person: p }) => {
                reason.same(r) && person.same(p)
            }
            _ => false,
        }
    }
}

#[derive(SchemaRead, SchemaWrite, PartialEq, Default)]
pub struct TextColumn {
    pub lengths: Vec<u32>,
    text: String,
}

impl TextColumn {
    fn of<'a>(texts: impl Iterator<Item = &'a str>) -> TextColumn {
        let texts: Vec<&str> = texts.collect();
        let lengths = texts.iter().map(|text| text.len() as u32).collect();
        TextColumn { lengths, text: texts.concat() }
    }

    /// Puts another text in the place of one.
    pub fn set(&mut self, row: usize, text: &str) {
        let start: u32 = self.lengths[..row].iter().sum();
        let end = start + self.lengths[row];
        self.text.replace_range(start as usize..end as usize, text);
        self.lengths[row] = text.len() as u32;
    }
}

#[derive(SchemaRead, SchemaWrite, PartialEq, Default)]
pub struct NoticeColumns {
    pub ids: Vec<u64>,
    categories: Vec<u8>,
    pub codes: TextColumn,
    pub decisions: TextColumn,
    issuers: TextColumn,
    decided: Vec<u32>,
    pub valid_to: Vec<u32>,
    pub actions: Vec<u8>,
    contacts: TextColumn,
    pub names: TextColumn,
    alias_counts: Vec<u8>,
    aliases: TextColumn,
    births: Vec<u32>,
    sexes: Vec<Option<u8>>,
    number_counts: Vec<u8>,
    pub number_kinds: Vec<u8>,
    pub numbers: TextColumn,
    cautions: Vec<u8>,
    pub marks: TextColumn,
    photo_lengths: Vec<u32>,
    photos: Vec<u8>,
}

impl Same<Vec<Notice>> for NoticeColumns {
    fn same(&self, notices: &Vec<Notice>) -> bool {
        fn column<T>(notices: &[Notice], field: impl Fn(&Notice) -> T) -> Vec<T> {
            notices.iter().map(field).collect()
        }
        fn text(notices: &[Notice], field: impl Fn(&Notice) -> &String) -> TextColumn {
            TextColumn::of(notices.iter().map(|notice| field(notice).as_str()))
        }
        let numbers = || notices.iter().flat_map(|notice| &notice.numbers);
        let before = [0].into_iter().chain(notices.iter().map(|notice| notice.id));
        let expected = NoticeColumns {
            ids: notices.iter().zip(before).map(|(notice, before)| notice.id - before).collect(),
            categories: column(notices, |it| it.category.number()),
            codes: text(notices, |it| &it.code),
            decisions: text(notices, |it| &it.decision),
            issuers: text(notices, |it| &it.issuer),
            decided: column(notices, |it| packed_day(it.decided)),
            valid_to: column(notices, |it| packed_day(it.valid_to)),
            actions: column(notices, |it| it.action.number()),
            contacts: text(notices, |it| &it.contact),
            names: text(notices, |it| &it.name),
            alias_counts: column(notices, |it| it.aliases.len() as u8),
            aliases: TextColumn::of(notices.iter().flat_map(|it| &it.aliases).map(String::as_str)),
            births: column(notices, |it| packed(it.birth)),
            sexes: column(notices, |it| it.sex.map(notice::Sex::number)),
            number_counts: column(notices, |it| it.numbers.len() as u8),
            number_kinds: numbers().map(|number| number.kind.number()).collect(),
            numbers: TextColumn::of(numbers().map(|number| number.text.as_str())),
            cautions: column(notices, |it| it.cautions.bits()),
            marks: text(notices, |it| &it.marks),
            photo_lengths: column(notices, |it| it.photo.len() as u32),
            photos: notices.iter().flat_map(|it| it.photo.clone()).collect(),
        };
        *self == expected
    }
}

#[derive(SchemaRead, SchemaWrite, PartialEq, Default)]
pub struct RegisterColumns {
    pub numbers: [Vec<u8>; 5],
    pub tags: [Vec<u8>; 4],
}

impl Same<Vec<RegisterRow>> for RegisterColumns {
    fn same(&self, rows: &Vec<RegisterRow>) -> bool {
        let mut expected = RegisterColumns::default();
        let mut before = 0;
        for row in rows {
            let difference = (row.number - before).to_le_bytes();
            before = row.number;
            for (column, byte) in expected.numbers.iter_mut().zip(difference) {
                column.push(byte);
            }
            for (column, byte) in expected.tags.iter_mut().zip(row.tags.to_le_bytes()) {
                column.push(byte);
            }
        }
        *self == expected
    }
}

#[derive(SchemaRead, SchemaWrite, PartialEq, Default)]
pub struct AnchorColumns {
    ids: Vec<u64>,
    kinds: Vec<u8>,
    pub lengths: Vec<u32>,
    ders: Vec<u8>,
}

impl Same<Vec<Anchor>> for AnchorColumns {
    fn same(&self, rows: &Vec<Anchor>) -> bool {
        let before = [0].into_iter().chain(rows.iter().map(|row| row.id));
        *self
            == AnchorColumns {
                ids: rows.iter().zip(before).map(|(row, before)| row.id - before).collect(),
                kinds: rows.iter().map(|row| row.kind.number()).collect(),
                lengths: rows.iter().map(|row| row.der.len() as u32).collect(),
                ders: rows.iter().flat_map(|row| row.der.clone()).collect(),
            }
    }
}
