//! A security object, and who signed it.
#![no_main]

use fieldcheck::chip::passive::authenticate;
use fieldcheck::chip::sod::Sod;
use fieldcheck_fuzz::anchors;
use libfuzzer_sys::fuzz_target;
use sync_format::v1::date::Date;

fuzz_target!(|bytes: &[u8]| {
    let Ok(sod) = Sod::parse(bytes) else { return };
    let today = Date::new(2026, 11, 24).expect("a day");
    let _ = authenticate(&sod, &[(1, b"one")], &anchors(), today);
    let _ = authenticate(&sod, &[(1, b"one"), (2, b"two")], &anchors(), today);
    let _ = authenticate(&sod, &[], &anchors(), Date::MIN);
});
