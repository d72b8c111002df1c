//! The plan: some forty cards, what each is there to show, and the answer it must get.
//!
//! Every person here is made for one purpose: the notices about them, their row in the register
//! and their card are written side by side, and the expected answer stands next to them. All have
//! the syllable "Mẫu" in their name, which nobody of the population has, and numbers from the
//! reserved ends, so that no other notice and no other row can hit them by accident.
//!
//! Ages are counted back from the world's day, cards of 2021 were issued in 2023: for worlds of
//! the years 2026 to 2034 the cards are valid, unless the story says otherwise. Later than that no
//! real card of that form is valid either.

use super::card::{Card, CardText, Expected, FIRST_OF_2024, Surface};
use super::people::{self, Person, RESERVED_CMND_TAIL, RESERVED_TAIL};
use super::random::{Random, Stream};
use super::shots::zone_of_card;
use super::{LEFT_OUT, RegisterSource};
use sync_format::v1::date::{Date, PartialDate};
use sync_format::v1::notice::{Action, Category, Cautions, Notice, Number, NumberKind, Sex};
use sync_format::v1::register::Status;
use unicode_normalization::UnicodeNormalization;

const MATCH: &str = "MATCH";
const REFER: &str = "REFER";
const NOT_CHECKED: &str = "NOT CHECKED";
const NOT_LISTED: &str = "NOT LISTED";
const NOT_A_CARD: &str = "NOT A CARD";

/// The cards, with the notices and register rows they need.
pub struct Plan {
    /// Cards for a world whose lists are fresh.
    pub cards: Vec<Card>,
    /// Cards for the same world when its list of notices is too old.
    pub cards_when_list_is_old: Vec<Card>,
    /// Notices about the people of the plan, numbered from 1.
    pub notices: Vec<Notice>,
    /// Their rows in the loaded register, ascending by number.
    pub register: Vec<RegisterSource>,
    /// Cards that disagree with their row, which short tags must be able to tell.
    pub disagreements: Vec<Disagreement>,
    seed: u64,
    today: Date,
    invented: u64,
}

/// What a card says against what the register has, for one number.
#[derive(Clone)]
pub struct Disagreement {
    /// The card.
    pub printed: CardText,
    /// The row.
    pub registered: RegisterSource,
}

impl Plan {
    /// Writes the plan for the world of `seed` on the day `today`.
    pub fn new(seed: u64, today: Date) -> Plan {
        let mut plan = Plan {
            cards: Vec::new(),
            cards_when_list_is_old: Vec::new(),
            notices: Vec::new(),
            register: Vec::new(),
            disagreements: Vec::new(),
            seed,
            today,
            invented: 0,
        };
        plan.add_clean_citizens();
        plan.add_wanted_and_stopped();
        plan.add_those_who_only_look_alike();
        plan.add_documents();
        plan.add_register_disagreements();
        plan.add_cards_against_themselves();
        plan.add_other_codes();
        plan.add_backs();
        plan.register.sort_by_key(|row| row.number);
        plan
    }

