//! The person on a simulated card, and what the card's groups say of him.

use std::fmt;

use super::der::{OCTET_STRING, PRINTABLE_STRING, SET, UTF8_STRING, oid, sequence, small};
use crate::chip::tlv;
use crate::document::{Date, Document, Expiry, NumberKind, PartialDate, Sex, fold};

/// An invented person, with all that the chip of an identity card says of one.
///
/// Nobody in it is real. `Debug` shows nothing of the person all the same: the type is used where
/// real ones could be.
#[derive(Clone, PartialEq, Eq)]
pub struct Holder {
    /// Personal number, twelve digits.
    pub number: u64,
    /// Full name in composed Unicode.
    pub name: String,
    /// Birth date.
    pub birth: PartialDate,
    /// Sex.
    pub sex: Sex,
    /// Ethnic group.
    pub ethnic_group: String,
    /// Religion, "Không" for none.
    pub religion: String,
    /// Home place ("quê quán").
    pub origin: String,
    /// Residence.
    pub residence: String,
    /// Identifying marks.
    pub marks: String,
    /// Day of issue.
    pub issued: Date,
    /// Last day of validity.
    pub expiry: Expiry,
    /// Father and mother.
    pub parents: [String; 2],
    /// Husband or wife.
    pub spouse: Option<String>,
    /// Number of the old identity card.
    pub old_number: Option<String>,
    /// Sixteen characters that are taken for the chip's own number.
    pub serial: String,
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holder(..)")
    }
}

/// How a card writes its thirteenth group. States agree on no form for it; these have been seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dg13Form {
    /// Everything, father and mother as two sequences beside each other.
    #[default]
    ParentsApart,
    /// Everything, father and mother in one sequence.
    ParentsTogether,
    /// As a card of 2024 may be: what ICAO's groups say too, and the home place; nothing else.
    Absent,
    /// As another card of 2024 may be: the same, and the rest there but not readable.
    Unreadable,
}

impl Holder {
    /// Returns the invented man whose card the documentation spells out.
    pub fn nguyen_van_mau() -> Holder {
        Holder {
            number: 48_088_999_901,
            name: "Nguyễn Văn Mẫu".into(),
            birth: PartialDate::new(1988, 3, 2).unwrap_or(PartialDate::UNKNOWN),
            sex: Sex::Male,
            ethnic_group: "Kinh".into(),
            religion: "Không".into(),
            origin: "Thọ Quang Giả, Sơn Trà, Đà Nẵng".into(),
            residence: "Tổ 99, Thọ Quang Giả, Sơn Trà, Đà Nẵng".into(),
            marks: "Nốt ruồi mẫu C:9cm trên sau đuôi mắt trái".into(),
            issued: Date::new(2021, 8, 15).unwrap_or(Date::MIN),
            expiry: Date::new(2028, 3, 2).map_or(Expiry::Never, Expiry::On),
            parents: ["Nguyễn Văn Cha Mẫu".into(), "Lê Thị Mẹ Mẫu".into()],
            spouse: None,
            old_number: Some("201999901".into()),
            serial: "0123456789ABCDEF".into(),
        }
    }

    /// Returns the person of an identity card whose QR code was read; what the code does not say is
    /// invented. `None` where it lacks what a chip must say.
    pub fn of_card(document: &Document) -> Option<Holder> {
        let old = document.numbers.iter().find(|number| number.value.kind() == NumberKind::Cmnd);
        let residence = document.address.as_ref()?.value.as_str().to_owned();
        let number = document.personal_number()?.value();
        Some(Holder {
            number,
            name: document.name.as_ref()?.value.as_str().to_owned(),
            birth: document.birth.as_ref()?.value,
            sex: document.sex.as_ref()?.value,
            origin: residence.clone(),
            residence,
            issued: document.issued.as_ref()?.value,
            expiry: document.expiry.as_ref().map_or(Expiry::Never, |expiry| expiry.value),
            old_number: old.map(|number| number.value.as_str().to_owned()),
            serial: format!("FC{number:014}"),
            ..Holder::nguyen_van_mau()
        })
    }

    /// Returns the twelve digits of the personal number.
    pub fn digits(&self) -> String {
        format!("{:012}", self.number)
    }

    /// Returns the card access number of an identity card: the last six digits of the number.
    pub fn can(&self) -> String {
        self.digits()[6..].to_owned()
    }

    /// Returns what keys of access are made of (ICAO 9303-11, 4.3.2): document number, birth and
    /// expiry as in the zone, without their check digits.
    pub fn zone_key(&self) -> [String; 3] {
        let zone = self.zone();
        [&zone[5..14], &zone[30..36], &zone[38..44]].map(str::to_owned)
    }

