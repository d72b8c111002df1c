//! Reads anchors: files of certificates and revocation lists, as authorities publish them, and master
//! lists with the certificates of many states.
//!
//! Unlike a row of a table, a file that is no anchor is no lesser evil to be left out: whoever put a
//! folder together meant every file of it, and a revocation list that was lost would let a revoked
//! signer pass. So the first file that breaks a rule ends it, by its name. A master list was put
//! together by others: of its certificates those are left out that prove nothing.
//!
//! The order is that of the SHA-256 of the DER, so that the same files give the same list whatever
//! they are called. Where the bytes come from is the caller's business.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;

use sync_format::v1::anchors::{Anchor, AnchorKind};
use sync_format::v1::package::sha256;

use crate::chip::trust::{
    AnchorRefusal, Anchors, LeftOut, MasterListRefusal, RevocationRefusal, vouched_certificates,
};
use crate::chip::{Malformed, tlv};

/// The endings of file names that are taken, each with what such a file holds.
pub const ANCHOR_ENDINGS: [(&str, Holds); 6] = [
    ("cer", Holds::One(AnchorKind::Certificate)),
    ("crt", Holds::One(AnchorKind::Certificate)),
    ("der", Holds::One(AnchorKind::Certificate)),
    ("pem", Holds::Blocks),
    ("crl", Holds::One(AnchorKind::RevocationList)),
    ("ml", Holds::MasterList),
];

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holds {
    /// One anchor in DER, or any number of this kind in PEM.
    One(AnchorKind),
    /// What its PEM blocks say.
    Blocks,
    /// Certificates of many states, signed by one of them (ICAO 9303-12, section 9).
    MasterList,
}

/// The first bytes of a PEM block (RFC 7468, section 2).
const BEGIN: &[u8] = b"-----BEGIN ";

/// DER's tag of a SEQUENCE, which certificates and revocation lists are (RFC 5280, 4.1 and 5.1).
const SEQUENCE: u32 = 0x30;

/// A file of a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnchorFile {
    /// Its name, without the folder.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What a file has that makes it no anchor.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AnchorFault {
    /// The name has another ending.
    #[error(
        "neither a certificate (.cer, .crt, .der, .pem) nor a revocation list (.crl) nor a master \
         list (.ml)"
    )]
    Ending,
    /// The text between two markers is no PEM.
    #[error("a PEM block that cannot be read")]
    Pem,
    /// A `.pem` file without a block.
    #[error("no PEM block")]
    NoBlock,
    /// A PEM block of something else: possibly of a private key.
    #[error("a PEM block of {0:?}, which is neither a certificate nor a revocation list")]
    Label(String),
    /// A PEM block of the other kind than the name says.
    #[error("a {found} under a name for a {expected}")]
    OtherKind {
        /// What the block says.
        found: AnchorKind,
        /// What the name says.
        expected: AnchorKind,
    },
    /// It is not one DER SEQUENCE, whole and alone.
    #[error("not DER")]
    NotDer(#[source] Malformed),
    /// It is longer than a list of anchors may hold.
    #[error("a {kind} of {len} bytes, at most {limit}")]
    TooLong {
        /// What it is.
        kind: AnchorKind,
        /// Its length.
        len: usize,
        /// The greatest length.
        limit: usize,
    },
    /// No device would trust this certificate.
    #[error("a certificate that proves nothing")]
    Certificate(#[source] AnchorRefusal),
    /// No device would believe this list.
    #[error("a revocation list that revokes nothing")]
    RevocationList(#[source] RevocationRefusal),
    /// It is no master list, or not the one that was signed.
    #[error("a master list that cannot be taken")]
    MasterList(#[source] MasterListRefusal),
}

/// Why a folder gives no list of anchors.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AnchorsError {
    /// A file is no anchor.
    #[error("{file}")]
    File {
        /// Its name.
        file: String,
        /// Why.
        #[source]
        fault: AnchorFault,
    },
    /// There is no file, or nothing in the master lists that are there.
    #[error("no certificate and no revocation list")]
    Empty,
}

/// The anchors of a folder.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ReadAnchors {
    /// Each once, ascending by the SHA-256 of its DER, and counted from 1 in that order.
    pub anchors: Vec<Anchor>,
    /// Files that hold what another holds already: their names, and the other's. That master lists
    /// repeat each other and the files beside them is what they are for, and is not told.
    pub duplicates: Vec<(String, String)>,
    /// The master lists of which something is left out.
    pub shortened: Vec<Shortened>,
}

/// A master list that was not taken whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shortened {
    /// Its name.
    pub file: String,
    /// How many certificates are in it.
    pub certificates: usize,
    /// What is wrong with each that is left out, and stands in no list before it.
    pub left_out: Vec<AnchorFault>,
}

