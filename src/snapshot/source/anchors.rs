//! Reads anchors: files of certificates and revocation lists, as authorities publish them.
//!
//! Unlike a row of a table, a file that is no anchor is no lesser evil to be left out: whoever put a
//! folder together meant every file of it, and a revocation list that was lost would let a revoked
//! signer pass. So the first file that breaks a rule ends it, by its name.
//!
//! The order is that of the SHA-256 of the DER, so that the same files give the same list whatever
//! they are called. Where the bytes come from is the caller's business.

use sync_format::v1::anchors::{Anchor, AnchorKind};
use sync_format::v1::package::sha256;

use crate::chip::{Malformed, tlv};

/// The endings of file names that are taken, each with what such a file holds; `None`: what its PEM
/// blocks say.
pub const ANCHOR_ENDINGS: [(&str, Option<AnchorKind>); 5] = [
    ("cer", Some(AnchorKind::Certificate)),
    ("crt", Some(AnchorKind::Certificate)),
    ("der", Some(AnchorKind::Certificate)),
    ("pem", None),
    ("crl", Some(AnchorKind::RevocationList)),
];

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
    #[error("neither a certificate (.cer, .crt, .der, .pem) nor a revocation list (.crl)")]
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
    #[error("not DER: {0}")]
    NotDer(Malformed),
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
}

/// Why a folder gives no list of anchors.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AnchorsError {
    /// A file is no anchor.
    #[error("{file}: {fault}")]
    File {
        /// Its name.
        file: String,
        /// Why.
        fault: AnchorFault,
    },
    /// There is no file.
    #[error("no certificate and no revocation list")]
    Empty,
}

/// The anchors of a folder.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ReadAnchors {
    /// Each once, ascending by the SHA-256 of its DER, and counted from 1 in that order.
    pub anchors: Vec<Anchor>,
    /// Files that hold what another holds already: their names, and the other's.
    pub duplicates: Vec<(String, String)>,
}

/// Reads the files of a folder, in any order.
///
/// # Errors
///
/// The first file by name that is no anchor, and [`AnchorsError::Empty`].
pub fn read_anchors(mut files: Vec<AnchorFile>) -> Result<ReadAnchors, AnchorsError> {
    files.sort_by(|left, right| left.name.cmp(&right.name));
    let mut found: Vec<([u8; 32], AnchorKind, Vec<u8>, String)> = Vec::new();
    for AnchorFile { name, bytes } in files {
        let read = read_file(&name, &bytes);
        let read = read.map_err(|fault| AnchorsError::File { file: name.clone(), fault })?;
        found.extend(read.into_iter().map(|(kind, der)| (sha256(&der), kind, der, name.clone())));
    }
    // Of two that are the same the first by name stays: the sort is stable.
    found.sort_by_key(|(hash, ..)| *hash);
    let mut read = ReadAnchors::default();
    let mut kept: Option<([u8; 32], String)> = None;
    for (id, (hash, kind, der, name)) in found.into_iter().enumerate() {
        match &kept {
            Some((before, file)) if *before == hash => {
                read.duplicates.push((name, file.clone()));
            }
            _ => {
                let id = (id - read.duplicates.len()) as u64 + 1;
                read.anchors.push(Anchor { id, kind, der });
                kept = Some((hash, name));
            }
        }
    }
    if read.anchors.is_empty() { Err(AnchorsError::Empty) } else { Ok(read) }
}

/// Says whether bytes may stand in a list of anchors as this kind.
///
/// The one place where headquarters looks into an anchor: today that it is one DER SEQUENCE of exactly
/// its length, and no longer than the format allows. What X.509 asks for beyond belongs here.
///
/// # Errors
///
/// [`AnchorFault::TooLong`] and [`AnchorFault::NotDer`].
pub fn check_anchor(kind: AnchorKind, der: &[u8]) -> Result<(), AnchorFault> {
    let (len, limit) = (der.len(), kind.max_bytes());
    if len > limit {
        return Err(AnchorFault::TooLong { kind, len, limit });
    }
    tlv::only(der, SEQUENCE).map(drop).map_err(AnchorFault::NotDer)
}

fn read_file(name: &str, bytes: &[u8]) -> Result<Vec<(AnchorKind, Vec<u8>)>, AnchorFault> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let known = |(known, _): &&(&str, Option<AnchorKind>)| ending.as_deref() == Some(*known);
    let (_, by_name) = ANCHOR_ENDINGS.iter().find(known).ok_or(AnchorFault::Ending)?;
    let anchors = match by_name {
        // A text whose first letter happens to be DER's tag is no whole SEQUENCE.
        Some(kind) if !is_pem(bytes) || tlv::only(bytes, SEQUENCE).is_ok() => {
            vec![(*kind, bytes.to_vec())]
        }
        _ => blocks(bytes)?,
    };
    for (kind, der) in &anchors {
        if let Some(expected) = by_name
            && kind != expected
        {
            return Err(AnchorFault::OtherKind { found: *kind, expected: *expected });
        }
        check_anchor(*kind, der)?;
    }
    Ok(anchors)
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

    /// A SEQUENCE of this content: all that is asked of an anchor today.
    fn der_of(content: &[u8]) -> Vec<u8> {
        tlv::element(SEQUENCE, content)
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
        let (first, second, list) = (der_of(b"first"), der_of(b"second"), der_of(b"list"));
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
        let der = der_of(b"the same");
        let files = vec![
            file("2.cer", der.clone()),
            file("1.crt", pem("CERTIFICATE", &der)),
            file("0.cer", der_of(b"another")),
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
        let der = der_of(b"a certificate");
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
        let large = der_of(&vec![0; AnchorKind::Certificate.max_bytes()]);
        let fault_of_large = fault("a.cer", large.clone());
        assert!(matches!(fault_of_large, AnchorFault::TooLong { .. }), "{fault_of_large:?}");
        assert!(read_anchors(vec![file("a.crl", large)]).is_ok(), "a list may be longer");
        assert_eq!(read_anchors(Vec::new()), Err(AnchorsError::Empty));
    }

    #[test]
    fn of_several_faults_the_first_by_name_is_told() {
        let files = vec![file("b.txt", ""), file("a.cer", "x"), file("c.cer", der_of(b"whole"))];
        let refused = read_anchors(files).unwrap_err().to_string();
        assert!(refused.starts_with("a.cer: not DER"), "{refused}");
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
