//! Where a birth was registered, by the first three digits of a personal number.
//!
//! A number never changes, so its prefix is always read with the tables of the time when numbers
//! were given their shape: 63 provinces and 195 countries (Circular 07/2016/TT-BCA, annexes 1 and
//! 2). The merger of 01.07.2025 gave several codes to a province of another *name* (015 was Yên Bái
//! and is now the code of Lào Cai): reading an old number with the new list would name the wrong
//! province.
//!
//! Assumes: numbers of births registered after the merger use the same codes; no source says.

/// The place behind a prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// One of the 63 provinces before 01.07.2025.
    Province {
        /// The first three digits.
        code: u16,
        /// The name at the time of the table.
        name: &'static str,
        /// The province that it belongs to today, where the name differs.
        now: Option<&'static str>,
    },
    /// Born abroad.
    Country {
        /// The first three digits.
        code: u16,
        /// The Vietnamese name.
        name_vi: &'static str,
    },
    /// The prefix stands in neither table.
    Unknown(u16),
}

impl Place {
    /// Returns the place of the first three digits of a personal number.
    pub fn of_prefix(code: u16) -> Self {
        if let Ok(at) = PROVINCES.binary_search_by_key(&code, |(code, ..)| *code) {
            let (code, name, now) = PROVINCES[at];
            return Self::Province { code, name, now: (now != name).then_some(now) };
        }
        let country = code.checked_sub(FIRST_COUNTRY).and_then(|at| COUNTRIES.get(usize::from(at)));
        match country {
            Some(name_vi) => Self::Country { code, name_vi },
            None => Self::Unknown(code),
        }
    }

    /// Returns the first three digits.
    pub fn code(self) -> u16 {
        match self {
            Self::Province { code, .. } | Self::Country { code, .. } | Self::Unknown(code) => code,
        }
    }

    /// Returns code and name for showing to the officer: "015 – Yên Bái (nay: Lào Cai)".
    ///
    /// A prefix of neither table is shown as its digits alone.
    pub fn describe(self) -> String {
        match self {
            Self::Province { code, name, now: Some(now) } => {
                format!("{code:03} – {name} (nay: {now})")
            }
            Self::Province { code, name, now: None } => format!("{code:03} – {name}"),
            Self::Country { code, name_vi } => format!("{code:03} – {name_vi}"),
            Self::Unknown(code) => format!("{code:03}"),
        }
    }
}

/// Code, name in the table of 63, name of the province of today (34 since 01.07.2025).
const PROVINCES: [(u16, &str, &str); 63] = [
    (1, "Hà Nội", "Hà Nội"),
    (2, "Hà Giang", "Tuyên Quang"),
    (4, "Cao Bằng", "Cao Bằng"),
    (6, "Bắc Kạn", "Thái Nguyên"),
    (8, "Tuyên Quang", "Tuyên Quang"),
    (10, "Lào Cai", "Lào Cai"),
    (11, "Điện Biên", "Điện Biên"),
    (12, "Lai Châu", "Lai Châu"),
    (14, "Sơn La", "Sơn La"),
    (15, "Yên Bái", "Lào Cai"),
    (17, "Hòa Bình", "Phú Thọ"),
    (19, "Thái Nguyên", "Thái Nguyên"),
    (20, "Lạng Sơn", "Lạng Sơn"),
    (22, "Quảng Ninh", "Quảng Ninh"),
    (24, "Bắc Giang", "Bắc Ninh"),
    (25, "Phú Thọ", "Phú Thọ"),
    (26, "Vĩnh Phúc", "Phú Thọ"),
    (27, "Bắc Ninh", "Bắc Ninh"),
    (30, "Hải Dương", "Hải Phòng"),
    (31, "Hải Phòng", "Hải Phòng"),
    (33, "Hưng Yên", "Hưng Yên"),
    (34, "Thái Bình", "Hưng Yên"),
    (35, "Hà Nam", "Ninh Bình"),
    (36, "Nam Định", "Ninh Bình"),
    (37, "Ninh Bình", "Ninh Bình"),
    (38, "Thanh Hóa", "Thanh Hóa"),
    (40, "Nghệ An", "Nghệ An"),
    (42, "Hà Tĩnh", "Hà Tĩnh"),
    (44, "Quảng Bình", "Quảng Trị"),
    (45, "Quảng Trị", "Quảng Trị"),
    (46, "Thừa Thiên Huế", "Huế"),
    (48, "Đà Nẵng", "Đà Nẵng"),
    (49, "Quảng Nam", "Đà Nẵng"),
    (51, "Quảng Ngãi", "Quảng Ngãi"),
    (52, "Bình Định", "Gia Lai"),
    (54, "Phú Yên", "Đắk Lắk"),
    (56, "Khánh Hòa", "Khánh Hòa"),
    (58, "Ninh Thuận", "Khánh Hòa"),
    (60, "Bình Thuận", "Lâm Đồng"),
    (62, "Kon Tum", "Quảng Ngãi"),
    (64, "Gia Lai", "Gia Lai"),
    (66, "Đắk Lắk", "Đắk Lắk"),
    (67, "Đắk Nông", "Lâm Đồng"),
    (68, "Lâm Đồng", "Lâm Đồng"),
    (70, "Bình Phước", "Đồng Nai"),
    (72, "Tây Ninh", "Tây Ninh"),
    (74, "Bình Dương", "TP. Hồ Chí Minh"),
    (75, "Đồng Nai", "Đồng Nai"),
    (77, "Bà Rịa - Vũng Tàu", "TP. Hồ Chí Minh"),
    (79, "TP. Hồ Chí Minh", "TP. Hồ Chí Minh"),
    (80, "Long An", "Tây Ninh"),
    (82, "Tiền Giang", "Đồng Tháp"),
    (83, "Bến Tre", "Vĩnh Long"),
    (84, "Trà Vinh", "Vĩnh Long"),
    (86, "Vĩnh Long", "Vĩnh Long"),
    (87, "Đồng Tháp", "Đồng Tháp"),
    (89, "An Giang", "An Giang"),
    (91, "Kiên Giang", "An Giang"),
    (92, "Cần Thơ", "Cần Thơ"),
    (93, "Hậu Giang", "Cần Thơ"),
    (94, "Sóc Trăng", "Cần Thơ"),
    (95, "Bạc Liêu", "Cà Mau"),
    (96, "Cà Mau", "Cà Mau"),
];

