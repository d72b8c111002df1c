//! A draft of a list on the disk: what headquarters carries between its machines until it is signed.
//!
//! ```text
//! manifest.bin         what is signed
//! inner.bin            the sealed inner manifest
//! envelope-0007.bin    one a unit
//! chunk-00000.bin      the sealed rows
//! root.bin             the root chain
//! facts.txt            what it is, for people
//! seed                 what everything secret in it follows from: never leaves headquarters
//! KEY.sig              a signature, named by its key
//! approved             the mark of the machine on which it was approved
//! ```
//!
//! Everything but `seed` may be seen by anybody, except that `facts.txt` tells what is sealed in the
//! package: rows, regions and counts. Whoever has the seed can read the list.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sync_format::codec::{self, Kind};
use sync_format::limits;
use sync_format::v1::anchors::{Anchor, decode_anchors};
use sync_format::v1::notice::{Notice, decode_notices};
use sync_format::v1::package::layout;
use sync_format::v1::package::seal::{self, Part, Seed};
use sync_format::v1::package::{
    Base, Dataset, InnerManifest, Manifest, NATIONAL, PartRef, Root, Signature, sha256,
};
use sync_format::v1::register::{RegisterRow, TagKey, decode_register, region_of};
use zeroize::Zeroizing;

use super::files::{self, Readers, hex};
use crate::snapshot::build::{BaseOf, Draft};
use crate::snapshot::ceremony::Chain;

const MANIFEST: &str = "manifest.bin";
const INNER: &str = "inner.bin";
pub(super) const ROOT: &str = "root.bin";
const FACTS: &str = "facts.txt";
const SEED: &str = "seed";

/// Longest file of text that is read.
const MAX_TEXT_BYTES: u64 = 64 * 1024;

/// Bytes of a signature file: the key's id, then the signature.
const SIGNATURE_BYTES: usize = 8 + 64;

/// A draft, of which nothing is believed: each part is compared with its hash as it is read.
pub(super) struct DraftFolder {
    folder: PathBuf,
    /// The bytes that are signed.
    pub manifest_bytes: Vec<u8>,
    /// What they say.
    pub manifest: Manifest,
}

/// The files of a draft by name, as a builder writes them and an approver compares them.
pub(super) fn files_of<'a>(
    draft: &'a Draft,
    root_chain: &'a [u8],
    facts: &'a str,
) -> Vec<(String, &'a [u8])> {
    let mut files: Vec<(String, &[u8])> = vec![
        (MANIFEST.to_owned(), &draft.manifest),
        (INNER.to_owned(), &draft.inner),
        (ROOT.to_owned(), root_chain),
        (FACTS.to_owned(), facts.as_bytes()),
    ];
    files.extend(draft.envelopes.iter().map(|(unit, it)| (envelope_name(*unit), &it[..])));
    files.extend(draft.chunks.iter().enumerate().map(|(at, it)| (chunk_name(at), &it[..])));
    files
}

fn envelope_name(unit: u32) -> String {
    format!("envelope-{unit:04}.bin")
}

fn chunk_name(index: usize) -> String {
    format!("chunk-{index:05}.bin")
}

/// Writes a new folder; the manifest last, so that a folder that has one is whole.
pub(super) fn write(
    folder: &Path,
    draft: &Draft,
    root_chain: &[u8],
    facts: &str,
    seed: &Seed,
) -> anyhow::Result<()> {
    files::make_empty_folder(folder)?;
    let text = Zeroizing::new(hex(seed.expose()) + "\n");
    files::write_new(&folder.join(SEED), text.as_bytes(), Readers::Owner)?;
    let files = files_of(draft, root_chain, facts);
    for (name, bytes) in files.iter().filter(|(name, _)| name != MANIFEST) {
        files::write_new(&folder.join(name), bytes, Readers::All)?;
    }
    files::write_new(&folder.join(MANIFEST), &draft.manifest, Readers::All)
}

/// Reads a root chain, and the newest document in it. Whoever names the file trusts it.
pub(super) fn read_root(path: &Path) -> anyhow::Result<(Root, Vec<u8>)> {
    let bytes = files::read(path, Kind::RootChain.max_bytes() as u64)?.to_vec();
    let chain = Chain::read(&bytes).with_context(|| path.display().to_string())?;
    Ok((chain.newest().clone(), bytes))
}

/// Reads a seed of 64 hexadecimal digits.
pub(super) fn read_seed(path: &Path) -> anyhow::Result<Seed> {
    let bytes = files::read(path, MAX_TEXT_BYTES)?;
    let seed = files::parse_hex(&bytes)
        .with_context(|| format!("{}: this is no seed of 64 hexadecimal digits", path.display()))?;
    Ok(Seed::new(*seed))
}

