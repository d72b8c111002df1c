//! The invented population: how many people, where, of which age and sex, with which numbers.
//!
//! People are counted out over (place, sex, birth year) by their real shares and given numbers
//! inside each group, so that person `i` can be made alone and the people in order of their index
//! are in order of their number: a million of them stream past without being held or sorted.

use std::collections::BTreeMap;

use super::card::{self, CardText};
use super::names::Names;
use super::random::{Random, Stream};
use sync_format::v1::date::{Date, PartialDate};
use sync_format::v1::notice::Sex;
use sync_format::v1::register::Status;

/// Oldest age in the world, years.
pub const OLDEST: u16 = 95;

/// Last six digits from here on are kept for the people of the plan.
pub const RESERVED_TAIL: u64 = 999_900;

/// Last seven digits of an old identity card's number that are kept for the people of the plan.
pub const RESERVED_CMND_TAIL: u32 = 9_999_000;

/// A province before the merge of July 2025, whose code begins the number of those born there.
pub struct Province {
    /// First three digits of the number.
    pub prefix: u16,
    /// Name at the time the code was given.
    pub name: &'static str,
    /// Name of the province that it belongs to since July 2025.
    pub now: &'static str,
    /// Inhabitants in thousands (census of 2019, rounded, from general knowledge).
    weight: u32,
    /// First two digits of the old nine-digit numbers issued there.
    pub cmnd: u32,
}

impl Province {
    /// Returns the province that gave its name to the present one, or for a new name its first part.
    fn present(&self) -> &Province {
        let parts = || PROVINCES.iter().filter(|part| part.now == self.now);
        parts().find(|part| part.name == self.now).or(parts().next()).unwrap_or(self)
    }
}

/// One invented person as the register knows them.
#[derive(Clone)]
pub struct Person {
    /// Position in the population, in order of the number.
    pub index: u64,
    /// Personal number, twelve digits.
    pub number: u64,
    /// Old identity card's number, nine digits; mostly of people born before 2003.
    pub cmnd: Option<u32>,
    /// Full name, composed Unicode (NFC).
    pub name: String,
    /// Sex, as in the number.
    pub sex: Sex,
    /// Birth date; of some old people the year only.
    pub birth: PartialDate,
    /// Day on which the present card was issued; `None` for people without a card.
    pub issued: Option<Date>,
    /// What the register says of the person's card.
    pub status: Status,
}

impl Person {
    /// Returns the first three digits of the number.
    pub fn prefix(&self) -> u16 {
        (self.number / 1_000_000_000) as u16
    }

    /// Returns the age on 31 December of the year before `today`'s: never too high.
    pub fn least_age(&self, today: Date) -> u16 {
        today.year().saturating_sub(self.birth.year() + 1)
    }
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person").field("index", &self.index).finish_non_exhaustive()
    }
}

/// What the numbers of a population begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Places {
    /// The sixty-three provinces before July 2025, whose codes numbers have, and the countries that
    /// people were born in.
    AsOnCards,
    /// The thirty-four provinces since, each with the code of the one whose name it has: a register
    /// that is cut by them.
    Present,
}

/// Everybody, made on demand.
pub struct Population {
    seed: u64,
    people: u64,
    today: Date,
    groups: Vec<Group>,
    /// For each group, how many grown-ups there are in those before it.
    grown_up_before: Vec<u64>,
    names: Names,
    cmnd_offset: u64,
}

/// The people of whom notices are drawn: those who have certainly reached 18, and all others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cohort {
    /// Born 19 calendar years ago or before.
    GrownUp,
    /// Younger.
    Minor,
}

/// People of one place, sex and birth year: their numbers begin with the same six digits.
struct Group {
    prefix: u16,
    sex: Sex,
    year: u16,
    /// Index of the first of them.
    start: u64,
}