    fn add_clean_citizens(&mut self) {
        let who = self.invent("Nguyễn Mẫu An", Sex::Male, 48, 37, (3, 2));
        self.registers(who.row());
        self.shows(
            "clean-2021",
            "A citizen with nothing on file, card of 2021.",
            &who,
            NOT_LISTED,
            &[],
        );
        self.shows_when_list_is_old(
            "clean",
            "A citizen with nothing on file, while the list is too old for a clear answer.",
            &who,
            NOT_CHECKED,
            &["list-too-old"],
        );

        let who = self.invent("Trần Mẫu Bích", Sex::Female, 1, 33, (11, 17)).of_2024();
        self.registers(who.row());
        self.shows(
            "clean-2024",
            "A citizen with nothing on file, card of 2024 with eleven fields.",
            &who,
            NOT_LISTED,
            &[],
        );

        let who = self.invent("Lê Mẫu Thủy Hòa", Sex::Female, 46, 36, (8, 30));
        self.registers(who.row());
        let decomposed: String = who.payload_text().nfd().collect();
        self.shows_payload(
            "clean-decomposed",
            "The code has a byte-order mark, decomposed letters and CR LF, as some printers make it.",
            &who,
            format!("\u{FEFF}{decomposed}\r\n").into_bytes(),
        );

        let mut who = self.invent("Đặng Thị Mẫu Độ", Sex::Female, 86, 71, (10, 10));
        self.registers(who.row());
        who.text.name = who.text.name.to_uppercase();
        self.shows(
            "clean-upper-case",
            "A card without end of validity whose name is in capitals.",
            &who,
            NOT_LISTED,
            &[],
        );

        let who = self.invent("Phạm Mẫu Duy", Sex::Male, 31, 38, (1, 9));
        self.registers(who.row());
        let payload = who.text.payload_drawn_anew();
        self.shows_payload(
            "clean-drawn-anew",
            "The code was drawn anew by another app: six fields, dates with strokes.",
            &who,
            payload,
        );

        let who = self.invent("Lý Mẫu Kim", Sex::Female, 139, 54, (9, 9));
        self.registers(who.row());
        self.shows(
            "clean-born-abroad",
            "Born in Cambodia: the number begins with a country's code.",
            &who,
            NOT_LISTED,
            &[],
        );

        let who = self.invent("H'Mẫu Niê Kđăm", Sex::Female, 66, 37, (12, 31));
        self.registers(who.row());
        self.shows("clean-apostrophe", "A name with apostrophe and breve.", &who, NOT_LISTED, &[]);

        let who = self.invent("Huỳnh Mẫu Phúc", Sex::Male, LEFT_OUT, 36, (6, 6));
        self.shows(
            "region-not-loaded",
            "Of a province whose register is not on the device: said in one line, nothing more.",
            &who,
            NOT_LISTED,
            &[],
        );
    }

    fn add_wanted_and_stopped(&mut self) {
        let who = self.invent("Nguyễn Mẫu Hùng", Sex::Male, 40, 38, (2, 14));
        self.registers(who.row());
        self.lists(who.notice(Category::W1, "173"));
        self.shows(
            "wanted-number",
            "Wanted for theft; number, name and birth date agree.",
            &who,
            MATCH,
            &["notice-number"],
        );
        self.shows_when_list_is_old(
            "wanted",
            "Wanted for theft: a hit stays a hit, however old the list is.",
            &who,
            MATCH,
            &["notice-number", "list-too-old"],
        );

        let who = self.invent("Bùi Mẫu Cường", Sex::Male, 30, 53, (7, 21));
        self.registers(who.row());
        let mut notice = who.notice(Category::W4, "168;249");
        notice.numbers.clear();
        self.lists(notice);
        self.shows(
            "wanted-name-and-birth",
            "Escaped while serving a sentence; the notice has no number, but name, birth date and sex.",
            &who,
            MATCH,
            &["notice-name-birth"],
        );

        let who = self.invent("Võ Mẫu Thành", Sex::Male, 92, 55, (4, 5)).with_cmnd();
        self.registers(who.row());
        let mut notice = who.notice(Category::W1, "174");
        notice.numbers = who.cmnd_number();
        notice.birth = year_of(who.birth);
        self.lists(notice);
        self.shows(
            "wanted-old-number",
            "The notice has only the old nine-digit number, which the card repeats.",
            &who,
            MATCH,
            &["notice-number"],
        );

        let mut who = self.invent("Đỗ Mẫu Giang", Sex::Female, 51, 32, (5, 5)).of_2024();
        self.registers(who.row());
        let cancelled = self.next_number(51, Sex::Female, who.birth.year());
        who.text.cancelled = Some(cancelled);
        let mut notice = who.notice(Category::W1, "134");
        notice.numbers = vec![personal(cancelled)];
        notice.birth = year_of(who.birth);
        self.lists(notice);
        self.shows(
            "wanted-cancelled-number",
            "The notice is older than the correction of a number that the card names as cancelled.",
            &who,
            MATCH,
            &["notice-number"],
        );

        let who = self.invent("Phan Mẫu Long", Sex::Male, 79, 37, (9, 2));
        self.registers(who.row());
        self.lists(who.notice(Category::X1, "36.2"));
        self.shows(
            "exit-suspended",
            "Exit is suspended: not an order of arrest.",
            &who,
            MATCH,
            &["notice-number"],
        );

        let who = self.invent("Sok Mẫu Dara", Sex::Male, 139, 36, (3, 15));
        self.registers(who.row());
        let mut notice = who.notice(Category::X2, "21.5");
        notice.numbers = vec![Number { kind: NumberKind::Passport, text: "N9999901".into() }];
        self.lists(notice);
        self.shows(
            "entry-refused",
            "Entry was refused under a foreign passport; name, birth date and sex agree.",
            &who,
            MATCH,
            &["notice-name-birth"],
        );

        let who = self.invent("Mai Mẫu Sương", Sex::Female, 38, 70, (10, 20));
        self.registers(who.row());
        self.lists(who.notice(Category::M1, ""));
        self.shows("missing", "A missing adult: help, and ask.", &who, MATCH, &["notice-number"]);

        let mut who = self.invent("Giàng Mẫu Páo", Sex::Male, 2, 9, (6, 1)).of_2024();
        who.text.parents = Some(["Giàng A Mẫu".into(), "Sùng Thị Mẫu".into()]);
        self.registers(who.row());
        self.lists(who.notice(Category::M2, ""));
        self.shows(
            "child-at-risk",
            "A child at risk, card of 2024 with both parents' names.",
            &who,
            MATCH,
            &["notice-number"],
        );
    }

