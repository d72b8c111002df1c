//! What opens a chip: the card access number, or the machine-readable zone.
//!
//! A Vietnamese card prints no access number; it is the last six digits of the personal number, so
//! that a QR code alone opens the chip. The zone's key needs the last day of validity, which a QR
//! code does not state: it is guessed from the law, in few candidates.
//!
//! Both are secrets of a person: they are wiped and show nothing.

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::secret::SecretBytes;
use super::symmetric::{Cipher, SessionKeys};
use crate::document::{
    Date, Document, DocumentKind, Expiry, NumberKind, PartialDate, PersonalNumber,
};

/// The most keys of the zone that are tried with one card. Chosen: a chip may answer slower and
/// slower after each wrong key, and more candidates than this the law does not give.
pub const MAX_CANDIDATES: usize = 4;

/// The expiry that stands in the zone of a card that never expires.
const NEVER: &str = "991231";

/// A password as PACE takes it.
#[derive(Clone, Debug)]
pub struct PacePassword {
    /// Which kind of password it is: 1 for the zone, 2 for the access number (ICAO 9303-11,
    /// 4.4.4.1).
    pub reference: u8,
    /// What the key of the nonce is derived from (ICAO 9303-11, 9.7.3).
    pub secret: SecretBytes,
}

impl PacePassword {
    /// The zone.
    pub const MRZ: u8 = 1;
    /// The access number.
    pub const CAN: u8 = 2;
}

/// A card access number: six digits.
#[derive(Clone, Debug)]
pub struct Can(SecretBytes);

impl Can {
    /// Returns the number, which has to be six digits.
    pub fn new(text: &str) -> Option<Self> {
        let is_number = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| Self(SecretBytes::from(text.as_bytes())))
    }

    /// Returns the access number of the card with this personal number.
    pub fn of_personal_number(number: PersonalNumber) -> Self {
        let digits = Zeroizing::new(number.digits());
        Self(SecretBytes::from(&digits.as_bytes()[PersonalNumber::DIGITS - 6..]))
    }

    /// Returns the password for PACE.
    pub fn pace(&self) -> PacePassword {
        PacePassword { reference: PacePassword::CAN, secret: self.0.clone() }
    }
}

/// The key of a machine-readable zone: document number, birth and expiry, each with its check digit
/// (ICAO 9303-11, 4.3.2).
#[derive(Clone, Debug)]
pub struct MrzKey(SecretBytes);

impl MrzKey {
    /// Returns the key of a zone with this number and these dates, each `YYMMDD` as in the zone.
    ///
    /// The number may be longer than nine characters: it then goes on in the optional data, and its
    /// check digit stands after the whole (ICAO 9303-5, 4.2.2).
    pub fn new(number: &str, birth: &str, expiry: &str) -> Option<Self> {
        let is_date = |text: &str| {
            text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'<')
        };
        let is_number = (1..=22).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        if !is_number || !is_date(birth) || !is_date(expiry) {
            return None;
        }
        let mut key = SecretBytes::with_capacity(48);
        let padded = Zeroizing::new(format!("{number:<<9}"));
        for part in [padded.as_str(), birth, expiry] {
            key.extend(part.as_bytes());
            key.extend(&[check_digit(part)]);
        }
        Some(Self(key))
    }

    /// Returns the password for PACE.
    pub fn pace(&self) -> PacePassword {
        PacePassword { reference: PacePassword::MRZ, secret: SecretBytes::from(&self.digest()[..]) }
    }

    /// Returns the keys for basic access control (ICAO 9303-11, 4.3.2 and 9.7.2).
    pub fn bac_keys(&self) -> SessionKeys {
        SessionKeys::derive(Cipher::TripleDes, &self.digest()[..16])
    }

    fn digest(&self) -> Zeroizing<[u8; 20]> {
        Zeroizing::new(Sha1::digest(&*self.0).into())
    }

    /// Returns the keys of the zones that a document may have, the most likely first.
    fn candidates(document: &Document) -> Vec<Self> {
        let Some(number) = zone_number(document) else { return Vec::new() };
        let Some(birth) = document.birth.as_ref().map(|birth| birth.value) else {
            return Vec::new();
        };
        let mut keys: Vec<Self> = Vec::new();
        for birth in births(birth) {
            for expiry in expiries(document) {
                let Some(key) = Self::new(&number, &birth, &expiry) else { continue };
                if !keys.iter().any(|known| *known.0 == *key.0) {
                    keys.push(key);
                }
            }
        }
        keys.truncate(MAX_CANDIDATES);
        keys
    }
}

/// Everything that may open one chip.
#[derive(Clone, Debug, Default)]
pub struct Password {
    /// The access number.
    pub can: Option<Can>,
    /// Keys of the zone, the most likely first, at most [`MAX_CANDIDATES`].
    pub zones: Vec<MrzKey>,
}

