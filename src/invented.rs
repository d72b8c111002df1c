//! An invented nation to try the product on: people, notices, a register, and cards to show it.
//!
//! Everything follows from a seed and a day: the same two give the same bytes on every machine.
//! Names, ages and places are as common as the real ones, because a list of invented names that
//! are all different would hide the namesakes that make this work hard. Nobody in it is real:
//! addresses, decisions and offices do not exist, and numbers are drawn.
//!
//! Three things come out: the sources of a snapshot ([`World::notices`], [`World::register`], or as
//! CSV), a set of cards with the answers they must get ([`World::cards`]), and their pictures
//! ([`draw::draw_card`]). The expected answers are written down in `plan.rs`, beside the making of
//! each person; nothing here asks the code under test. Files and packages are made elsewhere.

mod card;
pub mod chips;
pub mod draw;
mod font;
mod names;
mod notices;
mod people;
mod plan;
mod random;
pub mod shots;

use std::io::Write;

use crate::snapshot::source::{AnchorFile, NOTICE_COLUMNS, REGISTER_COLUMNS};
pub use card::{Card, Expected, Surface};
use names::without_marks;
pub use people::Person;
use people::{Places, Population};
use plan::Plan;
use sync_format::v1::date::{Date, PartialDate};
use sync_format::v1::notice::Notice;
use sync_format::v1::register::{Agreement, Status, TagKey};

/// The province whose register is not on the devices of the world (Cà Mau), although people of it
/// live there and have cards.
pub const LEFT_OUT: u16 = 96;

/// Notices to 100 people, unless a number is asked for.
pub const NOTICES_PER_100_PEOPLE: usize = 8;

/// First order number of a notice about the population; those before are the plan's.
const FIRST_ORDER_NUMBER: u64 = 1_001;

/// An invented nation: the population of a seed and the people of the plan.
pub struct World {
    seed: u64,
    today: Date,
    notices: u64,
    population: Population,
    plan: Plan,
    anchors: Vec<AnchorFile>,
}

/// What the register knows of one person, before it is reduced to tags.
#[derive(Clone, PartialEq, Eq)]
pub struct RegisterSource {
    /// Personal number, twelve digits.
    pub number: u64,
    /// Full name in NFC.
    pub name: String,
    /// Birth date; of some old people the year only.
    pub birth: PartialDate,
    /// Day on which the present card was issued; `None` for people who have no card.
    pub issued: Option<Date>,
    /// What is known of the card.
    pub status: Status,
}

impl std::fmt::Debug for RegisterSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RegisterSource(..)")
    }
}

impl World {
    /// Makes the world of `people` people, with eight notices to a hundred of them.
    ///
    /// The people of the plan (about fifty) come on top. `today` is a day of the years 2026 to
    /// 2034: before and after, some cards of the plan are not valid yet or no more.
    pub fn new(seed: u64, people: usize, today: Date) -> World {
        World::with_notices(seed, people, people * NOTICES_PER_100_PEOPLE / 100, today)
    }

    /// Makes the world with `notices` notices about the population; the plan's come on top.
    ///
    /// With more notices than people some people have several; without people there are none.
    pub fn with_notices(seed: u64, people: usize, notices: usize, today: Date) -> World {
        World {
            seed,
            today,
            notices: if people == 0 { 0 } else { notices as u64 },
            population: Population::new(seed, people as u64, Places::AsOnCards, today),
            plan: Plan::new(seed, today),
            anchors: Vec::new(),
        }
    }

    /// Gives the world the files of certificates and revocation lists that its chips are proven by.
    ///
    /// They are not drawn from the seed: keys that sign belong to whoever makes the chips.
    pub fn with_anchors(self, anchors: Vec<AnchorFile>) -> World {
        World { anchors, ..self }
    }

    /// Returns the files of certificates and revocation lists.
    pub fn anchors(&self) -> &[AnchorFile] {
        &self.anchors
    }

    /// Makes a world without notices whose people are numbered by the thirty-four provinces of today
    /// alone: what a register of the whole nation is measured with. The plan's people are as ever.
    pub fn of_present_provinces(seed: u64, people: usize, today: Date) -> World {
        World {
            population: Population::new(seed, people as u64, Places::Present, today),
            ..World::with_notices(seed, 0, 0, today)
        }
    }

    /// Returns the day on which the world stands.
    pub fn today(&self) -> Date {
        self.today
    }

