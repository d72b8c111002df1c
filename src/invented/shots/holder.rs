//! Whose card it is: an invented person with an address as long as real ones are.

use sync_format::v1::date::Date;

use super::dice::Dice;
use crate::invented::card::CardText;
use crate::invented::people::{Person, Places, Population, province};

/// How many people the cards are drawn from.
const PEOPLE: u64 = 1_000_000;

/// The day of the pictures: fixed, so that a seed gives the same cards for ever.
const TODAY: Date = Date::new(2026, 11, 24).expect("a day of the calendar");

/// Characters of an address. The study's came out between 45 and 120, 83 on average.
const ADDRESS: (i32, i32) = (45, 120);

/// Draws a person who has a card.
pub(super) fn draw(seed: u64, dice: &mut Dice) -> Person {
    let population = Population::new(seed, PEOPLE, Places::AsOnCards, TODAY);
    let first = dice.whole().below(PEOPLE);
    // Three of four have one; in the order of numbers, the next who has is never far.
    let with_card = (0..1_000)
        .map(|step| population.person((first + step * 7_919) % PEOPLE))
        .find(|person| person.issued.is_some());
    with_card.unwrap_or_else(|| population.person(first))
}

/// Returns what the card says of the person.
pub(super) fn card_of(person: &Person, dice: &mut Dice) -> CardText {
    CardText {
        number: person.number,
        cmnd: person.cmnd,
        name: person.name.clone(),
        birth: person.birth,
        sex: person.sex,
        address: address(person, dice),
        issued: person.issued.unwrap_or(TODAY),
        cancelled: None,
        parents: None,
    }
}

/// Returns an address that does not exist, of a length that is drawn.
fn address(person: &Person, dice: &mut Dice) -> String {
    let random = dice.whole();
    let commune = random.one_of(COMMUNES);
    let district = random.one_of(DISTRICTS);
    let place = province(person.prefix()).map_or("Đồng Tháp", |province| province.name);
    let mut address = format!("{commune}, {district}, {place}");
    let wanted = random.between(ADDRESS.0, ADDRESS.1 - 14) as usize;
    // Each part has at least six characters, so this ends soon.
    for _ in 0..20 {
        let part = random.one_of(PARTS);
        let longer = address.chars().count() + part.chars().count() + 2;
        if longer > ADDRESS.1 as usize {
            break;
        }
        address = format!("{part}, {address}");
        if longer >= wanted {
            break;
        }
    }
    address
}

const COMMUNES: &[&str] = &[
    "Xã Mẫu Thượng",
    "Phường Giả Định",
    "Thị trấn Thử Nghiệm",
    "Xã Bình Mẫu Trung",
    "Phường Mẫu Nhì",
    "Xã Ea Mẫu",
    "Xã Quỳnh Thử",
];

const DISTRICTS: &[&str] = &[
    "Huyện Mẫu",
    "Quận Giả Định",
    "Thị xã Thử Nghiệm",
    "Huyện Krông Mẫu",
    "Thành phố Mẫu Đức",
    "Quận Ngũ Mẫu Sơn",
];

const PARTS: &[&str] = &[
    "Thôn 3",
    "Ấp Tân Mẫu",
    "Tổ 7",
    "Khu phố 4",
    "Xóm Đông Giả",
    "Số 12/34 Hẻm 5",
    "Buôn Mẫu",
    "Tổ dân phố số 9",
    "Khu tập thể Nhà máy Mẫu",
    "Căn hộ 1204 Chung cư Giả Định",
    "Đường Nguyễn Thị Mẫu",
    "Đội 6 Thôn Thượng Giả",
    "Số nhà 218 Ngõ 43 Ngách 12",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invented::random::Stream;

    #[test]
    fn payloads_are_as_long_as_those_of_the_study() {
        let mut all = 0;
        for index in 0..200 {
            let mut dice = Dice::new(1, Stream::Shot, index);
            let person = draw(1, &mut dice);
            let card = card_of(&person, &mut dice);
            let bytes = card.payload().len();
            assert!((100..=235).contains(&bytes), "{bytes}");
            assert!(card.address.chars().count() <= ADDRESS.1 as usize);
            all += bytes;
        }
        assert!((155..185).contains(&(all / 200)), "{}", all / 200);
    }
}