    fn add_those_who_only_look_alike(&mut self) {
        let who = self.invent("Hoàng Mẫu Quân", Sex::Male, 20, 38, (1, 25));
        self.registers(who.row());
        let mut notice = who.notice(Category::W1, "251");
        self.lapses(&mut notice);
        self.lists(notice);
        self.shows(
            "lapsed-notice",
            "The notice about this man lapsed; it says nothing any more.",
            &who,
            NOT_LISTED,
            &[],
        );

        let who = self.invent("Trần Mẫu Tuấn", Sex::Male, 36, 37, (5, 12));
        let wanted = self.invent("Trần Mẫu Tuấn", Sex::Male, 36, 37, (8, 3));
        self.registers(who.row());
        self.registers(wanted.row());
        self.lists(wanted.notice(Category::W1, "173;174"));
        self.shows(
            "namesake",
            "Has the name and birth year of a wanted man, born on another day.",
            &who,
            NOT_LISTED,
            &[],
        );

        let who = self.invent("Ngô Mẫu Song Anh", Sex::Male, 24, 36, (2, 2));
        let wanted = self.invent("Ngô Mẫu Song Em", Sex::Male, 24, 36, (2, 2));
        self.registers(who.row());
        self.registers(wanted.row());
        self.lists(wanted.notice(Category::W5, "134"));
        self.shows(
            "twin",
            "The twin of a wanted man: all but the given name agrees.",
            &who,
            NOT_LISTED,
            &[],
        );

        let who = self.invent("Đinh Mẫu Khoa", Sex::Male, 17, 52, (11, 11));
        self.registers(who.row());
        let mut notice = who.notice(Category::W1, "175");
        notice.numbers.clear();
        notice.birth = year_of(who.birth);
        self.lists(notice);
        self.shows(
            "same-name-and-year",
            "The notice knows name and birth year alone, as a quarter of the innocent share them.",
            &who,
            NOT_LISTED,
            &[],
        );

        // The card leaves the day open and the notice knows it: asking for it settles the matter.
        let mut who = self.invent("Lưu Mẫu Tần", Sex::Male, 22, 72, (3, 30));
        let mut notice = who.notice(Category::W5, "178");
        notice.numbers.clear();
        self.lists(notice);
        who.text.birth = year_of(who.birth);
        self.registers(who.row());
        self.shows(
            "birth-day-unknown",
            "The card gives a birth year alone, and a wanted man of this name is of that year.",
            &who,
            REFER,
            &["notice-possible"],
        );

        let who = self.invent("Dương Mẫu Lan", Sex::Female, 87, 38, (4, 28));
        self.registers(who.row());
        let mut notice = who.notice(Category::W1, "174");
        notice.name = "Cao Mẫu Nga".into();
        notice.birth = year_of(Date::from_days(who.birth.to_days() - 9 * 365));
        notice.sex = None;
        self.lists(notice);
        self.shows(
            "number-alone",
            "A notice has this number under another name and birth year: a slip, or a false card.",
            &who,
            REFER,
            &["notice-possible"],
        );
    }

