//! Nothing leaves headquarters that devices refuse: a package is verified for every unit, and every
//! chunk of it is opened, before anything is uploaded.

use std::io;

use ed25519_dalek::{Signature as Ed25519, VerifyingKey};
use sync_format::codec::{self, Kind};
use sync_format::v1::package::layout::{self, LayoutError, Sections};
use sync_format::v1::package::seal::{self, Part, Seed};
use sync_format::v1::package::{
    self, Dataset, Domain, Envelope, InnerManifest, Manifest, Purpose, Root, RootChain, Signature,
    sha256,
};

use super::mirror::Trusted;
use super::publish::{Parts, PublishError, decode_manifest};
use crate::clock::{DeviceTime, TrustedTime};
use crate::snapshot::verify::{
    Held, NewestRoot, Opener, Trust, verify_manifest, verify_root_chain,
};
use crate::snapshot::{self, Refusal, Signed, release};

/// A package that every device it is for will take; [`Checked::new`] alone makes one.
pub struct Checked<'a>(&'a mut dyn Parts);

impl std::fmt::Debug for Checked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checked")
    }
}

/// Why a package is not published.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A device would refuse it.
    #[error("the devices of unit {unit} would refuse it")]
    Refused {
        /// Of which unit.
        unit: u32,
        /// Why.
        #[source]
        why: Refusal,
    },
    /// The envelope of one unit goes by the number of another.
    #[error("the envelope of unit {unit} is that of unit {found}")]
    OtherUnit {
        /// As it is called.
        unit: u32,
        /// As it is sealed.
        found: u32,
    },
    /// Its parts cannot be read.
    #[error("its parts cannot be read")]
    Read(#[source] io::Error),
    /// Its documents are none.
    #[error(transparent)]
    Document(#[from] PublishError),
    /// A section that nobody would read.
    #[error("a section cannot be written")]
    Layout(#[from] LayoutError),
}

impl CheckError {
    /// Returns the short name, for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            CheckError::Refused { why, .. } => why.code(),
            CheckError::OtherUnit { .. } => "other-unit",
            CheckError::Read(_) => "source",
            CheckError::Document(error) => error.code(),
            CheckError::Layout(_) => "document",
        }
    }
}

impl<'a> Checked<'a> {
    /// Verifies a package as each of its units will, in memory for one chunk at a time; `progress`
    /// is told the chunks done and to be done.
    pub fn new(
        parts: &'a mut dyn Parts,
        root_chain: &[u8],
        trusted: &UnderRoot,
        seed: &Seed,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Checked<'a>, CheckError> {
        let (manifest, _) = decode_manifest(parts.manifest())?;
        let trust = trusted.trust(held(&manifest, parts.inner(), seed), manifest.dataset);
        let envelopes = parts.envelopes().to_vec();
        let mut opened = vec![false; manifest.chunks.len()];
        for (unit, envelope) in envelopes {
            let refused = |why| CheckError::Refused { unit, why };
            let indices = codec::decode::<Envelope>(Kind::Envelope, &envelope)
                .map(|envelope| envelope.chunk_indices())
                .map_err(|why| PublishError::Document { what: "envelope", why })?;
            let mut head = Vec::new();
            let sections = Sections {
                root_chain: root_chain.to_vec(),
                manifest: parts.manifest().to_vec(),
                envelope,
                inner: parts.inner().to_vec(),
            };
            layout::write_sections(&mut head, &sections)?;
            let signed = Signed::read(&mut head.as_slice()).map_err(refused)?;
            let verified = snapshot::verify(signed, &trust, Opener::Headquarters(seed, unit))
                .map_err(refused)?;
            let found = verified.snapshot().unit;
            if found != unit {
                return Err(CheckError::OtherUnit { unit, found });
            }
            for (position, index) in indices.into_iter().enumerate() {
                let index = index as usize;
                // The rows of a region are the same in every unit.
                if opened.get(index).is_none_or(|opened| *opened) {
                    continue;
                }
                let chunk = parts.chunk(index).map_err(CheckError::Read)?;
                verified.read_rows(position, &mut chunk.as_slice()).map_err(refused)?;
                opened[index] = true;
                progress(opened.iter().filter(|opened| **opened).count(), opened.len());
            }
        }
        Ok(Checked(parts))
    }