impl Password {
    /// Returns what a document opens its chip with; nothing where it does not say enough.
    pub fn of_document(document: &Document) -> Self {
        let can = match document.kind {
            // A passport's access number, where it has one, is printed and not in the zone.
            DocumentKind::Passport => None,
            _ => document.personal_number().map(Can::of_personal_number),
        };
        Self { can, zones: MrzKey::candidates(document) }
    }

    /// Returns an access number alone.
    pub fn of_can(can: Can) -> Self {
        Self { can: Some(can), zones: Vec::new() }
    }

    /// Returns the key of one zone alone.
    pub fn of_zone(key: MrzKey) -> Self {
        Self { can: None, zones: vec![key] }
    }

    /// Whether there is nothing to open a chip with.
    pub fn is_empty(&self) -> bool {
        self.can.is_none() && self.zones.is_empty()
    }
}

/// Returns the document number as it stands in the zone: of a Vietnamese card, the last nine digits
/// of the personal number.
fn zone_number(document: &Document) -> Option<Zeroizing<String>> {
    match document.kind {
        DocumentKind::Passport => document
            .numbers
            .iter()
            .find(|number| number.value.kind() == NumberKind::Passport)
            .map(|number| Zeroizing::new(number.value.as_str().to_owned())),
        _ => {
            let digits = Zeroizing::new(document.personal_number()?.digits());
            digits.get(PersonalNumber::DIGITS - 9..).map(|last| Zeroizing::new(last.to_owned()))
        }
    }
}

/// Returns how a date of birth stands in the zone: parts that are not known are fillers (ICAO
/// 9303-3, 4.8), and on some cards zeros.
fn births(birth: PartialDate) -> Vec<Zeroizing<String>> {
    let with = |unknown: &str| {
        let part = |part: u8| match part {
            0 => unknown.to_owned(),
            part => format!("{part:02}"),
        };
        let year = birth.year() % 100;
        Zeroizing::new(format!("{year:02}{}{}", part(birth.month()), part(birth.day())))
    };
    match birth.full() {
        Some(_) => vec![with("")],
        None => vec![with("<<"), with("00")],
    }
}

/// Returns the dates of expiry that the zone may state, the most likely first.
///
/// What is written counts alone. What was derived by the law's rule may be off where the rule
/// leaves a day open, and where the card was issued by another reading of it: the other milestones
/// follow, and never.
fn expiries(document: &Document) -> Vec<Zeroizing<String>> {
    use crate::document::{Source, derived_expiry};

    let written = |expiry: Expiry| match expiry {
        Expiry::Never => Zeroizing::new(NEVER.to_owned()),
        Expiry::On(day) => zone_date(day),
    };
    let birth = document.birth.as_ref().and_then(|birth| birth.value.full());
    let stated = document.expiry.as_ref();
    if let Some(stated) = stated.filter(|expiry| expiry.source != Source::Derived) {
        return vec![written(stated.value)];
    }
    let mut expiries: Vec<Expiry> = stated.map(|expiry| expiry.value).into_iter().collect();
    if let (Some(birth), Some(issued)) = (birth, document.issued.as_ref()) {
        expiries.push(derived_expiry(birth, issued.value));
        if let (2, 29, Expiry::On(day)) = (birth.month(), birth.day(), expiries[0])
            && let Some(eve) = Date::new(day.year(), 2, 28).filter(|_| day.month() == 3)
        {
            // In a year without that day, the rule says 1 March and a card may say 28 February.
            expiries.push(Expiry::On(eve));
        }
        let milestones = [14, 25, 40, 60].map(|age| birth.add_years(age));
        expiries.extend(milestones.into_iter().filter(|day| *day > issued.value).map(Expiry::On));
    }
    expiries.push(Expiry::Never);
    // The last place is that of a card that never expires, however many others there are.
    let mut unique: Vec<Expiry> = Vec::new();
    for expiry in expiries {
        if !unique.contains(&expiry) {
            unique.push(expiry);
        }
    }
    if let Some(never) = unique.iter().position(|expiry| *expiry == Expiry::Never)
        && never >= MAX_CANDIDATES
    {
        unique.swap(never, MAX_CANDIDATES - 1);
    }
    unique.truncate(MAX_CANDIDATES);
    unique.into_iter().map(written).collect()
}

/// Returns a day as `YYMMDD`.
fn zone_date(day: Date) -> Zeroizing<String> {
    Zeroizing::new(format!("{:02}{:02}{:02}", day.year() % 100, day.month(), day.day()))
}