/// As one line: how many are left out, and for which reasons.
impl fmt::Display for Shortened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shortened { file, certificates, left_out } = self;
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for fault in left_out {
            // The cause alone, where there is one: what it is the cause of stands before it.
            let why = fault.source().map_or_else(|| fault.to_string(), |why| why.to_string());
            *reasons.entry(why).or_default() += 1;
        }
        let reasons: Vec<String> =
            reasons.iter().map(|(why, count)| format!("{count}: {why}")).collect();
        let count = left_out.len();
        write!(
            f,
            "{file}: {count} of {certificates} certificates left out ({})",
            reasons.join("; ")
        )
    }
}

/// Reads the files of a folder, in any order.
///
/// Every certificate has to be one that a device will trust, and every revocation list one that such a
/// certificate signed: a link between two keys of a state needs the certificate of the earlier key
/// among the files. Whoever signs the list of anchors vouches for the certificates, and for what the
/// master lists hold, whoever signed these. What of a master list no device would trust is left
/// out and told: lists of the whole world hold some that keep to no norm.
///
/// # Errors
///
/// The first file by name that cannot be read, or else the first that proves nothing; and
/// [`AnchorsError::Empty`].
pub fn read_anchors(mut files: Vec<AnchorFile>) -> Result<ReadAnchors, AnchorsError> {
    files.sort_by(|left, right| left.name.cmp(&right.name));
    let mut pieces: Vec<Piece> = Vec::new();
    let mut lists: BTreeMap<String, usize> = BTreeMap::new();
    for AnchorFile { name, bytes } in files {
        let read = read_file(&name, &bytes);
        let read = read.map_err(|fault| AnchorsError::File { file: name.clone(), fault })?;
        let is_listed = read.is_master_list;
        if is_listed {
            lists.insert(name.clone(), read.anchors.len());
        }
        let read = read.anchors.into_iter();
        pieces.extend(read.map(|(kind, der)| Piece {
            hash: sha256(&der),
            kind,
            der,
            file: name.clone(),
            is_listed,
        }));
    }
    // Of those that are the same the first by name stays, and a file before a list: the sort is
    // stable.
    pieces.sort_by_key(|piece| (piece.hash, piece.is_listed));
    let mut read = ReadAnchors::default();
    let mut once: Vec<Piece> = Vec::new();
    for piece in pieces {
        match once.last() {
            Some(kept) if kept.hash == piece.hash => {
                if !piece.is_listed {
                    read.duplicates.push((piece.file, kept.file.clone()));
                }
            }
            _ => once.push(piece),
        }
    }

    let mut faults = check_anchors(&once);
    let refused = faults.iter().filter(|(at, _)| !once[**at].is_listed);
    if let Some((at, fault)) = refused.min_by_key(|(at, _)| &once[**at].file) {
        return Err(AnchorsError::File { file: once[*at].file.clone(), fault: fault.clone() });
    }
    let mut left_out: BTreeMap<String, Vec<AnchorFault>> = BTreeMap::new();
    for (at, piece) in once.into_iter().enumerate() {
        let Piece { kind, der, file, .. } = piece;
        match faults.remove(&at) {
            Some(fault) => left_out.entry(file).or_default().push(fault),
            None => read.anchors.push(Anchor { id: read.anchors.len() as u64 + 1, kind, der }),
        }
    }
    let shortened = left_out.into_iter().map(|(file, left_out)| {
        let certificates = lists.get(&file).copied().unwrap_or_default();
        Shortened { file, certificates, left_out }
    });
    read.shortened = shortened.collect();
    if read.anchors.is_empty() { Err(AnchorsError::Empty) } else { Ok(read) }
}

