//! Compares what a document says with what a notice says, field by field.
//!
//! Stands between the look-up, which finds candidates, and [`crate::checks`], which decides what an
//! agreement is worth. It says only *agrees*, *differs* or *not known*, by exact rules: equal folded
//! names, equal dates, equal numbers. It deliberately neither scores nor guesses at slips: a
//! Vietnamese name is almost no evidence, and a similarity of strings would make it look like some.

#[cfg(test)]
pub(crate) mod testing;

use sync_format::v1::notice::{Notice, Number, NumberKind};

use crate::document::{Document, DocumentNumber, Field, Name, PartialDate, Source, fold};

/// What a document and a notice say about each other; holds no value of a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Agreements {
    /// Every number of the document against every number of the notice.
    pub numbers: NumberAgreement,
    /// The full folded name against the notice's main name.
    pub name: FieldAgreement,
    /// The birth date.
    pub birth: FieldAgreement,
    /// The sex; never [`FieldAgreement::Partly`].
    pub sex: FieldAgreement,
    /// Whether the document's full folded name is one of the notice's other names.
    pub alias: bool,
}

/// How one field agrees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldAgreement {
    /// Both sides know the whole value, and it is the same.
    Agrees,
    /// All that both sides know is the same, but a side knows only a part: a year without a day, a
    /// name cut off by the machine-readable zone.
    Partly,
    /// Something that both sides know is not the same.
    Differs,
    /// At least one side says nothing.
    NotKnown,
}

/// How the numbers agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NumberAgreement {
    /// A number is the same on both sides.
    Agrees {
        /// What the notice knows the number as.
        kind: NumberKind,
    },
    /// No number is the same, and the personal numbers in force are two different ones.
    Differs {
        /// Where the document's personal number was read: what the contradiction is worth.
        source: Source,
    },
    /// No number is the same, and no two of them had to be.
    NotKnown,
}

/// Returns how `document` and `notice` agree.
///
/// The answer does not depend on how either side is typed: Unicode composition, case, and the place
/// of a tone mark change nothing.
pub fn compare(document: &Document, notice: &Notice) -> Agreements {
    let name = document.name.as_ref().map(|field| &field.value);
    Agreements {
        numbers: compare_numbers(&document.numbers, &notice.numbers),
        name: name.map_or(FieldAgreement::NotKnown, |name| compare_name(name, &notice.name)),
        birth: document
            .birth
            .as_ref()
            .map_or(FieldAgreement::NotKnown, |birth| compare_birth(birth.value, notice.birth)),
        sex: match (document.sex.as_ref(), notice.sex) {
            (Some(field), Some(sex)) if field.value == sex => FieldAgreement::Agrees,
            (Some(_), Some(_)) => FieldAgreement::Differs,
            _ => FieldAgreement::NotKnown,
        },
        alias: name.is_some_and(|name| is_alias(name, &notice.aliases)),
    }
}

/// Whether two numbers are the same number, whatever each side calls it.
///
/// Kinds are not compared: a cancelled number of the notice is the personal number on a card that
/// was not handed in, and who types nine digits does not say whether they are a CMND or a foreign
/// passport. Twelve digits, nine digits and letters are apart by their shape.
pub fn is_same_number(document: &DocumentNumber, notice: &Number) -> bool {
    document.as_str() == notice.text
}

/// Compares all numbers with all.
///
/// Only two *personal numbers in force* differ: a person may have had several passports and old
/// identity cards, and a cancelled number differs from the one that replaced it by its nature.
fn compare_numbers(document: &[Field<DocumentNumber>], notice: &[Number]) -> NumberAgreement {
    let same = notice
        .iter()
        .find(|theirs| document.iter().any(|ours| is_same_number(&ours.value, theirs)));
    if let Some(number) = same {
        return NumberAgreement::Agrees { kind: number.kind };
    }
    let notice_has_personal = notice.iter().any(|number| number.kind == NumberKind::Personal);
    // Where a number was read from the chip and again elsewhere, the chip's word counts.
    let personal = || document.iter().filter(|n| n.value.kind() == NumberKind::Personal);
    let ours = personal().find(|n| n.source == Source::Chip).or_else(|| personal().next());
    match ours {
        Some(number) if notice_has_personal => NumberAgreement::Differs { source: number.source },
        _ => NumberAgreement::NotKnown,
    }
}

