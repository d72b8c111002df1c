//! Invented notices about the population: what is looked for, on which legal basis.
//!
//! Only the closed categories, with charges of the ordinary chapters of the Penal Code and the
//! statutory grounds. Decisions, bodies and contacts do not exist.

use super::names::without_marks;
use super::people::{Cohort, Person, Population};
use super::plan::action_of;
use super::random::{Random, Stream};
use sync_format::v1::date::{Date, PartialDate};
use sync_format::v1::notice::{
    Category, Caution, Cautions, Group, Notice, Number, NumberKind, Sex,
};

/// Of 1,000 notices so many are of each category: documents are the bulk, as in the lists of
/// lost documents (shares chosen).
const CATEGORIES: [(Category, u32); 12] = [
    (Category::W1, 35),
    (Category::W2, 12),
    (Category::W3, 1),
    (Category::W4, 28),
    (Category::W5, 4),
    (Category::X1, 170),
    (Category::X2, 45),
    (Category::M1, 25),
    (Category::M2, 15),
    (Category::D1, 500),
    (Category::D2, 100),
    (Category::D3, 65),
];

/// Articles of the Penal Code and how often they are charged (chosen): theft, fraud, injury,
/// robbery, drugs, abuse of trust and so on. None is of the chapter on national security, and none
/// is about opinion.
const CHARGES: [(u16, u32); 16] = [
    (123, 3),
    (134, 14),
    (150, 3),
    (168, 8),
    (171, 6),
    (173, 20),
    (174, 18),
    (175, 8),
    (178, 3),
    (188, 4),
    (249, 14),
    (251, 14),
    (260, 5),
    (318, 5),
    (321, 6),
    (348, 4),
];

/// Grounds for suspending exit: Law 49/2019, article 36.
const EXIT_GROUNDS: [&str; 7] = ["36.1", "36.2", "36.3", "36.4", "36.5", "36.6", "36.7"];

/// Grounds for refusing entry: Law 47/2014, article 21, without the one about health.
const ENTRY_GROUNDS: [&str; 7] = ["21.1", "21.2", "21.3", "21.5", "21.6", "21.7", "21.8"];

/// Returns notice `position` of `count`, with the order number `id`.
///
/// It is about somebody of the `position`-th of `count` equal stretches of those who can be in its
/// category, so that with no more notices than such people nobody has two.
pub fn notice(
    seed: u64,
    population: &Population,
    today: Date,
    position: u64,
    count: u64,
    id: u64,
) -> Notice {
    let mut random = Random::new(seed, Stream::Notice, position);
    let drawn = CATEGORIES[random.weighted(&CATEGORIES.map(|(_, weight)| weight))].0;
    let (category, person) = subject(&mut random, drawn, population, position, count);
    let (decided, valid_to) = term(&mut random, category, first_day(&person), today);
    let office = random.one_of(&["A", "B", "C", "D", "E", "F"]);
    let mut notice = Notice {
        id,
        category,
        code: code(&mut random, category),
        decision: format!("QĐ {id}/QĐ-MẪU"),
        issuer: format!("Cơ quan Mẫu {office}"),
        decided,
        valid_to,
        action: action_of(category),
        contact: format!("Trực ban Mẫu {office}, máy lẻ {}", random.between(101, 199)),
        name: String::new(),
        aliases: Vec::new(),
        birth: PartialDate::UNKNOWN,
        sex: None,
        numbers: Vec::new(),
        cautions: Cautions::default(),
        marks: String::new(),
        photo: Vec::new(),
    };
    match category {
        Category::X2 => describe_foreigner(&mut random, &mut notice, id, today),
        Category::D1 | Category::D2 | Category::D3 => {
            describe_document(&mut random, &mut notice, &person);
        }
        _ => describe_person(&mut random, &mut notice, &person, today),
    }
    notice
}

/// Draws whom a notice is about: minors for children at risk, grown-ups for all else. In a world that
/// has only the others, the category gives way.
fn subject(
    random: &mut Random,
    drawn: Category,
    population: &Population,
    position: u64,
    count: u64,
) -> (Category, Person) {
    let has = |cohort| population.count_of(cohort) > 0;
    let (category, cohort) = match drawn {
        Category::M2 if has(Cohort::Minor) => (Category::M2, Cohort::Minor),
        Category::M2 => (Category::M1, Cohort::GrownUp),
        other if has(Cohort::GrownUp) => (other, Cohort::GrownUp),
        _ => (Category::M2, Cohort::Minor),
    };
    let people = population.count_of(cohort);
    let rank = if count > people {
        random.below(people)
    } else {
        let from = position * people / count;
        let until = (position + 1) * people / count;
        from + random.below(until - from)
    };
    (category, population.person_of(cohort, rank))
}

/// The first day on which something can be decided about a person.
fn first_day(person: &Person) -> Date {
    let birth = person.birth;
    birth.full().or(Date::new(birth.year(), 12, 31)).unwrap_or(Date::MIN)
}

