//! What a chip proves of its document, as one answer.
//!
//! Passive authentication says whose data they are, active or chip authentication that they are not in
//! a copy. Neither is worth much without the other: a copy has good signatures, and a home-made chip
//! is nobody's copy.

use sync_format::v1::date::Date;
use thiserror::Error;

use super::algorithm::ParseError;
use super::country::Country;
use super::passive::{self, NotVerified, Origin, Passive};
use super::sod::Sod;
use super::trust::{Anchors, Revocation};

/// What was read of a chip, for judging.
pub struct Evidence<'a> {
    /// The security object, as it stands on the chip.
    pub security_object: &'a [u8],
    /// Every data group that was read: its number and its whole file.
    pub groups: &'a [(u8, &'a [u8])],
    /// The state that issued the document, by the three letters of its zone.
    pub issuer: &'a str,
    /// Whether the chip has shown that it is no copy.
    pub copy: CopyTest,
    /// Whether what the chip said of itself before it was opened stands in what was signed.
    pub is_downgraded: bool,
}

/// What the tests against copies gave: active authentication (ICAO 9303-11, 6.1) and chip
/// authentication (6.2). Each rests on a key in a data group, and is worth what the group is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyTest {
    /// The chip has shown that it holds the secret of this data group: 14 or 15.
    Passed(NotACopy),
    /// It has shown that it does not, though its document says so.
    Failed,
    /// It has shown nothing: there is no test that this program knows, or none could be carried out.
    NotPossible,
}

/// How a chip has shown that it is no copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotACopy {
    /// Active authentication, with the key in data group 15.
    ActiveAuthentication,
    /// Chip authentication, with the key in data group 14.
    ChipAuthentication,
}

impl NotACopy {
    /// Returns the data group that holds the key.
    pub fn group(self) -> u8 {
        match self {
            NotACopy::ActiveAuthentication => 15,
            NotACopy::ChipAuthentication => 14,
        }
    }
}

/// What is proven of a document by its chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// A signature or a hash is wrong, or the chip is a copy.
    Refuted(Refutation),
    /// Nothing is wrong with the data as far as they could be checked, and nobody knows who signed
    /// them.
    Consistent(NotVerified),
    /// A trusted state signed the data; the chip may be a copy.
    CopyNotExcluded(Signed),
    /// A trusted state signed the data, and the chip is no copy.
    Genuine(Signed, NotACopy),
}

impl Proof {
    /// Returns the name used by the command line and the tests.
    pub fn code(&self) -> &'static str {
        match self {
            Proof::Refuted(_) => "refuted",
            Proof::Consistent(_) => "consistent",
            Proof::CopyNotExcluded(_) => "copy-not-excluded",
            Proof::Genuine(..) => "genuine",
        }
    }
}

/// Who signed a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signed {
    /// The state.
    pub country: Country,
    /// Whether its signer may have been revoked.
    pub revocation: Revocation,
}

/// Why a document is refuted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Refutation {
    /// The data are not those that were signed.
    #[error(transparent)]
    Data(#[from] passive::Refuted),
    /// The state that signed is not the one that the document names.
    #[error("another state signed this than the one that it names")]
    OtherState,
    /// The group that says who the holder is was not signed.
    #[error("the holder's data were not signed")]
    NoHolder,
    /// The chip does not hold the secret that its document has the public half of.
    #[error("the chip is a copy")]
    Copy,
    /// What the chip offered before it was opened is not what was signed: somebody stands between.
    #[error("the chip offered other protection than was signed")]
    Downgraded,
}

impl Refutation {
    /// Returns the name used by the command line and the tests.
    pub fn code(&self) -> &'static str {
        use passive::Refuted;
        match self {
            Refutation::Data(Refuted::Malformed(_)) => "malformed",
            Refutation::Data(Refuted::Signature) => "signature",
            Refutation::Data(Refuted::Hashes) => "hashes",
            Refutation::Data(Refuted::ContentType) => "content-type",
            Refutation::Data(Refuted::GroupAltered { .. }) => "group-altered",
            Refutation::Data(Refuted::GroupNotSigned { .. }) => "group-not-signed",
            Refutation::Data(Refuted::SignerUsage) => "signer-usage",
            Refutation::Data(Refuted::SignerNotValid { .. }) => "signer-not-valid",
            Refutation::Data(Refuted::SignerForged) => "signer-forged",
            Refutation::Data(Refuted::AnchorNotValid) => "anchor-not-valid",
            Refutation::Data(Refuted::Revoked(_)) => "revoked",
            Refutation::OtherState => "other-state",
            Refutation::NoHolder => "no-holder",
            Refutation::Copy => "copy",
            Refutation::Downgraded => "downgraded",
        }
    }
}

/// Judges what was read of a chip. `today` is the later bound of the time.
pub fn prove(evidence: &Evidence<'_>, anchors: &Anchors, today: Date) -> Proof {
    judge(evidence, anchors, today).unwrap_or_else(Proof::Refuted)
}

