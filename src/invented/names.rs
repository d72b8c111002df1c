//! Names for invented people, as common or rare as the real ones.
//!
//! Family names by their published shares (hoten.org and others); middle and given names by hand,
//! from general knowledge of which are common. Names in the styles of the Ê Đê, Cơ Ho, Khmer and
//! H'Mông come where they are common, because their spelling (apostrophes, breves, clan names at
//! the end, one-letter first words) is what programs get wrong. The style is a matter of spelling
//! alone: nothing keeps or shows which one a person got.
//!
//! The syllable "Mẫu" (specimen) is in none of the tables: it marks the people of the plan.

use super::random::Random;
use sync_format::v1::notice::Sex;
use unicode_normalization::UnicodeNormalization;

/// Words with their weights, summed up once so that a choice is one binary search.
struct Words {
    words: Vec<&'static str>,
    sums: Vec<u32>,
}

impl Words {
    fn new(table: &[(&'static str, u32)]) -> Words {
        let mut sum = 0;
        let mut words = Vec::with_capacity(table.len());
        let mut sums = Vec::with_capacity(table.len());
        for (word, weight) in table {
            sum += weight;
            words.push(*word);
            sums.push(sum);
        }
        Words { words, sums }
    }

    fn draw(&self, random: &mut Random) -> &'static str {
        let total = self.sums.last().copied().unwrap_or(0);
        let drawn = random.below(u64::from(total)) as u32;
        self.words[self.sums.partition_point(|sum| *sum <= drawn)]
    }
}

/// Makes names; holds the tables, ready to draw from.
pub struct Names {
    families: Words,
    middles: [Words; 2],
    given: [Words; 2],
}

impl Names {
    /// Makes the tables ready.
    pub fn from_tables() -> Names {
        Names {
            families: Words::new(FAMILIES),
            middles: [Words::new(MIDDLES_OF_MEN), Words::new(MIDDLES_OF_WOMEN)],
            given: [Words::new(GIVEN_OF_MEN), Words::new(GIVEN_OF_WOMEN)],
        }
    }

    /// Returns a name for somebody registered under `prefix` and born in `birth_year`.
    pub fn draw(&self, random: &mut Random, prefix: u16, sex: Sex, birth_year: u16) -> String {
        match style_of(random, prefix) {
            Style::Kinh => self.kinh(random, prefix, sex, birth_year),
            Style::Ede => ede(random, sex),
            Style::CoHo => co_ho(random, sex),
            Style::Khmer => khmer(random, sex),
            Style::Hmong => hmong(random, sex),
        }
    }

    /// Returns a common name of three words that begins with `family`: somebody's parent.
    pub fn parent(&self, random: &mut Random, family: &str, sex: Sex) -> String {
        let middle = match sex {
            Sex::Male => "Văn",
            Sex::Female => "Thị",
        };
        join(&[family, middle, self.given[index_of(sex)].draw(random)])
    }

    /// Returns a family name as it is spelt in the region of `prefix`.
    pub fn family(&self, random: &mut Random, prefix: u16) -> &'static str {
        let family = self.families.draw(random);
        // From Đà Nẵng (048) southwards Huỳnh and Võ are the usual forms of Hoàng and Vũ.
        let south = (48..=96).contains(&prefix);
        match (family, south) {
            ("Hoàng", true) => "Huỳnh",
            ("Huỳnh", false) => "Hoàng",
            ("Vũ", true) => "Võ",
            ("Võ", false) => "Vũ",
            _ => family,
        }
    }

    fn kinh(&self, random: &mut Random, prefix: u16, sex: Sex, birth_year: u16) -> String {
        let family = self.family(random, prefix);
        let given = self.given[index_of(sex)].draw(random);
        let words = words_in_name(random, sex, birth_year);
        if words == 2 {
            return join(&[family, given]);
        }
        // Văn and Thị have gone out of use: nearly every other one born before 1980 has them.
        let plain_per_mille = match birth_year {
            ..1980 => 480,
            1980..2000 => 300,
            _ => 120,
        };
        let plain = match sex {
            Sex::Male => "Văn",
            Sex::Female => "Thị",
        };
        let drawn = |random: &mut Random, not: &str| {
            // A second draw is enough: a name with the same syllable twice is rare, not wrong.
            let first = self.middles[index_of(sex)].draw(random);
            if first == not { self.middles[index_of(sex)].draw(random) } else { first }
        };
        let middle = if random.happens(plain_per_mille) { plain } else { drawn(random, given) };
        if words == 3 {
            return join(&[family, middle, given]);
        }
        let second = drawn(random, middle);
        join(&[family, middle, second, given])
    }
}

