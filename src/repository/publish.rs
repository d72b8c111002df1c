//! Publishing: first everything new, then `latest`, which is what makes it public.
//!
//! What was uploaded before a publication broke off lies there unnamed and is found again by the
//! next try. Backwards leads no way: not to an older version, not to an older root, not past
//! somebody else's publication.

use std::io::{self, Read};

use sync_format::codec::{self, Kind};
use sync_format::v1::message::{Entry, Index, MessageError, Release};
use sync_format::v1::package::{
    Base, Dataset, Manifest, PartRef, Root, RootChain, SignedManifest, SignedRoot, SnapshotVersion,
    sha256,
};

use super::check::{Checked, is_signed};
use super::{Repository, RepositoryError};
use crate::snapshot::release::VerifiedRelease;

/// A signed package with the envelopes of all its units, chunk by chunk: ten million rows take
/// 50 MB, and nobody holds them all.
pub trait Parts {
    /// Returns the encoded signed manifest.
    fn manifest(&self) -> &[u8];
    /// Returns the sealed inner manifest.
    fn inner(&self) -> &[u8];
    /// Returns the encoded envelope of each unit.
    fn envelopes(&self) -> &[(u32, Vec<u8>)];
    /// Returns a sealed chunk, as the manifest counts them from 0.
    fn chunk(&mut self, index: usize) -> io::Result<Vec<u8>>;
}

/// An application update: what is signed, and the file.
pub struct Update<'a> {
    /// The encoded signed release.
    pub signed: &'a [u8],
    /// What it says.
    pub release: &'a VerifiedRelease,
    /// The file that it names.
    pub file: &'a mut dyn Read,
}

/// What is published at once.
pub struct Publication<'a> {
    /// The encoded and signed root chain.
    pub root_chain: &'a [u8],
    /// The packages, in any order.
    pub packages: Vec<Checked<'a>>,
    /// An application update beside them, or instead.
    pub update: Option<Update<'a>>,
    /// When, Unix time in seconds.
    pub now: i64,
}

/// Why nothing was published. What was public before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The repository.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// Not above what is public, in epoch and version.
    #[error(
        "{dataset} {}.{} does not come after {}.{}, which is published",
        offered.epoch, offered.version, published.epoch, published.version
    )]
    Backwards {
        /// Which list.
        dataset: Dataset,
        /// What was to be published.
        offered: SnapshotVersion,
        /// What is.
        published: SnapshotVersion,
    },
    /// The full package that a delta belongs to is not the one that is public.
    #[error(
        "the delta of {dataset} belongs to version {base}, which is not the full one published"
    )]
    Base {
        /// Which list.
        dataset: Dataset,
        /// The version it wants.
        base: u64,
    },
    /// Devices that trust the root that is public could not follow.
    #[error("the root chain does not hold the root that is published")]
    RootBackwards,
    /// The update does not come after the one that is public.
    #[error("program {offered} does not come after {published}, which is published")]
    UpdateBackwards {
        /// What was to be published.
        offered: u32,
        /// What is.
        published: u32,
    },
    /// A package whose parts are not those of its manifest.
    #[error("the parts of {dataset} are not those of its manifest")]
    Parts {
        /// Which list.
        dataset: Dataset,
    },
    /// A document that is none.
    #[error("the {what} cannot be read")]
    Document {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        why: codec::DecodeError,
    },
    /// An index that nobody would read.
    #[error("the index cannot be")]
    Index(#[from] MessageError),
    /// Nothing that is not public already.
    #[error("there is nothing new to publish")]
    NothingNew,
}

impl PublishError {
    /// Returns the short name, for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            PublishError::Repository(error) => error.code(),
            PublishError::Backwards { .. } => "backwards",
            PublishError::Base { .. } => "base",
            PublishError::RootBackwards => "root-backwards",
            PublishError::UpdateBackwards { .. } => "update-backwards",
            PublishError::Parts { .. } => "parts",
            PublishError::Document { .. } => "document",
            PublishError::Index(_) => "index",
            PublishError::NothingNew => "nothing-new",
        }
    }
}