impl Population {
    /// Counts `people` out over the groups.
    ///
    /// A systematic sample: group `k` gets the whole numbers between its summed shares before and
    /// after, from a random beginning, so that the shares hold even among a thousand people.
    pub fn new(seed: u64, people: u64, places: Places, today: Date) -> Population {
        let mut weighted = Vec::new();
        let mut total: u128 = 0;
        for (prefix, place_weight) in places.with_weights() {
            for digit in 0..4_u16 {
                let sex = if digit % 2 == 0 { Sex::Male } else { Sex::Female };
                let century = 1_900 + digit / 2 * 100;
                for year in century..century + 100 {
                    let weight =
                        u128::from(place_weight) * u128::from(age_weight(sex, year, today));
                    if weight > 0 {
                        weighted.push((prefix, sex, year, total));
                        total += weight;
                    }
                }
            }
        }
        let mut random = Random::new(seed, Stream::World, 0);
        let beginning = u128::from(random.below(total as u64));
        let groups: Vec<Group> = weighted
            .into_iter()
            .map(|(prefix, sex, year, before)| {
                let start = ((before * u128::from(people) + beginning) / total) as u64;
                Group { prefix, sex, year, start }
            })
            .collect();
        let mut grown_up_before = Vec::with_capacity(groups.len());
        let mut grown_up = 0;
        for (position, group) in groups.iter().enumerate() {
            grown_up_before.push(grown_up);
            if group.year + 19 <= today.year() {
                let end = groups.get(position + 1).map_or(people, |next| next.start);
                grown_up += end - group.start;
            }
        }
        grown_up_before.push(grown_up);
        let cmnd_offset = random.below(u64::from(RESERVED_CMND_TAIL));
        Population {
            seed,
            people,
            today,
            groups,
            grown_up_before,
            names: Names::from_tables(),
            cmnd_offset,
        }
    }

    /// Returns how many people there are.
    pub fn count(&self) -> u64 {
        self.people
    }

    /// Returns person number `index`, always the same one; `index` must be below [`Self::count`].
    pub fn person(&self, index: u64) -> Person {
        let position = self.groups.partition_point(|group| group.start <= index).saturating_sub(1);
        self.member(position, index)
    }

    /// Returns how many people there are in a cohort.
    pub fn count_of(&self, cohort: Cohort) -> u64 {
        self.before(cohort, self.groups.len())
    }

    /// Returns the `rank`-th person of a cohort, from 0, in order of the number; `rank` must be below
    /// [`Self::count_of`].
    pub fn person_of(&self, cohort: Cohort, rank: u64) -> Person {
        // The last group that does not begin after the rank: groups of the other cohort have no
        // width and are passed over.
        let (mut low, mut high) = (0, self.groups.len());
        while high - low > 1 {
            let middle = (low + high) / 2;
            if self.before(cohort, middle) <= rank { low = middle } else { high = middle }
        }
        let index = self.groups[low].start + rank - self.before(cohort, low);
        self.member(low, index)
    }

    /// How many people of a cohort there are in the groups before the one at `position`.
    fn before(&self, cohort: Cohort, position: usize) -> u64 {
        let grown_up = self.grown_up_before[position];
        match cohort {
            Cohort::GrownUp => grown_up,
            Cohort::Minor => self.start_of(position) - grown_up,
        }
    }