    /// Returns the population in ascending order of the number, without the people of the plan.
    pub fn people(&self) -> impl Iterator<Item = Person> + '_ {
        self.population.iter()
    }

    /// Returns how many people [`Self::people`] gives.
    pub fn people_count(&self) -> u64 {
        self.population.count()
    }

    /// Returns person number `index` of [`Self::people`] without making the others.
    ///
    /// # Panics
    ///
    /// When `index` is not below [`Self::people_count`].
    pub fn person(&self, index: u64) -> Person {
        assert!(index < self.population.count(), "there is no person {index}");
        self.population.person(index)
    }

    /// Returns the bytes of the QR code on a person's card, or `None` for people without a card.
    pub fn payload(&self, person: &Person) -> Option<Vec<u8>> {
        self.population.payload(person)
    }

    /// Returns all notices in ascending order of their order numbers: the plan's, then those about
    /// the population.
    pub fn notices(&self) -> Vec<Notice> {
        self.stream_notices().collect()
    }

    /// Returns the same notices one at a time.
    pub fn stream_notices(&self) -> impl Iterator<Item = Notice> + '_ {
        let about_population = (0..self.notices).map(|position| {
            let id = FIRST_ORDER_NUMBER + position;
            notices::notice(self.seed, &self.population, self.today, position, self.notices, id)
        });
        self.plan.notices.iter().cloned().chain(about_population)
    }

    /// Returns the register of the loaded regions in ascending order of the number.
    ///
    /// Everybody but those of [`LEFT_OUT`] and the plan's person with an invented number.
    pub fn register(&self) -> impl Iterator<Item = RegisterSource> + '_ {
        let mut planned = self.plan.register.iter().peekable();
        let mut people = self
            .population
            .iter()
            .filter(|person| person.prefix() != LEFT_OUT)
            .map(RegisterSource::from)
            .peekable();
        std::iter::from_fn(move || {
            let planned_first = match (planned.peek(), people.peek()) {
                (Some(planned), Some(person)) => planned.number < person.number,
                (planned, _) => planned.is_some(),
            };
            if planned_first { planned.next().cloned() } else { people.next() }
        })
    }

    /// Returns the loaded regions: the first three digits of the numbers in [`Self::register`].
    /// Sixty-two of the sixty-three provinces, and the countries that people were born in.
    pub fn regions(&self) -> Vec<u16> {
        people::prefixes().filter(|prefix| *prefix != LEFT_OUT).collect()
    }

    /// Returns the cards to show, with the answers that a device with fresh lists must give.
    pub fn cards(&self) -> Vec<Card> {
        self.plan.cards.clone()
    }

    /// Returns two cards with the answers of a device whose list of notices is too old for a clear
    /// answer: a clean citizen is not checked, a wanted man is still a match.
    pub fn cards_when_list_is_old(&self) -> Vec<Card> {
        self.plan.cards_when_list_is_old.clone()
    }

    /// Says whether tags under `key` tell every disagreement between card and register in the plan.
    ///
    /// Tags are short on purpose: one wrong birth date in 31 agrees by chance. Whoever makes a
    /// package of this world to show all answers draws keys until one does; about one in twenty
    /// does not.
    pub fn shows_every_disagreement(&self, key: &TagKey) -> bool {
        self.plan.disagreements.iter().all(|case| {
            let registered = &case.registered;
            let row = key.seal_row(
                registered.number,
                Some(&without_marks(&registered.name)),
                Some(registered.birth),
                registered.issued,
                registered.status,
            );
            let printed = &case.printed;
            let agreements = [
                key.name_agrees(row, &without_marks(&printed.name)),
                key.birth_agrees(row, printed.birth),
                key.issued_agrees(row, printed.issued),
            ];
            agreements.contains(&Agreement::Differs)
        })
    }

    /// Writes the notices as CSV with the columns [`NOTICE_COLUMNS`].
    ///
    /// # Errors
    ///
    /// What `out` refuses.
    pub fn write_notices_csv(&self, out: impl Write) -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(NOTICE_COLUMNS)?;
        for notice in self.stream_notices() {
            writer.write_record(notice_fields(&notice))?;
        }
        writer.flush()?;
        Ok(())
    }

    /// Writes the register of the loaded regions as CSV with the columns [`REGISTER_COLUMNS`].
    ///
    /// # Errors
    ///
    /// What `out` refuses.
    pub fn write_register_csv(&self, out: impl Write) -> Result<(), csv::Error> {
        write_register_csv(self.register(), out)
    }
}

/// Writes rows of a register as CSV with the columns [`REGISTER_COLUMNS`].
///
/// # Errors
///
/// What `out` refuses.
pub fn write_register_csv(
    rows: impl IntoIterator<Item = RegisterSource>,
    out: impl Write,
) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(REGISTER_COLUMNS)?;
    for row in rows {
        writer.write_record([
            format!("{:012}", row.number),
            row.name,
            partial_date(row.birth),
            row.issued.map(|date| date.to_string()).unwrap_or_default(),
            row.status.to_string(),
        ])?;
    }
    writer.flush()?;
    Ok(())
}

