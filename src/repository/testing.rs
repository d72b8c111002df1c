//! Packages as a repository sees them: parts under hashes, sealed by nobody.

use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use sync_format::codec::{self, Kind};
use sync_format::v1::package::layout::{self, Sections};
use sync_format::v1::package::seal::{ENCAPSULATED_BYTES, WRAPPED_BYTES};
use sync_format::v1::package::{
    Base, Dataset, Envelope, Freshness, KeySet, Manifest, PartRef, Purpose, Recipient, Root,
    RootChain, Run, SignedManifest, SignedRoot, SnapshotVersion, sha256,
};

use super::check::Checked;
use super::publish::{Parts, Publication, PublishError, Published, publish};
use super::{Address, Repository};

pub(super) const NOW: i64 = 1_795_521_600;

/// A package of three chunks for unit 7, and of the first alone for unit 9.
#[derive(Clone)]
pub(super) struct Fake {
    pub manifest: Manifest,
    pub signed: Vec<u8>,
    pub inner: Vec<u8>,
    pub envelopes: Vec<(u32, Vec<u8>)>,
    pub chunks: Vec<Vec<u8>>,
}

impl Fake {
    pub(super) fn full(dataset: Dataset, version: u64) -> Fake {
        Fake::new(dataset, SnapshotVersion { epoch: 1, version }, None, 3)
    }

    /// The changes since this package.
    pub(super) fn delta(&self, version: u64) -> Fake {
        let manifest = codec::encode(Kind::Manifest, &self.manifest).unwrap();
        let base = Base { version: self.manifest.version.version, manifest: sha256(&manifest) };
        let version = SnapshotVersion { version, ..self.manifest.version };
        Fake::new(self.manifest.dataset, version, Some(base), 1)
    }

    pub(super) fn new(
        dataset: Dataset,
        version: SnapshotVersion,
        base: Option<Base>,
        chunks: u32,
    ) -> Fake {
        let what = format!("{dataset} {}.{} {base:?}", version.epoch, version.version);
        let package = *sha256(what.as_bytes()).first_chunk().unwrap();
        let chunks: Vec<Vec<u8>> =
            (0..chunks).map(|at| format!("{what} chunk {at} ").repeat(200).into_bytes()).collect();
        let envelope = |unit: u32, count: usize| {
            let envelope = Envelope {
                package,
                chunks: vec![Run { first: 0, count: count as u32 }],
                recipients: vec![Recipient {
                    hint: [1; 8],
                    encapsulated: vec![unit as u8; ENCAPSULATED_BYTES],
                    wrapped: vec![3; WRAPPED_BYTES],
                }],
                grant: format!("{what} grant of {unit} that nobody opens here").into_bytes(),
            };
            (unit, codec::encode(Kind::Envelope, &envelope).unwrap())
        };
        let envelopes = vec![envelope(7, chunks.len()), envelope(9, 1)];
        let mut envelope_parts: Vec<PartRef> =
            envelopes.iter().map(|(_, bytes)| PartRef::of(bytes)).collect();
        envelope_parts.sort_unstable();
        let inner = format!("{what} inner").into_bytes();
        let manifest = Manifest {
            package,
            dataset,
            version,
            created: NOW,
            expires: NOW + 1,
            base,
            min_app: 1,
            freshness: Freshness { fresh_hours: 24, usable_hours: 72 },
            chip_required: false,
            envelopes: envelope_parts,
            inner: PartRef::of(&inner),
            chunks: chunks.iter().map(|chunk| PartRef::of(chunk)).collect(),
        };
        let encoded = codec::encode(Kind::Manifest, &manifest).unwrap();
        let signed = SignedManifest { manifest: encoded, signatures: Vec::new() };
        let signed = codec::encode(Kind::SignedManifest, &signed).unwrap();
        Fake { manifest, signed, inner, envelopes, chunks }
    }

    /// The file that a unit's devices install.
    pub(super) fn package(&self, unit: u32, root_chain: &[u8]) -> Vec<u8> {
        let (_, envelope) = self.envelopes.iter().find(|(of, _)| *of == unit).unwrap();
        let decoded: Envelope = codec::decode(Kind::Envelope, envelope).unwrap();
        let sections = Sections {
            root_chain: root_chain.to_vec(),
            manifest: self.signed.clone(),
            envelope: envelope.clone(),
            inner: self.inner.clone(),
        };
        let mut package = Vec::new();
        layout::write_sections(&mut package, &sections).unwrap();
        for index in decoded.chunk_indices() {
            package.extend_from_slice(&self.chunks[index as usize]);
        }
        package
    }
}

impl Parts for Fake {
    fn manifest(&self) -> &[u8] {
        &self.signed
    }
    fn inner(&self) -> &[u8] {
        &self.inner
    }
    fn envelopes(&self) -> &[(u32, Vec<u8>)] {
        &self.envelopes
    }
    fn chunk(&mut self, index: usize) -> io::Result<Vec<u8>> {
        self.chunks.get(index).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A chain of so many roots, signed by nobody.
pub(super) fn root_chain(roots: u32) -> Vec<u8> {
    let signed = |root_version| {
        let root = Root {
            purpose: Purpose::Demo,
            epoch: 1,
            root_version,
            made: NOW,
            expires: NOW + 1,
            root_keys: KeySet { threshold: 1, keys: vec![[1; 32]] },
            roles: Vec::new(),
        };
        SignedRoot { root: codec::encode(Kind::Root, &root).unwrap(), signatures: Vec::new() }
    };
    codec::encode(Kind::RootChain, &RootChain((1..=roots).map(signed).collect())).unwrap()
}

pub(super) fn publish_fakes(
    repository: &Repository,
    packages: &mut [Fake],
) -> std::result::Result<Published, PublishError> {
    let packages = packages.iter_mut().map(|fake| Checked::unchecked(fake)).collect();
    let root_chain = &root_chain(1);
    let publication = Publication { root_chain, packages, update: None, now: NOW };
    publish(repository, publication, &mut |_, _| ())
}

/// An empty repository in a folder.
pub(super) fn a_folder() -> (tempfile::TempDir, Repository) {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::create(&Address::Folder(folder.path().to_path_buf())).unwrap();
    (folder, repository)
}

/// A store that does something before each put, which may be to fail it.
pub(super) struct Troubled<F> {
    pub inner: Arc<dyn ObjectStore>,
    pub before_put: Mutex<F>,
}

impl<F> std::fmt::Debug for Troubled<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Troubled")
    }
}

impl<F> std::fmt::Display for Troubled<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Troubled")
    }
}

#[async_trait]
impl<F: FnMut(&Path) -> Result<()> + Send + 'static> ObjectStore for Troubled<F> {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        (self.before_put.lock().unwrap())(location)?;
        self.inner.put_opts(location, payload, options).await
    }
    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        (self.before_put.lock().unwrap())(location)?;
        self.inner.put_multipart_opts(location, options).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }
    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