    /// Returns everybody in ascending order of the number.
    pub fn iter(&self) -> impl Iterator<Item = Person> + '_ {
        let mut position = 0;
        (0..self.people).map(move |index| {
            while self.end_of(position) <= index {
                position += 1;
            }
            self.member(position, index)
        })
    }

    /// Returns the bytes of the QR code on a person's card, or `None` for people without a card.
    pub fn payload(&self, person: &Person) -> Option<Vec<u8>> {
        let issued = person.issued?;
        let mut random = Random::new(self.seed, Stream::Card, person.index);
        let address = address(&mut random, person.prefix(), issued);
        let parents = (card::is_of_2024(issued)
            && PartialDate::from(issued) < years_after(person.birth, 14))
        .then(|| {
            let family = person.name.split(' ').next().unwrap_or_default();
            let mother_family = self.names.family(&mut random, person.prefix());
            [
                self.names.parent(&mut random, family, Sex::Male),
                self.names.parent(&mut random, mother_family, Sex::Female),
            ]
        });
        let text = CardText {
            number: person.number,
            cmnd: person.cmnd,
            name: person.name.clone(),
            birth: person.birth,
            sex: person.sex,
            address,
            issued,
            cancelled: None,
            parents,
        };
        Some(text.payload())
    }

    fn start_of(&self, position: usize) -> u64 {
        self.groups.get(position).map_or(self.people, |group| group.start)
    }

    fn end_of(&self, position: usize) -> u64 {
        self.start_of(position + 1)
    }

    fn member(&self, position: usize, index: u64) -> Person {
        let group = &self.groups[position];
        let mut random = Random::new(self.seed, Stream::Person, index);
        let number = group.first_number() + self.tail(position, index, &mut random);
        let name = self.names.draw(&mut random, group.prefix, group.sex, group.year);
        let born = birth_day(&mut random, group.year, self.today);
        // Of 3 in 100 born before 1955 the day is not known; the register then has the year.
        let birth = if group.year < 1955 && random.happens(30) {
            PartialDate::new(group.year, 0, 0).unwrap_or(born.into())
        } else {
            born.into()
        };
        Person {
            index,
            number,
            cmnd: self.cmnd(&mut random, group, index),
            name,
            sex: group.sex,
            birth,
            issued: issue_day(
                &mut random,
                birth.full().unwrap_or(first_of(group.year)),
                self.today,
            ),
            status: status(&mut random, self.today.year() - group.year),
        }
    }

    /// The last six digits: one from each of as many equal stretches as the group has people, so
    /// that they ascend and no two are the same.
    fn tail(&self, position: usize, index: u64, random: &mut Random) -> u64 {
        let start = self.groups[position].start;
        let members = (self.end_of(position) - start).max(1);
        let from = (index - start) * RESERVED_TAIL / members;
        let until = (index - start + 1) * RESERVED_TAIL / members;
        from + random.below(until - from)
    }

    /// An old number: two digits of the place, then seven that no two of the first ten million
    /// people share.
    fn cmnd(&self, random: &mut Random, group: &Group, index: u64) -> Option<u32> {
        // Numbers of nine digits were given to people from 14 years on until about 2016: the
        // shares of those who still know theirs are chosen.
        let per_mille = match group.year {
            ..1985 => 920,
            1985..1995 => 850,
            1995..2003 => 450,
            _ => 0,
        };
        if !random.happens(per_mille) {
            return None;
        }
        let place = province(group.prefix).map_or(2, |province| province.cmnd);
        // The factor shares no divisor with 9,999,000, so the product visits every tail once.
        let tail = (index % u64::from(RESERVED_CMND_TAIL) * 7_368_787 + self.cmnd_offset)
            % u64::from(RESERVED_CMND_TAIL);
        Some(place * 10_000_000 + tail as u32)
    }
}

impl Group {
    fn first_number(&self) -> u64 {
        number(self.prefix, self.sex, self.year, 0)
    }
}

/// Returns the personal number of `tail` in its group: place, century and sex, year, six digits
/// (Decree 137/2015, article 13).
pub fn number(prefix: u16, sex: Sex, year: u16, tail: u64) -> u64 {
    let sex_digit = match sex {
        Sex::Male => 0,
        Sex::Female => 1,
    };
    let century_and_sex = u64::from(year / 100 - 19) * 2 + sex_digit;
    ((u64::from(prefix) * 10 + century_and_sex) * 100 + u64::from(year % 100)) * 1_000_000 + tail
}

/// Returns the province of the code `prefix`.
pub fn province(prefix: u16) -> Option<&'static Province> {
    PROVINCES.iter().find(|province| province.prefix == prefix)
}

/// Returns every code that numbers of the world begin with, ascending.
pub fn prefixes() -> impl Iterator<Item = u16> {
    Places::AsOnCards.with_weights().into_iter().map(|(prefix, _)| prefix)
}

/// Returns an address that does not exist, in the form of its time: since July 2025 without a
/// district.
pub fn address(random: &mut Random, prefix: u16, issued: Date) -> String {
    let home = province(prefix).or(province(79));
    let (old, now) = home.map_or(("", ""), |province| (province.name, province.now));
    let house = random.between(1, 299);
    let street = match random.below(4) {
        0 => format!("Số {house} Đường Giả Định {}", random.between(1, 40)),
        1 => format!("Tổ {}, Khu phố Mẫu {}", random.between(1, 30), random.between(1, 9)),
        2 => format!("Thôn Giả Định {}", random.between(1, 20)),
        _ => format!("{house}/{} Hẻm Mẫu {}", random.between(1, 20), random.between(1, 60)),
    };
    let commune = random.one_of(&["Xã Mẫu", "Phường Mẫu", "Xã Giả Định", "Phường Thử"]);
    if issued.year() > 2025 || (issued.year() == 2025 && issued.month() >= 7) {
        format!("{street}, {commune}, {now}")
    } else {
        let district = random.one_of(&["Huyện Mẫu", "Quận Mẫu", "Thị xã Giả Định"]);
        format!("{street}, {commune}, {district}, {old}")
    }
}