/// What has become public.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Published {
    /// The number of the publication.
    pub serial: u64,
    /// Objects that were written.
    pub written: usize,
    /// Objects that were there, from a publication that broke off or in an earlier one.
    pub there: usize,
    /// Bytes that were written.
    pub bytes: u64,
    /// Packages that are public no longer, since no device would take them under the new root.
    pub withdrawn: Vec<(Dataset, SnapshotVersion)>,
}

/// Publishes all of it or nothing; `progress` is told the bytes done and to be done.
pub fn publish(
    repository: &Repository,
    publication: Publication<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Published, PublishError> {
    let Publication { root_chain, packages, update, now } = publication;
    let lock = repository.lock()?;
    let before = repository.latest()?;
    let before_index = before.as_ref().map(|latest| &latest.index);

    let mut packages = packages
        .into_iter()
        .map(Checked::into_parts)
        .map(|parts| Ok(Package { described: Described::read(&*parts)?, parts }))
        .collect::<Result<Vec<_>, PublishError>>()?;
    packages.sort_by_key(|package| package.described.place());

    // Whether it may be published is decided before anything is written.
    let root_part = PartRef::of(root_chain);
    let mut index = Index {
        serial: before_index.map_or(1, |before| before.serial.saturating_add(1)),
        published: before_index.map_or(now, |before| now.max(before.published)),
        root_chain: root_part,
        entries: before_index.map_or_else(Vec::new, |before| before.entries.clone()),
        release: before_index.and_then(|before| before.release),
    };
    let withdrawn = match before_index {
        Some(before) if before.root_chain != root_part => {
            follow_root(repository, &mut index, &before.root_chain, root_chain)?
        }
        _ => Vec::new(),
    };
    let fresh: Vec<(PartRef, [u8; 32])> =
        packages.iter().map(|Package { described: it, .. }| (it.entry.manifest, it.hash)).collect();
    for package in &packages {
        place(repository, &mut index, &package.described, &fresh)?;
    }
    if let Some(update) = &update {
        place_update(repository, &mut index, update)?;
    }
    index.validate()?;
    let is_new = before_index.is_none_or(|before| {
        before.root_chain != index.root_chain
            || before.entries != index.entries
            || before.release != index.release
    });
    if !is_new {
        return Err(PublishError::NothingNew);
    }

    let mut upload = Upload::new(repository, &packages, root_chain, update.as_ref(), progress);
    upload.put(root_chain)?;
    for package in &mut packages {
        upload.package(package)?;
    }
    if let Some(update) = update {
        upload.put(update.signed)?;
        upload.file(update)?;
    }
    let published = upload.done;
    repository.replace_latest(before.as_ref(), &index, &lock)?;
    Ok(Published { serial: index.serial, withdrawn, ..published })
}

/// Says whether devices can follow the new root, and takes out of the index what they would not
/// take under it; returns what that was.
fn follow_root(
    repository: &Repository,
    index: &mut Index,
    before: &PartRef,
    root_chain: &[u8],
) -> Result<Vec<(Dataset, SnapshotVersion)>, PublishError> {
    // An empty chain was never published by us, and nobody trusts it.
    let backwards = || PublishError::RootBackwards;
    let published = roots(&repository.read(before)?)?.pop().ok_or_else(backwards)?;
    let mut roots = roots(root_chain)?;
    if !roots.contains(&published) {
        return Err(backwards());
    }
    let (newest, _) = roots.pop().ok_or_else(backwards)?;
    let mut withdrawn = Vec::new();
    let mut entries = Vec::new();
    for entry in std::mem::take(&mut index.entries) {
        // The delta of a package that is gone would lead nowhere.
        let base_is_gone =
            entry.base.is_some() && withdrawn.iter().any(|(dataset, _)| *dataset == entry.dataset);
        if base_is_gone || is_signed(&repository.read(&entry.manifest)?, &newest).is_err() {
            withdrawn.push((entry.dataset, entry.version));
        } else {
            entries.push(entry);
        }
    }
    index.entries = entries;
    Ok(withdrawn)
}

struct Package<'a> {
    described: Described,
    parts: &'a mut dyn Parts,
}