/// An anchor, and the file that it is from.
struct Piece {
    hash: [u8; 32],
    kind: AnchorKind,
    der: Vec<u8>,
    file: String,
    /// Whether the file is a master list.
    is_listed: bool,
}

/// Returns what is wrong with each of these that no device would take, by its place.
///
/// This is what a device does with the list, by the same [`Anchors`]; a device leaves out what fails
/// here.
fn check_anchors(pieces: &[Piece]) -> BTreeMap<usize, AnchorFault> {
    let mut faults: BTreeMap<usize, AnchorFault> = BTreeMap::new();
    for (at, piece) in pieces.iter().enumerate() {
        if let Err(fault) = check_form(piece.kind, &piece.der) {
            faults.insert(at, fault);
        }
    }
    let of = |kind, faults: &BTreeMap<usize, AnchorFault>| -> Vec<usize> {
        let is_one = |at: &usize| pieces[*at].kind == kind && !faults.contains_key(at);
        (0..pieces.len()).filter(is_one).collect()
    };
    let mut anchors = Anchors::new();
    let certificates = of(AnchorKind::Certificate, &faults);
    let added = anchors.add_certificates(certificates.iter().map(|at| &pieces[*at].der[..]));
    for LeftOut { at, why } in added.refused {
        faults.insert(certificates[at], AnchorFault::Certificate(why));
    }
    for at in of(AnchorKind::RevocationList, &faults) {
        if let Err(why) = anchors.add_revocations(&pieces[at].der) {
            faults.insert(at, AnchorFault::RevocationList(why));
        }
    }
    faults
}

/// Says whether bytes may stand in a list of anchors as this kind, whatever they say: one DER SEQUENCE
/// of exactly its length, and no longer than the format allows.
fn check_form(kind: AnchorKind, der: &[u8]) -> Result<(), AnchorFault> {
    let (len, limit) = (der.len(), kind.max_bytes());
    if len > limit {
        return Err(AnchorFault::TooLong { kind, len, limit });
    }
    tlv::only(der, SEQUENCE).map(drop).map_err(AnchorFault::NotDer)
}

/// What is in a file.
struct FileContent {
    anchors: Vec<(AnchorKind, Vec<u8>)>,
    is_master_list: bool,
}

fn read_file(name: &str, bytes: &[u8]) -> Result<FileContent, AnchorFault> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let known = |(known, _): &&(&str, Holds)| ending.as_deref() == Some(*known);
    let (_, holds) = ANCHOR_ENDINGS.iter().find(known).ok_or(AnchorFault::Ending)?;
    let anchors = match holds {
        Holds::MasterList => {
            let certificates = vouched_certificates(bytes).map_err(AnchorFault::MasterList)?;
            let anchors = certificates.into_iter().map(|der| (AnchorKind::Certificate, der));
            return Ok(FileContent { anchors: anchors.collect(), is_master_list: true });
        }
        // A text whose first letter happens to be DER's tag is no whole SEQUENCE.
        Holds::One(kind) if !is_pem(bytes) || tlv::only(bytes, SEQUENCE).is_ok() => {
            vec![(*kind, bytes.to_vec())]
        }
        Holds::One(_) | Holds::Blocks => blocks(bytes)?,
    };
    for (kind, der) in &anchors {
        if let Holds::One(expected) = holds
            && kind != expected
        {
            return Err(AnchorFault::OtherKind { found: *kind, expected: *expected });
        }
        check_form(*kind, der)?;
    }
    Ok(FileContent { anchors, is_master_list: false })
}

/// Whether a line begins a PEM block.
fn is_pem(bytes: &[u8]) -> bool {
    next_block(bytes).is_some()
}

/// Returns what follows from the next line that begins a block.
fn next_block(bytes: &[u8]) -> Option<&[u8]> {
    let begins = |at: &usize| *at == 0 || matches!(bytes[at - 1], b'\n' | b'\r');
    let mut places = bytes.windows(BEGIN.len()).enumerate().filter(|(_, window)| *window == BEGIN);
    places.find_map(|(at, _)| begins(&at).then(|| &bytes[at..]))
}

