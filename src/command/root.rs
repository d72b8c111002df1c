//! Reads the root chain that a command is to trust.

use std::path::Path;

use anyhow::Context as _;
use sync_format::limits::MAX_ROOT_CHAIN_BYTES;

use super::files;
use crate::clock::DeviceTime;
use crate::repository::check::UnderRoot;

/// Reads and verifies a chain, which is trusted because the caller names it; beside it its bytes.
pub(super) fn read(path: &Path, now: DeviceTime) -> anyhow::Result<(Vec<u8>, UnderRoot)> {
    let chain = files::read(path, MAX_ROOT_CHAIN_BYTES as u64)?.to_vec();
    let trusted = UnderRoot::new(&chain, now).with_context(|| path.display().to_string())?;
    Ok((chain, trusted))
}