/// What a package's signed manifest says, and the entry of the index that follows from it.
struct Described {
    manifest: Manifest,
    hash: [u8; 32],
    entry: Entry,
}

impl Described {
    fn read(parts: &dyn Parts) -> Result<Described, PublishError> {
        let (manifest, hash) = decode_manifest(parts.manifest())?;
        let dataset = manifest.dataset;
        let mut units: Vec<(u32, PartRef)> =
            parts.envelopes().iter().map(|(unit, bytes)| (*unit, PartRef::of(bytes))).collect();
        units.sort_unstable();
        let mut envelopes: Vec<PartRef> = units.iter().map(|(_, part)| *part).collect();
        envelopes.sort_unstable();
        if envelopes != manifest.envelopes || PartRef::of(parts.inner()) != manifest.inner {
            return Err(PublishError::Parts { dataset });
        }
        let entry = Entry {
            dataset,
            version: manifest.version,
            base: manifest.base.map(|base| base.version),
            manifest: PartRef::of(parts.manifest()),
            inner: manifest.inner,
            chunks: manifest.chunks.clone(),
            units,
        };
        Ok(Described { manifest, hash, entry })
    }

    /// The order in which packages take their places: a full one before its delta.
    fn place(&self) -> (Dataset, bool, SnapshotVersion) {
        (self.entry.dataset, self.entry.base.is_some(), self.entry.version)
    }
}

/// Puts a package into the index, in the place of those that it replaces. `fresh` are the manifests
/// of this publication, which are not uploaded yet, and the hashes by which deltas name them.
fn place(
    repository: &Repository,
    index: &mut Index,
    package: &Described,
    fresh: &[(PartRef, [u8; 32])],
) -> Result<(), PublishError> {
    let (dataset, offered) = (package.entry.dataset, package.entry.version);
    let of_dataset = || index.entries.iter().filter(|entry| entry.dataset == dataset);
    let published = of_dataset().map(|entry| entry.version).max();
    if let Some(published) = published.filter(|published| offered <= *published) {
        return Err(PublishError::Backwards { dataset, offered, published });
    }
    match package.manifest.base {
        // A delta of the full one before would lead back to it.
        None => index.entries.retain(|entry| entry.dataset != dataset),
        Some(Base { version, manifest }) => {
            let wrong = || PublishError::Base { dataset, base: version };
            let full = of_dataset().find(|entry| entry.base.is_none()).ok_or_else(wrong)?;
            let is_base = full.version == SnapshotVersion { version, ..offered };
            let known = fresh.iter().find(|(part, _)| *part == full.manifest);
            let hash = known.map_or_else(|| manifest_hash(repository, full), |known| Ok(known.1));
            if !is_base || hash? != manifest {
                return Err(wrong());
            }
            index.entries.retain(|entry| entry.dataset != dataset || entry.base.is_none());
        }
    }
    let entry = package.entry.clone();
    let place = |entry: &Entry| (entry.dataset, entry.base.is_some());
    let at = index.entries.partition_point(|before| place(before) < place(&entry));
    index.entries.insert(at, entry);
    Ok(())
}

/// Returns the hash of a published package's manifest, by which a delta names it.
fn manifest_hash(repository: &Repository, entry: &Entry) -> Result<[u8; 32], PublishError> {
    decode_manifest(&repository.read(&entry.manifest)?).map(|(_, hash)| hash)
}

fn place_update(
    repository: &Repository,
    index: &mut Index,
    update: &Update<'_>,
) -> Result<(), PublishError> {
    if let Some(part) = &index.release {
        let published = decode_release(&repository.read(part)?)?.app;
        let offered = update.release.release().app;
        if offered <= published {
            return Err(PublishError::UpdateBackwards { offered, published });
        }
    }
    index.release = Some(PartRef::of(update.signed));
    Ok(())
}

/// Puts objects and counts.
struct Upload<'a> {
    repository: &'a Repository,
    progress: &'a mut dyn FnMut(u64, u64),
    at: u64,
    of: u64,
    done: Published,
}