/// Returns `text` in capitals without marks: A–Z, digits and what punctuation it has.
///
/// Đ is mapped by itself, because it has no decomposition. Written again here and not taken from
/// [`crate::document`]: what the world expects must not come from the code under test.
pub fn without_marks(text: &str) -> String {
    text.nfd()
        .filter(|letter| !('\u{300}'..='\u{36F}').contains(letter))
        .map(|letter| match letter {
            'đ' | 'Đ' => 'D',
            other => other.to_ascii_uppercase(),
        })
        .collect()
}

enum Style {
    Kinh,
    Ede,
    CoHo,
    Khmer,
    Hmong,
}

/// Draws the style of a name; the shares (in 1,000) are chosen, not measured.
fn style_of(random: &mut Random, prefix: u16) -> Style {
    let (style, per_mille) = match prefix {
        66 => (Style::Ede, 150),
        68 => (Style::CoHo, 90),
        84 | 94 => (Style::Khmer, 280),
        89 | 91 | 95 => (Style::Khmer, 60),
        2 | 11 | 12 => (Style::Hmong, 300),
        10 | 14 | 15 => (Style::Hmong, 150),
        _ => return Style::Kinh,
    };
    if random.happens(per_mille) { style } else { Style::Kinh }
}

/// Draws how many words a name has.
///
/// Shares of those born 2007–2011 (hoten.org): men three words 73 %, four 26 %; women 35 % and
/// 65 %; two words below 1 %. Four words were rarer before: those shares are chosen.
fn words_in_name(random: &mut Random, sex: Sex, birth_year: u16) -> u8 {
    let four_per_mille = match (sex, birth_year) {
        (Sex::Male, ..1980) => 60,
        (Sex::Male, 1980..2000) => 140,
        (Sex::Male, _) => 262,
        (Sex::Female, ..1980) => 150,
        (Sex::Female, 1980..2000) => 430,
        (Sex::Female, _) => 648,
    };
    match random.below(1_000) {
        0..6 => 2,
        drawn if drawn < 6 + four_per_mille => 4,
        _ => 3,
    }
}

/// "Y Thuan Niê", "H'Linh Êban": the clan stands last.
fn ede(random: &mut Random, sex: Sex) -> String {
    let clan = random.one_of(&[
        "Niê",
        "Êban",
        "Kbuôr",
        "Byă",
        "Mlô",
        "Ayŭn",
        "Kđăm",
        "Kpă",
        "Ksơr",
        "Adrơng",
        "Niê Kđăm",
        "Bkrông",
    ]);
    match sex {
        Sex::Male => {
            let given = random.one_of(&[
                "Thuan", "Bhiông", "Blăm", "Wăn", "Khun", "Nguyên", "Sa", "Đăm", "Jŭ", "Ngọc",
                "Thương", "Bhăn",
            ]);
            join(&["Y", given, clan])
        }
        Sex::Female => {
            let given = random.one_of(&[
                "Linh", "Ngăn", "Juôn", "Mai", "Wê", "Lui", "Rưp", "Yar", "Hương", "Nuen", "Bliă",
            ]);
            format!("H'{given} {clan}")
        }
    }
}

/// "Kơ Să K'Brốp", "Cil Ka Nhim": the clan stands first.
fn co_ho(random: &mut Random, sex: Sex) -> String {
    let clan = random.one_of(&[
        "Kơ Să",
        "Cil",
        "Lơ Mu",
        "Bon Niêng",
        "Touprong",
        "Liêng Jrang",
        "Păng Ting",
        "Đơng Gur",
    ]);
    match sex {
        Sex::Male => {
            let given = random.one_of(&["Brốp", "Brin", "Brếp", "Tiêng", "Sương", "Nhŏi", "Brang"]);
            if random.happens(500) {
                format!("{clan} K'{given}")
            } else {
                join(&[clan, "Ha", given])
            }
        }
        Sex::Female => {
            let given = random.one_of(&["Nhim", "Sim", "Dung", "Thuyên", "Bép", "Niêm", "Rềm"]);
            join(&[clan, "Ka", given])
        }
    }
}