    /// Returns the three lines of the machine-readable zone (ICAO 9303-5), joined.
    pub fn zone(&self) -> String {
        let digits = self.digits();
        let short = &digits[3..];
        let upper = format!(
            "IDVNM{short}{}{digits}<<{}",
            check_digit(short.as_bytes()),
            check_digit(digits.as_bytes())
        );
        let birth = zone_date(self.birth);
        let expiry = match self.expiry {
            Expiry::On(date) => zone_date(date.into()),
            Expiry::Never => "991231".to_owned(),
        };
        let sex = match self.sex {
            Sex::Male => 'M',
            Sex::Female => 'F',
        };
        let birth = format!("{birth}{}", check_digit(birth.as_bytes()));
        let expiry = format!("{expiry}{}", check_digit(expiry.as_bytes()));
        let all = format!("{}{birth}{expiry}{:<<11}", &upper[5..], "");
        let composite = check_digit(all.as_bytes());
        format!("{upper}{birth}{sex}{expiry}VNM{:<<11}{composite}{}", "", zone_name(&self.name))
    }

    /// Returns the file of group 1: the machine-readable zone (ICAO 9303-10, 4.7.1).
    pub fn dg1(&self) -> Vec<u8> {
        tlv::element(0x61, &tlv::element(0x5F1F, self.zone().as_bytes()))
    }

    /// Returns the file of group 13, whose content states choose themselves.
    pub fn dg13(&self, form: Dg13Form) -> Vec<u8> {
        /// 1.0.10646.1.0.8: the text is UTF-8.
        const UTF8: &[u8] = &[0x28, 0xD3, 0x16, 0x01, 0x00, 0x08];
        let mut fields = Vec::new();
        for (number, value) in self.dg13_fields(form) {
            fields.extend(sequence(&[&small(number), &value]));
        }
        // Cards write the fields in the order of their numbers, which is not that of a SET in DER.
        let fields = tlv::element(SET, &fields);
        tlv::element(0x6D, &sequence(&[&small(1), &oid(UTF8), &fields]))
    }

    fn dg13_fields(&self, form: Dg13Form) -> Vec<(u8, Vec<u8>)> {
        let printable = |text: &str| tlv::element(PRINTABLE_STRING, text.as_bytes());
        let utf8 = |text: &str| tlv::element(UTF8_STRING, text.as_bytes());
        let [father, mother] = &self.parents;
        let parents = match form {
            Dg13Form::ParentsTogether => sequence(&[&utf8(father), &utf8(mother)]),
            _ => [sequence(&[&utf8(father)]), sequence(&[&utf8(mother)])].concat(),
        };
        let sex = match self.sex {
            Sex::Male => "Nam",
            Sex::Female => "Nữ",
        };
        let expiry = match self.expiry {
            Expiry::On(date) => slashed(date.into()),
            Expiry::Never => "Không thời hạn".to_owned(),
        };
        let spouse = self.spouse.as_ref().map(|name| sequence(&[&utf8(name)]));
        let all = vec![
            (1, printable(&self.digits())),
            (2, utf8(&self.name)),
            (3, printable(&slashed(self.birth))),
            (4, utf8(sex)),
            (5, utf8("Việt Nam")),
            (6, utf8(&self.ethnic_group)),
            (7, utf8(&self.religion)),
            (8, utf8(&self.origin)),
            (9, utf8(&self.residence)),
            (10, utf8(&self.marks)),
            (11, printable(&slashed(self.issued.into()))),
            (12, utf8(&expiry)),
            (13, parents),
            (14, spouse.unwrap_or_default()),
            (15, self.old_number.as_deref().map(printable).unwrap_or_default()),
            (16, printable(&self.serial)),
        ];
        // Circular 16/2024/TT-BCA, article 6.
        let is_open = |number: u8| matches!(number, 1..=5 | 8 | 12);
        match form {
            Dg13Form::ParentsApart | Dg13Form::ParentsTogether => all,
            Dg13Form::Absent => all.into_iter().filter(|(number, _)| is_open(*number)).collect(),
            Dg13Form::Unreadable => all
                .into_iter()
                .map(|(number, value)| {
                    let hidden = || value.iter().map(|byte| byte ^ 0xA5).collect::<Vec<_>>();
                    let value =
                        if is_open(number) { value } else { tlv::element(OCTET_STRING, &hidden()) };
                    (number, value)
                })
                .collect(),
        }
    }
}

/// Day, month and year with strokes.
fn slashed(date: PartialDate) -> String {
    format!("{:02}/{:02}/{:04}", date.day(), date.month(), date.year())
}

/// Two digits each of year, month and day; what is not known is filled (ICAO 9303-3, 4.8).
fn zone_date(date: PartialDate) -> String {
    let part = |value: u8| if value == 0 { "<<".to_owned() } else { format!("{value:02}") };
    format!("{:02}{}{}", date.year() % 100, part(date.month()), part(date.day()))
}

/// The name in thirty places: the first word is the family's.
fn zone_name(name: &str) -> String {
    let folded = fold(name).replace('\'', "").replace('-', " ");
    let mut words = folded.split_whitespace();
    let family = words.next().unwrap_or_default();
    let given: Vec<&str> = words.collect();
    let name: String = format!("{family}<<{}", given.join("<")).chars().take(30).collect();
    format!("{name:<<30}")
}

