//! The texts of a Vietnamese card, and the zone beside them.
#![no_main]

use fieldcheck::chip::{dg1, dg13};
use fieldcheck::document::chip;
use fieldcheck_fuzz::holder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(group) = dg13::read(bytes) {
        let zone = holder().dg1();
        let zone = dg1::zone(&zone).expect("the invented zone");
        let _ = chip::read(zone, &group.text);
    }
    if let Ok(zone) = dg1::zone(bytes) {
        let _ = chip::read(zone, &chip::ChipText::default());
    }
});