/// Draws from when to when a notice holds; 5 in 100 have lapsed.
fn term(random: &mut Random, category: Category, not_before: Date, today: Date) -> (Date, Date) {
    let today = today.to_days();
    let (decided, valid_to) = if random.happens(50) {
        let valid_to = today - random.between(1, 400);
        (valid_to - random.between(200, 1_200), valid_to)
    } else {
        let longest_years = match category.group() {
            Group::Wanted => 20,
            Group::ExitSuspension => 2,
            Group::EntryRefusal => 3,
            _ => 5,
        };
        (today - random.between(5, 900), today + random.between(30, longest_years * 365))
    };
    let decided = Date::from_days(decided).max(not_before);
    (decided, Date::from_days(valid_to).max(decided))
}

fn code(random: &mut Random, category: Category) -> String {
    match category {
        Category::W1 | Category::W2 | Category::W3 | Category::W4 | Category::W5 => {
            let weights = CHARGES.map(|(_, weight)| weight);
            let first = CHARGES[random.weighted(&weights)].0;
            let second = CHARGES[random.weighted(&weights)].0;
            if random.happens(750) || first == second {
                first.to_string()
            } else {
                format!("{};{}", first.min(second), first.max(second))
            }
        }
        Category::X1 => random.one_of(&EXIT_GROUNDS).to_owned(),
        Category::X2 => random.one_of(&ENTRY_GROUNDS).to_owned(),
        _ => String::new(),
    }
}

/// A person who is looked for: full birth date 68 %, year 27 %, nothing 5 %; a number 55 %, an old
/// number 40 %; a tenth written without marks.
fn describe_person(random: &mut Random, notice: &mut Notice, person: &Person, today: Date) {
    let age = person.least_age(today);
    notice.name = written(random, &person.name);
    notice.birth = match random.below(100) {
        0..68 => person.birth,
        68..95 => PartialDate::new(person.birth.year(), 0, 0).unwrap_or(PartialDate::UNKNOWN),
        _ => PartialDate::UNKNOWN,
    };
    notice.sex = (!random.happens(40)).then_some(person.sex);
    if random.happens(550) {
        notice.numbers.push(personal(person));
    }
    if let Some(cmnd) = person.cmnd.filter(|_| random.happens(400)) {
        notice.numbers.push(Number { kind: NumberKind::Cmnd, text: format!("{cmnd:09}") });
    }
    if random.happens(40) {
        let text = format!("C{:07}", notice.id % 9_900_000);
        notice.numbers.push(Number { kind: NumberKind::Passport, text });
    }
    if age >= 18 && random.happens(80) {
        let given = person.name.rsplit(' ').next().unwrap_or_default();
        let nickname = random.one_of(&["Sẹo", "Lùn", "Đen", "Còi", "Râu", "Mập"]);
        notice.aliases.push(format!("{given} {nickname}"));
    }
    if random.happens(400) {
        notice.marks = match random.below(3) {
            0 => format!("Sẹo chấm cách đuôi mày {} cm (mẫu)", random.between(1, 4)),
            1 => format!("Nốt ruồi cách cánh mũi {} cm (mẫu)", random.between(1, 4)),
            _ => format!("Sẹo dài {} cm ở cẳng tay (mẫu)", random.between(2, 9)),
        };
    }
    let choices: &[Caution] = match notice.category {
        Category::W1 | Category::W2 | Category::W3 | Category::W4 | Category::W5 => {
            &[Caution::Armed, Caution::Violent, Caution::Escape]
        }
        Category::M2 if age >= 12 => &[Caution::SelfHarm],
        _ => &[],
    };
    for caution in choices {
        if random.happens(60) {
            notice.cautions.insert(*caution);
        }
    }
}

/// A document: always by its number, and in two of three notices with its owner.
fn describe_document(random: &mut Random, notice: &mut Notice, person: &Person) {
    notice.numbers.push(match (person.cmnd, random.below(100)) {
        (Some(cmnd), 0..15) => Number { kind: NumberKind::Cmnd, text: format!("{cmnd:09}") },
        (_, 15..25) => {
            let text = format!("C{:07}", notice.id % 9_900_000);
            Number { kind: NumberKind::Passport, text }
        }
        _ => personal(person),
    });
    if random.happens(670) {
        notice.name = written(random, &person.name);
        notice.birth = person.birth;
        notice.sex = Some(person.sex);
    }
}

/// A foreigner, by passport; no country, no family name that belongs to one.
fn describe_foreigner(random: &mut Random, notice: &mut Notice, id: u64, today: Date) {
    let family = random.one_of(&["Mendara", "Kolvin", "Tarsan", "Lunako", "Berrit", "Osmela"]);
    let given = random.one_of(&["Ari", "Lio", "Nara", "Tomi", "Vela", "Sanu", "Kiri", "Dano"]);
    notice.name = format!("{family} {given}");
    let age = random.between(20, 65);
    notice.birth = Date::from_days(today.to_days() - age * 365 - random.between(0, 364)).into();
    notice.sex = Some(if random.happens(700) { Sex::Male } else { Sex::Female });
    let text = format!("E{:08}", id % 99_000_000);
    notice.numbers.push(Number { kind: NumberKind::Passport, text });
}

fn written(random: &mut Random, name: &str) -> String {
    if random.happens(100) { without_marks(name) } else { name.to_owned() }
}

fn personal(person: &Person) -> Number {
    Number { kind: NumberKind::Personal, text: format!("{:012}", person.number) }
}
