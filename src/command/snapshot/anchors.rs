//! What is said of anchors: kind, country, length and hash of each, and how many there are of each kind.

use std::fmt::{self, Write as _};

use sync_format::v1::anchors::{Anchor, AnchorKind};
use sync_format::v1::package::sha256;

use super::super::files::hex;
use crate::chip::certificate::Certificate;
use crate::chip::country::Country;
use crate::chip::crl::RevocationList;

/// One anchor as a line: `certificate  VN  1234 bytes  0123…`. It names no holder.
pub(super) struct Line<'a>(pub &'a Anchor);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Anchor { id: _, kind, der } = self.0;
        let country = country(self.0).map_or_else(|| "--".to_owned(), |it| it.to_string());
        write!(f, "{kind:<15}  {country}  {:>6} bytes  {}", der.len(), hex(&sha256(der)))
    }
}

/// Returns the country whose certificate or revocation list it is. Headquarters takes none without one,
/// but a list that was made elsewhere is shown too.
fn country(anchor: &Anchor) -> Option<Country> {
    match anchor.kind {
        AnchorKind::Certificate => Certificate::parse(&anchor.der).ok()?.subject().country(),
        AnchorKind::RevocationList => RevocationList::parse(&anchor.der).ok()?.issuer().country(),
    }
}

/// Returns the anchors of a list, one a line, under how many there are.
pub(super) fn list(anchors: &[Anchor]) -> String {
    let mut text = String::new();
    let counts = counts(anchors).filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(kind, count)| format!("{kind} {count}")).collect();
    // Writing to a text never fails.
    writeln!(text, "anchors    {}", counts.join(", ")).unwrap_or_default();
    for anchor in anchors {
        writeln!(text, "  {}", Line(anchor)).unwrap_or_default();
    }
    text
}

/// Returns how many there are of each kind.
pub(super) fn counts(anchors: &[Anchor]) -> impl Iterator<Item = (AnchorKind, u64)> {
    let count = |kind| anchors.iter().filter(|anchor| anchor.kind == kind).count() as u64;
    AnchorKind::ALL.iter().map(move |kind| (*kind, count(*kind)))
}