/// "Thạch Sô Phia", "Danh Dara".
fn khmer(random: &mut Random, sex: Sex) -> String {
    let family =
        random.one_of(&["Thạch", "Sơn", "Kim", "Danh", "Lâm", "Kiên", "Châu", "Lý", "Kiêm"]);
    let given = match sex {
        Sex::Male => random.one_of(&[
            "Sóc",
            "Dara",
            "Phol",
            "Ri",
            "Sà Rết",
            "Ươne",
            "Chane",
            "Sa Rươl",
            "Hoàng Na",
            "Thia",
        ]),
        Sex::Female => random.one_of(&[
            "Sô Phia",
            "Thị Sà Rinh",
            "Thị Pha",
            "Sa Mone",
            "Thị Huôl",
            "Chanh Đa",
            "Thị Sô Thia",
        ]),
    };
    join(&[family, given])
}

/// "Giàng A Páo", "Sùng Thị Dợ".
fn hmong(random: &mut Random, sex: Sex) -> String {
    let family = random
        .one_of(&["Giàng", "Vàng", "Sùng", "Thào", "Mùa", "Lầu", "Vừ", "Hờ", "Cứ", "Lý", "Hạng"]);
    match sex {
        Sex::Male => {
            let given = random.one_of(&[
                "Páo", "Chờ", "Dơ", "Lử", "Sử", "Tủa", "Chinh", "Vảng", "Pó", "Sình", "Dế", "Chư",
            ]);
            join(&[family, "A", given])
        }
        Sex::Female => {
            let given = random
                .one_of(&["Mỷ", "Dợ", "Sua", "Mai", "Dính", "Chá", "Pàng", "Say", "Xía", "Ly"]);
            join(&[family, "Thị", given])
        }
    }
}

fn index_of(sex: Sex) -> usize {
    match sex {
        Sex::Male => 0,
        Sex::Female => 1,
    }
}

/// Joins `words` by spaces with one allocation; a million names are made this way.
fn join(words: &[&str]) -> String {
    words.join(" ")
}

/// Family names in 10,000 people; the first dozen as published, the rest chosen to fill up.
const FAMILIES: &[(&str, u32)] = &[
    ("Nguyễn", 3_840),
    ("Trần", 1_210),
    ("Lê", 950),
    ("Phạm", 700),
    ("Hoàng", 320),
    ("Huỳnh", 190),
    ("Phan", 450),
    ("Vũ", 240),
    ("Võ", 150),
    ("Đặng", 210),
    ("Bùi", 200),
    ("Đỗ", 140),
    ("Hồ", 130),
    ("Ngô", 130),
    ("Trương", 120),
    ("Dương", 100),
    ("Đinh", 70),
    ("Đào", 60),
    ("Đoàn", 60),
    ("Lý", 55),
    ("Lâm", 55),
    ("Trịnh", 55),
    ("Mai", 50),
    ("Lương", 45),
    ("Cao", 45),
    ("Hà", 45),
    ("Phùng", 30),
    ("Tạ", 30),
    ("Lưu", 30),
    ("Thái", 30),
    ("Tô", 28),
    ("Châu", 25),
    ("Chu", 25),
    ("Tống", 20),
    ("Kiều", 20),
    ("Vương", 20),
    ("Quách", 15),
    ("Triệu", 15),
    ("La", 15),
    ("Nghiêm", 12),
    ("Văn", 12),
    ("Nông", 12),
    ("Hứa", 10),
    ("Thân", 9),
    ("Bạch", 8),
    ("Doãn", 8),
    ("Khổng", 6),
];