    fn add_documents(&mut self) {
        for (name, category, story, reason) in [
            ("Vũ Mẫu Thịnh", Category::D1, "The card is reported lost.", "document-lost"),
            ("Lương Mẫu Hà", Category::D2, "The card is reported stolen.", "document-stolen"),
            ("Tô Mẫu Vinh", Category::D3, "The card was revoked.", "document-revoked"),
        ] {
            let who = self.invent(name, Sex::Male, 33, 37, (6, 15));
            self.registers(who.row());
            let mut notice = who.notice(category, "");
            // Such notices are about the paper: the number alone has to be enough.
            if category == Category::D2 {
                notice.name.clear();
                notice.birth = PartialDate::UNKNOWN;
                notice.sex = None;
            }
            self.lists(notice);
            self.shows(reason, story, &who, REFER, &[reason]);
        }

        let who = self.invent("Triệu Mẫu Ngân", Sex::Female, 34, 35, (2, 27)).of_2024();
        self.registers(who.row());
        self.lists(who.notice(Category::D1, ""));
        self.shows(
            "lost-and-replaced",
            "The card before this one was reported lost; the new one has the same number.",
            &who,
            NOT_LISTED,
            &[],
        );
    }

    fn add_register_disagreements(&mut self) {
        let who = self.invent("Nguyễn Mẫu Thảo", Sex::Female, 25, 36, (3, 8));
        let mut row = who.row();
        row.name = "Lưu Mẫu Thu".into();
        self.disagrees(
            "register-name-differs",
            "The register has another name for this number.",
            &who,
            row,
        );

        let who = self.invent("Trịnh Mẫu Hải", Sex::Male, 27, 37, (7, 7));
        let mut row = who.row();
        row.birth = Date::from_days(who.birth.to_days() + 40).into();
        self.disagrees(
            "register-birth-differs",
            "The register has another birth date for this number.",
            &who,
            row,
        );

        let who = self.invent("Cao Mẫu Nhung", Sex::Female, 35, 38, (9, 19));
        let mut row = who.row();
        row.issued = Some(Date::from_days(who.text.issued.to_days() + 333));
        self.disagrees(
            "register-issue-differs",
            "The register knows of a card issued on another day.",
            &who,
            row,
        );

        let who = self.invent("Hồ Mẫu Tâm", Sex::Male, 75, 36, (5, 30));
        self.shows(
            "register-unknown-number",
            "The register of this province is loaded and has no such number: invented, it seems.",
            &who,
            REFER,
            &["register-unknown-number"],
        );

        for (name, status, story, reason) in [
            (
                "Lâm Mẫu Đức",
                Status::Replaced,
                "The register says that this card was replaced.",
                "register-status-replaced",
            ),
            (
                "Tạ Mẫu Bình",
                Status::Lost,
                "The register says that this card was lost.",
                "register-status-lost",
            ),
            (
                "Thái Mẫu Sơn",
                Status::Stolen,
                "The register says that this card was stolen.",
                "register-status-stolen",
            ),
            (
                "Kiều Mẫu Toàn",
                Status::Revoked,
                "The register says that this card was revoked.",
                "register-status-revoked",
            ),
            (
                "Đoàn Mẫu Lợi",
                Status::Deceased,
                "The register says that the holder has died.",
                "register-status-deceased",
            ),
        ] {
            let who = self.invent(name, Sex::Male, 75, 55, (8, 18));
            let mut row = who.row();
            row.status = status;
            self.registers(row);
            self.shows(reason, story, &who, REFER, &[reason]);
        }
    }