/// Reads the PEM blocks of a text. What stands between them is explanation (RFC 7468, section 2).
fn blocks(mut text: &[u8]) -> Result<Vec<(AnchorKind, Vec<u8>)>, AnchorFault> {
    let mut anchors = Vec::new();
    while let Some(block) = next_block(text) {
        let after = &block[BEGIN.len()..];
        let end = next_block(after).map_or(block.len(), |next| block.len() - next.len());
        let (this, rest) = block.split_at(end);
        text = rest;
        // The decoder wants nothing behind the last marker but a line's end.
        let (label, der) =
            der::pem::decode_vec(without_explanation(this)).map_err(|_| AnchorFault::Pem)?;
        let kind = match label {
            "CERTIFICATE" => AnchorKind::Certificate,
            "X509 CRL" => AnchorKind::RevocationList,
            other => return Err(AnchorFault::Label(other.to_owned())),
        };
        anchors.push((kind, der));
    }
    if anchors.is_empty() { Err(AnchorFault::NoBlock) } else { Ok(anchors) }
}

/// Cuts a block behind the line of its end marker.
fn without_explanation(block: &[u8]) -> &[u8] {
    const END: &[u8] = b"\n-----END ";
    let Some(at) = block.windows(END.len()).position(|window| window == END) else { return block };
    let after = at + END.len();
    let line = block[after..].iter().position(|byte| *byte == b'\n');
    line.map_or(block, |line| &block[..=after + line])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chip::algorithm::Unsupported;
    use crate::chip::certificate::{Certificate, KeyUsage};
    use crate::chip::cms::CmsRefusal;
    use crate::chip::curves::Curve;
    use crate::chip::issue::testing::{ECDSA, State, day, ec};
    use crate::chip::issue::{self, CertificateDraft};

    /// Utopia with another key; its name is always the same.
    fn utopia(secret: &[u8]) -> State {
        State::with(ec(Curve::P256, secret), ec(Curve::P256, b"secret of its signer"))
    }

    /// A certificate of Utopia.
    fn certificate(secret: &[u8]) -> Vec<u8> {
        utopia(secret).authority_certificate()
    }

    /// The list of revoked certificates of the same.
    fn revocations(secret: &[u8]) -> Vec<u8> {
        utopia(secret).revocations(&[])
    }

    /// The certificate of Utopia's key `to`, signed by its key `from`.
    fn link(from: &[u8], to: &[u8]) -> Vec<u8> {
        let (from, to) = (ec(Curve::P256, from), ec(Curve::P256, to));
        let validity = (day("2024-01-01"), day("2040-12-31"));
        let name = issue::office("UT", "CSCA Utopia");
        CertificateDraft::authority(name, &to, &from, validity).sign(&from, ECDSA).unwrap()
    }

    /// A certificate with a country that is none.
    fn of_no_country() -> Vec<u8> {
        let mut state = utopia(b"of no country");
        state.authority_draft.issuer = issue::office("?", "CSCA");
        state.authority_draft.subject = issue::office("?", "CSCA");
        state.authority_certificate()
    }

    /// A list of these, signed by somebody who is on none of them.
    fn master_list(certificates: &[&[u8]]) -> Vec<u8> {
        let publisher = utopia(b"of a publisher");
        let signer = Certificate::parse(&publisher.signer_certificate()).unwrap();
        let signed_on = Some(day("2026-05-28"));
        issue::master_list(certificates, signed_on, &signer, &publisher.signer, ECDSA).unwrap()
    }

    fn pem(label: &str, der: &[u8]) -> String {
        der::pem::encode_string(label, der::pem::LineEnding::LF, der).unwrap()
    }

    fn file(name: &str, bytes: impl Into<Vec<u8>>) -> AnchorFile {
        AnchorFile { name: name.to_owned(), bytes: bytes.into() }
    }

    fn fault(name: &str, bytes: impl Into<Vec<u8>>) -> AnchorFault {
        match read_anchors(vec![file(name, bytes)]) {
            Err(AnchorsError::File { file, fault }) if file == name => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn der_and_pem_give_the_same_list_whatever_the_files_are_called() {
        let (first, second) = (certificate(b"first"), certificate(b"second"));
        let list = revocations(b"second");
        let as_der = vec![
            file("a.cer", first.clone()),
            file("b.DER", second.clone()),
            file("c.crl", list.clone()),
        ];
        let bundle = [
            "subject=/C=UT\n".to_owned(),
            pem("CERTIFICATE", &second),
            "\nsubject=/C=UT\n".to_owned(),
            pem("X509 CRL", &list).replace('\n', "\r\n"),
        ]
        .concat();
        let as_pem = vec![file("z.pem", bundle), file("y.crt", pem("CERTIFICATE", &first))];
        let read = read_anchors(as_der).unwrap();
        assert_eq!(read_anchors(as_pem).unwrap(), read);
        assert_eq!(read.anchors.iter().map(|it| it.id).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(read.anchors.is_sorted_by_key(|it| sha256(&it.der)));
        let lists = read.anchors.iter().filter(|it| it.kind == AnchorKind::RevocationList);
        assert_eq!(lists.map(|it| it.der.clone()).collect::<Vec<_>>(), [list]);
    }

    #[test]
    fn what_is_there_twice_is_taken_once_and_said() {
        let der = certificate(b"the same");
        let files = vec![
            file("2.cer", der.clone()),
            file("1.crt", pem("CERTIFICATE", &der)),
            file("0.cer", certificate(b"another")),
            file("3.cer", der.clone()),
        ];
        let read = read_anchors(files).unwrap();
        let ids: Vec<u64> = read.anchors.iter().map(|it| it.id).collect();
        assert_eq!(ids, [1, 2]);
        let said = |name: &str| (name.to_owned(), "1.crt".to_owned());
        assert_eq!(read.duplicates, [said("2.cer"), said("3.cer")]);
    }

    #[test]
    fn a_file_that_is_no_anchor_ends_it_by_its_name() {
        let der = certificate(b"a certificate");
        assert_eq!(fault("readme.txt", der.clone()), AnchorFault::Ending);
        assert_eq!(fault("cer", der.clone()), AnchorFault::Ending);
        assert_eq!(fault("a.pem", der.clone()), AnchorFault::NoBlock);
        assert_eq!(fault("a.pem", ""), AnchorFault::NoBlock);
        let key = pem("PRIVATE KEY", &der);
        assert_eq!(fault("a.pem", key.clone()), AnchorFault::Label("PRIVATE KEY".into()));
        assert_eq!(fault("a.cer", key), AnchorFault::Label("PRIVATE KEY".into()));
        assert_eq!(
            fault("a.crl", pem("CERTIFICATE", &der)),
            AnchorFault::OtherKind {
                found: AnchorKind::Certificate,
                expected: AnchorKind::RevocationList,
            }
        );
        let whole = pem("CERTIFICATE", &der);
        assert_eq!(fault("a.cer", &whole.as_bytes()[..whole.len() - 20]), AnchorFault::Pem);
        assert_eq!(fault("a.cer", whole.replacen("CERTIFICATE", "CERT", 1)), AnchorFault::Pem);
        for bytes in [&b""[..], b"MIIB", &der[..der.len() - 1], &[&der[..], b"\n"].concat()] {
            let fault = fault("a.cer", bytes);
            assert!(matches!(fault, AnchorFault::NotDer(_)), "{fault:?}");
        }
        let octets = tlv::element(0x04, b"no sequence");
        assert!(matches!(fault("a.der", octets), AnchorFault::NotDer(_)));
        let large = tlv::element(SEQUENCE, &vec![0; AnchorKind::Certificate.max_bytes()]);
        let fault_of_large = fault("a.cer", large.clone());
        assert!(matches!(fault_of_large, AnchorFault::TooLong { .. }), "{fault_of_large:?}");
        // A list may be longer.
        let fault_of_large = fault("a.crl", large);
        assert!(matches!(fault_of_large, AnchorFault::RevocationList(_)), "{fault_of_large:?}");
        assert_eq!(read_anchors(Vec::new()), Err(AnchorsError::Empty));
    }

    #[test]
    fn of_several_faults_the_first_by_name_is_told() {
        let first = |files: &[(&str, Vec<u8>)]| {
            let files = files.iter().map(|(name, bytes)| file(name, bytes.clone()));
            match read_anchors(files.collect()) {
                Err(AnchorsError::File { file, .. }) => file,
                other => panic!("{other:?}"),
            }
        };
        let [whole, useless] = [certificate(b"whole"), of_no_country()];
        let files = [("b.txt", vec![]), ("a.cer", b"x".to_vec()), ("c.cer", whole.clone())];
        assert_eq!(first(&files), "a.cer");
        // What can be read is looked into when everything can be.
        let list = revocations(b"another");
        let files = [("c.cer", useless.clone()), ("b.crl", list), ("a.cer", whole)];
        assert_eq!(first(&files), "b.crl");
        assert_eq!(first(&[("a.cer", useless), ("b.txt", vec![])]), "b.txt");
    }

    #[test]
    fn a_certificate_that_no_device_would_trust_is_named_with_the_reason() {
        let refused = |der: Vec<u8>| match fault("a.cer", der) {
            AnchorFault::Certificate(why) => why,
            other => panic!("{other:?}"),
        };
        let altered = |alter: &dyn Fn(&mut State)| {
            let mut state = utopia(b"first");
            alter(&mut state);
            state.authority_certificate()
        };
        assert_eq!(refused(of_no_country()), AnchorRefusal::NoCountry);
        let forged = altered(&|state| state.authority = ec(Curve::P256, b"a forger's"));
        assert_eq!(refused(forged), AnchorRefusal::Signature);
        let usage = issue::usage_extension(&[KeyUsage::DigitalSignature]);
        let no_authority = altered(&|state| state.authority_draft.extensions[1] = usage.clone());
        assert_eq!(refused(no_authority), AnchorRefusal::NotAuthority);
        assert_eq!(refused(utopia(b"first").signer_certificate()), AnchorRefusal::NotAuthority);
        let critical = issue::extension(&[0x55, 0x1D, 0x1E], true, &[0x30, 0x00]);
        let unknown = altered(&|state| state.authority_draft.extensions.push(critical.clone()));
        assert_eq!(refused(unknown), Unsupported::CriticalExtension.into());
        let malformed = Malformed("another element than expected");
        assert_eq!(refused(tlv::element(SEQUENCE, &[0x04, 0x00])), malformed.into());
    }

    #[test]
    fn a_link_is_taken_with_the_certificate_before_it_in_whatever_order() {
        let [first, second, third] = [&b"first"[..], b"second", b"third"];
        let chain = [certificate(first), link(first, second), link(second, third)];
        let named = |names: [&str; 3]| {
            let files = names.iter().zip(&chain).map(|(name, der)| file(name, der.clone()));
            read_anchors(files.collect())
        };
        for names in [["a.cer", "b.cer", "c.cer"], ["c.cer", "a.cer", "b.cer"]] {
            assert_eq!(named(names).unwrap().anchors.len(), 3, "{names:?}");
        }
        let missing = AnchorFault::Certificate(AnchorRefusal::UnknownKey);
        assert_eq!(fault("b.cer", chain[1].clone()), missing);
        // It may stand in a master list.
        let files = vec![file("b.cer", chain[1].clone()), file("w.ml", master_list(&[&chain[0]]))];
        assert_eq!(read_anchors(files).unwrap().anchors.len(), 2);
    }

    #[test]
    fn a_revocation_list_is_signed_by_a_certificate_of_the_folder() {
        let list = revocations(b"first");
        let refused = |issuer: Vec<u8>, list: Vec<u8>| match read_anchors(vec![
            file("a.cer", issuer),
            file("b.crl", list),
        ]) {
            Err(AnchorsError::File { file, fault: AnchorFault::RevocationList(why) }) => {
                assert_eq!(file, "b.crl");
                Some(why)
            }
            Err(other) => panic!("{other:?}"),
            Ok(_) => None,
        };
        assert_eq!(refused(certificate(b"first"), list.clone()), None);
        let other = refused(certificate(b"second"), list.clone());
        assert_eq!(other, Some(RevocationRefusal::Signature));
        let alone = fault("b.crl", list.clone());
        assert_eq!(alone, AnchorFault::RevocationList(RevocationRefusal::UnknownIssuer));
        let malformed = refused(certificate(b"first"), tlv::element(SEQUENCE, &[0x04, 0x00]));
        let why = Malformed("another element than expected");
        assert_eq!(malformed, Some(RevocationRefusal::Malformed(why)));
        // Signed by one that stands in a master list.
        let world = file("world.ml", master_list(&[&certificate(b"first")]));
        assert_eq!(read_anchors(vec![world, file("b.crl", list)]).unwrap().anchors.len(), 2);
    }

    #[test]
    fn a_master_list_gives_its_certificates_and_leaves_out_what_proves_nothing() {
        let (first, second) = (certificate(b"first"), certificate(b"second"));
        let useless = [of_no_country(), link(b"nobody's", b"second"), link(b"nobody's", b"third")];
        let [nowhere, orphan, another] = &useless;
        let list = master_list(&[&first, nowhere, &second, orphan, another]);
        let read = read_anchors(vec![file("world.ml", list.clone())]).unwrap();
        assert_eq!(read.anchors.iter().map(|it| it.id).collect::<Vec<_>>(), [1, 2]);
        assert!(read.anchors.is_sorted_by_key(|it| sha256(&it.der)));
        assert!(read.anchors.iter().all(|it| it.der == first || it.der == second));
        let [shortened] = &read.shortened[..] else { panic!("{:?}", read.shortened) };
        let unknown = AnchorFault::Certificate(AnchorRefusal::UnknownKey);
        assert_eq!((&shortened.file[..], shortened.certificates), ("world.ml", 5));
        assert_eq!(shortened.left_out.iter().filter(|fault| **fault == unknown).count(), 2);
        assert_eq!(
            shortened.to_string(),
            "world.ml: 3 of 5 certificates left out (2: the certificate is signed by a key that is \
             not known; 1: the certificate names no country)"
        );

        // What is repeated is taken once, and is told of the file alone.
        let files = vec![
            file("a.ml", master_list(&[&first])),
            file("b.ml", list),
            file("c.cer", first.clone()),
            file("d.cer", first.clone()),
        ];
        let read = read_anchors(files).unwrap();
        assert_eq!(read.anchors.len(), 2);
        assert_eq!(read.duplicates, [("d.cer".to_owned(), "c.cer".to_owned())]);
        assert_eq!(read.shortened.len(), 1);

        // The same certificate as a file was meant.
        let files =
            vec![file("a.ml", master_list(&[&first, orphan])), file("b.cer", orphan.clone())];
        let refused = AnchorsError::File { file: "b.cer".to_owned(), fault: unknown };
        assert_eq!(read_anchors(files), Err(refused));
        let nothing = vec![file("a.ml", master_list(&[nowhere]))];
        assert_eq!(read_anchors(nothing), Err(AnchorsError::Empty));
    }

    #[test]
    fn a_master_list_has_to_be_the_one_that_was_signed() {
        let list = master_list(&[&certificate(b"first")]);
        let mut altered = list.clone();
        let at = list.windows(4).position(|part| part == b"CSCA").unwrap();
        altered[at] ^= 1;
        let signed = MasterListRefusal::Signed(CmsRefusal::Content);
        assert_eq!(fault("a.ml", altered), AnchorFault::MasterList(signed));
        let ended = MasterListRefusal::Malformed(Malformed("an element ends in its header"));
        assert_eq!(fault("a.ml", ""), AnchorFault::MasterList(ended));
        let other = fault("a.ml", certificate(b"first"));
        assert!(matches!(other, AnchorFault::MasterList(_)), "{other:?}");
        let other = fault("a.cer", list);
        assert!(matches!(other, AnchorFault::Certificate(_)), "{other:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            ending in 0..ANCHOR_ENDINGS.len(),
            begin in any::<bool>(),
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let begin = if begin { BEGIN } else { &[] };
            let name = format!("a.{}", ANCHOR_ENDINGS[ending].0);
            let _ = read_anchors(vec![file(&name, [begin, &bytes].concat())]);
        }
    }
}