impl<'a> Upload<'a> {
    fn new(
        repository: &'a Repository,
        packages: &[Package<'_>],
        root_chain: &[u8],
        update: Option<&Update<'_>>,
        progress: &'a mut dyn FnMut(u64, u64),
    ) -> Upload<'a> {
        let of_package = |package: &Package<'_>| {
            let Entry { manifest, inner, chunks, units, .. } = &package.described.entry;
            let envelopes = units.iter().map(|(_, part)| part);
            let parts = [manifest, inner].into_iter().chain(chunks).chain(envelopes);
            parts.map(|part| u64::from(part.len)).sum::<u64>()
        };
        let of_update =
            |update: &Update<'_>| update.signed.len() as u64 + update.release.release().len;
        let of = packages.iter().map(of_package).sum::<u64>()
            + root_chain.len() as u64
            + update.map_or(0, of_update);
        let done = Published { serial: 0, written: 0, there: 0, bytes: 0, withdrawn: Vec::new() };
        Upload { repository, progress, at: 0, of, done }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<PartRef, PublishError> {
        let (part, was_there) = self.repository.put(bytes)?;
        self.count(u64::from(part.len), was_there);
        Ok(part)
    }

    fn package(&mut self, package: &mut Package<'_>) -> Result<(), PublishError> {
        let dataset = package.described.entry.dataset;
        for (index, expected) in package.described.entry.chunks.iter().enumerate() {
            let chunk = package.parts.chunk(index).map_err(RepositoryError::Source)?;
            // Read again since it was verified: the file may have changed.
            if PartRef::of(&chunk) != *expected {
                return Err(PublishError::Parts { dataset });
            }
            self.put(&chunk)?;
        }
        self.put(package.parts.inner())?;
        for (_, envelope) in package.parts.envelopes() {
            self.put(envelope)?;
        }
        self.put(package.parts.manifest())?;
        Ok(())
    }

    fn file(&mut self, update: Update<'_>) -> Result<(), PublishError> {
        let Release { hash, len, .. } = update.release.release();
        let was_there = self.repository.put_file(hash, *len, update.file)?;
        self.count(*len, was_there);
        Ok(())
    }

    fn count(&mut self, len: u64, was_there: bool) {
        self.at += len;
        if was_there {
            self.done.there += 1;
        } else {
            self.done.written += 1;
            self.done.bytes += len;
        }
        (self.progress)(self.at, self.of);
    }
}

/// Decodes a signed manifest; beside it the hash by which deltas name it. Believes nothing.
pub(super) fn decode_manifest(signed: &[u8]) -> Result<(Manifest, [u8; 32]), PublishError> {
    let document = |what| move |why| PublishError::Document { what, why };
    let signed: SignedManifest =
        codec::decode(Kind::SignedManifest, signed).map_err(document("signed manifest"))?;
    let manifest = codec::decode(Kind::Manifest, &signed.manifest).map_err(document("manifest"))?;
    Ok((manifest, sha256(&signed.manifest)))
}

/// Decodes a signed release. Believes nothing.
pub(super) fn decode_release(signed: &[u8]) -> Result<Release, PublishError> {
    let document = |why| PublishError::Document { what: "release", why };
    let signed: sync_format::v1::message::SignedRelease =
        codec::decode(Kind::SignedRelease, signed).map_err(document)?;
    codec::decode(Kind::Release, &signed.release).map_err(document)
}