/// Returns the check digit of a field of the zone (ICAO 9303-3, 4.9).
fn check_digit(field: &str) -> u8 {
    let values = field.bytes().map(|byte| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    });
    let sum: u32 =
        values.zip([7, 3, 1].into_iter().cycle()).map(|(value, weight)| value * weight).sum();
    b'0' + (sum % 10) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::secret::vectors::hex;
    use super::super::symmetric::{Key, Purpose};
    use super::*;
    use crate::document::{mrz, qr};

    /// The invented citizen of every test.
    const QR: &str = "048088999901|201999901|Nguyễn Văn Mẫu|02031988|Nam|Tổ 99, Đà Nẵng|15082021";

    fn expiries_of(payload: &str) -> Vec<String> {
        let document = qr::parse(payload.as_bytes()).expect("a card");
        let zones = Password::of_document(&document).zones;
        zones.iter().map(|key| String::from_utf8_lossy(&key.0[17..23]).into_owned()).collect()
    }

    #[test]
    fn code_and_zone_of_one_card_give_one_key() {
        let zone = "IDVNM0889999015048088999901<<5\n8803023M2803021VNM<<<<<<<<<<<4\n\
                    NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";
        let of_zone = Password::of_document(&mrz::parse(zone).expect("a zone"));
        let of_code = Password::of_document(&qr::parse(QR.as_bytes()).expect("a card"));
        assert_eq!(of_zone.zones.len(), 1);
        for password in [&of_zone, &of_code] {
            assert_eq!(&*password.zones[0].0, b"088999901588030232803021");
            assert_eq!(&*password.can.as_ref().expect("a number").0, b"999901");
        }
        let keys = SessionKeys::derive(Cipher::TripleDes, &hex("922FE4A6D7E337E720112CA96BD8DA6E"));
        let found = of_code.zones[0].bac_keys();
        let message = b"message";
        assert_eq!(found.authentication.mac(message), keys.authentication.mac(message));
        for (password, expected) in [
            (of_code.can.as_ref().expect("a number").pace(), "080E7E5AF139BB0F76D562D17E8E2397"),
            (of_code.zones[0].pace(), "833543BEECE7FC5BAF46B964C7FB910B"),
        ] {
            let key = Key::derive(Cipher::Aes128, &password.secret, Purpose::Password);
            assert_eq!(key.as_bytes(), hex(expected));
        }
    }

    #[test]
    fn zone_of_the_worked_example_gives_its_key() {
        // ICAO 9303-11, appendix G.1.
        let key = MrzKey::new("T22000129", "640812", "101031").expect("a key");
        assert_eq!(&*key.0, b"T22000129364081251010318");
        let key = Key::derive(Cipher::Aes128, &key.pace().secret, Purpose::Password);
        assert_eq!(key.as_bytes(), hex("89DED1B26624EC1E634C1989302849DD"));
    }

    #[test]
    fn expiry_that_a_code_does_not_state_is_guessed_in_order() {
        for (payload, expected) in [
            (QR, &["280302", "480302", "991231"][..]),
            // Over sixty.
            ("086155999904|331999904|ĐẶNG THỊ ĐỘ MẪU|10101955|Nữ|Ấp Đông|20092022", &["991231"]),
            // Born on a leap day.
            (
                "079200999906||Đỗ Đình Đại Mẫu|29022000|Nam|99 Đường|28022023||||",
                &["250301", "250228", "400229", "991231"],
            ),
            // A child.
            (
                "091218999908||Lê Minh Bé Thử|01062018|Nam|Ấp Bãi Mẫu|20072024||||",
                &["320601", "430601", "580601", "991231"],
            ),
        ] {
            assert_eq!(expiries_of(payload), expected, "{payload}");
        }
    }

    #[test]
    fn birth_that_is_not_wholly_known_is_tried_in_both_forms() {
        let payload = QR.replace("02031988", "00001988");
        let document = qr::parse(payload.as_bytes()).expect("a card");
        let zones = Password::of_document(&document).zones;
        let births: Vec<_> =
            zones.iter().map(|key| String::from_utf8_lossy(&key.0[10..16]).into_owned()).collect();
        assert_eq!(births, ["88<<<<", "880000"]);
    }

    #[test]
    fn passport_opens_by_its_own_number() {
        let zone = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\n\
                    L898902C36UTO7408122F1204159ZE184226B<<<<<10";
        let password = Password::of_document(&mrz::parse(zone).expect("a zone"));
        assert!(password.can.is_none());
        assert_eq!(&*password.zones[0].0, b"L898902C3674081221204159");
    }

    #[test]
    fn what_is_no_password_is_refused() {
        for text in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert!(Can::new(text).is_none(), "{text}");
        }
        for (number, birth, expiry) in [
            ("", "880302", "280302"),
            ("088 999", "880302", "280302"),
            ("088999901", "88030", "280302"),
            ("088999901", "880302", "28-3-2"),
        ] {
            assert!(MrzKey::new(number, birth, expiry).is_none(), "{number} {birth} {expiry}");
        }
        assert!(Password::default().is_empty());
    }

    #[test]
    fn passwords_hide_from_debug() {
        let document = qr::parse(QR.as_bytes()).expect("a card");
        let password = Password::of_document(&document);
        let shown = format!("{password:?} {:?}", password.zones[0].pace());
        for part in ["9999", "8803", "2803", "39, 39", "57, 57"] {
            assert!(!shown.contains(part), "{part} in {shown}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(number in ".*", birth in ".*", expiry in ".*") {
            let _ = Can::new(&number);
            let _ = MrzKey::new(&number, &birth, &expiry);
        }
    }
}