    /// Takes a package for checked, in tests of what comes after.
    #[cfg(test)]
    pub(super) fn unchecked(parts: &'a mut dyn Parts) -> Checked<'a> {
        Checked(parts)
    }

    pub(super) fn into_parts(self) -> &'a mut dyn Parts {
        self.0
    }
}

/// Returns what a device holds that can take the package. Whether a delta belongs to the full package
/// that is public, publishing says.
fn held(manifest: &Manifest, inner: &[u8], seed: &Seed) -> Held {
    let tag_key = seal::open(&manifest.package, Part::Inner, &seed.inner_key(), inner)
        .ok()
        .and_then(|bytes| codec::decode::<InnerManifest>(Kind::InnerManifest, &bytes).ok())
        .and_then(|inner| inner.tag_key);
    Held { floor: None, base: manifest.base, tag_key }
}

/// Who trusts one root, at one time.
#[derive(Clone, Debug)]
pub struct UnderRoot {
    root_hash: [u8; 32],
    root: Root,
    now: DeviceTime,
}

impl UnderRoot {
    /// Verifies a chain by itself and trusts its newest root.
    ///
    /// Who hands over the chain vouches for it: no other hash is known here.
    pub fn new(root_chain: &[u8], now: DeviceTime) -> Result<UnderRoot, Refusal> {
        let undecodable = |source| Refusal::Undecodable { section: "root chain", source };
        let chain: RootChain = codec::decode(Kind::RootChain, root_chain).map_err(undecodable)?;
        let newest = chain.0.last().ok_or(Refusal::NoRoot)?;
        let root: Root = codec::decode(Kind::Root, &newest.root).map_err(undecodable)?;
        let trusted = UnderRoot { root_hash: sha256(&newest.root), root, now };
        trusted.newest(root_chain)?;
        Ok(trusted)
    }

    /// Returns the root document.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Returns real use or a demonstration.
    pub fn purpose(&self) -> Purpose {
        self.root.purpose
    }

    /// Returns now, as far as is known here.
    pub fn time(&self) -> TrustedTime {
        TrustedTime::new(self.now, self.now)
    }

    /// Whether a key of this root has put this signature on this manifest.
    pub fn signs_manifest(&self, signature: &Signature, manifest: &[u8]) -> bool {
        let message = package::signing_bytes(Domain::Manifest, manifest);
        let bytes = Ed25519::from_bytes(&signature.bytes);
        let keys = self.root.roles.iter().flat_map(|role| &role.keys.keys);
        keys.filter(|key| package::key_id(key) == signature.key_id).any(|key| {
            VerifyingKey::from_bytes(key)
                .is_ok_and(|key| key.verify_strict(&message, &bytes).is_ok())
        })
    }

    fn trust(&self, held: Held, dataset: Dataset) -> Trust {
        let of = |of: Dataset| if of == dataset { held } else { Held::default() };
        Trust {
            root_hash: self.root_hash,
            purpose: self.root.purpose,
            notices: of(Dataset::Notices),
            register: of(Dataset::Register),
            anchors: of(Dataset::Anchors),
            time: self.time(),
            real_time: self.now,
        }
    }

    /// Returns the newest root of a chain that holds the trusted one.
    fn newest(&self, root_chain: &[u8]) -> Result<NewestRoot, Refusal> {
        let newest = verify_root_chain(root_chain, &self.trust(Held::default(), Dataset::Notices))?;
        if self.now.0 >= newest.root.expires {
            return Err(Refusal::RootExpired);
        }
        Ok(newest)
    }
}

impl Trusted for UnderRoot {
    fn package(&self, root_chain: &[u8], manifest: &[u8]) -> Result<(), String> {
        let verify = || is_signed(manifest, &self.newest(root_chain)?.root);
        verify().map_err(|why| why.to_string())
    }

    fn update(&self, root_chain: &[u8], signed: &[u8]) -> Result<(), String> {
        let newest = self.newest(root_chain).map_err(|why| why.to_string())?;
        let verified = release::verify(signed, &newest.root, self.purpose(), self.time());
        verified.map(drop).map_err(|why| why.to_string())
    }
}

/// Says whether a manifest is signed as this root demands, and of its epoch.
pub(super) fn is_signed(manifest: &[u8], root: &Root) -> Result<(), Refusal> {
    let (manifest, _) = verify_manifest(manifest, root)?;
    let found = manifest.version.epoch;
    if found == root.epoch { Ok(()) } else { Err(Refusal::WrongEpoch { found, root: root.epoch }) }
}