/// Returns the day a card runs out, or `None` where it never does.
///
/// A card is renewed at 14 (cards since July 2024 alone), 25, 40 and 60; one issued within the two
/// years before holds until the next of them (Law 26/2023, article 21).
pub fn expiry(born: Date, issued: Date) -> Option<Date> {
    [14, 25, 40, 60]
        .into_iter()
        .filter(|age| *age != 14 || card::is_of_2024(issued))
        .find(|age| issued < born.add_years(age - 2))
        .map(|age| born.add_years(age))
}

impl Places {
    /// Returns the codes, ascending, with the inhabitants in thousands.
    fn with_weights(self) -> Vec<(u16, u32)> {
        let provinces = PROVINCES.iter();
        match self {
            Places::AsOnCards => {
                let provinces = provinces.map(|province| (province.prefix, province.weight));
                provinces.chain(ABROAD.iter().copied()).collect()
            }
            Places::Present => {
                let mut weights = BTreeMap::new();
                for province in provinces {
                    *weights.entry(province.present().prefix).or_default() += province.weight;
                }
                weights.into_iter().collect()
            }
        }
    }
}

/// Returns the weight of one sex and birth year, smooth enough for what is tested with it.
///
/// Shares of five-year groups in 1,000 people, about those of 2024 (from general knowledge); men
/// are 52 % of the children and 40 % of the oldest.
fn age_weight(sex: Sex, year: u16, today: Date) -> u32 {
    const FIVE_YEARS: [u32; 20] =
        [74, 80, 81, 72, 67, 72, 83, 83, 76, 67, 60, 54, 48, 36, 22, 12, 8, 4, 2, 1];
    let Some(age) = today.year().checked_sub(year).filter(|age| *age <= OLDEST) else {
        return 0;
    };
    let share = FIVE_YEARS[usize::from(age / 5)];
    let men = 520 - u32::from(age) * 120 / u32::from(OLDEST);
    let of_sex = match sex {
        Sex::Male => men,
        Sex::Female => 1_000 - men,
    };
    // The present year has only the births until today.
    let days = if age == 0 { today.to_days() - first_of(year).to_days() + 1 } else { 365 };
    share * of_sex * days as u32 / 365
}

fn birth_day(random: &mut Random, year: u16, today: Date) -> Date {
    let first = first_of(year).to_days();
    let last = (first_of(year + 1).to_days() - 1).min(today.to_days());
    Date::from_days(random.between(first, last))
}

/// Draws the day on which the present card was issued.
fn issue_day(random: &mut Random, born: Date, today: Date) -> Option<Date> {
    let of_age = card::FIRST_OF_2021.max(born.add_years(14));
    let mut issued = if of_age <= today {
        if random.happens(20) {
            return None;
        }
        // Most got theirs soon: the earlier of two days leans towards the beginning.
        let days = (today.to_days() - of_age.to_days() + 1) as u64;
        let wait = random.below(days).min(random.below(days));
        Date::from_days(of_age.to_days() + wait as i32)
    } else {
        // Children may have a card since July 2024; a third of them do (chosen).
        let earliest = card::FIRST_OF_2024.max(Date::from_days(born.to_days() + 30));
        if earliest > today || !random.happens(330) {
            return None;
        }
        Date::from_days(random.between(earliest.to_days(), today.to_days()))
    };
    while let Some(end) = expiry(born, issued).filter(|end| *end <= today) {
        let renewed = Date::from_days(end.to_days() + random.between(-30, 90));
        if renewed > today || random.happens(20) {
            break;
        }
        issued = renewed;
    }
    Some(issued)
}

/// Draws what the register says; the shares are chosen.
fn status(random: &mut Random, age: u16) -> Status {
    let deceased = match age {
        ..60 => 1,
        60..80 => 8,
        _ => 40,
    };
    match random.below(1_000) {
        0..4 => Status::Replaced,
        4..7 => Status::Lost,
        7 => Status::Stolen,
        8 => Status::Revoked,
        drawn if drawn < 9 + deceased => Status::Deceased,
        _ => Status::Valid,
    }
}

fn years_after(birth: PartialDate, years: u16) -> PartialDate {
    birth.full().unwrap_or(first_of(birth.year())).add_years(years).into()
}