    fn add_cards_against_themselves(&mut self) {
        let mut who = self.invent("Châu Mẫu Yến", Sex::Male, 83, 37, (10, 4));
        who.text.sex = Sex::Female;
        self.registers(who.row());
        self.shows(
            "number-sex-contradiction",
            "The card says woman, the number says man.",
            &who,
            REFER,
            &["number-sex-contradiction"],
        );

        let mut who = self.invent("Quách Mẫu Tài", Sex::Male, 94, 37, (12, 12));
        who.birth = on(who.birth.year() + 1, who.birth.month(), who.birth.day());
        who.text.birth = who.birth.into();
        self.registers(who.row());
        self.shows(
            "number-year-contradiction",
            "The card and the register say one birth year, the number another.",
            &who,
            REFER,
            &["number-year-contradiction"],
        );

        // Issued more than two years before the holder was 25, which was 200 days ago.
        let mut who = self.invent("Phùng Mẫu Linh", Sex::Female, 56, 37, (1, 1));
        let born = Date::from_days(self.today.to_days() - 200 - 25 * 365 - 6);
        who.birth = born;
        who.text.birth = born.into();
        who.text.number = self.next_number(56, Sex::Female, born.year());
        who.text.issued = Date::from_days(born.add_years(23).to_days() - 120);
        self.registers(who.row());
        self.shows(
            "document-expired",
            "The card ran out when its holder became 25.",
            &who,
            REFER,
            &["document-expired"],
        );
    }

    fn add_other_codes(&mut self) {
        for (reason, story, title, payload) in [
            (
                "payment",
                "A code for payments, not a card.",
                "MA THANH TOAN MAU",
                "00020101021138540010A00000072701240006970499011000000000000208QRIBFTTA\
                 53037045802VN5910QUAN AN MAU6006HA NOI6304FFFF",
            ),
            (
                "link",
                "A web address, not a card.",
                "TO ROI MAU",
                "https://example.org/the-mau?ref=quang-cao",
            ),
            (
                "health-insurance",
                "A health-insurance card's code, not an identity card's.",
                "THE BAO HIEM MAU",
                "GD4999999999999|4E677579E1BB856E204DE1BAAB75|02/03/1988|1|5853E1BAAB75|99 - 999|\
                 01/01/2026|-|01/01/2026|9999999999999|-|4|01/01/2030|99999999999999-9999|$",
            ),
        ] {
            self.push(Card {
                file: format!("not-a-card-{reason}"),
                payload: payload.as_bytes().to_vec(),
                expected: Expected { verdict: NOT_A_CARD, reasons: vec![reason] },
                story,
                lines: vec![title.to_owned()],
                surface: Surface::Slip,
            });
        }
    }

    fn add_backs(&mut self) {
        let who = self.invent("Võ Mẫu Quế", Sex::Female, 48, 37, (4, 15));
        self.registers(who.row());
        self.shows_back(
            "clean-back",
            "The back of a clean citizen's card: the zone proves nothing, and is checked all the same.",
            &who,
            NOT_LISTED,
            &[],
        );

        let who = self.invent("Đinh Mẫu Sáng", Sex::Male, 31, 38, (5, 28));
        self.registers(who.row());
        self.lists(who.notice(Category::W1, "174"));
        self.shows_back(
            "wanted-back",
            "Wanted for fraud, found by the back of the card.",
            &who,
            MATCH,
            &["notice-number"],
        );
    }

    /// Makes a person with a card of 2021 whom nothing is on file about.
    ///
    /// `age` is reached in the year of the world's day. Ages 36 to 38, 52 to 57 and from 70 have a
    /// card that is valid in every year the plan is for.
    fn invent(&mut self, name: &str, sex: Sex, prefix: u16, age: u16, day: (u8, u8)) -> Invented {
        let birth = on(self.today.year() - age, day.0, day.1);
        let serial = self.invented;
        let mut random = Random::new(self.seed, Stream::Card, u64::MAX - serial);
        let issued = on(2023, random.between(1, 12) as u8, random.between(1, 28) as u8);
        Invented {
            birth,
            today: self.today,
            text: CardText {
                number: self.next_number(prefix, sex, birth.year()),
                cmnd: None,
                name: name.nfc().collect(),
                birth: birth.into(),
                sex,
                address: people::address(&mut random, prefix, issued),
                issued,
                cancelled: None,
                parents: None,
            },
            serial,
            prefix,
        }
    }

