//! A certificate of a state.
#![no_main]

use fieldcheck::chip::certificate::Certificate;
use fieldcheck::chip::trust::Anchors;
use fieldcheck_fuzz::anchors;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(certificate) = Certificate::parse(bytes) else { return };
    let _ = certificate.subject().country();
    let _ = certificate.check_signature(&certificate);
    let _ = anchors().issuer_of(&certificate);
    let _ = anchors().add_certificate(bytes);
    let mut none = Anchors::new();
    if none.add_certificate(bytes).is_ok() {
        assert!(certificate.is_authority());
    }
});