/// Returns the roots of a chain, each with the hash by which devices know it.
fn roots(chain: &[u8]) -> Result<Vec<(Root, [u8; 32])>, PublishError> {
    let document = |why| PublishError::Document { what: "root chain", why };
    let RootChain(chain) = codec::decode(Kind::RootChain, chain).map_err(document)?;
    let root = |signed: &SignedRoot| {
        Ok((codec::decode(Kind::Root, &signed.root).map_err(document)?, sha256(&signed.root)))
    };
    chain.iter().map(root).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use object_store::ObjectStore;
    use object_store::memory::InMemory;

    use super::super::testing::{Fake, NOW, Troubled, a_folder, publish_fakes, root_chain};
    use super::super::{Latest, Repository};
    use super::*;

    fn latest(repository: &Repository) -> Index {
        let Latest { index, .. } = repository.latest().unwrap().unwrap();
        index
    }

    fn versions(index: &Index) -> Vec<(Dataset, u64, Option<u64>)> {
        let entries = index.entries.iter();
        entries.map(|entry| (entry.dataset, entry.version.version, entry.base)).collect()
    }

    #[test]
    fn of_each_list_the_newest_full_package_and_its_newest_delta_are_public() {
        let (_folder, repository) = a_folder();
        let (notices, register) =
            (Fake::full(Dataset::Notices, 3), Fake::full(Dataset::Register, 1));
        let first = publish_fakes(&repository, &mut [register.clone(), notices.clone()]).unwrap();
        // Of each: three chunks, two envelopes, inner and outer manifest; and the root chain.
        assert_eq!((first.serial, first.written, first.there), (1, 15, 0));
        publish_fakes(&repository, &mut [register.delta(2)]).unwrap();
        publish_fakes(&repository, &mut [register.delta(3), notices.delta(4)]).unwrap();
        let index = latest(&repository);
        assert_eq!((index.serial, index.published), (3, NOW));
        let expected = [
            (Dataset::Notices, 3, None),
            (Dataset::Notices, 4, Some(3)),
            (Dataset::Register, 1, None),
            (Dataset::Register, 3, Some(1)),
        ];
        assert_eq!(versions(&index), expected);

        publish_fakes(&repository, &mut [Fake::full(Dataset::Register, 4)]).unwrap();
        let expected = [expected[0], expected[1], (Dataset::Register, 4, None)];
        assert_eq!(versions(&latest(&repository)), expected);
    }

    #[test]
    fn a_publication_never_leads_back() {
        let (_folder, repository) = a_folder();
        let full = Fake::full(Dataset::Notices, 5);
        publish_fakes(&repository, &mut [full.clone()]).unwrap();
        publish_fakes(&repository, &mut [full.delta(7)]).unwrap();
        let check = |fake: Fake, offered: (u32, u64)| {
            let refused = publish_fakes(&repository, &mut [fake]).unwrap_err();
            let PublishError::Backwards { offered: version, published, .. } = refused else {
                panic!("{refused:?}")
            };
            assert_eq!((version.epoch, version.version), offered);
            assert_eq!((published.epoch, published.version), (1, 7));
        };
        check(Fake::full(Dataset::Notices, 4), (1, 4));
        check(Fake::full(Dataset::Notices, 7), (1, 7));
        check(full.delta(6), (1, 6));
        check(full.delta(7), (1, 7));
        let version = SnapshotVersion { epoch: 0, version: 9 };
        check(Fake::new(Dataset::Notices, version, None, 3), (0, 9));
        // An epoch that rises counts anew.
        let version = SnapshotVersion { epoch: 2, version: 1 };
        publish_fakes(&repository, &mut [Fake::new(Dataset::Notices, version, None, 3)]).unwrap();
        assert_eq!(latest(&repository).serial, 3);
    }

    #[test]
    fn a_delta_belongs_to_the_full_package_that_is_public() {
        let (_folder, repository) = a_folder();
        let (full, other) = (Fake::full(Dataset::Notices, 5), Fake::full(Dataset::Register, 5));
        let check = |fake: Fake| {
            let refused = publish_fakes(&repository, &mut [fake]);
            assert!(matches!(refused, Err(PublishError::Base { .. })), "{refused:?}");
        };
        check(full.delta(6));
        publish_fakes(&repository, &mut [full.delta(6), full.clone()]).unwrap();
        check(Fake::full(Dataset::Notices, 4).delta(7));
        check(other.delta(7));
        let base = Base { version: 5, manifest: [0; 32] };
        check(Fake::new(Dataset::Notices, SnapshotVersion { epoch: 1, version: 7 }, Some(base), 1));
    }

    #[test]
    fn a_root_chain_goes_on_from_the_one_that_is_public() {
        let (_folder, repository) = a_folder();
        let with_roots = |roots: u32, version: Option<u64>| {
            let root_chain = &root_chain(roots);
            let mut fakes: Vec<Fake> =
                version.map(|version| Fake::full(Dataset::Notices, version)).into_iter().collect();
            let packages = fakes.iter_mut().map(|fake| Checked::unchecked(fake)).collect();
            let publication = Publication { root_chain, packages, update: None, now: NOW };
            publish(&repository, publication, &mut |_, _| ())
        };
        with_roots(2, Some(1)).unwrap();
        let nothing = with_roots(2, None);
        assert!(matches!(nothing, Err(PublishError::NothingNew)), "{nothing:?}");
        let older = with_roots(1, Some(2));
        assert!(matches!(older, Err(PublishError::RootBackwards)), "{older:?}");
        // A rotation by itself is worth a publication; what it does not sign goes.
        let rotated = with_roots(3, None).unwrap();
        assert_eq!(rotated.serial, 2);
        let version = SnapshotVersion { epoch: 1, version: 1 };
        assert_eq!(rotated.withdrawn, [(Dataset::Notices, version)]);
        assert_eq!(latest(&repository).entries, []);
    }

    #[test]
    fn parts_that_are_not_those_of_the_manifest_are_not_published() {
        let (_folder, repository) = a_folder();
        let check = |change: fn(&mut Fake)| {
            let mut fake = Fake::full(Dataset::Notices, 1);
            change(&mut fake);
            let refused = publish_fakes(&repository, &mut [fake]);
            assert!(matches!(refused, Err(PublishError::Parts { .. })), "{refused:?}");
            assert!(repository.latest().unwrap().is_none());
        };
        check(|fake| fake.chunks[1][5] ^= 1);
        check(|fake| fake.chunks.swap(0, 1));
        check(|fake| fake.inner.push(0));
        check(|fake| fake.envelopes[1].1.push(0));
        check(|fake| drop(fake.envelopes.pop()));
        let mut fake = Fake::full(Dataset::Notices, 1);
        fake.chunks.pop();
        let refused = publish_fakes(&repository, &mut [fake]).unwrap_err();
        assert_eq!(refused.code(), "source");
    }

    #[test]
    fn a_crash_at_any_write_leaves_what_was_public_and_the_next_try_goes_on() {
        let before = Fake::full(Dataset::Notices, 1);
        let mut cuts = 0;
        loop {
            let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let whole = Repository::on(Arc::clone(&inner)).unwrap();
            publish_fakes(&whole, &mut [before.clone()]).unwrap();
            let was = latest(&whole);

            let puts = AtomicUsize::new(0);
            let cut = cuts;
            let before_put = Mutex::new(move |_: &object_store::path::Path| {
                if puts.fetch_add(1, Ordering::Relaxed) < cut {
                    return Ok(());
                }
                let source = "power is gone".into();
                Err(object_store::Error::Generic { store: "test", source })
            });
            let troubled = Repository::on(Arc::new(Troubled { inner, before_put })).unwrap();
            let mut new = [before.delta(2), Fake::full(Dataset::Register, 1)];
            let published = publish_fakes(&troubled, &mut new);
            if published.is_ok() {
                break;
            }
            assert_eq!(latest(&whole), was, "cut before write {cuts}");
            let again = publish_fakes(&whole, &mut new).unwrap();
            assert_eq!((again.serial, again.there), (2, cuts.max(1)), "cut before write {cuts}");
            cuts += 1;
        }
        // The root chain, which is there already; 5 and 7 objects; and `latest`.
        assert_eq!(cuts, 14);
    }

    #[test]
    fn of_two_publishers_at_once_one_is_told_that_he_was_overtaken() {
        let check = |published_before: bool| {
            let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let slow = Arc::clone(&inner);
            if published_before {
                let repository = Repository::on(Arc::clone(&inner)).unwrap();
                publish_fakes(&repository, &mut [Fake::full(Dataset::Notices, 1)]).unwrap();
            }
            // The other one comes in between the last object and `latest`.
            let before_put = Mutex::new(move |location: &object_store::path::Path| {
                if location.as_ref() == "latest" {
                    let fast = Repository::on(Arc::clone(&inner)).unwrap();
                    let publish =
                        move || publish_fakes(&fast, &mut [Fake::full(Dataset::Notices, 2)]);
                    std::thread::spawn(publish).join().unwrap().unwrap();
                }
                Ok(())
            });
            let troubled = Troubled { inner: Arc::clone(&slow), before_put };
            let troubled = Repository::on(Arc::new(troubled)).unwrap();
            let overtaken = publish_fakes(&troubled, &mut [Fake::full(Dataset::Notices, 3)]);
            assert_eq!(overtaken.unwrap_err().code(), "overtaken");
            let whole = Repository::on(slow).unwrap();
            assert_eq!(versions(&latest(&whole)), [(Dataset::Notices, 2, None)]);
        };
        check(false);
        check(true);
    }

    #[test]
    fn a_folder_that_is_being_published_into_is_busy() {
        let (folder, repository) = a_folder();
        let lock = repository.lock().unwrap();
        let address = super::super::Address::Folder(folder.path().to_path_buf());
        let other = Repository::open(&address).unwrap();
        let refused = publish_fakes(&other, &mut [Fake::full(Dataset::Notices, 1)]).unwrap_err();
        assert_eq!(refused.code(), "busy");
        drop(lock);
        publish_fakes(&other, &mut [Fake::full(Dataset::Notices, 1)]).unwrap();
    }

    #[test]
    fn an_object_that_was_torn_is_named_and_not_made_public() {
        let (folder, repository) = a_folder();
        let fake = Fake::full(Dataset::Notices, 1);
        let object = super::super::hex(&fake.manifest.chunks[1].hash);
        let path = folder.path().join("objects").join(&object[..2]).join(&object);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &fake.chunks[1][..10]).unwrap();
        let refused = publish_fakes(&repository, &mut [fake]).unwrap_err();
        assert_eq!(refused.to_string(), format!("object {object} is damaged"));
        assert!(repository.latest().unwrap().is_none());
    }

    #[test]
    fn an_update_is_published_with_its_file_and_goes_up_alone() {
        let (_folder, repository) = a_folder();
        let file: Vec<u8> = (0..9_000_000_u32).map(|at| (at % 251) as u8).collect();
        let publish_update = |app: u32, file: &[u8], hash: [u8; 32]| {
            let release = Release {
                purpose: sync_format::v1::package::Purpose::Demo,
                app,
                label: "0.2".into(),
                made: NOW,
                hash,
                len: file.len() as u64,
            };
            let encoded = codec::encode(Kind::Release, &release).unwrap();
            let signed = sync_format::v1::message::SignedRelease {
                release: encoded,
                signatures: Vec::new(),
            };
            let signed = codec::encode(Kind::SignedRelease, &signed).unwrap();
            let release = VerifiedRelease::unchecked(release);
            let update = Update { signed: &signed, release: &release, file: &mut &*file };
            let root_chain = &root_chain(1);
            let update = Some(update);
            let publication = Publication { root_chain, packages: vec![], update, now: NOW };
            publish(&repository, publication, &mut |_, _| ())
        };
        let published = publish_update(2, &file, sha256(&file)).unwrap();
        assert_eq!((published.serial, published.written), (1, 3));
        repository.verify_file(&sha256(&file), file.len() as u64).unwrap();
        let older = publish_update(2, &file, sha256(&file));
        assert!(matches!(older, Err(PublishError::UpdateBackwards { .. })), "{older:?}");
        assert_eq!(publish_update(3, &file, sha256(&file)).unwrap().there, 2);
        let changed = publish_update(4, &file[1..], sha256(&file));
        assert_eq!(changed.unwrap_err().code(), "object-damaged");
        let changed = publish_update(4, &file[..10], [7; 32]);
        assert_eq!(changed.unwrap_err().code(), "source");
        assert_eq!(latest(&repository).serial, 2);
    }
}