    /// Returns a number of the reserved end that nobody has had yet.
    fn next_number(&mut self, prefix: u16, sex: Sex, year: u16) -> u64 {
        let serial = self.invented;
        self.invented += 1;
        people::number(prefix, sex, year, RESERVED_TAIL + serial)
    }

    fn registers(&mut self, row: RegisterSource) {
        self.register.push(row);
    }

    fn lists(&mut self, mut notice: Notice) {
        notice.id = self.notices.len() as u64 + 1;
        notice.decision = format!("QĐ {}/QĐ-MẪU", notice.id);
        self.notices.push(notice);
    }

    fn lapses(&self, notice: &mut Notice) {
        notice.decided = Date::from_days(self.today.to_days() - 900);
        notice.valid_to = Date::from_days(self.today.to_days() - 40);
    }

    fn shows(
        &mut self,
        name: &str,
        story: &'static str,
        who: &Invented,
        verdict: &'static str,
        reasons: &[&'static str],
    ) {
        self.push(who.card(name, story, who.text.payload(), verdict, reasons));
    }

    fn shows_back(
        &mut self,
        name: &str,
        story: &'static str,
        who: &Invented,
        verdict: &'static str,
        reasons: &[&'static str],
    ) {
        let person = who.person();
        let payload = zone_of_card(&person).join("\n").into_bytes();
        let card = who.card(name, story, payload, verdict, reasons);
        let surface = Surface::CardBack(Box::new(person));
        self.push(Card { surface, lines: Vec::new(), ..card });
    }

    /// A clean citizen's card whose code is written in another way.
    fn shows_payload(&mut self, name: &str, story: &'static str, who: &Invented, payload: Vec<u8>) {
        self.push(who.card(name, story, payload, NOT_LISTED, &[]));
    }

    fn shows_when_list_is_old(
        &mut self,
        name: &str,
        story: &'static str,
        who: &Invented,
        verdict: &'static str,
        reasons: &[&'static str],
    ) {
        let mut card = who.card(name, story, who.text.payload(), verdict, reasons);
        card.file = format!("old-list-{:02}-{name}.png", self.cards_when_list_is_old.len() + 1);
        self.cards_when_list_is_old.push(card);
    }

    fn disagrees(
        &mut self,
        reason: &'static str,
        story: &'static str,
        who: &Invented,
        row: RegisterSource,
    ) {
        self.disagreements
            .push(Disagreement { printed: who.text.clone(), registered: row.clone() });
        self.registers(row);
        self.shows(reason, story, who, REFER, &[reason]);
    }

    fn push(&mut self, mut card: Card) {
        card.file = format!("{:02}-{}.png", self.cards.len() + 1, card.file);
        self.cards.push(card);
    }
}

/// Somebody of the plan, before it is written down what is known of them.
struct Invented {
    birth: Date,
    today: Date,
    text: CardText,
    serial: u64,
    prefix: u16,
}

impl Invented {
    /// Gives the person a card of 2024 in place of that of 2021: issued 150 days ago.
    fn of_2024(mut self) -> Invented {
        let issued = Date::from_days(self.today.to_days() - 150).max(FIRST_OF_2024);
        self.text.issued = issued;
        self
    }

    fn with_cmnd(mut self) -> Invented {
        let place = people::province(self.prefix).map_or(2, |province| province.cmnd);
        self.text.cmnd = Some(place * 10_000_000 + RESERVED_CMND_TAIL + self.serial as u32);
        self
    }

    fn cmnd_number(&self) -> Vec<Number> {
        let text = self.text.cmnd.map(|number| format!("{number:09}"));
        text.map(|text| Number { kind: NumberKind::Cmnd, text }).into_iter().collect()
    }

    fn payload_text(&self) -> String {
        String::from_utf8_lossy(&self.text.payload()).into_owned()
    }

    /// What the register has when all agrees.
    fn row(&self) -> RegisterSource {
        RegisterSource {
            number: self.text.number,
            name: self.text.name.clone(),
            birth: self.text.birth,
            issued: Some(self.text.issued),
            status: Status::Valid,
        }
    }

    fn person(&self) -> Person {
        Person {
            index: 0,
            number: self.text.number,
            cmnd: self.text.cmnd,
            name: self.text.name.clone(),
            sex: self.text.sex,
            birth: self.text.birth,
            issued: Some(self.text.issued),
            status: Status::Valid,
        }
    }

    /// A notice in force about this person, with everything that it can have.
    fn notice(&self, category: Category, code: &str) -> Notice {
        Notice {
            id: 0,
            category,
            code: code.to_owned(),
            decision: String::new(),
            issuer: "Cơ quan Mẫu A".into(),
            decided: Date::from_days(self.today.to_days() - 200),
            valid_to: Date::from_days(self.today.to_days() + 700),
            action: action_of(category),
            contact: "Trực ban Mẫu A, máy lẻ 101".into(),
            name: self.text.name.clone(),
            aliases: Vec::new(),
            birth: self.text.birth,
            sex: Some(self.text.sex),
            numbers: vec![personal(self.text.number)],
            cautions: Cautions::default(),
            marks: match category {
                Category::W1 | Category::W4 | Category::M1 | Category::M2 => {
                    "Nốt ruồi cách mép phải 2 cm (mẫu)".into()
                }
                _ => String::new(),
            },
            photo: Vec::new(),
        }
    }

    fn card(
        &self,
        name: &str,
        story: &'static str,
        payload: Vec<u8>,
        verdict: &'static str,
        reasons: &[&'static str],
    ) -> Card {
        Card {
            file: name.to_owned(),
            payload,
            expected: Expected { verdict, reasons: reasons.to_vec() },
            story,
            lines: self.text.lines(),
            surface: Surface::CardFront,
        }
    }
}

/// Returns the one action that fits a category.
pub fn action_of(category: Category) -> Action {
    match category {
        Category::W1 | Category::W2 | Category::W3 | Category::W4 | Category::W5 => {
            Action::VerifyAndReport
        }
        Category::X1 => Action::DenyExit,
        Category::X2 => Action::DenyEntry,
        Category::M1 => Action::Assist,
        Category::M2 => Action::Protect,
        Category::D1 | Category::D2 | Category::D3 => Action::HoldDocument,
    }
}

fn personal(number: u64) -> Number {
    Number { kind: NumberKind::Personal, text: format!("{number:012}") }
}

fn year_of(birth: Date) -> PartialDate {
    PartialDate::new(birth.year(), 0, 0).unwrap_or(PartialDate::UNKNOWN)
}

fn on(year: u16, month: u8, day: u8) -> Date {
    Date::new(year, month, day).expect("the plan has days of the calendar only")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invented::names::without_marks;
    use std::collections::{BTreeSet, HashSet};

    fn is_front(card: &Card) -> bool {
        matches!(card.surface, Surface::CardFront)
    }

    fn plan() -> Plan {
        Plan::new(1, on(2026, 11, 24))
    }

    #[test]
    fn every_answer_of_a_card_without_chip_is_expected_of_some_card() {
        let plan = plan();
        let all = plan.cards.iter().chain(&plan.cards_when_list_is_old);
        let verdicts: BTreeSet<&str> = all.clone().map(|card| card.expected.verdict).collect();
        let expected = [MATCH, REFER, NOT_LISTED, NOT_CHECKED, NOT_A_CARD];
        assert_eq!(verdicts, BTreeSet::from(expected));
        let reasons: BTreeSet<&str> =
            all.flat_map(|card| card.expected.reasons.iter().copied()).collect();
        let expected = [
            "notice-number",
            "notice-name-birth",
            "notice-possible",
            "document-lost",
            "document-stolen",
            "document-revoked",
            "document-expired",
            "register-name-differs",
            "register-birth-differs",
            "register-issue-differs",
            "register-unknown-number",
            "register-status-replaced",
            "register-status-lost",
            "register-status-stolen",
            "register-status-revoked",
            "register-status-deceased",
            "number-sex-contradiction",
            "number-year-contradiction",
            "list-too-old",
            "payment",
            "link",
            "health-insurance",
        ];
        assert_eq!(reasons, BTreeSet::from(expected));
    }

    #[test]
    fn plain_answers_have_no_reason_and_all_others_have() {
        for card in plan().cards {
            assert_eq!(card.expected.verdict == NOT_LISTED, card.expected.reasons.is_empty());
        }
    }

    #[test]
    fn files_numbers_and_people_are_each_once() {
        let plan = plan();
        let files: HashSet<&str> = plan.cards.iter().map(|card| card.file.as_str()).collect();
        assert_eq!(files.len(), plan.cards.len());
        let numbers: HashSet<u64> = plan.register.iter().map(|row| row.number).collect();
        assert_eq!(numbers.len(), plan.register.len());
        let people: HashSet<(String, PartialDate)> =
            plan.register.iter().map(|row| (without_marks(&row.name), row.birth)).collect();
        assert_eq!(people.len(), plan.register.len());
        assert!(plan.invented < 100, "the reserved end has a hundred numbers");
        for row in &plan.register {
            assert!(row.number % 1_000_000 >= RESERVED_TAIL);
            assert!(without_marks(&row.name).contains("MAU"), "not marked as a specimen");
        }
    }

    #[test]
    fn only_the_card_that_should_have_run_out_has() {
        for year in 2026..=2034 {
            for (month, day) in [(1, 1), (6, 30), (11, 24), (12, 31)] {
                let today = on(year, month, day);
                let plan = Plan::new(1, today);
                for card in plan.cards.iter().filter(|card| is_front(card)) {
                    let text = String::from_utf8(card.payload.clone()).expect("UTF-8");
                    let fields: Vec<&str> =
                        text.trim_matches(['\u{FEFF}', '\r', '\n']).split('|').collect();
                    let (born, issued) = match fields.len() {
                        6 => (fields[2].replace('/', ""), fields[5].replace('/', "")),
                        _ => (fields[3].to_owned(), fields[6].to_owned()),
                    };
                    let date = |text: &str| {
                        let part = |range: std::ops::Range<usize>| {
                            text[range].parse::<u16>().expect("digits")
                        };
                        // A day that is not known counts as the first.
                        on(part(4..8), part(2..4).max(1) as u8, part(0..2).max(1) as u8)
                    };
                    let (born, issued) = (date(&born), date(&issued));
                    assert!(issued <= today && issued >= on(2021, 1, 4), "{} {today}", card.file);
                    let has_run_out = people::expiry(born, issued).is_some_and(|end| end <= today);
                    let should = card.expected.reasons.contains(&"document-expired");
                    assert_eq!(has_run_out, should, "{} on {today}", card.file);
                }
            }
        }
    }

    #[test]
    fn no_notice_is_about_anybody_it_is_not_meant_for() {
        let plan = plan();
        // Name and birth date of a notice in force, against all cards: the hit must be expected.
        for notice in plan.notices.iter().filter(|notice| notice.valid_to >= plan.today) {
            let hits = plan.cards.iter().filter(|card| {
                let text = String::from_utf8_lossy(&card.payload).to_uppercase();
                let by_number = notice.numbers.iter().any(|number| text.contains(&number.text));
                let by_name = !notice.name.is_empty()
                    && notice.birth.full().is_some()
                    && text.contains(&format!("|{}|", notice.name.to_uppercase()))
                    && text.contains(&format!(
                        "|{:02}{:02}{}|",
                        notice.birth.day(),
                        notice.birth.month(),
                        notice.birth.year()
                    ));
                by_number || by_name
            });
            for card in hits {
                let is_meant = matches!(card.expected.verdict, MATCH | REFER)
                    || card.file.ends_with("lost-and-replaced.png");
                assert!(is_meant, "{}", card.file);
            }
        }
    }
}