fn judge(evidence: &Evidence<'_>, anchors: &Anchors, today: Date) -> Result<Proof, Refutation> {
    let sod = match Sod::parse(evidence.security_object) {
        Ok(sod) => sod,
        Err(ParseError::Malformed(malformed)) => {
            return Err(passive::Refuted::Malformed(malformed).into());
        }
        // Nothing of it could be checked: it is as good as no signature.
        Err(ParseError::Unsupported(_)) if evidence.copy == CopyTest::Failed => {
            return Err(Refutation::Copy);
        }
        Err(ParseError::Unsupported(unsupported)) => {
            return Ok(Proof::Consistent(NotVerified::Unread(unsupported)));
        }
    };
    let Passive { origin, .. } = passive::authenticate(&sod, evidence.groups, anchors, today)?;
    if !evidence.groups.iter().any(|(group, _)| *group == 1) {
        return Err(Refutation::NoHolder);
    }
    if evidence.is_downgraded {
        return Err(Refutation::Downgraded);
    }
    if evidence.copy == CopyTest::Failed {
        return Err(Refutation::Copy);
    }
    let signed = match origin {
        Origin::NotVerified(why) => return Ok(Proof::Consistent(why)),
        Origin::Anchored { country, revocation, .. } => Signed { country, revocation },
    };
    if Country::of_issuing_state(evidence.issuer) != Some(signed.country) {
        return Err(Refutation::OtherState);
    }
    Ok(match evidence.copy {
        // The key that was tried is only as good as the signature over its group.
        CopyTest::Passed(how) if evidence.groups.iter().any(|(group, _)| *group == how.group()) => {
            Proof::Genuine(signed, how)
        }
        _ => Proof::CopyNotExcluded(signed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::curves::Curve;
    use crate::chip::issue::testing::{DG1, DG2, State, day};

    const TODAY: &str = "2026-11-24";

    /// Returns what is proven of a document of an invented state, `change`d before it is judged.
    fn proven(has_anchor: bool, change: impl FnOnce(&mut Evidence<'_>)) -> Proof {
        let state = State::on(Curve::P256);
        let mut anchors = Anchors::new();
        if has_anchor {
            anchors.add_certificate(&state.authority_certificate()).expect("an anchor");
        }
        let sod = state.sod();
        let mut evidence = Evidence {
            security_object: &sod,
            groups: &[(1, DG1), (2, DG2)],
            issuer: "UTO",
            copy: CopyTest::NotPossible,
            is_downgraded: false,
        };
        change(&mut evidence);
        prove(&evidence, &anchors, day(TODAY))
    }

    #[test]
    fn a_signature_without_an_anchor_is_consistent_and_no_more() {
        let proof = proven(false, |_| ());
        assert!(matches!(proof, Proof::Consistent(NotVerified::NoAnchorOfCountry(_))), "{proof:?}");
        // A home-made chip is nobody's copy: that adds nothing.
        let proof = proven(false, |evidence| {
            evidence.copy = CopyTest::Passed(NotACopy::ChipAuthentication);
        });
        assert_eq!(proof.code(), "consistent");
    }

    #[test]
    fn an_anchor_alone_does_not_exclude_a_copy() {
        assert_eq!(proven(true, |_| ()).code(), "copy-not-excluded");
    }

    #[test]
    fn a_test_counts_only_with_the_group_that_holds_its_key() {
        for how in [NotACopy::ActiveAuthentication, NotACopy::ChipAuthentication] {
            let proof = proven(true, |evidence| evidence.copy = CopyTest::Passed(how));
            assert_eq!(proof.code(), "copy-not-excluded", "{how:?}");
        }
    }

    #[test]
    fn each_refutation_is_named() {
        type Change = fn(&mut Evidence<'_>);
        let cases: [(Change, &str); 7] = [
            (|it| it.copy = CopyTest::Failed, "copy"),
            (|it| it.is_downgraded = true, "downgraded"),
            (|it| it.issuer = "VNM", "other-state"),
            (|it| it.groups = &[(2, DG2)], "no-holder"),
            (|it| it.groups = &[(1, b"altered")], "group-altered"),
            (|it| it.groups = &[(1, DG1), (11, b"added")], "group-not-signed"),
            (|it| it.security_object = b"\x77\x02\x30", "malformed"),
        ];
        for (change, expected) in cases {
            match proven(true, change) {
                Proof::Refuted(why) => assert_eq!(why.code(), expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_read_at_all_is_told_from_what_fits_together() {
        let mut sod = State::on(Curve::P256).sod();
        // The version of what is signed, before the kind of its hashes.
        let version = sod.windows(4).position(|it| it == [0x02, 0x01, 0x00, 0x30]).expect("it");
        sod[version + 2] = 9;
        let unread = |copy| {
            let evidence = Evidence {
                security_object: &sod,
                groups: &[(1, DG1), (2, DG2)],
                issuer: "UTO",
                copy,
                is_downgraded: false,
            };
            prove(&evidence, &Anchors::new(), day(TODAY))
        };
        let found = unread(CopyTest::NotPossible);
        assert!(matches!(found, Proof::Consistent(NotVerified::Unread(_))), "{found:?}");
        assert_eq!(unread(CopyTest::Failed), Proof::Refuted(Refutation::Copy));
    }

    #[test]
    fn a_copy_is_refuted_though_nobody_knows_who_signed_it() {
        let proof = proven(false, |evidence| evidence.copy = CopyTest::Failed);
        assert_eq!(proof, Proof::Refuted(Refutation::Copy));
    }
}
