//! `fieldcheckctl publish`: signed drafts into a repository, all of them at once or none.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use sync_format::codec::{self, Kind};
use sync_format::limits::MAX_SIGNED_RELEASE_BYTES;
use sync_format::v1::package::{SignedManifest, SnapshotVersion};

use super::draft::{self, DraftFolder};
use super::{files, progress, root};
use crate::clock::Clock;
use crate::repository::check::{Checked, UnderRoot};
use crate::repository::publish::{Parts, Publication, Update, publish};
use crate::repository::{Address, Repository};
use crate::snapshot::release;

#[derive(Args)]
pub(super) struct Options {
    /// Folders of drafts, as `snapshot build` wrote them and the signers signed them
    #[arg(value_name = "DRAFT")]
    drafts: Vec<PathBuf>,
    /// Root chain that devices are to trust
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// Repository: a folder, or s3://BUCKET/PREFIX with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    /// AWS_REGION and AWS_ENDPOINT_URL from the environment
    #[arg(long, value_name = "DIR|URL")]
    to: Address,
    /// Signatures that lie elsewhere than in the drafts; each is taken where it belongs
    #[arg(long, value_name = "FILE", num_args = 1..)]
    signatures: Vec<PathBuf>,
    /// Signed application release to publish beside the lists, or instead
    #[arg(long, value_name = "FILE", requires = "program")]
    release: Option<PathBuf>,
    /// The file that the release is about
    #[arg(long, value_name = "FILE", requires = "release")]
    program: Option<PathBuf>,
}

pub(super) fn run(options: &Options, clock: &dyn Clock, out: &mut dyn Write) -> anyhow::Result<()> {
    let now = clock.real_time();
    let (root_chain, trusted) = root::read(&options.root, now)?;
    let mut drafts = Vec::new();
    for path in &options.drafts {
        drafts.push(SignedDraft::read(path, &options.signatures, &trusted)?);
    }
    let told: Vec<String> = drafts.iter().map(SignedDraft::told).collect();

    let mut packages = Vec::new();
    for (draft, path) in drafts.iter_mut().zip(&options.drafts) {
        let seed = draft.folder.seed()?;
        let bar = progress::bar(0, "verifying", "parts");
        let checked = Checked::new(draft, &root_chain, &trusted, &seed, &mut |at, of| {
            bar.set_length(of as u64);
            bar.set_position(at as u64);
        });
        bar.finish_and_clear();
        packages.push(checked.with_context(|| path.display().to_string())?);
    }

    let update = match (&options.release, &options.program) {
        (Some(release), Some(program)) => Some(read_update(release, program, &trusted)?),
        _ => None,
    };
    let (mut file, signed, release) = match update {
        Some((file, signed, release)) => (Some(file), signed, Some(release)),
        None => (None, Vec::new(), None),
    };
    let update = file.as_mut().zip(release.as_ref()).map(|(file, release)| Update {
        signed: &signed,
        release,
        file,
    });

    let repository = Repository::create(&options.to).with_context(|| options.to.to_string())?;
    let bar = progress::bar(0, "publishing", "bytes");
    let publication = Publication { root_chain: &root_chain, packages, update, now: now.0 };
    let published = publish(&repository, publication, &mut |at, of| {
        bar.set_length(of);
        bar.set_position(at);
    });
    bar.finish_and_clear();
    let published = published.with_context(|| options.to.to_string())?;
    for line in told {
        writeln!(out, "published  {line}")?;
    }
    if let Some(release) = &release {
        let release = release.release();
        writeln!(out, "published  program {} ({})", release.app, release.label)?;
    }
    for (dataset, SnapshotVersion { epoch, version }) in &published.withdrawn {
        writeln!(out, "withdrawn  {dataset} {epoch}.{version}: the new root does not sign it")?;
    }
    writeln!(
        out,
        "repository serial {}, {} written ({} bytes), {} there already",
        published.serial,
        super::counted(published.written as u64, "object"),
        published.bytes,
        published.there
    )?;
    Ok(())
}

/// A draft with its signatures, read chunk by chunk.
struct SignedDraft {
    folder: DraftFolder,
    signed: Vec<u8>,
    inner: Vec<u8>,
    envelopes: Vec<(u32, Vec<u8>)>,
}

impl SignedDraft {
    fn read(
        path: &Path,
        elsewhere: &[PathBuf],
        trusted: &UnderRoot,
    ) -> anyhow::Result<SignedDraft> {
        let folder = DraftFolder::read(path)?;
        let mut signatures = folder.signatures()?;
        for path in elsewhere {
            let signature = draft::read_signature(path)?;
            // One list of files serves several drafts.
            if trusted.signs_manifest(&signature, &folder.manifest_bytes)
                && !signatures.contains(&signature)
            {
                signatures.push(signature);
            }
        }
        if signatures.is_empty() {
            bail!("{}: nobody has signed this draft", path.display());
        }
        let signed = SignedManifest { manifest: folder.manifest_bytes.clone(), signatures };
        let signed = codec::encode(Kind::SignedManifest, &signed)?;
        Ok(SignedDraft { signed, inner: folder.inner()?, envelopes: folder.envelopes()?, folder })
    }

    fn told(&self) -> String {
        let manifest = &self.folder.manifest;
        let SnapshotVersion { epoch, version } = manifest.version;
        let base = manifest.base.map_or_else(String::new, |base| format!(" from {}", base.version));
        let units = super::counted(self.envelopes.len() as u64, "unit");
        format!("{} {epoch}.{version}{base} for {units}", manifest.dataset)
    }
}

impl Parts for SignedDraft {
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
        self.folder.chunk(index).map_err(|error| io::Error::other(super::chain(&error)))
    }
}

fn read_update(
    signed: &Path,
    program: &Path,
    trusted: &UnderRoot,
) -> anyhow::Result<(File, Vec<u8>, release::VerifiedRelease)> {
    let bytes = files::read(signed, MAX_SIGNED_RELEASE_BYTES as u64)?.to_vec();
    let verified = release::verify(&bytes, trusted.root(), trusted.purpose(), trusted.time())
        .with_context(|| signed.display().to_string())?;
    let file = files::open(program)?;
    if file.metadata()?.len() != verified.release().len {
        bail!("{}: this is not the file that the release is about", program.display());
    }
    Ok((file, bytes, verified))
}