/// The code of the first country.
const FIRST_COUNTRY: u16 = 101;

/// The countries from 101 on, without a gap, under the names in use in Vietnamese.
///
/// The annex lists Azerbaijan (113, 114) and Croatia (147, 148) twice, under a short and a long
/// name. Two independent transcriptions of it agree wherever both were seen.
const COUNTRIES: [&str; 195] = [
    "Afghanistan",
    "Ai Cập",
    "Albania",
    "Algérie",
    "Andorra",
    "Angola",
    "Anh",
    "Antigua và Barbuda",
    "Áo",
    "Ả Rập Xê Út",
    "Argentina",
    "Armenia",
    "Azerbaijan",
    "Azerbaijan",
    "Ấn Độ",
    "Bahamas",
    "Bahrain",
    "Ba Lan",
    "Bangladesh",
    "Barbados",
    "Belarus",
    "Belize",
    "Benin",
    "Bhutan",
    "Bỉ",
    "Bolivia",
    "Bosna và Hercegovina",
    "Botswana",
    "Bồ Đào Nha",
    "Bờ Biển Ngà",
    "Brasil",
    "Brunei",
    "Bulgaria",
    "Burkina Faso",
    "Burundi",
    "Cabo Verde",
    "Các Tiểu vương quốc Ả Rập Thống nhất",
    "Cameroon",
    "Campuchia",
    "Canada",
    "Chile",
    "Colombia",
    "Comoros",
    "Cộng hòa Congo",
    "Cộng hòa Dân chủ Congo",
    "Costa Rica",
    "Croatia",
    "Croatia",
    "Cuba",
    "Djibouti",
    "Dominica",
    "Cộng hòa Dominicana",
    "Đan Mạch",
    "Đông Timor",
    "Đức",
    "Ecuador",
    "El Salvador",
    "Eritrea",
    "Estonia",
    "Ethiopia",
    "Fiji",
    "Gabon",
    "Gambia",
    "Ghana",
    "Grenada",
    "Gruzia",
    "Guatemala",
    "Guinea-Bissau",
    "Guinea Xích Đạo",
    "Guinea",
    "Guyana",
    "Haiti",
    "Hà Lan",
    "Hàn Quốc",
    "Hoa Kỳ",
    "Honduras",
    "Hungary",
    "Hy Lạp",
    "Iceland",
    "Indonesia",
    "Iran",
    "Iraq",
    "Ireland",
    "Israel",
    "Jamaica",
    "Jordan",
    "Kazakhstan",
    "Kenya",
    "Kiribati",
    "Kuwait",
    "Síp",
    "Kyrgyzstan",
    "Lào",
    "Latvia",
    "Lesotho",
    "Liban",
    "Liberia",
    "Libya",
    "Liechtenstein",
    "Litva",
    "Luxembourg",
    "Macedonia",
    "Madagascar",
    "Malawi",
    "Malaysia",
    "Maldives",
    "Mali",
    "Malta",
    "Maroc",
    "Quần đảo Marshall",
    "Mauritanie",
    "Mauritius",
    "Mexico",
    "Micronesia",
    "Moldova",
    "Monaco",
    "Mông Cổ",
    "Montenegro",
    "Mozambique",
    "Myanmar",
    "Namibia",
    "Nam Sudan",
    "Nam Phi",
    "Nauru",
    "Na Uy",
    "Nepal",
    "New Zealand",
    "Nicaragua",
    "Niger",
    "Nigeria",
    "Nga",
    "Nhật Bản",
    "Oman",
    "Pakistan",
    "Palau",
    "Panama",
    "Papua New Guinea",
    "Paraguay",
    "Peru",
    "Pháp",
    "Phần Lan",
    "Philippines",
    "Qatar",
    "Romania",
    "Rwanda",
    "Saint Kitts và Nevis",
    "Saint Lucia",
    "Saint Vincent và Grenadines",
    "Samoa",
    "San Marino",
    "São Tomé và Príncipe",
    "Séc",
    "Sénégal",
    "Serbia",
    "Seychelles",
    "Sierra Leone",
    "Singapore",
    "Slovakia",
    "Slovenia",
    "Quần đảo Solomon",
    "Somalia",
    "Sri Lanka",
    "Sudan",
    "Suriname",
    "Swaziland",
    "Syria",
    "Tajikistan",
    "Tanzania",
    "Tây Ban Nha",
    "Tchad",
    "Thái Lan",
    "Thổ Nhĩ Kỳ",
    "Thụy Điển",
    "Thụy Sĩ",
    "Togo",
    "Tonga",
    "Triều Tiên",
    "Trinidad và Tobago",
    "Trung Quốc",
    "Trung Phi",
    "Tunisia",
    "Turkmenistan",
    "Tuvalu",
    "Úc",
    "Uganda",
    "Ukraina",
    "Uruguay",
    "Uzbekistan",
    "Vanuatu",
    "Tòa thánh Vatican",
    "Venezuela",
    "Ý",
    "Yemen",
    "Zambia",
    "Zimbabwe",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check(prefix: u16, expected: &str) {
        assert_eq!(Place::of_prefix(prefix).describe(), expected);
    }

    #[test]
    fn prefix_is_read_with_the_table_of_63_provinces() {
        check(1, "001 – Hà Nội");
        check(79, "079 – TP. Hồ Chí Minh");
        check(96, "096 – Cà Mau");
    }

    #[test]
    fn province_that_was_merged_is_shown_with_its_name_of_today() {
        check(2, "002 – Hà Giang (nay: Tuyên Quang)");
        check(46, "046 – Thừa Thiên Huế (nay: Huế)");
        check(77, "077 – Bà Rịa - Vũng Tàu (nay: TP. Hồ Chí Minh)");
        check(94, "094 – Sóc Trăng (nay: Cần Thơ)");
    }

    #[test]
    fn code_that_changed_its_province_keeps_the_old_name() {
        check(15, "015 – Yên Bái (nay: Lào Cai)");
        check(10, "010 – Lào Cai");
        check(24, "024 – Bắc Giang (nay: Bắc Ninh)");
        check(44, "044 – Quảng Bình (nay: Quảng Trị)");
        check(52, "052 – Bình Định (nay: Gia Lai)");
        check(80, "080 – Long An (nay: Tây Ninh)");
        check(82, "082 – Tiền Giang (nay: Đồng Tháp)");
        check(91, "091 – Kiên Giang (nay: An Giang)");
    }

    #[test]
    fn prefix_from_101_on_is_a_country() {
        for (prefix, expected) in [
            (101, "101 – Afghanistan"),
            (107, "107 – Anh"),
            (118, "118 – Ba Lan"),
            (132, "132 – Brunei"),
            (139, "139 – Campuchia"),
            (140, "140 – Canada"),
            (155, "155 – Đức"),
            (174, "174 – Hàn Quốc"),
            (175, "175 – Hoa Kỳ"),
            (180, "180 – Indonesia"),
            (193, "193 – Lào"),
            (205, "205 – Malaysia"),
            (231, "231 – Nga"),
            (232, "232 – Nhật Bản"),
            (240, "240 – Pháp"),
            (242, "242 – Philippines"),
            (252, "252 – Séc"),
            (257, "257 – Singapore"),
            (271, "271 – Thái Lan"),
            (279, "279 – Trung Quốc"),
            (284, "284 – Úc"),
            (295, "295 – Zimbabwe"),
        ] {
            check(prefix, expected);
        }
    }

    #[test]
    fn prefix_of_neither_table_is_unknown() {
        for prefix in [0, 3, 5, 32, 97, 100, 296, 999] {
            assert_eq!(Place::of_prefix(prefix), Place::Unknown(prefix));
        }
        check(3, "003");
    }

    #[test]
    fn tables_have_63_provinces_that_became_34() {
        assert!(PROVINCES.is_sorted_by(|one, next| one.0 < next.0));
        let today: BTreeSet<_> = PROVINCES.iter().map(|(.., now)| now).collect();
        assert_eq!(today.len(), 34);
    }
}