impl From<Person> for RegisterSource {
    fn from(person: Person) -> RegisterSource {
        RegisterSource {
            number: person.number,
            name: person.name,
            birth: person.birth,
            issued: person.issued,
            status: person.status,
        }
    }
}

/// The cells of one notice, in the order of [`NOTICE_COLUMNS`]. Photos have no column.
fn notice_fields(notice: &Notice) -> [String; 16] {
    let numbers: Vec<String> =
        notice.numbers.iter().map(|number| format!("{}:{}", number.kind, number.text)).collect();
    let cautions: Vec<String> = notice.cautions.iter().map(|caution| caution.to_string()).collect();
    [
        notice.id.to_string(),
        notice.category.to_string(),
        notice.code.clone(),
        notice.decision.clone(),
        notice.issuer.clone(),
        notice.decided.to_string(),
        notice.valid_to.to_string(),
        notice.action.to_string(),
        notice.contact.clone(),
        notice.name.clone(),
        notice.aliases.join(";"),
        partial_date(notice.birth),
        notice.sex.map(|sex| sex.to_string()).unwrap_or_default(),
        numbers.join(";"),
        cautions.join(";"),
        notice.marks.clone(),
    ]
}

/// Writes what is known of a date: `1988-03-02`, `1988-03`, `1988` or nothing.
fn partial_date(date: PartialDate) -> String {
    match (date.year(), date.month(), date.day()) {
        (0, ..) => String::new(),
        (year, 0, _) => format!("{year:04}"),
        (year, month, 0) => format!("{year:04}-{month:02}"),
        (year, month, day) => format!("{year:04}-{month:02}-{day:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::source::{Lapsed, Refusals, Regions, read_notices, read_register};
    use std::collections::{HashMap, HashSet};
    use sync_format::v1::notice::{Group, NumberKind};

    fn world(people: usize) -> World {
        World::new(1, people, "2026-11-24".parse().expect("a date of the test"))
    }

    fn csv_of(world: &World) -> (Vec<u8>, Vec<u8>) {
        let (mut notices, mut register) = (Vec::new(), Vec::new());
        world.write_notices_csv(&mut notices).expect("a vector takes all");
        world.write_register_csv(&mut register).expect("a vector takes all");
        (notices, register)
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        let today = "2026-11-24".parse().expect("a date of the test");
        let bytes = |seed| csv_of(&World::new(seed, 500, today));
        assert_eq!(bytes(7), bytes(7));
        assert_ne!(bytes(7).0, bytes(8).0);
        assert_ne!(bytes(7).1, bytes(8).1);
    }

    #[test]
    fn the_world_of_a_seed_stays_as_it_is() {
        // Golden: a change here changes every demo and bench world, and should be meant.
        let first = world(1_000).people().next().expect("a thousand people");
        assert_eq!((first.number, first.name.as_str()), (GOLDEN_NUMBER, GOLDEN_NAME));
    }

    const GOLDEN_NUMBER: u64 = 1_051_389_082;
    const GOLDEN_NAME: &str = "Nguyễn Văn Tâm";

    #[test]
    fn the_register_ascends_has_everybody_of_the_loaded_regions_and_the_plan() {
        let world = world(20_000);
        let regions: HashSet<u16> = world.regions().into_iter().collect();
        let mut last = 0;
        let mut rows = 0;
        for row in world.register() {
            assert!(row.number > last);
            last = row.number;
            rows += 1;
            assert!(regions.contains(&((row.number / 1_000_000_000) as u16)));
        }
        let left_out = world.people().filter(|person| person.prefix() == LEFT_OUT).count();
        assert!((200..300).contains(&left_out), "{left_out}");
        assert_eq!(rows, 20_000 - left_out + world.plan.register.len());
        assert_eq!(regions.len(), 62 + 10);
    }

    #[test]
    fn every_notice_is_lawful_and_the_mix_is_as_planned() {
        let world = World::with_notices(3, 40_000, 10_000, "2026-11-24".parse().expect("a date"));
        let mut groups: HashMap<Group, u32> = HashMap::new();
        let (mut lapsed, mut year_only, mut aliases, mut several, mut last) = (0, 0, 0, 0, 0);
        for notice in world.stream_notices() {
            assert_eq!(notice.validate(), Ok(()), "{notice:?}");
            assert!(notice.id > last);
            last = notice.id;
            *groups.entry(notice.category.group()).or_default() += 1;
            lapsed += u32::from(notice.valid_to < world.today());
            year_only += u32::from(notice.birth.year() > 0 && notice.birth.month() == 0);
            aliases += u32::from(!notice.aliases.is_empty());
            several += u32::from(notice.numbers.len() > 1);
        }
        let planned = world.plan.notices.len() as u32;
        assert_eq!(groups.values().sum::<u32>(), 10_000 + planned);
        for (group, expected) in [
            (Group::Wanted, 500..=900),
            (Group::ExitSuspension, 1_000..=1_800),
            (Group::EntryRefusal, 350..=550),
            (Group::DocumentLost, 4_000..=5_800),
        ] {
            assert!(expected.contains(&groups[&group]), "{group:?}: {groups:?}");
        }
        assert!((400..=600).contains(&lapsed), "{lapsed}");
        assert!(year_only > 400 && aliases > 100 && several > 200);
    }

    #[test]
    fn notices_suit_the_age_of_the_person() {
        let world = world(20_000);
        for notice in world.stream_notices() {
            let grown_up = notice.birth.year() == 0 || notice.birth.year() <= 2007;
            if matches!(notice.category.group(), Group::Wanted | Group::ExitSuspension) {
                assert!(grown_up, "{notice:?}");
            }
            let born = notice.birth.full().unwrap_or(Date::MIN);
            assert!(born <= notice.decided && notice.decided <= world.today(), "{notice:?}");
        }
    }

    #[test]
    fn nobody_has_two_notices_and_their_numbers_are_their_own() {
        let mut seen = HashSet::new();
        for notice in world(20_000).stream_notices() {
            for number in notice.numbers {
                assert!(seen.insert((number.kind, number.text)), "notice {}", notice.id);
            }
        }
        assert!(seen.iter().any(|(kind, _)| *kind == NumberKind::Passport));
    }

    #[test]
    fn no_notice_about_the_population_can_hit_a_card_of_the_plan() {
        let world = world(20_000);
        for notice in world.stream_notices().skip(world.plan.notices.len()) {
            assert!(!without_marks(&notice.name).contains("MAU "));
            for number in &notice.numbers {
                let reserved = match number.kind {
                    NumberKind::Personal => number.text[6..].starts_with("9999"),
                    NumberKind::Cmnd => number.text[2..].starts_with("9999"),
                    _ => number.text.ends_with("9999901"),
                };
                assert!(!reserved, "notice {}", notice.id);
            }
        }
    }

    #[test]
    fn notices_are_read_back_from_their_columns() {
        let world = world(2_000);
        let (bytes, _) = csv_of(&world);
        let mut none = Refusals::none_allowed();
        let read = read_notices(bytes.as_slice(), Lapsed::KeepForDemonstration, &mut none);
        let read = read.expect("every row is lawful and well formed");
        assert_eq!(read, world.notices());
    }

    #[test]
    fn the_register_is_read_back_from_its_columns() {
        let world = world(2_000);
        let (_, bytes) = csv_of(&world);
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        assert_eq!(reader.headers().expect("a header"), REGISTER_COLUMNS.as_slice());
        let mut read = reader.records();
        for row in world.register() {
            let record = read.next().expect("a row a person").expect("rows of one length");
            assert_eq!(record[0].len(), 12);
            assert_eq!(record[0].parse(), Ok(row.number));
            assert_eq!(record[1], *row.name);
            assert_eq!(record[3].parse::<Date>().ok(), row.issued);
            assert_eq!(record[4].parse::<Status>().ok(), Some(row.status));
        }
        assert!(read.next().is_none());
        let key = TagKey::new([7; 32]);
        let regions = Regions::of_prefixes(world.regions()).expect("its people come from places");
        let mut none = Refusals::none_allowed();
        let sealed = read_register(bytes.as_slice(), [&key], &regions, &mut none)
            .expect("every row is well formed");
        assert!(sealed.under(0).map(|row| row.number).eq(world.register().map(|row| row.number)));
    }

    #[test]
    fn most_tag_keys_show_every_disagreement_and_some_do_not() {
        let world = world(0);
        let shown = (0..=255_u8)
            .filter(|byte| world.shows_every_disagreement(&TagKey::new([*byte; 32])))
            .count();
        // Expected: 256 × 30/31 × 126/127 × 4094/4095 = 246.
        assert!((225..256).contains(&shown), "{shown}");
    }

    #[test]
    fn a_world_without_people_has_the_plan_alone() {
        let world = world(0);
        assert_eq!(world.notices().len(), world.plan.notices.len());
        assert_eq!(world.register().count(), world.plan.register.len());
    }
}