/// ICAO 9303-3, 4.9: weights 7, 3, 1 over the values 0 to 35, modulo 10.
fn check_digit(text: &[u8]) -> u32 {
    let value = |character: &u8| match character {
        b'0'..=b'9' => u32::from(character - b'0'),
        b'A'..=b'Z' => u32::from(character - b'A') + 10,
        _ => 0,
    };
    text.iter().zip([7, 3, 1].into_iter().cycle()).map(|(c, weight)| value(c) * weight).sum::<u32>()
        % 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{mrz, qr};

    const CARDS: [(&str, [&str; 3]); 4] = [
        (
            "048088999901|201999901|Nguyễn Văn Mẫu|02031988|Nam|\
             Tổ 99, Thọ Quang Giả, Sơn Trà, Đà Nẵng|15082021",
            [
                "IDVNM0889999015048088999901<<5",
                "8803023M2803021VNM<<<<<<<<<<<4",
                "NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<",
            ],
        ),
        (
            "031301999902||Trần Thị Thử Nghiệm|17112001|Nữ|Thôn Giả Định 9, Lập Lễ Mẫu, \
             Thủy Nguyên, Hải Phòng|01012022",
            [
                "IDVNM3019999026031301999902<<6",
                "0111171F2611170VNM<<<<<<<<<<<6",
                "TRAN<<THI<THU<NGHIEM<<<<<<<<<<",
            ],
        ),
        (
            "086155999904|331999904|ĐẶNG THỊ ĐỘ MẪU|10101955|Nữ|Ấp Đông Giả, Xã Mẫu, Tam Bình, \
             Vĩnh Long|20092022",
            [
                "IDVNM1559999043086155999904<<3",
                "5510104F9912315VNM<<<<<<<<<<<8",
                "DANG<<THI<DO<MAU<<<<<<<<<<<<<<",
            ],
        ),
        (
            "079200999906||Đỗ Đình Đại Mẫu|29022000|Nam|99 Đường Giả Định, Phường Mẫu, Thành phố \
             Hồ Chí Minh|01092025||||",
            [
                "IDVNM2009999062079200999906<<2",
                "0002299M4002297VNM<<<<<<<<<<<6",
                "DO<<DINH<DAI<MAU<<<<<<<<<<<<<<",
            ],
        ),
    ];

    #[test]
    fn the_zone_is_that_of_the_card_with_this_code() {
        for (code, lines) in CARDS {
            let holder = Holder::of_card(&qr::parse(code.as_bytes()).expect("a card"))
                .expect("everything a chip must say");
            assert_eq!(holder.zone(), lines.concat(), "{code}");
            mrz::parse(&lines.join("\n")).expect("a zone with right check digits");
        }
    }

    #[test]
    fn keys_are_made_of_what_the_norm_says() {
        let holder = Holder::nguyen_van_mau();
        assert_eq!(holder.zone_key(), ["088999901", "880302", "280302"]);
        assert_eq!(holder.can(), "999901");
    }

    #[test]
    fn groups_are_those_that_the_documentation_spells_out() {
        let holder = Holder::nguyen_van_mau();
        let hex =
            |bytes: Vec<u8>| -> String { bytes.iter().map(|byte| format!("{byte:02X}")).collect() };
        assert_eq!(hex(holder.dg1()), DG1);
        assert_eq!(hex(holder.dg13(Dg13Form::ParentsApart)), DG13);
    }

    #[test]
    fn debug_shows_nothing_of_the_person() {
        assert_eq!(format!("{:?}", Holder::nguyen_van_mau()), "Holder(..)");
    }

    const DG1: &str = "615D5F1F5A4944564E4D303838393939393031353034383038383939393930313C3C35383830333032334D\
        32383033303231564E4D3C3C3C3C3C3C3C3C3C3C3C344E475559454E3C3C56414E3C4D41553C3C3C3C3C3C\
        3C3C3C3C3C3C3C3C3C";
    const DG13: &str = "6D8201AF308201AB020101060628D3160100083182019C3011020101130C30343830383839393939303130\
        180201020C134E677579E1BB856E2056C4836E204DE1BAAB75300F020103130A30322F30332F3139383830\
        080201040C034E616D300F0201050C0A5669E1BB8774204E616D30090201060C044B696E68300B0201070C\
        064B68C3B46E67302E0201080C295468E1BB8D205175616E67204769E1BAA32C2053C6A16E205472C3A02C\
        20C490C3A0204EE1BAB56E6730370201090C3254E1BB952039392C205468E1BB8D205175616E67204769E1\
        BAA32C2053C6A16E205472C3A02C20C490C3A0204EE1BAB56E67303A02010A0C354EE1BB9174207275E1BB\
        9369206DE1BAAB7520433A39636D207472C3AA6E2073617520C49175C3B469206DE1BAAF74207472C3A169\
        300F02010B130A31352F30382F32303231300F02010C0C0A30322F30332F32303238303602010D30190C17\
        4E677579E1BB856E2056C4836E20436861204DE1BAAB7530160C144CC3AA205468E1BB8B204DE1BAB9204D\
        E1BAAB75300302010E300E02010F1309323031393939393031301502011013103031323334353637383941\
        4243444546";
}