/// Compares a name with the main name of a notice, both folded.
fn compare_name(ours: &Name, theirs: &str) -> FieldAgreement {
    let (ours_folded, theirs) = (ours.folded(), fold(theirs));
    if ours_folded.is_empty() || theirs.is_empty() {
        FieldAgreement::NotKnown
    } else if ours.is_cut() {
        // Whether the lost end agreed nobody can say, so the beginning is only a part.
        if theirs.starts_with(&ours_folded) {
            FieldAgreement::Partly
        } else {
            FieldAgreement::Differs
        }
    } else if ours_folded == theirs {
        FieldAgreement::Agrees
    } else {
        FieldAgreement::Differs
    }
}

/// Compares two dates of which parts may be unknown.
fn compare_birth(ours: PartialDate, theirs: PartialDate) -> FieldAgreement {
    if ours.is_unknown() || theirs.is_unknown() {
        return FieldAgreement::NotKnown;
    }
    let differ = |a: u16, b: u16| a != 0 && b != 0 && a != b;
    if differ(ours.year(), theirs.year())
        || differ(ours.month().into(), theirs.month().into())
        || differ(ours.day().into(), theirs.day().into())
    {
        FieldAgreement::Differs
    } else if ours.full().is_some() && theirs.full().is_some() {
        FieldAgreement::Agrees
    } else {
        FieldAgreement::Partly
    }
}

