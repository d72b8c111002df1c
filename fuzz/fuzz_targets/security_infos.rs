//! What a chip says that it can do, before and after it was opened.
#![no_main]

use fieldcheck::chip::active_authentication;
use fieldcheck::chip::chip_authentication::Offer;
use fieldcheck::chip::security_infos::SecurityInfos;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let before = SecurityInfos::of_card_access(bytes);
    let after = SecurityInfos::of_data_group_14(bytes);
    for infos in before.iter().chain(&after) {
        assert!(infos.repeats(infos));
        for info in &infos.pace {
            let _ = info.curve();
        }
        let _ = Offer::best(infos);
    }
    // Data group 15 holds the key of the other proof.
    if let Ok(key) = active_authentication::public_key(bytes) {
        let _ = active_authentication::signature_bytes(&key);
    }
});