/// Opens the sealed inner manifest of a package with the seed that it was built from.
pub(super) fn open_inner(
    manifest: &Manifest,
    sealed: &[u8],
    seed: &Seed,
) -> anyhow::Result<InnerManifest> {
    let bytes = seal::open(&manifest.package, Part::Inner, &seed.inner_key(), sealed)
        .context("the seed is that of another package")?;
    let inner: InnerManifest = codec::decode(Kind::InnerManifest, &bytes)?;
    inner.validate(manifest)?;
    Ok(inner)
}

impl DraftFolder {
    /// Reads what stands outside of a draft.
    pub(super) fn read(folder: &Path) -> anyhow::Result<DraftFolder> {
        let path = folder.join(MANIFEST);
        let manifest_bytes = files::read(&path, Kind::Manifest.max_bytes() as u64)?.to_vec();
        let read = || -> anyhow::Result<Manifest> {
            let manifest: Manifest = codec::decode(Kind::Manifest, &manifest_bytes)?;
            manifest.validate()?;
            Ok(manifest)
        };
        let manifest = read().with_context(|| path.display().to_string())?;
        Ok(DraftFolder { folder: folder.to_owned(), manifest_bytes, manifest })
    }

    /// Returns where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// Returns the hash of the manifest, by which a delta names its base.
    pub(super) fn hash(&self) -> [u8; 32] {
        sha256(&self.manifest_bytes)
    }

    /// Returns where the root chain lies.
    pub(super) fn root_path(&self) -> PathBuf {
        self.folder.join(ROOT)
    }

    /// Returns the seed.
    pub(super) fn seed(&self) -> anyhow::Result<Seed> {
        read_seed(&self.folder.join(SEED))
    }

