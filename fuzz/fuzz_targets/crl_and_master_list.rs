//! A list of revoked certificates, or one of states' certificates.
#![no_main]

use fieldcheck::chip::certificate::Certificate;
use fieldcheck::chip::crl::RevocationList;
use fieldcheck::chip::trust::Anchors;
use fieldcheck_fuzz::anchors;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = RevocationList::parse(bytes) {
        let _ = list.revoked_on(&[2]);
        let mut anchors = anchors();
        let authority = anchors.certificates().next().cloned();
        let _ = authority.map(|it: Certificate| list.check_signature(&it));
        let _ = anchors.add_revocations(bytes);
    }
    let _ = anchors().add_master_list(bytes);
    let _ = Anchors::new().add_vouched_master_list(bytes);
});