const MIDDLES_OF_MEN: &[(&str, u32)] = &[
    ("Minh", 90),
    ("Đức", 80),
    ("Hữu", 80),
    ("Thanh", 75),
    ("Quốc", 70),
    ("Xuân", 65),
    ("Ngọc", 65),
    ("Đình", 60),
    ("Quang", 60),
    ("Công", 55),
    ("Anh", 50),
    ("Hoàng", 50),
    ("Duy", 45),
    ("Tuấn", 45),
    ("Thành", 45),
    ("Trọng", 40),
    ("Thế", 38),
    ("Gia", 38),
    ("Tiến", 35),
    ("Bá", 32),
    ("Mạnh", 32),
    ("Việt", 30),
    ("Tấn", 30),
    ("Hồng", 28),
    ("Hải", 25),
    ("Nhật", 25),
    ("Viết", 22),
    ("Phúc", 20),
    ("Bảo", 20),
    ("Khắc", 18),
    ("Huy", 18),
    ("Chí", 18),
    ("Vĩnh", 14),
    ("Sỹ", 12),
    ("Phước", 10),
    ("Thiện", 10),
];

const MIDDLES_OF_WOMEN: &[(&str, u32)] = &[
    ("Ngọc", 100),
    ("Thanh", 90),
    ("Thu", 85),
    ("Phương", 70),
    ("Minh", 65),
    ("Hồng", 60),
    ("Kim", 60),
    ("Mỹ", 50),
    ("Thùy", 50),
    ("Bích", 45),
    ("Như", 42),
    ("Quỳnh", 40),
    ("Hoài", 38),
    ("Khánh", 35),
    ("Mai", 35),
    ("Tuyết", 32),
    ("Bảo", 32),
    ("Xuân", 30),
    ("Cẩm", 28),
    ("Lan", 28),
    ("Diệu", 26),
    ("Ánh", 25),
    ("Yến", 25),
    ("Kiều", 22),
    ("Trúc", 22),
    ("Gia", 20),
    ("Hải", 20),
    ("Thúy", 20),
    ("Hà", 18),
    ("Tường", 14),
    ("Diễm", 14),
    ("Uyển", 8),
];

const GIVEN_OF_MEN: &[(&str, u32)] = &[
    ("Hùng", 60),
    ("Dũng", 58),
    ("Tuấn", 58),
    ("Minh", 55),
    ("Nam", 52),
    ("Anh", 50),
    ("Hải", 48),
    ("Cường", 46),
    ("Sơn", 46),
    ("Thắng", 44),
    ("Đức", 44),
    ("Long", 44),
    ("Hiếu", 42),
    ("Thành", 42),
    ("Trung", 40),
    ("Huy", 40),
    ("Quân", 38),
    ("Phúc", 36),
    ("Bình", 36),
    ("Khánh", 35),
    ("Tùng", 34),
    ("Hòa", 33),
    ("Đạt", 33),
    ("Kiên", 32),
    ("Tâm", 32),
    ("Quang", 30),
    ("Khang", 30),
    ("Bảo", 30),
    ("Duy", 28),
    ("Toàn", 28),
    ("Vinh", 28),
    ("Lâm", 27),
    ("Thịnh", 27),
    ("Việt", 26),
    ("Hưng", 26),
    ("Phong", 26),
    ("Linh", 22),
    ("Nghĩa", 22),
    ("Tài", 22),
    ("Thái", 22),
    ("Lợi", 20),
    ("Nhân", 20),
    ("Phước", 20),
    ("Khoa", 20),
    ("Sang", 19),
    ("Tiến", 19),
    ("Trí", 18),
    ("Tú", 18),
    ("Chiến", 18),
    ("Thiện", 17),
    ("Hoàng", 17),
    ("Lộc", 16),
    ("Giang", 16),
    ("Đông", 15),
    ("An", 15),
    ("Cảnh", 10),
    ("Quý", 10),
    ("Ba", 8),
    ("Út", 5),
];

