//! `snapshot sign`: one person signs a draft, with one key, on his own machine.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use sync_format::v1::package::{Dataset, Domain, Role, Root};

use super::super::draft::{DraftFolder, read_root};
use super::super::files::hex;
use super::super::private_key::KeyOptions;
use super::approve;
use crate::snapshot::keyfile::{KeyRole, PrivateKey, PublicKey};

#[derive(Args)]
pub(in super::super) struct SignOptions {
    /// Folder of the draft
    #[arg(value_name = "DRAFT")]
    draft: PathBuf,
    /// Root document that names who may sign [default: the one of the draft]
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    #[command(flatten)]
    key: KeyOptions,
}

pub(super) fn run(options: &SignOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let folder = DraftFolder::read(&options.draft)?;
    let beside = folder.root_path();
    let (root, _) = read_root(options.root.as_deref().unwrap_or(&beside))?;
    let key_file = options.key.read()?;
    let role = may_sign(key_file.public(), folder.manifest.dataset, &root)?;
    if role == Role::NoticesApprover && !approve::is_approved(&folder)? {
        bail!(
            "{}: not approved on this machine; run `snapshot approve` with the source first",
            options.draft.display()
        );
    }
    let key: PrivateKey = options.key.open(&key_file)?;
    let signature = key.sign(Domain::Manifest, &folder.manifest_bytes);
    let path = folder.add_signature(&signature)?;
    let manifest = hex(&folder.hash());
    writeln!(out, "signed     manifest {manifest} as {}", role.code())?;
    writeln!(out, "signature  {}", path.display())?;
    Ok(())
}

/// Returns the role in which this key may sign the dataset.
fn may_sign(key: &PublicKey, dataset: Dataset, root: &Root) -> anyhow::Result<Role> {
    let roles: &[Role] = match dataset {
        Dataset::Notices => &[Role::NoticesAuthor, Role::NoticesApprover],
        Dataset::Register => &[Role::Register],
        Dataset::Anchors => &[Role::Anchors],
    };
    let role = match key.role() {
        KeyRole::Of(role) if roles.contains(&role) => role,
        other => bail!("a key of {} does not sign a list of {dataset}", other.code()),
    };
    let mut of_role = root.roles.iter().filter(|of| of.role == role);
    if !of_role.any(|of| of.keys.keys.contains(key.key())) {
        bail!("the root document does not name this key as one of {}", role.code());
    }
    Ok(role)
}