/// Whether `ours` is one of `aliases`; a cut-off name is none.
fn is_alias(ours: &Name, aliases: &[String]) -> bool {
    let folded = ours.folded();
    !ours.is_cut() && !folded.is_empty() && aliases.iter().any(|alias| fold(alias) == folded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::testing::{
        a_citizen, a_cut_name, birth, cmnd, full_birth, name, named, number, personal, wanted,
        with_source,
    };
    use super::*;

    #[test]
    fn a_notice_about_the_holder_agrees_in_every_field() {
        assert_eq!(
            compare(&a_citizen(), &wanted()),
            Agreements {
                numbers: NumberAgreement::Agrees { kind: NumberKind::Personal },
                name: FieldAgreement::Agrees,
                birth: FieldAgreement::Agrees,
                sex: FieldAgreement::Agrees,
                alias: false,
            }
        );
    }

    #[test]
    fn what_one_side_does_not_say_is_not_known() {
        let mut silent = a_citizen();
        silent.numbers.clear();
        (silent.name, silent.birth, silent.sex) = (None, None, None);
        let unknown = Agreements {
            numbers: NumberAgreement::NotKnown,
            name: FieldAgreement::NotKnown,
            birth: FieldAgreement::NotKnown,
            sex: FieldAgreement::NotKnown,
            alias: false,
        };
        assert_eq!(compare(&silent, &wanted()), unknown);

        let silent_notice = Notice {
            name: String::new(),
            birth: PartialDate::UNKNOWN,
            sex: None,
            numbers: Vec::new(),
            ..wanted()
        };
        assert_eq!(compare(&a_citizen(), &silent_notice), unknown);
    }

    #[test]
    fn dates_agree_as_far_as_both_sides_know_them() {
        use FieldAgreement::{Agrees, Differs, NotKnown, Partly};
        for (ours, theirs, expected) in [
            ((1988, 3, 2), (1988, 3, 2), Agrees),
            ((1988, 3, 2), (1988, 3, 0), Partly),
            ((1988, 3, 2), (1988, 0, 0), Partly),
            ((1988, 0, 0), (1988, 0, 0), Partly),
            ((1988, 3, 0), (1988, 4, 0), Differs),
            ((1988, 3, 2), (1988, 3, 3), Differs),
            ((1988, 3, 2), (1988, 2, 3), Differs),
            ((1988, 0, 0), (1989, 3, 2), Differs),
            ((0, 0, 0), (1988, 3, 2), NotKnown),
            ((0, 0, 0), (0, 0, 0), NotKnown),
        ] {
            assert_eq!(compare_birth(birth(ours), birth(theirs)), expected, "{ours:?} {theirs:?}");
            assert_eq!(compare_birth(birth(theirs), birth(ours)), expected, "{theirs:?} {ours:?}");
        }
    }

    #[test]
    fn every_number_is_compared_with_every_number() {
        let (held, other) = ("048088999901", "048088999902");
        let agrees = |kind| NumberAgreement::Agrees { kind };
        let differs = |source| NumberAgreement::Differs { source };
        for (ours, theirs, expected) in [
            (vec![personal(held)], vec![number(NumberKind::Personal, held)], {
                agrees(NumberKind::Personal)
            }),
            (
                vec![personal(held)],
                vec![number(NumberKind::Personal, other), number(NumberKind::Cancelled, held)],
                agrees(NumberKind::Cancelled),
            ),
            (
                vec![personal(held), cmnd("201999901")],
                vec![number(NumberKind::Cmnd, "201999901")],
                agrees(NumberKind::Cmnd),
            ),
            (
                vec![personal(held), cmnd("201999901")],
                vec![number(NumberKind::Personal, other), number(NumberKind::Cmnd, "201999901")],
                agrees(NumberKind::Cmnd),
            ),
            (vec![personal(held)], vec![number(NumberKind::Personal, other)], differs(Source::Qr)),
            (
                vec![personal(held), with_source(personal(held), Source::Chip)],
                vec![number(NumberKind::Personal, other)],
                differs(Source::Chip),
            ),
            // Older numbers need not be the same for the person to be.
            (
                vec![personal(held)],
                vec![number(NumberKind::Cancelled, other)],
                NumberAgreement::NotKnown,
            ),
            (
                vec![cmnd("201999901")],
                vec![number(NumberKind::Cmnd, "201999902")],
                NumberAgreement::NotKnown,
            ),
            (
                vec![personal(held)],
                vec![number(NumberKind::Passport, "B1234567")],
                NumberAgreement::NotKnown,
            ),
        ] {
            assert_eq!(compare_numbers(&ours, &theirs), expected);
        }
    }

    #[test]
    fn a_name_cut_off_by_its_line_agrees_in_part_at_most() {
        let cut = &a_cut_name();
        let longer = format!("{}G THAO", cut.folded());
        assert_eq!(compare_name(cut, &longer), FieldAgreement::Partly);
        assert_eq!(compare_name(cut, &cut.folded()), FieldAgreement::Partly);
        assert_eq!(compare_name(cut, "CONG TANG TON NU"), FieldAgreement::Differs);
        assert!(!is_alias(cut, &[cut.folded()]));
    }

    #[test]
    fn another_name_is_no_main_name() {
        let notice =
            Notice { aliases: vec!["Nguyễn Văn Mẫu".into()], ..named("Trần Thử") };
        let agreements = compare(&a_citizen(), &notice);
        assert!(agreements.alias);
        assert_eq!(agreements.name, FieldAgreement::Differs);
    }

    #[test]
    fn an_empty_alias_is_nobodys() {
        assert!(!is_alias(&name("Nguyễn Văn Mẫu"), &[String::new(), "'".into()]));
        // Of a name in another script nothing is left to compare.
        assert!(!is_alias(&name("王"), &[String::new(), "李".into()]));
        assert_eq!(compare_name(&name("王"), "李"), FieldAgreement::NotKnown);
        assert_eq!(compare_name(&name("王"), "Trần Thử"), FieldAgreement::NotKnown);
    }

    proptest! {
        #[test]
        fn the_way_of_typing_changes_nothing(
            syllables in prop::collection::vec(
                prop::sample::select(vec![
                    ("Nguyễn", "Nguyễn"), ("Đỗ", "Đỗ"), ("Hoà", "Hòa"), ("Thuý", "Thúy"),
                    ("Khoẻ", "Khỏe"), ("Huỳnh", "Huỳnh"), ("H'Hen", "H’Hen"), ("Ksơr", "Ksơr"),
                ]),
                1..5,
            ),
            decomposed: bool,
            capitals: bool,
            on_the_notice: bool,
        ) {
            let join = |words: Vec<&str>| words.join(" ");
            let plain = join(syllables.iter().map(|pair| pair.0).collect());
            let mut typed = join(syllables.iter().map(|pair| pair.1).collect());
            if capitals {
                typed = typed.to_uppercase();
            }
            if decomposed {
                typed = typed.nfd().collect();
            }
            let (ours, theirs) = if on_the_notice { (&plain, &typed) } else { (&typed, &plain) };
            let mut document = a_citizen();
            document.name = Some(Field::new(name(ours), Source::Qr));
            let as_name = compare(&document, &named(theirs));
            prop_assert_eq!(as_name.name, FieldAgreement::Agrees);
            let notice = Notice { aliases: vec![theirs.clone()], ..named("Trần Thử") };
            prop_assert!(compare(&document, &notice).alias);
        }

        #[test]
        fn full_dates_agree_only_when_equal(ours in full_birth(), theirs in full_birth()) {
            let agrees = compare_birth(ours, theirs) == FieldAgreement::Agrees;
            prop_assert_eq!(agrees, ours == theirs);
        }
    }
}