/// 1 January, which stands for a birth date of which the year alone is known.
fn first_of(year: u16) -> Date {
    Date::new(year, 1, 1).unwrap_or(Date::MIN)
}

/// Countries of birth (Circular 07/2016, annex) and their weights on the provinces' scale: one in
/// a thousand people was born abroad (chosen).
const ABROAD: &[(u16, u32)] = &[
    (139, 38), // Cambodia
    (155, 8),  // Germany
    (174, 4),  // Korea
    (175, 9),  // United States
    (193, 15), // Laos
    (231, 6),  // Russia
    (232, 3),  // Japan
    (252, 5),  // Czechia
    (271, 2),  // Thailand
    (279, 10), // China
];

const fn place(
    prefix: u16,
    name: &'static str,
    now: &'static str,
    weight: u32,
    cmnd: u32,
) -> Province {
    Province { prefix, name, now, weight, cmnd }
}

const PROVINCES: &[Province] = &[
    place(1, "Hà Nội", "Hà Nội", 8_050, 1),
    place(2, "Hà Giang", "Tuyên Quang", 855, 7),
    place(4, "Cao Bằng", "Cao Bằng", 530, 8),
    place(6, "Bắc Kạn", "Thái Nguyên", 314, 9),
    place(8, "Tuyên Quang", "Tuyên Quang", 785, 7),
    place(10, "Lào Cai", "Lào Cai", 730, 6),
    place(11, "Điện Biên", "Điện Biên", 599, 4),
    place(12, "Lai Châu", "Lai Châu", 460, 4),
    place(14, "Sơn La", "Sơn La", 1_248, 5),
    place(15, "Yên Bái", "Lào Cai", 821, 6),
    place(17, "Hòa Bình", "Phú Thọ", 854, 11),
    place(19, "Thái Nguyên", "Thái Nguyên", 1_287, 9),
    place(20, "Lạng Sơn", "Lạng Sơn", 782, 8),
    place(22, "Quảng Ninh", "Quảng Ninh", 1_320, 10),
    place(24, "Bắc Giang", "Bắc Ninh", 1_804, 12),
    place(25, "Phú Thọ", "Phú Thọ", 1_464, 13),
    place(26, "Vĩnh Phúc", "Phú Thọ", 1_154, 13),
    place(27, "Bắc Ninh", "Bắc Ninh", 1_369, 12),
    place(30, "Hải Dương", "Hải Phòng", 1_892, 14),
    place(31, "Hải Phòng", "Hải Phòng", 2_029, 3),
    place(33, "Hưng Yên", "Hưng Yên", 1_253, 14),
    place(34, "Thái Bình", "Hưng Yên", 1_860, 15),
    place(35, "Hà Nam", "Ninh Bình", 853, 16),
    place(36, "Nam Định", "Ninh Bình", 1_780, 16),
    place(37, "Ninh Bình", "Ninh Bình", 983, 16),
    place(38, "Thanh Hóa", "Thanh Hóa", 3_640, 17),
    place(40, "Nghệ An", "Nghệ An", 3_328, 18),
    place(42, "Hà Tĩnh", "Hà Tĩnh", 1_289, 18),
    place(44, "Quảng Bình", "Quảng Trị", 895, 19),
    place(45, "Quảng Trị", "Quảng Trị", 632, 19),
    place(46, "Thừa Thiên Huế", "Huế", 1_129, 19),
    place(48, "Đà Nẵng", "Đà Nẵng", 1_134, 20),
    place(49, "Quảng Nam", "Đà Nẵng", 1_496, 20),
    place(51, "Quảng Ngãi", "Quảng Ngãi", 1_232, 21),
    place(52, "Bình Định", "Gia Lai", 1_487, 21),
    place(54, "Phú Yên", "Đắk Lắk", 872, 22),
    place(56, "Khánh Hòa", "Khánh Hòa", 1_231, 22),
    place(58, "Ninh Thuận", "Khánh Hòa", 591, 26),
    place(60, "Bình Thuận", "Lâm Đồng", 1_231, 26),
    place(62, "Kon Tum", "Quảng Ngãi", 540, 23),
    place(64, "Gia Lai", "Gia Lai", 1_514, 23),
    place(66, "Đắk Lắk", "Đắk Lắk", 1_869, 24),
    place(67, "Đắk Nông", "Lâm Đồng", 622, 24),
    place(68, "Lâm Đồng", "Lâm Đồng", 1_297, 25),
    place(70, "Bình Phước", "Đồng Nai", 995, 28),
    place(72, "Tây Ninh", "Tây Ninh", 1_169, 29),
    place(74, "Bình Dương", "Thành phố Hồ Chí Minh", 2_427, 28),
    place(75, "Đồng Nai", "Đồng Nai", 3_097, 27),
    place(77, "Bà Rịa - Vũng Tàu", "Thành phố Hồ Chí Minh", 1_148, 27),
    place(79, "Thành phố Hồ Chí Minh", "Thành phố Hồ Chí Minh", 8_993, 2),
    place(80, "Long An", "Tây Ninh", 1_689, 30),
    place(82, "Tiền Giang", "Đồng Tháp", 1_764, 31),
    place(83, "Bến Tre", "Vĩnh Long", 1_288, 32),
    place(84, "Trà Vinh", "Vĩnh Long", 1_009, 33),
    place(86, "Vĩnh Long", "Vĩnh Long", 1_023, 33),
    place(87, "Đồng Tháp", "Đồng Tháp", 1_599, 34),
    place(89, "An Giang", "An Giang", 1_908, 35),
    place(91, "Kiên Giang", "An Giang", 1_723, 37),
    place(92, "Cần Thơ", "Cần Thơ", 1_235, 36),
    place(93, "Hậu Giang", "Cần Thơ", 733, 36),
    place(94, "Sóc Trăng", "Cần Thơ", 1_200, 36),
    place(95, "Bạc Liêu", "Cà Mau", 907, 38),
    place(96, "Cà Mau", "Cà Mau", 1_194, 38),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn day(text: &str) -> Date {
        text.parse().expect("a date of the test")
    }

    fn population(people: u64) -> Population {
        Population::new(1, people, Places::AsOnCards, day("2026-11-24"))
    }

    #[test]
    fn the_present_provinces_are_thirty_four_and_have_everybody() {
        let present = Places::Present.with_weights();
        assert_eq!(present.len(), 34);
        assert!(present.is_sorted());
        let all = |weights: &[(u16, u32)]| weights.iter().map(|(_, weight)| weight).sum::<u32>();
        let born_here: Vec<(u16, u32)> =
            PROVINCES.iter().map(|province| (province.prefix, province.weight)).collect();
        assert_eq!(all(&present), all(&born_here));
        let world = Population::new(1, 5_000, Places::Present, day("2026-11-24"));
        let prefixes: HashSet<u16> = world.iter().map(|person| person.prefix()).collect();
        assert_eq!(prefixes.len(), 34);
    }

    #[test]
    fn numbers_ascend_and_carry_place_sex_and_year() {
        let world = population(50_000);
        let mut last = 0;
        let mut made = 0;
        for person in world.iter() {
            assert!(person.number > last, "person {}", person.index);
            last = person.number;
            made += 1;
            let century_and_sex = person.number / 100_000_000 % 10;
            let year = (19 + century_and_sex / 2) * 100 + person.number / 1_000_000 % 100;
            assert_eq!(year, u64::from(person.birth.year()));
            assert_eq!(century_and_sex % 2 == 1, person.sex == Sex::Female);
            assert!(person.number % 1_000_000 < RESERVED_TAIL);
        }
        assert_eq!(made, 50_000);
    }

    #[test]
    fn a_person_made_alone_is_the_one_of_the_stream() {
        for people in [1, 7, 1_000, 30_000] {
            let world = population(people);
            for streamed in world.iter().step_by(97) {
                let alone = world.person(streamed.index);
                assert_eq!(alone.number, streamed.number);
                assert_eq!(alone.name, streamed.name);
                assert_eq!(alone.birth, streamed.birth);
                assert_eq!(alone.cmnd, streamed.cmnd);
                assert_eq!(alone.issued, streamed.issued);
            }
        }
    }

    #[test]
    fn cohorts_share_out_everybody_and_nobody_twice() {
        for people in [0, 1, 5, 3_000] {
            let world = population(people);
            let mut seen = HashSet::new();
            for cohort in [Cohort::GrownUp, Cohort::Minor] {
                for rank in 0..world.count_of(cohort) {
                    let person = world.person_of(cohort, rank);
                    assert!(seen.insert(person.number));
                    assert_eq!(person.birth.year() <= 2007, cohort == Cohort::GrownUp);
                }
            }
            assert_eq!(seen.len() as u64, people);
        }
    }

    #[test]
    fn shares_of_places_sexes_and_ages_hold_even_among_a_thousand() {
        for people in [1_000, 40_000] {
            let mut from_the_two_cities = 0;
            let mut women = 0;
            let mut children = 0;
            let mut over_sixty = 0;
            for person in population(people).iter() {
                from_the_two_cities += u64::from(matches!(person.prefix(), 1 | 79));
                women += u64::from(person.sex == Sex::Female);
                children += u64::from(person.birth.year() > 2011);
                over_sixty += u64::from(person.birth.year() <= 1965);
            }
            let per_mille = |count: u64| count * 1_000 / people;
            // 17,043 of 96,900 thousand inhabitants live in the two cities.
            assert!((165..=187).contains(&per_mille(from_the_two_cities)), "{from_the_two_cities}");
            assert!((495..=535).contains(&per_mille(women)), "{women}");
            assert!((205..=250).contains(&per_mille(children)), "{children}");
            assert!((105..=150).contains(&per_mille(over_sixty)), "{over_sixty}");
        }
    }

    #[test]
    fn old_numbers_are_of_people_born_before_2003_and_no_two_are_the_same() {
        let mut seen = HashSet::new();
        for person in population(60_000).iter() {
            let Some(cmnd) = person.cmnd else { continue };
            assert!(person.birth.year() < 2003);
            assert!((10_000_000..390_000_000).contains(&cmnd), "{cmnd}");
            assert!(cmnd % 10_000_000 < RESERVED_CMND_TAIL);
            assert!(seen.insert(cmnd), "{cmnd} twice");
        }
        assert!((30_000..45_000).contains(&seen.len()), "{}", seen.len());
    }

    #[test]
    fn cards_are_issued_when_they_can_be_and_few_have_run_out() {
        let today = day("2026-11-24");
        let mut cards = 0;
        let mut run_out = 0;
        let mut children = 0;
        for person in population(30_000).iter() {
            let Some(issued) = person.issued else {
                continue;
            };
            let born = person.birth.full().unwrap_or(first_of(person.birth.year()));
            cards += 1;
            assert!((card::FIRST_OF_2021..=today).contains(&issued));
            if issued < born.add_years(14) {
                children += 1;
                assert!(issued >= card::FIRST_OF_2024);
            }
            run_out += u32::from(expiry(born, issued).is_some_and(|end| end <= today));
        }
        assert!((23_000..27_000).contains(&cards), "{cards}");
        assert!((1_000..3_000).contains(&children), "{children}");
        assert!(run_out > 0 && run_out < cards / 40, "{run_out} of {cards}");
    }

    #[test]
    fn a_card_holds_until_the_age_after_the_next_two_years() {
        for (born, issued, expected) in [
            ("1988-03-02", "2021-08-15", Some("2028-03-02")),
            ("1999-05-20", "2021-12-30", Some("2024-05-20")),
            ("1999-05-20", "2022-05-20", Some("2039-05-20")),
            ("1955-10-10", "2022-09-20", None),
            ("2018-06-01", "2024-07-20", Some("2032-06-01")),
            ("2012-06-01", "2024-07-20", Some("2037-06-01")),
            ("2009-06-01", "2023-07-20", Some("2034-06-01")),
        ] {
            assert_eq!(expiry(day(born), day(issued)), expected.map(day), "{born} {issued}");
        }
    }

    #[test]
    fn payloads_have_the_form_of_their_time() {
        let world = population(3_000);
        let mut forms = HashSet::new();
        for person in world.iter() {
            let Some(payload) = world.payload(&person) else {
                assert_eq!(person.issued, None);
                continue;
            };
            let text = String::from_utf8(payload).expect("cards are UTF-8");
            let fields: Vec<&str> = text.split('|').collect();
            assert!(text.len() < 300, "{text}");
            assert_eq!(fields[0], format!("{:012}", person.number));
            assert_eq!(fields[2], person.name);
            let of_2024 = person.issued >= Some(card::FIRST_OF_2024);
            assert_eq!(fields.len(), if of_2024 { 11 } else { 7 });
            forms.insert((fields.len(), fields.get(8).is_some_and(|father| !father.is_empty())));
        }
        assert_eq!(forms.len(), 3, "2021, 2024 and 2024 with parents: {forms:?}");
    }
}