    /// Returns a file of the draft by its name, or `None` where it is not there.
    pub(super) fn file(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.folder.join(name);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => Ok(Some(files::read(&path, limits::MAX_CHUNK_BYTES as u64)?.to_vec())),
        }
    }

    /// Returns the names of the parts that lie in the folder: what is to be compared, and nothing that
    /// is added after the draft was built.
    pub(super) fn part_names(&self) -> anyhow::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in
            fs::read_dir(&self.folder).with_context(|| self.folder.display().to_string())?
        {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".bin") || name == FACTS {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Reads a part, and compares it with what the manifest says of it.
    fn part(&self, name: &str, expected: &PartRef) -> anyhow::Result<Vec<u8>> {
        let path = self.folder.join(name);
        let bytes = files::read(&path, u64::from(expected.len))?.to_vec();
        if PartRef::of(&bytes) != *expected {
            bail!("{}: this is not the part that the manifest names", path.display());
        }
        Ok(bytes)
    }

    /// Returns the sealed inner manifest.
    pub(super) fn inner(&self) -> anyhow::Result<Vec<u8>> {
        self.part(INNER, &self.manifest.inner)
    }

    /// Returns a sealed chunk.
    pub(super) fn chunk(&self, index: usize) -> anyhow::Result<Vec<u8>> {
        let expected = self.manifest.chunks.get(index).context("there is no such chunk")?;
        self.part(&chunk_name(index), expected)
    }

    /// Returns the envelopes by unit, ascending.
    pub(super) fn envelopes(&self) -> anyhow::Result<Vec<(u32, Vec<u8>)>> {
        let mut envelopes = Vec::new();
        for name in self.part_names()? {
            let unit = name.strip_prefix("envelope-").and_then(|rest| rest.strip_suffix(".bin"));
            let Some(unit) = unit.and_then(|unit| unit.parse().ok()) else { continue };
            let path = self.folder.join(&name);
            let bytes = files::read(&path, limits::MAX_ENVELOPE_BYTES as u64)?.to_vec();
            if !self.manifest.envelopes.contains(&PartRef::of(&bytes)) {
                bail!("{}: this is no envelope that the manifest names", path.display());
            }
            envelopes.push((unit, bytes));
        }
        envelopes.sort_unstable();
        if envelopes.len() != self.manifest.envelopes.len() {
            let (here, named) = (envelopes.len(), self.manifest.envelopes.len());
            bail!("{}: {here} of {named} envelopes are here", self.folder.display());
        }
        Ok(envelopes)
    }

    /// Returns the whole draft.
    pub(super) fn draft(&self) -> anyhow::Result<Draft> {
        Ok(Draft {
            manifest: self.manifest_bytes.clone(),
            inner: self.inner()?,
            envelopes: self.envelopes()?,
            chunks: (0..self.manifest.chunks.len())
                .map(|index| self.chunk(index))
                .collect::<anyhow::Result<_>>()?,
        })
    }

    /// Opens the inner manifest.
    pub(super) fn inner_manifest(&self, seed: &Seed) -> anyhow::Result<InnerManifest> {
        open_inner(&self.manifest, &self.inner()?, seed)
            .with_context(|| self.folder.join(INNER).display().to_string())
    }

    /// Opens one chunk to its raw rows.
    fn raw(&self, seed: &Seed, inner: &InnerManifest, index: usize) -> anyhow::Result<Vec<u8>> {
        let info = inner.chunks.get(index).context("there is no such chunk")?;
        let region = match self.manifest.dataset {
            Dataset::Register => region_of(info.first),
            _ => NATIONAL,
        };
        let key = seed.content_key(self.manifest.dataset, region);
        let place = u32::try_from(index).unwrap_or(u32::MAX);
        let sealed = self.chunk(index)?;
        let compressed = seal::open(&self.manifest.package, Part::Chunk(place), &key, &sealed)?;
        let raw = layout::decompress(&compressed, info.raw_len as usize)?;
        if sha256(&raw) != info.raw_hash {
            bail!("the rows are not those that the inner manifest names");
        }
        Ok(raw)
    }

    fn rows<T>(
        &self,
        seed: &Seed,
        decode: impl Fn(&[u8]) -> anyhow::Result<Vec<T>>,
    ) -> anyhow::Result<Vec<T>> {
        let inner = self.inner_manifest(seed)?;
        let mut rows = Vec::with_capacity(usize::try_from(inner.rows).unwrap_or_default());
        for index in 0..inner.chunks.len() {
            let read = || decode(&self.raw(seed, &inner, index)?);
            let name = || self.folder.join(chunk_name(index)).display().to_string();
            rows.extend(read().with_context(name)?);
        }
        Ok(rows)
    }

    /// Returns the notices, of a delta those that it holds.
    pub(super) fn notices(&self, seed: &Seed) -> anyhow::Result<Vec<Notice>> {
        self.rows(seed, |raw| Ok(decode_notices(raw)?))
    }

    /// Returns the register rows, of a delta those that it holds.
    pub(super) fn register_rows(&self, seed: &Seed) -> anyhow::Result<Vec<RegisterRow>> {
        self.rows(seed, |raw| Ok(decode_register(raw)?))
    }

    /// Returns the anchors.
    pub(super) fn anchors(&self, seed: &Seed) -> anyhow::Result<Vec<Anchor>> {
        self.rows(seed, |raw| Ok(decode_anchors(raw)?))
    }

    /// Returns the key of the register's tags.
    pub(super) fn tag_key(&self, seed: &Seed) -> anyhow::Result<TagKey> {
        let inner = self.inner_manifest(seed)?;
        Ok(TagKey::new(inner.tag_key.context("this is no register")?))
    }

    /// Returns what a delta needs to know of this full package.
    pub(super) fn base_of(&self, seed: &Seed) -> anyhow::Result<BaseOf> {
        if self.manifest.base.is_some() {
            bail!("{}: this is a delta itself; the base is a full list", self.folder.display());
        }
        let version = self.manifest.version;
        Ok(BaseOf {
            base: Base { version: version.version, manifest: self.hash() },
            epoch: version.epoch,
            inner: self.inner_manifest(seed)?,
        })
    }

    /// Returns the signatures that lie in the folder. Whether they hold is for others to say.
    pub(super) fn signatures(&self) -> anyhow::Result<Vec<Signature>> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in
            fs::read_dir(&self.folder).with_context(|| self.folder.display().to_string())?
        {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "sig") {
                paths.push(path);
            }
        }
        paths.sort_unstable();
        paths.iter().map(|path| read_signature(path)).collect()
    }

    /// Puts a signature into the folder, and returns where it is.
    pub(super) fn add_signature(&self, signature: &Signature) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(format!("{}.sig", hex(&signature.key_id)));
        let bytes = [&signature.key_id[..], &signature.bytes[..]].concat();
        files::write_new(&path, &bytes, Readers::All)?;
        Ok(path)
    }
}

/// Reads a file of a signature: the key's id, then the signature.
pub(super) fn read_signature(path: &Path) -> anyhow::Result<Signature> {
    let bytes = files::read(path, SIGNATURE_BYTES as u64)?;
    let parts = bytes.split_first_chunk::<8>().and_then(|(key_id, rest)| {
        Some(Signature { key_id: *key_id, bytes: rest.try_into().ok()? })
    });
    parts.with_context(|| format!("{}: this is no signature", path.display()))
}