const GIVEN_OF_WOMEN: &[(&str, u32)] = &[
    ("Hương", 60),
    ("Lan", 56),
    ("Hoa", 52),
    ("Trang", 52),
    ("Linh", 52),
    ("Hà", 48),
    ("Thảo", 48),
    ("Mai", 46),
    ("Phương", 46),
    ("Hằng", 44),
    ("Nga", 42),
    ("Thủy", 42),
    ("Anh", 42),
    ("Hạnh", 40),
    ("Loan", 38),
    ("Hồng", 38),
    ("Yến", 36),
    ("Nhung", 36),
    ("Huyền", 36),
    ("Ngọc", 36),
    ("Vân", 34),
    ("Dung", 34),
    ("Thu", 32),
    ("Hiền", 32),
    ("Tuyết", 30),
    ("Oanh", 30),
    ("Thúy", 30),
    ("Trinh", 28),
    ("Nhi", 28),
    ("Ngân", 28),
    ("My", 26),
    ("Vy", 26),
    ("Trâm", 24),
    ("Quỳnh", 24),
    ("Châu", 22),
    ("Bích", 22),
    ("Ánh", 20),
    ("Thanh", 20),
    ("Duyên", 20),
    ("Liên", 20),
    ("Xuân", 18),
    ("Chi", 18),
    ("Giang", 18),
    ("Như", 18),
    ("Tâm", 16),
    ("Phượng", 16),
    ("Lý", 14),
    ("Thơm", 12),
    ("Uyên", 12),
    ("Đào", 10),
    ("Cúc", 10),
    ("Sen", 8),
    ("Bé", 6),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invented::random::Stream;

    #[test]
    fn family_shares_are_the_published_ones() {
        assert_eq!(FAMILIES.iter().map(|(_, weight)| weight).sum::<u32>(), 10_000);
        let names = Names::from_tables();
        let mut random = Random::new(1, Stream::World, 1);
        let mut nguyen = 0;
        let mut hoang_or_huynh = 0;
        for _ in 0..20_000 {
            match names.family(&mut random, 1) {
                "Nguyễn" => nguyen += 1,
                "Hoàng" => hoang_or_huynh += 1,
                "Huỳnh" => panic!("a southern spelling in Hà Nội"),
                _ => {}
            }
        }
        assert!((7_400..7_960).contains(&nguyen), "{nguyen}");
        assert!((900..1_140).contains(&hoang_or_huynh), "{hoang_or_huynh}");
    }

    #[test]
    fn words_in_a_name_follow_sex_and_birth_year() {
        let mut random = Random::new(2, Stream::World, 0);
        for (sex, year, three, four) in [
            (Sex::Male, 2009, 700..=760, 235..=290),
            (Sex::Female, 2009, 320..=380, 620..=680),
            (Sex::Female, 1960, 810..=880, 125..=175),
        ] {
            let mut counts = [0_u32; 5];
            for _ in 0..10_000 {
                counts[usize::from(words_in_name(&mut random, sex, year))] += 1;
            }
            assert!(three.contains(&(counts[3] / 10)), "{year} {counts:?}");
            assert!(four.contains(&(counts[4] / 10)), "{year} {counts:?}");
            assert!(counts[2] < 120, "{year} {counts:?}");
        }
    }

    #[test]
    fn every_name_is_composed_text_and_none_has_the_syllable_of_the_plan() {
        let names = Names::from_tables();
        for index in 0..20_000 {
            let mut random = Random::new(3, Stream::Person, index);
            let prefix = [1, 11, 66, 68, 84, 2, 79][index as usize % 7];
            let sex = if index % 2 == 0 { Sex::Male } else { Sex::Female };
            let name = names.draw(&mut random, prefix, sex, 1950 + (index % 70) as u16);
            assert_eq!(name, name.nfc().collect::<String>());
            let folded = without_marks(&name);
            assert!(folded.is_ascii(), "{name} folds to {folded}");
            assert!(folded.split(' ').all(|word| !word.is_empty() && word != "MAU"), "{name}");
            assert!((2..=6).contains(&folded.split(' ').count()), "{name}");
        }
    }

    #[test]
    fn marks_are_taken_off_and_d_with_a_stroke_is_mapped() {
        for (text, expected) in [
            ("Đặng Thị Độ", "DANG THI DO"),
            ("Y Ayŭn Kđăm", "Y AYUN KDAM"),
            ("H'Linh Êban", "H'LINH EBAN"),
        ] {
            assert_eq!(without_marks(text), expected);
        }
    }
}
